// A pod of which one container has ended while another one still serves and passes requests on to it.
import type { PodLife } from '../../journal/pods.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

/** All containers get their signals at once; watches show ends that are apart by less than this together. */
const APART_MS = 1000;

export function containerEndsFirst({ written, going, failures }: PodEnds): Remedy | undefined {
  if (written.containers.length < 2) return undefined;
  const seen = going.flatMap((pod) => early(pod) ?? []);
  const [first] = seen;
  if (!first) return undefined;
  // What the one that goes on answers meanwhile: errors, not refusals.
  const meanwhile = failures.filter(
    ({ status = 0, endMs }) =>
      status >= 500 &&
      seen.some(({ fromMs, toMs }) => endMs >= fromMs - APART_MS && endMs <= toMs + APART_MS),
  );
  if (meanwhile.length === 0) return undefined;
  const waits = written.containers.find(({ name }) => name === first.stays)?.preStop;
  const hook =
    waits?.seconds !== undefined && waits.seconds > 0
      ? `sleeps ${waits.seconds} s in its preStop hook and goes`
      : 'goes';
  return {
    id: 'container-ends-first',
    explains: ['app-error', 'killed-in-flight'],
    found: `container ${first.ends} ends up to ${duration(Math.max(...seen.map(({ fromMs, toMs }) => toMs - fromMs)))} before container ${first.stays}, which ${hook} on serving and answers ${[...new Set(meanwhile.map(({ status }) => status))].join(', ')} for what it passes on (${counted(seen.length, 'pod')})`,
    todo: `Give container ${first.ends} the same preStop hook as container ${first.stays}${waits?.seconds ? ` (sleep ${waits.seconds} s)` : ''}, or start it as a sidecar (an init container with restartPolicy: Always), which is stopped after the others.`,
    // It gives every container that declares a port the same sleep.
    ...((written.containers.find(({ name }) => name === first.ends)?.ports ?? 0) > 0 && {
      setting: 'preStop',
    }),
    facts: seen.slice(0, 4).flatMap(({ facts }) => facts),
  };
}

interface Early {
  readonly ends: string;
  readonly stays: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly facts: readonly Fact[];
}

function early(pod: PodLife): Early | undefined {
  const { terminating, endings } = pod;
  if (!terminating) return undefined;
  const ended = endings.filter(({ atMs }) => atMs >= terminating.atMs);
  const first = ended[0];
  if (!first) return undefined;
  // The status that showed the first end: who was still running then?
  const status = pod.changes.find(({ line }) => line === first.line)?.facts;
  const stays = status?.containers.find((one) => one.state === 'running' && one.name !== first.container);
  if (!stays) return undefined;
  const later = ended.find(({ container }) => container === stays.name) ?? pod.deleted;
  const toMs = later?.atMs ?? first.atMs + APART_MS;
  if (toMs - first.atMs < APART_MS) return undefined;
  return {
    ends: first.container,
    stays: stays.name,
    fromMs: first.atMs,
    toMs,
    facts: [
      {
        text: `container ${first.container} of pod ${pod.name} had ended at ${at(first.atMs)} (exit code ${first.exitCode ?? '?'}) while container ${stays.name} ran until ${at(toMs)}`,
        tMs: first.atMs,
        line: first.line,
        pod: pod.name,
      },
    ],
  };
}
