// A pod whose containers do not end together: the one that others pass on to goes first, or the one that the Service sends to.
import { serviceName } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { PodFacts } from '../../model/facts.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';
import type { Written, WrittenContainer } from './written.ts';

/** All containers get their hooks and signals at once. The API's times are whole seconds. */
const APART_MS = 1000;
/** What a proxy answers where nobody is behind it. */
const gatewayStatuses = new Set([502, 504]);

export const containerEndsFirst = (ends: PodEnds): Remedy | undefined =>
  ends.written.containers.length < 2 ? undefined : (behindEndsFirst(ends) ?? frontEndsFirst(ends));

/** The one that serves goes on, and answers errors for the one that has ended. */
function behindEndsFirst({ written, going, failures }: PodEnds): Remedy | undefined {
  const seen = going.flatMap((pod) => early(pod, written, 'stays') ?? []);
  const [first] = seen;
  // What the one that goes on answers meanwhile: errors, not refusals.
  const meanwhile = failures.filter(
    ({ status = 0, endMs, pod: answered }) =>
      status >= 500 &&
      seen.some(
        ({ pod, fromMs, toMs }) =>
          (answered ?? pod) === pod && endMs >= fromMs - APART_MS && endMs <= toMs + APART_MS,
      ),
  );
  if (!first || meanwhile.length === 0) return atTheSameTime({ written, going, failures });
  const stays = containerOf(written, first.stays);
  const own = containerOf(written, first.ends);
  const [sleeps, ownSleeps] = [sleepOf(stays), sleepOf(own)];
  const hook = sleeps > 0 ? `sleeps ${sleeps} s in its preStop hook and goes` : 'goes';
  const waitsAsLong = own?.preStop !== undefined && ownSleeps >= sleeps;
  const statuses = [...new Set(meanwhile.map(({ status }) => status))].join(', ');
  const apartMs = Math.max(...seen.map(({ fromMs, toMs }) => toMs - fromMs));
  const sidecar = stays?.sidecar === true;
  return {
    id: 'container-ends-first',
    explains: ['app-error', 'killed-in-flight'],
    found: `container ${first.ends} ends up to ${duration(apartMs)} before container ${first.stays}${sidecar ? SIDECAR : ''}, which ${hook} on serving and answers ${statuses} for what it passes on (${counted(seen.length, 'pod')})`,
    todo: sidecar
      ? `Give container ${first.ends} a preStop sleep of its own${own?.preStop ? ' that is longer' : ''}, so that it serves until nothing is sent to the pod any more.`
      : waitsAsLong
        ? `Both wait equally long, and then container ${first.ends} is the faster one: let it sleep some seconds longer than container ${first.stays}, or ${asSidecar}. No setting of ours does that.`
        : `Give container ${first.ends} the same preStop hook as container ${first.stays}${sleeps > 0 ? ` (sleep ${sleeps} s)` : ''}, or ${asSidecar}.`,
    // It gives every container that declares a port the same sleep.
    ...(!waitsAsLong && (own?.ports ?? 0) > 0 && { setting: 'preStop' }),
    facts: seen.slice(0, 4).flatMap(({ facts }) => facts),
  };
}

const SIDECAR = ' (a sidecar, which is stopped after all others)';
const asSidecar =
  'start it as a sidecar (an init container with restartPolicy: Always), which is stopped after the others';

/** Nothing is known of who ended first, but a proxy's answers are. */
function atTheSameTime({
  written,
  going,
  failures,
}: Pick<PodEnds, 'written' | 'going' | 'failures'>): Remedy | undefined {
  const front = written.containers.find(({ serves }) => serves === true);
  const answers = failures.filter(({ status = 0 }) => status >= 500);
  const stopping = answers.filter(({ pod, endMs, status }) =>
    going.some(
      ({ name, terminating, deleted }) =>
        gatewayStatuses.has(status ?? 0) &&
        (pod ?? name) === name &&
        terminating !== undefined &&
        terminating.atMs <= endMs &&
        endMs <= (deleted?.atMs ?? Number.POSITIVE_INFINITY),
    ),
  );
  const [first] = stopping;
  if (!front || !first || stopping.length * 2 < answers.length) return undefined;
  const others = written.containers.filter((one) => one !== front);
  const behind = `container ${others.map(({ name }) => name).join(' or ')}`;
  const statuses = [...new Set(stopping.map(({ status }) => status))].join(', ');
  return {
    id: 'container-ends-first',
    explains: ['app-error'],
    found: `container ${front.name}${front.sidecar ? SIDECAR : ''} answers ${statuses} while its pod is being stopped, as a proxy does whose backend (${behind}) has ended${front.sidecar ? '' : ': all containers are told to stop at the same time'}`,
    todo: front.sidecar
      ? `Give ${behind} a preStop sleep of its own, so that it serves until nothing is sent to the pod any more.`
      : `Let ${behind} end later: give it a preStop sleep that is some seconds longer than that of container ${front.name}${sleepOf(front) > 0 ? ` (sleep ${sleepOf(front)} s)` : ', and that one a sleep, too'}. No setting of ours does that.`,
    // It gives every container that declares a port the same sleep.
    ...(front.sidecar && others.every(({ ports }) => ports > 0) && { setting: 'preStop' }),
    facts: [
      {
        text: `${counted(stopping.length, 'request')} were answered ${statuses} by pods that were being deleted, the first at ${at(first.endMs)}`,
        tMs: first.endMs,
        line: first.line,
        ...(first.pod !== undefined && { pod: first.pod }),
      },
    ],
  };
}

