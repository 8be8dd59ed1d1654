// The workloads that have a size: what autoscalers set, and what budgets count.
import { asSelector, type LabelSelector } from '../../api/label-selector.ts';
import { definitions } from '../../api/resources.ts';
import type { Kinds } from '../../api/types.ts';

export type Scalable = 'deployments' | 'replicasets' | 'statefulsets' | 'replicationcontrollers';

/** By group and kind alone: of an old version, which is served no more, the present one is meant. */
export function scalableOf(apiVersion: string, kind: string): Scalable | undefined {
  const group = groupOf(apiVersion);
  const found = definitions.find((each) => each.kind === kind && each.group === group && each.hasScale);
  return found?.resource as Scalable | undefined;
}

/** "apps/v1" → "apps", "v1" → "" */
export const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';

/** As in "statefulsets.apps": how messages name a resource of that kind. */
export const qualifiedName = (resource: string, group: string): string =>
  group === '' ? resource : `${resource}.${group}`;

export function sizeOf({ spec }: Kinds[Scalable]): { replicas: number; selector: LabelSelector | undefined } {
  return { replicas: spec?.replicas ?? 1, selector: asSelector(spec?.selector) };
}
