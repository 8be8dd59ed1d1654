// An app that does not say when it listens, rolled out without a readinessProbe: the losses that only its fresh pod
// explains tell until when it did not listen. Without such losses it is taken to listen from its start.

import type { Stream } from '../../journal/streams.ts';
import { isLost } from '../../model/load.ts';
import { onlyFreshPod } from './not-accepted.ts';
import type { Scene } from './scene.ts';

export function inferStarts(scene: Scene, streams: readonly Stream[]): Scene {
  const startingUntil = new Map<string, number>();
  for (const stream of streams) {
    // What a proxy lost says nothing of who was asked.
    if (stream.control || stream.proxied) continue;
    for (const failure of stream.failures) {
      if (!isLost(failure.outcome)) continue;
      const pod = onlyFreshPod(failure, scene);
      // Just after: the attempt itself belongs to the time of not listening.
      if (pod) startingUntil.set(pod.name, Math.max(startingUntil.get(pod.name) ?? 0, failure.startMs + 1));
    }
  }
  return { ...scene, startingUntil };
}
