// Pods that are sent connections while they do not listen, although their readinessProbe is there.
import type { Remedy } from '../../model/results.ts';
import { type PodEnds, serving } from './ending.ts';

export function readyTooEarly({ written }: PodEnds): Remedy | undefined {
  const container = serving(written).find(({ readiness }) => readiness !== undefined);
  if (!container?.readiness || written.publishesNotReady !== undefined) return undefined;
  const { name, readiness } = container;
  return {
    id: 'ready-too-early',
    explains: ['routed-before-listening'],
    found: `the readinessProbe of container ${name} (${readiness}) calls pods ready while they do not accept connections`,
    todo: 'Let it ask the port and path that serve the traffic, so that it succeeds no earlier than they do, and fails soon where they no longer do (periodSeconds, failureThreshold).',
    facts: [{ text: `readinessProbe of container ${name}: ${readiness}` }],
  };
}
