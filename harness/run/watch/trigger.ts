// The first sign of a change behind a Service: a pod that comes or goes, changes its readiness or restarts, or endpoints
// that change. In words, for the title of an episode. Pure.
import type { Facts, PodFacts } from '../../model/facts.ts';
import type { RecordOf } from '../../model/journal.ts';
import { isBehind } from './settled.ts';

/** Undefined: nothing of this Service, or nothing that clients could notice. */
export function signOf(
  { event, name, facts }: RecordOf<'watch'>,
  before: Facts | undefined,
  service: string,
): string | undefined {
  if (!isBehind(facts, service)) return undefined;
  if (facts.kind === 'Pod') return ofPod(event, name, facts, before?.kind === 'Pod' ? before : undefined);
  if (facts.kind !== 'EndpointSlice') return undefined;
  const known = before?.kind === 'EndpointSlice' ? before.endpoints : [];
  const now = event === 'DELETED' ? [] : facts.endpoints;
  return JSON.stringify(known) === JSON.stringify(now) ? undefined : `endpoints of ${name} changed`;
}

function ofPod(
  event: RecordOf<'watch'>['event'],
  name: string,
  pod: PodFacts,
  before: PodFacts | undefined,
): string | undefined {
  if (event === 'DELETED') return `pod ${name} is gone`;
  if (!before) return event === 'EXISTING' ? undefined : `pod ${name} was created`;
  if (pod.terminating && !before.terminating) return `pod ${name} was deleted`;
  if (restarts(pod) > restarts(before)) return `a container of pod ${name} was restarted`;
  if (pod.ready !== before.ready) return `pod ${name} became ${pod.ready ? 'ready' : 'not ready'}`;
  return undefined;
}

const restarts = ({ containers }: PodFacts): number =>
  containers.reduce((sum, container) => sum + container.restarts, 0);
