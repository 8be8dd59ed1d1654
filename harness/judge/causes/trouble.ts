// What stands behind a pod's end or silence without the rollout: its node, its kubelet, chaos on the app.

import type { PodLife } from '../../journal/pods.ts';
import type { Fact } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import type { LostAttempt, Share } from './attempt.ts';
import type { Scene } from './scene.ts';

export function nodeTrouble(
  attempt: LostAttempt,
  known: PodLife | undefined,
  scene: Scene,
): Share | undefined {
  const trouble = scene.nodeTroubles.find(
    (one) =>
      one.fromMs <= attempt.endMs &&
      one.toMs >= attempt.startMs &&
      (known === undefined || known.node === one.node),
  );
  if (!trouble) return undefined;
  const pods = [...scene.pods.values()].filter((pod) => pod.node === trouble.node).map((pod) => pod.name);
  return {
    cause: 'node-event',
    weight: 1,
    pods: known ? [known.name] : pods,
    facts: [{ text: trouble.text, tMs: trouble.fromMs, line: trouble.line }],
    confidence: known ? 'medium' : 'low',
  };
}

/** An app that was made to hang accepts (the kernel does) and does not answer. */
export function hang(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): Share | undefined {
  if (attempt.outcome !== 'timeout') return undefined;
  const chaos = scene.chaos.find(
    (one) =>
      one.action === 'hang' &&
      one.atMs <= attempt.endMs &&
      (known === undefined || one.pods.length === 0 || one.pods.includes(known.name)),
  );
  if (!chaos) return undefined;
  return {
    cause: 'app-error',
    weight: 1,
    pods: known ? [known.name] : chaos.pods,
    facts: [
      {
        text: `a step made ${chaos.pods.length > 0 ? `pod ${chaos.pods.join(', ')}` : 'a pod'} hang at ${at(chaos.atMs)}`,
        tMs: chaos.atMs,
        line: chaos.line,
      },
    ],
    confidence: 'medium',
  };
}

export const nodeFacts = (pod: PodLife): readonly Fact[] =>
  pod.nodeEvents
    .slice(0, 2)
    .map(({ atMs, line, text }) => ({ text: `pod ${pod.name}: ${text}`, tMs: atMs, pod: pod.name, line }));
