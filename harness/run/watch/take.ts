// What a watch records of a namespace that is somebody's: the pods behind the Services, their slices, what owns them, and
// what happens to all of these. Nothing else of the namespace reaches a journal.
import type { Facts } from '../../model/facts.ts';
import { label, managedBy } from '../../model/manifest.ts';
import type { ApiObject } from '../../record/reduce.ts';

interface Selecting {
  readonly name: string;
  /** Undefined: its slices say which pods. */
  readonly selector: Readonly<Record<string, string>> | undefined;
}
type Labels = Readonly<Record<string, string>>;

/** `podsOfSlices`: of Services without a selector, by Service: pods that their slices name. */
export function takeOf(
  services: readonly Selecting[],
  podsOfSlices: ReadonlyMap<string, ReadonlySet<string>>,
) {
  const behind = (labels: Labels, name?: string): string[] =>
    services.flatMap((service) =>
      (service.selector ? selects(service.selector, labels) : podsOfSlices.get(service.name)?.has(name ?? ''))
        ? [service.name]
        : [],
    );
  const watched = new Set(services.map(({ name }) => name));
  return (object: ApiObject, facts: Facts): Facts | undefined => {
    const labels = object.metadata.labels ?? {};
    // Agents and control target have Services of their own, and selectors may be wide.
    if (labels[label.managedBy] === managedBy) return undefined;
    switch (facts.kind) {
      case 'Pod':
        return withServices(facts, behind(labels, object.metadata.name));
      case 'Deployment':
      case 'ReplicaSet':
      case 'StatefulSet':
      case 'Rollout':
      case 'DaemonSet':
        return withServices(facts, behind((object.spec?.template?.metadata?.labels ?? {}) as Labels));
      case 'EndpointSlice':
        return watched.has(facts.service) ? facts : undefined;
      default:
        return facts;
    }
  };
}

const withServices = <T extends Facts>(facts: T, services: readonly string[]): T | undefined =>
  services.length > 0 ? { ...facts, services: [...services] } : undefined;

const selects = (selector: Labels, labels: Labels): boolean => {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
};
