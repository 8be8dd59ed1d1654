// How the app is told to stop: not at all behind a shell, or by another signal than the one that it handles; and what keeps it
// from ending when it was told.
import { constants } from 'node:os';
import type { Ending, PodLife } from '../../journal/pods.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import { type PodEnds, serving, stoppedBy } from './ending.ts';
import type { Written } from './written.ts';

const KILLED = 137;
/** The kubelet gives two seconds after a hook that has used up the grace period: who is killed then may have heard the signal. */
const LEAST_LEFT_MS = 3000;
/** One that was killed refuses from then on, too, and its end may be seen seconds later. */
const BEFORE_KILL_MS = 1500;

interface Killed {
  readonly pod: PodLife;
  readonly ending: Ending;
  /** It had stopped accepting well before: it had heard the signal. */
  readonly heard: { readonly atMs: number; readonly how: string } | undefined;
}

/** Pods of which a container that matters to clients was killed at the end of the grace period. */
const killedIn = (ends: PodEnds): Killed[] =>
  ends.going.flatMap((pod) => {
    const { graceExceeded, terminating } = pod;
    if (!graceExceeded || !terminating) return [];
    const matter = serving(ends.written);
    // A sidecar serves for as long as the others live.
    const names = new Set(matter.every(({ sidecar }) => sidecar) ? [] : matter.map(({ name }) => name));
    const ending = pod.endings.find(
      ({ container, exitCode, atMs }) =>
        exitCode === KILLED && atMs >= graceExceeded.atMs && (names.size === 0 || names.has(container)),
    );
    if (!ending) return [];
    const hook = ends.written.containers.find(({ name }) => name === ending.container)?.preStop;
    if ((pod.graceMs ?? 0) - (hook?.seconds ?? 0) * 1000 < LEAST_LEFT_MS) return [];
    const said = pod.phases.find(({ phase }) => phase === 'sigterm');
    const stopped = stoppedBy(pod, ends);
    const killedMs = Math.min(ending.atMs, terminating.atMs + (pod.graceMs ?? 0));
    const heard =
      stopped && stopped.atMs < killedMs - BEFORE_KILL_MS
        ? stopped
        : said && { atMs: said.atMs, how: 'it said that it got SIGTERM' };
    return [{ pod, ending, heard }];
  });

export function signalNotReceived(ends: PodEnds): Remedy | undefined {
  const { written, going } = ends;
  const killed = killedIn(ends);
  const [first] = killed;
  if (!first) return endsWithShell(ends);
  const name = first.ending.container;
  const shell = written.containers.find((one) => one.name === name)?.behindShell;
  if (killed.some(({ heard }) => heard)) return undefined;
  const ended = going.filter((pod) => pod.endings.length > 0);
  // A pod that ended before its time has heard the signal.
  if (shell === undefined && (killed.length < 2 || killed.length < ended.length || stopSignal(ends)))
    return undefined;
  const lived = livedOn(killed);
  const init = 'one that has the shell as its child ends with the shell, and the app is killed then';
  return {
    id: 'signal-not-received',
    explains: ['grace-exceeded', 'killed-in-flight', 'kept-connection-cut'],
    found:
      shell !== undefined
        ? `SIGTERM never reaches the app of container ${name}: a shell is its first process, which runs ${shell} and passes no signal on, so that ${lived}`
        : `SIGTERM does not stop the app of container ${name}: ${lived}, so it either does not get the signal (a shell or a script is its first process) or ignores it`,
    todo: `Start the app with exec as the script’s last command, or put an init such as tini in the shell’s place (${init})${shell === undefined ? ', or let it handle SIGTERM' : ''}. A longer grace period only makes the wait longer, and no setting of ours helps.`,
    facts: killed.slice(0, 4).flatMap(graceFact),
  };
}

const TERMINATED = 143;

/** An init passes the signal to the shell that it runs, which dies of it; then the container is over, the app with it. */
function endsWithShell({ written, going }: PodEnds): Remedy | undefined {
  const container = serving(written).find(({ behindInit }) => behindInit);
  if (!container?.behindInit) return undefined;
  const { name, behindInit } = container;
  const ended = going.flatMap((pod) =>
    pod.endings.flatMap((ending) =>
      afterDeletion(pod, ending) && ending.container === name && ending.exitCode === TERMINATED
        ? [{ pod, ending }]
        : [],
    ),
  );
  if (ended.length === 0) return undefined;
  return {
    id: 'signal-not-received',
    explains: ['killed-in-flight', 'kept-connection-cut'],
    found: `SIGTERM never reaches the app of container ${name}: ${behindInit.init} passes it to a shell, which dies of it (exit code ${TERMINATED}), and ${behindInit.running} is killed with the container`,
    todo: `Start the app with exec as the script’s last command, so that it stands in the shell’s place. No setting of ours helps.`,
    facts: ended.slice(0, 4).map(({ pod, ending: { atMs, line } }) => ({
      text: `container ${name} of pod ${pod.name} ended with exit code ${TERMINATED} at ${at(atMs)}`,
      tMs: atMs,
      line,
      pod: pod.name,
    })),
  };
}