/** The one that the Service sends to ends while another one still waits in its hook. */
function frontEndsFirst({ facts, written, going }: PodEnds): Remedy | undefined {
  const front = written.containers.find(({ serves }) => serves === true);
  if (!front || front.stopsServer !== undefined) return undefined;
  const waiting = written.containers
    .filter((one) => one !== front && sleepOf(one) > sleepOf(front))
    .sort((a, b) => sleepOf(b) - sleepOf(a))[0];
  const seen = going.flatMap((pod) => early(pod, written, 'ends') ?? []);
  // What its own hook does, beside sleeping, is not known.
  if (!waiting || seen.length === 0 || (front.preStop && !front.preStop.onlySleeps)) return undefined;
  const service = serviceName(facts.header.target.service);
  const own = front.preStop ? `sleeps ${sleepOf(front)} s in its preStop hook` : 'has no preStop hook';
  const apartMs = Math.max(...seen.map(({ fromMs, toMs }) => toMs - fromMs));
  return {
    id: 'container-ends-first',
    explains: ['routed-after-stop'],
    found: `container ${front.name}, to which Service ${service} sends, ${own} and ends up to ${duration(apartMs)} before container ${waiting.name}, which sleeps ${sleepOf(waiting)} s in its own (${counted(seen.length, 'pod')})`,
    todo: `Give container ${front.name} the same preStop hook as container ${waiting.name} (sleep ${sleepOf(waiting)} s): the one that is sent connections has to wait.`,
    ...(front.ports > 0 && { setting: 'preStop' }),
    facts: seen.slice(0, 4).flatMap((one) => one.facts),
  };
}

const containerOf = ({ containers }: Written, name: string): WrittenContainer | undefined =>
  containers.find((one) => one.name === name);
const sleepOf = (container: WrittenContainer | undefined): number => container?.preStop?.seconds ?? 0;

interface Early {
  readonly pod: string;
  readonly ends: string;
  readonly stays: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly facts: readonly Fact[];
}

/**
 * By the times that the API gives, whole seconds: while a pod is being stopped the kubelet says nothing of its containers
 * before the last one has ended, so all ends are seen at once. `serving`: which of the two serves, where that is known.
 */
function early(pod: PodLife, written: Written, serving: 'ends' | 'stays'): Early | undefined {
  const { terminating, endings } = pod;
  const last = endings.at(-1);
  if (!terminating || !last || last.atMs < terminating.atMs) return undefined;
  const status = pod.changes.findLast(({ facts }) => all(facts).some(({ state }) => state === 'terminated'));
  const ended = all(status?.facts)
    .flatMap(({ name, finishedAt, exitCode }) =>
      finishedAt === undefined ? [] : [{ name, exitCode, atMs: Date.parse(finishedAt) }],
    )
    .sort((a, b) => a.atMs - b.atMs);
  const front = written.containers.find(({ serves }) => serves === true);
  const its = front && ended.find(({ name }) => name === front.name);
  const first = its && serving === 'ends' ? its : ended[0];
  const stays = its && serving === 'stays' ? its : ended.at(-1);
  if (!status || !first || !stays || stays.atMs - first.atMs < APART_MS) return undefined;
  const seen = endings.find(({ container }) => container === stays.name) ?? last;
  const apart = stays.atMs - first.atMs;
  return {
    pod: pod.name,
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

const all = (facts: PodFacts | undefined): PodFacts['containers'] => [
  ...(facts?.containers ?? []),
  ...(facts?.sidecars ?? []),
];
