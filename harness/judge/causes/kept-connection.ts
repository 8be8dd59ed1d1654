// A connection that carried requests before: it is pinned to its pod, wherever the Service routes new ones.

import type { PodLife } from '../../journal/pods.ts';
import type { Fact } from '../../model/results.ts';
import { acceptanceAt } from './acceptance.ts';
import { type Candidate, type Cut, type LostAttempt, type Share, unknown } from './attempt.ts';
import { killed, stopAround, stopNear } from './cut-off.ts';
import { stateFact } from './routed-shares.ts';
import type { Scene } from './scene.ts';
import { hang, nodeTrouble } from './trouble.ts';

/** A connection that carried requests before: it is pinned to its pod, wherever the Service routes new ones. */
export function keptConnection(
  attempt: LostAttempt,
  known: PodLife | undefined,
  scene: Scene,
): readonly Share[] {
  const pods = known ? [known] : [...scene.pods.values()];
  const cuts: Cut[] = [];
  const before: Candidate[] = [];
  for (const pod of pods) {
    const stop = stopAround(attempt, pod, scene, known !== undefined);
    if (stop) cuts.push({ pod, stop });
    else if (known) {
      const near = stopNear(attempt, pod, scene);
      if (near && attempt.startMs <= near.latestMs) {
        cuts.push({ pod, stop: near });
        continue;
      }
      const acceptance = acceptanceAt(pod, attempt.startMs, scene);
      if (acceptance.sure && (acceptance.state === 'stopped' || acceptance.state === 'stopping')) {
        before.push({ pod, acceptance, weight: 1 });
      }
    }
  }
  const crossed: Fact[] = attempt.race
    ? [
        {
          text: 'a request crossed the closing of its connection (race): it was sent when no answer could come',
        },
      ]
    : [];
  if (cuts.length > 0) {
    const shares = killed(
      cuts,
      inFlight(attempt, cuts, scene) ? 'killed-in-flight' : 'kept-connection-cut',
      known !== undefined,
    );
    return shares.map((share) => {
      if (share.cause !== 'kept-connection-cut') return share;
      const confidence = share.confidence === 'high' && mayBeRead(attempt) ? 'medium' : share.confidence;
      return { ...share, confidence, facts: [...share.facts, ...crossed] };
    });
  }
  if (before.length > 0) {
    return [
      {
        cause: 'kept-connection-cut',
        weight: 1,
        pods: before.map(({ pod }) => pod.name),
        facts: [...before.map((one) => stateFact(one)).filter((fact) => fact !== undefined), ...crossed],
        confidence: before.every(({ acceptance }) => acceptance.by === 'phase') ? 'high' : 'medium',
      },
    ];
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  if (trouble) return [trouble];
  if (attempt.race) {
    return [
      {
        cause: 'kept-connection-cut',
        weight: 1,
        pods: known ? [known.name] : [],
        facts: [
          {
            text: 'the other side closed a kept connection although no pod was stopping: its keep-alive time may be shorter than the client’s',
            tMs: attempt.endMs,
          },
          ...crossed,
        ],
        confidence: 'low',
      },
    ];
  }
  return [unknown('a kept connection failed and no pod that may have held it was stopping')];
}

/** A request that crosses the close of its connection is there within this, with the agent's own delays, ms. */
const CROSSING_MS = 50;
/** Within this it is not likely that the app had it, ms. */
const SURELY_CROSSING_MS = 15;

/** Closed by FIN so long after the request was sent that the app may have read it. */
const mayBeRead = ({ race, outcome, startMs, endMs }: LostAttempt): boolean =>
  race && outcome === 'closed' && endMs - startMs > SURELY_CROSSING_MS;

/** Was the request under way in the app, rather than crossing the close of an idle connection? */
function inFlight(attempt: LostAttempt, cuts: readonly Cut[], scene: Scene): boolean {
  if (attempt.bytes > 0) return true;
  if (cuts.every(({ pod }) => refusedBefore(attempt, pod, scene))) return false;
  // A connection over unread data is closed by RST (RFC 1122, 4.2.2.13; so does Linux): the app never had the request.
  if (attempt.race && attempt.outcome === 'reset') return false;
  // Sent before the pod began to stop: it cannot have crossed a close.
  if (cuts.some(({ stop }) => attempt.startMs < stop.earliestMs)) return true;
  // By FIN: all that had come by then was read.
  if (attempt.race) return attempt.endMs - attempt.startMs > CROSSING_MS;
  // Not a race, no byte: under way if the process ended with it; a stopping app that closed the connection cut it.
  return cuts.some(({ stop }) =>
    attempt.outcome === 'timeout'
      ? stop.endMs >= attempt.startMs
      : Math.abs(attempt.endMs - stop.endMs) <= stop.latestMs - stop.endMs,
  );
}

/** The pod had refused somebody before this request was sent, and accepted nobody after: its process was gone. */
function refusedBefore(attempt: LostAttempt, pod: PodLife, scene: Scene): boolean {
  const heard = scene.listening.get(pod.name);
  if (scene.ignoreRouteKnowledge || !heard) return false;
  const last = heard.accepted.at(-1) ?? Number.NEGATIVE_INFINITY;
  return heard.refused.some((atMs) => atMs > last && atMs < attempt.startMs);
}