/** It hears the signal, closes its listener and then waits for connections that stay open. */
export function doesNotEnd(ends: PodEnds): Remedy | undefined {
  const killed = killedIn(ends).filter(({ heard }) => heard);
  const [first] = killed;
  if (!first) return undefined;
  // Requests that take that long need the time.
  const long = ends.failures.some(
    ({ pod, startMs, endMs }) =>
      pod !== undefined &&
      killed.some(
        (one) => one.pod.name === pod && endMs - startMs > (one.pod.graceMs ?? 0) / 2 && endMs > startMs,
      ),
  );
  if (long) return undefined;
  const { ending, heard, pod } = first;
  const afterMs = (heard?.atMs ?? 0) - (pod.terminating?.atMs ?? 0);
  return {
    id: 'does-not-end',
    explains: ['grace-exceeded'],
    found: `the app of container ${ending.container} hears that it should stop (${duration(afterMs)} after the deletion ${heard?.how}) and does not end: ${livedOn(killed)}`,
    todo: 'Let it leave its kept connections: answer each request with Connection: close, close those that are idle, and end after the last request. A longer grace period only makes the wait longer, and no setting of ours helps.',
    facts: killed.slice(0, 4).flatMap(graceFact),
  };
}

const livedOn = (killed: readonly Killed[]): string => {
  const until = `lived until the end of the grace period (${duration(killed[0]?.pod.graceMs ?? 0)})`;
  return killed.length === 1
    ? `the pod that ended ${until} and was killed`
    : `all ${counted(killed.length, 'pod')} that ended ${until} and were killed`;
};

function graceFact({ pod: { name, terminating }, ending: { atMs, line, container } }: Killed): Fact[] {
  if (!terminating) return [];
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

export function stopSignal(ends: PodEnds): Remedy | undefined {
  const { facts, written, going } = ends;
  const matters = serving(written);
  const told = matters.find((one) => one.stopSignal !== undefined && one.stopSignal !== 'SIGTERM');
  const reported = told ? undefined : statusSignal(facts.pods.values(), written);
  const ended = going.flatMap((pod) =>
    pod.endings.flatMap((ending) =>
      afterDeletion(pod, ending) && (written.containers.length === 0 || isOf(matters, ending))
        ? [{ pod, ending }]
        : [],
    ),
  );
  const wanted = told?.stopSignal ?? reported?.signal;
  // The signal that an exit code tells of may be the hook's own.
  if (wanted === undefined && matters.some(({ stopsServer }) => stopsServer !== undefined)) return undefined;
  const died = ended.filter(({ pod, ending }) => diedOf(pod, ending, wanted) !== undefined);
  const [first] = died;
  const signal = wanted ?? (first && diedOf(first.pod, first.ending, undefined));
  const name = told?.name ?? reported?.container ?? first?.ending.container;
  if (name === undefined || signal === undefined || ended.length === 0) return undefined;
  const from = told ? 'its lifecycle.stopSignal' : 'the STOPSIGNAL of its image';
  const killed = killedIn(ends).filter(({ heard }) => !heard);
  // An app that ends of itself on it handles it.
  if (!first && killed.length === 0) return undefined;
  const outcome = first
    ? `and the app dies of it (exit code ${first.ending.exitCode} = 128 + ${constants.signals[signal as NodeJS.Signals] ?? '?'})`
    : `and the app does not end on it: ${counted(killed.length, 'container')} lived until the end of the grace period and were killed`;
  return {
    id: 'stop-signal',
    explains: ['killed-in-flight', 'kept-connection-cut', 'grace-exceeded'],
    found: `container ${name} is stopped by ${signal} (${from}), not by SIGTERM, ${outcome}`,
    todo: `Let the app finish its requests on ${signal}, or make it SIGTERM: ${told ? 'take lifecycle.stopSignal out' : 'STOPSIGNAL SIGTERM in the image’s Dockerfile'}. A longer grace period changes nothing, and no setting of ours does.`,
    facts: (first ? died : []).slice(0, 4).map(({ pod, ending }) => ({
      text: `container ${ending.container} of pod ${pod.name} ended with exit code ${ending.exitCode} (${signal}) at ${at(ending.atMs)}`,
      tMs: ending.atMs,
      line: ending.line,
      pod: pod.name,
    })),
  };
}

const isOf = (containers: Written['containers'], { container }: Ending): boolean =>
  containers.some(({ name }) => name === container);

/**
 * The signal that an exit code tells of: the one that it is stopped by, else one that is none of the usual ends (SIGTERM
 * without a handler, SIGKILL) nor of a crash of its own.
 */
function diedOf(
  { graceExceeded }: PodLife,
  { exitCode }: Ending,
  wanted: string | undefined,
): string | undefined {
  const number = (exitCode ?? 0) - 128;
  if (wanted === undefined) return stopSignals.find((name) => constants.signals[name] === number);
  const isIt = constants.signals[wanted as NodeJS.Signals] === number;
  return isIt && !(exitCode === KILLED && graceExceeded) ? wanted : undefined;
}
const stopSignals = ['SIGQUIT', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

const afterDeletion = ({ terminating }: PodLife, { atMs }: Ending) =>
  terminating !== undefined && atMs >= terminating.atMs;

/** What the cluster says of it (containerStatuses[].stopSignal). */
function statusSignal(
  pods: Iterable<PodLife>,
  written: Written,
): { container: string; signal: string } | undefined {
  const matters = serving(written);
  for (const pod of pods) {
    for (const { facts } of pod.changes) {
      for (const { name, stopSignal: signal } of facts?.containers ?? []) {
        if (written.containers.length > 0 && !matters.some((one) => one.name === name)) continue;
        if (signal !== undefined && signal !== 'SIGTERM') return { container: name, signal };
      }
    }
  }
  return undefined;
}
