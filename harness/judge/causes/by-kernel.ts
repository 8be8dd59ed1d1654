// A new connection of which connection tracking says whom it was sent to and how that one answered: nothing is shared
// out, and an app that does not speak needs no guess.
import { LAG_BOUND_MS } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { Tracked } from '../../journal/witness.ts';
import type { Fact } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import { type Acceptance, acceptanceAt } from './acceptance.ts';
import type { LostAttempt, Share } from './attempt.ts';
import { noEndpoint, sharesOf, stateFact } from './routed-shares.ts';
import type { Scene } from './scene.ts';

/** undefined: the kernel's word does not decide; the table goes on with the pod that it names. */
export function byKernel(
  attempt: LostAttempt,
  known: PodLife | undefined,
  scene: Scene,
): readonly Share[] | undefined {
  const { asked } = attempt;
  if (asked === undefined || scene.ignoreRouteKnowledge) return undefined;
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const possible = scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs);
  if (asked === 'nobody') {
    const empty = possible.filter((state) => state.routed.size === 0);
    if (empty.length === 0) return undefined;
    const share = noEndpoint(attempt, empty, scene, 'high');
    const text = 'the node rejected the connection: it was sent to no pod (no entry in connection tracking)';
    return [{ ...share, facts: [...share.facts, { text, tMs: attempt.startMs }] }];
  }
  if (!known || asked.answer === 'accepted') return undefined;
  const acceptance = acceptanceBy(asked, known, scene);
  if (!acceptance) return undefined;
  const candidate = { pod: known, acceptance, weight: 1 };
  const shares = sharesOf(attempt, [candidate], { states: [], weight: 0 }, possible, scene, false, true);
  const seen = acceptanceAt(known, attempt.startMs, scene);
  const also = seen.state === acceptance.state ? stateFact({ ...candidate, acceptance: seen }) : undefined;
  const facts: Fact[] = [answerFact(asked), ...(also ? [also] : [])];
  return shares.map((share) => ({ ...share, facts: [...facts, ...share.facts] }));
}

function answerFact({ pod, answer, atMs, answeredMs, line, node }: Tracked): Fact {
  const how = answer === 'refused' ? `refused it (RST at ${at(answeredMs)})` : 'never answered';
  return {
    text: `node ${node} sent the connection of ${at(atMs)} to pod ${pod}, which ${how}`,
    tMs: atMs,
    pod,
    line,
  };
}

/** Whether the pod did not accept yet or no more, by its other answers; undefined: they do not tell. */
function acceptanceBy(asked: Tracked, pod: PodLife, scene: Scene): Acceptance | undefined {
  const heard = scene.listening.get(pod.name);
  const { atMs, line } = asked;
  const before = heard?.lastAcceptedBefore(atMs);
  const after = heard?.firstAcceptedAfter(atMs);
  const leaving = pod.terminating !== undefined && pod.terminating.atMs <= atMs + scene.watchErrorMs;
  const moment = (text: string): Acceptance['moment'] => ({ atMs, line, text });
  const stopped: Acceptance = {
    state: 'stopped',
    by: 'kernel',
    sure: true,
    moment: moment(
      before === undefined
        ? `pod ${pod.name} accepted no connection any more`
        : `the last connection that pod ${pod.name} accepted was that of ${at(before)}`,
    ),
  };
  const starting: Acceptance = {
    state: 'starting',
    by: 'kernel',
    sure: true,
    moment: moment(
      after === undefined
        ? `pod ${pod.name} had accepted no connection yet`
        : `the first connection that pod ${pod.name} accepted was that of ${at(after)}`,
    ),
  };
  if (asked.answer === 'none') {
    // Silence is that of a network that is gone; a pod that is only busy is another matter.
    return leaving && after === undefined ? stopped : undefined;
  }
  if (leaving) return after === undefined ? stopped : undefined;
  if (before === undefined) return starting;
  if (after === undefined) return endedBy(pod, atMs, scene) ? stopped : undefined;
  return restartAround(pod, before, atMs, after, { starting, stopped });
}

const STATUS_LATENCY_MS = 1500;

const endedBy = (pod: PodLife, atMs: number, scene: Scene): boolean =>
  pod.endings.some((ending) => ending.atMs - STATUS_LATENCY_MS - scene.watchErrorMs <= atMs) ||
  (pod.deleted !== undefined && pod.deleted.atMs - STATUS_LATENCY_MS <= atMs);

/** It accepted before and after: its process was another one in between, which had ended or had begun. */
function restartAround(
  pod: PodLife,
  beforeMs: number,
  atMs: number,
  afterMs: number,
  { starting, stopped }: { readonly starting: Acceptance; readonly stopped: Acceptance },
): Acceptance | undefined {
  const begin = pod.runs.find(
    ({ begin }) => begin.atMs > beforeMs && begin.atMs <= afterMs + STATUS_LATENCY_MS,
  )?.begin;
  if (!begin) return undefined;
  return atMs >= begin.atMs - STATUS_LATENCY_MS / 2 ? starting : stopped;
}
