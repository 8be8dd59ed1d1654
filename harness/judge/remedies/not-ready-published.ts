// A Service that publishes pods whether they are ready or not: readiness decides nothing then.
import { serviceName } from '../../journal/endpoints.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

export function notReadyPublished({ facts, written }: PodEnds): Remedy | undefined {
  const state = facts.routing.states.find(({ all }) => all.some(({ ready, serving }) => ready && !serving));
  const endpoint = state?.all.find(({ ready, serving }) => ready && !serving);
  if (written.publishesNotReady === undefined && !endpoint) return undefined;
  const service = written.publishesNotReady ?? serviceName(facts.header.target.service);
  const seen: Fact[] =
    state && endpoint
      ? [
          {
            text: `the EndpointSlice said ready: true and serving: false of pod ${endpoint.pod} at ${at(state.atMs)}`,
            tMs: state.atMs,
            line: state.line,
            pod: endpoint.pod,
          },
        ]
      : [];
  return {
    id: 'not-ready-published',
    explains: ['routed-before-listening', 'routed-after-stop', 'app-error'],
    found:
      written.publishesNotReady !== undefined
        ? `Service ${service} has publishNotReadyAddresses: true, so pods are sent connections before they are ready and until they are gone: no readinessProbe and no sleep changes that`
        : `the EndpointSlice of Service ${service} calls pods ready that are not (conditions ready: true, serving: false), as publishNotReadyAddresses does or a controller of another’s that writes slices`,
    todo: `Take spec.publishNotReadyAddresses out of Service ${service}; who needs it for peers to find one another gets a second, headless Service for that. No setting of ours helps.`,
    facts: [
      ...(written.publishesNotReady !== undefined
        ? [{ text: `Service ${service}: publishNotReadyAddresses: true` }]
        : []),
      ...seen,
    ],
  };
}
