// The decision table (docs/causes.md): why one attempt was lost, by what pods and endpoints were doing. The shares of
// an attempt add up to 1; what the facts do not carry is `unknown`.

import { at } from '../../words/figures.ts';
import { appError, unclear } from './app-error.ts';
import { knownPod, type LostAttempt, type Share, unknown } from './attempt.ts';
import { cutOff } from './cut-off.ts';
import { keptConnection } from './kept-connection.ts';
import { notAccepted } from './not-accepted.ts';
import type { Scene } from './scene.ts';

export function decideCause(attempt: LostAttempt, scene: Scene): readonly Share[] {
  const noise = harnessNoise(attempt, scene);
  if (noise) return [noise];
  const pod = knownPod(attempt, scene);
  switch (attempt.outcome) {
    case 'http3xx':
    case 'http4xx':
    case 'http5xx':
      return [appError(attempt, pod, scene, `answered ${attempt.status ?? attempt.outcome}`)];
    case 'refused':
    case 'unreachable':
      return notAccepted(attempt, pod, scene);
    case 'timeout':
    case 'reset':
    case 'closed':
      if (attempt.reused) return keptConnection(attempt, pod, scene);
      return attempt.phase === 'connect' ? notAccepted(attempt, pod, scene) : cutOff(attempt, pod, scene);
    // The connection was there and ended, or the stream on it did: what the pod was doing decides.
    case 'stream-reset':
    case 'goaway-lost':
    case 'stream-cut':
    case 'stream-ended':
      return attempt.reused ? keptConnection(attempt, pod, scene) : cutOff(attempt, pod, scene);
    case 'refused-stream':
    case 'grpc-status':
      return [appError(attempt, pod, scene, `answered ${attempt.code ?? attempt.outcome}`)];
    case 'missing-trailers':
    case 'message-missing':
    case 'tls':
    case 'protocol':
    case 'other':
    case 'dns':
      return [unclear(attempt, pod, scene)];
    case 'ok':
    case 'message-late':
    case 'local':
    case 'aborted':
      return [unknown(`an attempt with outcome ${attempt.outcome} is not lost`)];
  }
}

/** Control and target losses this close are of the same moment, ms. */
const NOISE_MS = 100;

export function harnessNoise(attempt: LostAttempt, scene: Scene): Share | undefined {
  const control = scene.controlFailures.find(
    (failure) => failure.startMs - NOISE_MS <= attempt.endMs && failure.endMs + NOISE_MS >= attempt.startMs,
  );
  if (!control) return undefined;
  const text = `the control target, which no step touches, lost an attempt too (${control.outcome}) at ${at(control.dueMs)}`;
  return {
    cause: 'harness-noise',
    weight: 1,
    pods: [],
    facts: [{ text, tMs: control.dueMs, line: control.line }],
    confidence: 'medium',
  };
}
