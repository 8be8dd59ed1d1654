// Answers that say no, and what is no answer at all: garbage, TLS and name errors.
import type { PodLife } from '../../journal/pods.ts';
import { at } from '../../words/figures.ts';
import { acceptanceAt } from './acceptance.ts';
import { type LostAttempt, type Share, unknown } from './attempt.ts';
import { killed, stopAround } from './cut-off.ts';
import type { Scene } from './scene.ts';

export function appError(
  attempt: LostAttempt,
  known: PodLife | undefined,
  scene: Scene,
  what: string,
): Share {
  const moving = (pod: PodLife) => changing(attempt, pod, scene);
  if (known) {
    const change = moving(known);
    return {
      cause: 'app-error',
      weight: 1,
      pods: [known.name],
      facts: [
        {
          text: change
            ? `pod ${known.name} ${what} while it was ${change.word}: ${change.text}`
            : `pod ${known.name} ${what} while it was neither starting nor stopping`,
          tMs: change?.tMs ?? attempt.endMs,
          pod: known.name,
          line: change?.line,
        },
      ],
      confidence: change ? 'high' : 'low',
    };
  }
  const candidates = [...scene.pods.values()].flatMap((pod) => {
    const change = moving(pod);
    return change ? [{ pod, change }] : [];
  });
  if (candidates.length === 0) {
    return unknown(`a pod ${what}; it is not known which one, and none was starting or stopping`, {
      tMs: attempt.endMs,
    });
  }
  return {
    cause: 'app-error',
    weight: 1,
    pods: candidates.map(({ pod }) => pod.name),
    facts: candidates.map(({ pod, change }) => ({
      text: `a pod ${what}; pod ${pod.name} was ${change.word}: ${change.text}`,
      tMs: change.tMs,
      pod: pod.name,
      line: change.line,
    })),
    confidence: candidates.length === 1 ? 'medium' : 'low',
  };
}

/** How long after it began to listen a pod's errors are those of starting, ms. */
const WARM_UP_MS = 5000;

interface Change {
  readonly word: 'starting' | 'stopping';
  readonly text: string;
  readonly tMs: number;
  readonly line: number;
}

function changing(attempt: LostAttempt, pod: PodLife, scene: Scene): Change | undefined {
  const { terminating } = pod;
  if (terminating && terminating.atMs <= attempt.endMs + scene.watchErrorMs) {
    return {
      word: 'stopping',
      text: `it was being deleted from ${at(terminating.atMs)} on`,
      tMs: terminating.atMs,
      line: terminating.line,
    };
  }
  const stop = stopAround(attempt, pod, scene)?.texts[0];
  if (stop) return { word: 'stopping', text: stop.text, tMs: stop.atMs, line: stop.line };
  const acceptance = acceptanceAt(pod, attempt.startMs, scene);
  const began =
    pod.phases.findLast((phase) => phase.phase === 'listening' && phase.atMs <= attempt.endMs) ?? pod.running;
  if (
    began &&
    (acceptance.state === 'starting' ||
      (attempt.endMs >= began.atMs && attempt.endMs - began.atMs <= WARM_UP_MS))
  ) {
    return {
      word: 'starting',
      text: `it began at ${at(began.atMs)}`,
      tMs: began.atMs,
      line: began.line,
    };
  }
  return undefined;
}

/** Garbage, TLS and name errors: only a pod that is known to be starting or stopping explains them. */
export function unclear(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): Share {
  const what = `failed with ${attempt.outcome}${attempt.code ? ` (${attempt.code})` : ''}`;
  if (known) {
    const stop = stopAround(attempt, known, scene);
    if (stop && attempt.bytes > 0) {
      const [share] = killed([{ pod: known, stop }], 'killed-in-flight', true);
      if (share) return share;
    }
    if (changing(attempt, known, scene)) return appError(attempt, known, scene, what);
  }
  return unknown(`an attempt ${what}, which no recorded fact explains`, { tMs: attempt.endMs });
}
