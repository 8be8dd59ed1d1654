// How the app is told to stop: not at all behind a shell, or by another signal than the one that it handles.
import { constants } from 'node:os';
import type { Ending, PodLife } from '../../journal/pods.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

const KILLED = 137;

export function signalNotReceived({ written, going }: PodEnds): Remedy | undefined {
  const killed = going.filter((pod) => pod.graceExceeded);
  const [first] = killed;
  if (!first?.graceExceeded) return undefined;
  const { container: name } = first.graceExceeded;
  const shell = written.containers.find((one) => one.name === name)?.behindShell;
  // What was seen of its phases says that SIGTERM did come.
  if (killed.some((pod) => pod.phases.some(({ phase }) => phase === 'sigterm'))) return undefined;
  const ended = going.filter((pod) => pod.endings.length > 0);
  // A pod that ended before its time has heard the signal.
  if (shell === undefined && (killed.length < 2 || killed.length < ended.length)) return undefined;
  const lived = `all ${counted(killed.length, 'pod')} that ended lived until the end of the grace period (${duration(first.graceMs ?? 0)}) and were killed`;
  return {
    id: 'signal-not-received',
    explains: ['grace-exceeded', 'killed-in-flight', 'kept-connection-cut'],
    found:
      shell !== undefined
        ? `SIGTERM never reaches the app of container ${name}: a shell is its first process, which runs ${shell} and passes no signal on, so that ${lived}`
        : `SIGTERM does not stop the app of container ${name}: ${lived}, so it either does not get the signal (a shell or a script is its first process) or ignores it`,
    todo: `Start the app with exec as the script’s last command, or under an init such as tini${shell === undefined ? ', or let it handle SIGTERM' : ''}. A longer grace period only makes the wait longer, and no setting of ours helps.`,
    facts: killed.slice(0, 4).flatMap((pod) => graceFact(pod)),
  };
}

function graceFact({ name, terminating, graceExceeded }: PodLife): Fact[] {
  if (!terminating || !graceExceeded) return [];
  const { atMs, line, container } = graceExceeded;
  const lived = duration(atMs - terminating.atMs);
  return [
    {
      text: `container ${container} of pod ${name} was seen killed (exit code ${KILLED}) at ${at(atMs)}, ${lived} after its deletion`,
      tMs: atMs,
      line,
      pod: name,
    },
  ];
}

export function stopSignal({ facts, written, going }: PodEnds): Remedy | undefined {
  const told = written.containers.find((one) => one.stopSignal !== undefined && one.stopSignal !== 'SIGTERM');
  const ends = going.flatMap((pod) =>
    pod.endings.flatMap((ending) => (afterDeletion(pod, ending) ? [{ pod, ending }] : [])),
  );
  const died = ends.filter(({ ending }) => signalOf(ending) !== undefined);
  const [first] = died;
  const reported = statusSignal(facts.pods.values());
  const name = told?.name ?? first?.ending.container ?? reported?.container;
  const signal = told?.stopSignal ?? (first && signalOf(first.ending)) ?? reported?.signal;
  if (name === undefined || signal === undefined || ends.length === 0) return undefined;
  const from = told ? 'its lifecycle.stopSignal' : 'the STOPSIGNAL of its image';
  const killed = ends.filter(({ pod }) => pod.graceExceeded);
  const outcome =
    !first && told && killed.length > 0
      ? `and the app does not end on it: ${counted(killed.length, 'container')} lived until the end of the grace period and were killed`
      : first
        ? `and the app dies of it (exit code ${first.ending.exitCode} = 128 + ${constants.signals[signal as NodeJS.Signals] ?? '?'})`
        : 'which the app may handle otherwise than SIGTERM';
  return {
    id: 'stop-signal',
    explains: ['killed-in-flight', 'kept-connection-cut', 'routed-after-stop', 'grace-exceeded'],
    found: `container ${name} is stopped by ${signal} (${from}), not by SIGTERM, ${outcome}`,
    todo: `Let the app finish its requests on ${signal}, or make it SIGTERM: ${told ? 'take lifecycle.stopSignal out' : 'STOPSIGNAL SIGTERM in the image’s Dockerfile'}. A longer grace period changes nothing, and no setting of ours does.`,
    facts: died.slice(0, 4).map(({ pod, ending }) => ({
      text: `container ${ending.container} of pod ${pod.name} ended with exit code ${ending.exitCode} (${signalOf(ending)}) at ${at(ending.atMs)}`,
      tMs: ending.atMs,
      line: ending.line,
      pod: pod.name,
    })),
  };
}

/** Died of a signal that is none of the usual ends (SIGTERM without a handler, SIGKILL) nor of a crash of its own. */
function signalOf({ exitCode }: Ending): string | undefined {
  const number = (exitCode ?? 0) - 128;
  return stopSignals.find((name) => constants.signals[name] === number);
}
const stopSignals = ['SIGQUIT', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

const afterDeletion = ({ terminating }: PodLife, { atMs }: Ending) =>
  terminating !== undefined && atMs >= terminating.atMs;

/** What the cluster says of it (containerStatuses[].stopSignal). */
function statusSignal(pods: Iterable<PodLife>): { container: string; signal: string } | undefined {
  for (const pod of pods) {
    for (const { facts } of pod.changes) {
      for (const { name, stopSignal: signal } of facts?.containers ?? [])
        if (signal !== undefined && signal !== 'SIGTERM') return { container: name, signal };
    }
  }
  return undefined;
}
