// A pod of which one container has ended while another one still serves and passes requests on to it.
import type { PodLife } from '../../journal/pods.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

/** All containers get their hooks and signals at once. The API's times are whole seconds. */
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
  const own = written.containers.find(({ name }) => name === first.ends);
  const waitsAsLong = (own?.preStop?.seconds ?? 0) >= (waits?.seconds ?? 0) && own?.preStop !== undefined;
  const asSidecar =
    'start it as a sidecar (an init container with restartPolicy: Always), which is stopped after the others';
  return {
    id: 'container-ends-first',
    explains: ['app-error', 'killed-in-flight'],
    found: `container ${first.ends} ends up to ${duration(Math.max(...seen.map(({ fromMs, toMs }) => toMs - fromMs)))} before container ${first.stays}, which ${hook} on serving and answers ${[...new Set(meanwhile.map(({ status }) => status))].join(', ')} for what it passes on (${counted(seen.length, 'pod')})`,
    todo: waitsAsLong
      ? `Both wait equally long, and then container ${first.ends} is the faster one: let it sleep some seconds longer than container ${first.stays}, or ${asSidecar}. No setting of ours does that.`
      : `Give container ${first.ends} the same preStop hook as container ${first.stays}${waits?.seconds ? ` (sleep ${waits.seconds} s)` : ''}, or ${asSidecar}.`,
    // It gives every container that declares a port the same sleep.
    ...(!waitsAsLong && (own?.ports ?? 0) > 0 && { setting: 'preStop' }),
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

/**
 * By the times that the API gives, whole seconds: while a pod is being stopped the kubelet says nothing of its containers
 * before the last one has ended, so all ends are seen at once.
 */
function early(pod: PodLife): Early | undefined {
  const { terminating, endings } = pod;
  const last = endings.at(-1);
  if (!terminating || !last || last.atMs < terminating.atMs) return undefined;
  const status = pod.changes.findLast(({ facts }) =>
    facts?.containers.some(({ state }) => state === 'terminated'),
  );
  const ended = (status?.facts?.containers ?? [])
    .flatMap(({ name, finishedAt, exitCode }) =>
      finishedAt === undefined ? [] : [{ name, exitCode, atMs: Date.parse(finishedAt) }],
    )
    .sort((a, b) => a.atMs - b.atMs);
  const [first] = ended;
  const stays = ended.at(-1);
  if (!status || !first || !stays || stays.atMs - first.atMs < APART_MS) return undefined;
  const seen = endings.find(({ container }) => container === stays.name) ?? last;
  const apart = stays.atMs - first.atMs;
  return {
    ends: first.name,
    stays: stays.name,
    fromMs: seen.atMs - apart,
    toMs: seen.atMs,
    facts: [
      {
        text: `container ${first.name} of pod ${pod.name} ended ${duration(apart)} before container ${stays.name} (exit code ${first.exitCode ?? '?'}; the API gives whole seconds), which was seen ended at ${at(seen.atMs)}`,
        tMs: seen.atMs,
        line: status.line,
        pod: pod.name,
      },
    ],
  };
}
