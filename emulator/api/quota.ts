// ResourceQuota: what a namespace uses, and refusing what would exceed it.
// Source: pkg/quota/v1/evaluator/core, apiserver/pkg/admission/plugin/resourcequota/controller.go.
import { addResources, amountOf, requestsOf } from '../controllers/scheduler/resources.ts';
import { forbidden } from './errors.ts';
import type { KubeObject } from './objects.ts';
import { canonicalQuantity } from './quantity.ts';
import { definitionOf, definitions, type ResourceDefinition } from './resources.ts';
import type { Storage } from './storage.ts';
import type { Kinds, Pod, Service } from './types.ts';

type Quota = Kinds['resourcequotas'];
/** Name in spec.hard → amount: CPU in millicores, the rest in its unit. */
type Usage = Record<string, number>;

/** Throws 403 when a quota of the namespace has no room for the new object. */
export function admitQuota(storage: Storage, definition: ResourceDefinition, object: KubeObject): void {
  const { namespace, name } = object.metadata;
  if (!namespace) return;
  const quotas = storage.list(definitionOf('resourcequotas'), namespace) as unknown as Quota[];
  for (const quota of quotas) {
    const hard = quota.spec?.hard ?? {};
    const asked = usageOf(definition.resource, object);
    const limited = Object.keys(hard).filter((each) => (asked[each] ?? 0) > 0);
    const unsaid = definition.resource === 'pods' ? unsaidAmounts(object, Object.keys(hard)) : [];
    if (unsaid.length > 0) {
      const why = `failed quota: ${quota.metadata.name}: must specify ${unsaid.join(',')}`;
      throw forbidden(definition, name ?? '', why);
    }
    if (limited.length === 0 || !inScope(quota, definition, object)) continue;
    const used = quotaUsage(storage, quota);
    const exceeded = limited.filter(
      (each) => (used[each] ?? 0) + (asked[each] ?? 0) > hardAmount(each, hard[each]!),
    );
    if (exceeded.length === 0) continue;
    const list = (amounts: (key: string) => string) =>
      exceeded.map((key) => `${key}=${amounts(key)}`).join(',');
    throw forbidden(
      definition,
      name ?? '',
      `exceeded quota: ${quota.metadata.name}, requested: ${list((key) => shown(key, asked[key] ?? 0))}, used: ${list((key) => shown(key, used[key] ?? 0))}, limited: ${list((key) => hard[key]!)}`,
    );
  }
}

/** status.used as the quota controller writes it. */
export function usedAmounts(storage: Storage, quota: Quota): Record<string, string> {
  const used = quotaUsage(storage, quota);
  return Object.fromEntries(
    Object.keys(quota.spec?.hard ?? {}).map((key) => [key, shown(key, used[key] ?? 0)]),
  );
}

function quotaUsage(storage: Storage, quota: Quota): Usage {
  const names = Object.keys(quota.spec?.hard ?? {});
  const counted = definitions.filter((definition) => definition.namespaced && isNamed(definition, names));
  return addResources(
    counted.flatMap((definition) =>
      storage
        .list(definition, quota.metadata.namespace)
        .filter((object) => inScope(quota, definition, object))
        .map((object) => usageOf(definition.resource, object)),
    ),
  );
}

const isCompute = (name: string) => /^(requests\.|limits\.)?(cpu|memory|ephemeral-storage)$/.test(name);

function isNamed({ resource, group }: ResourceDefinition, names: readonly string[]): boolean {
  const counter = group ? `count/${resource}.${group}` : `count/${resource}`;
  return names.some(
    (name) =>
      name === resource ||
      name === counter ||
      (resource === 'pods' && isCompute(name)) ||
      (resource === 'services' && name.startsWith('services.')) ||
      (resource === 'persistentvolumeclaims' && name === 'requests.storage'),
  );
}

/** registry: what one object takes, by every name that a quota may have for it. */
function usageOf(resource: string, object: KubeObject): Usage {
  const { group } = definitionOf(resource);
  const usage: Usage = { [group ? `count/${resource}.${group}` : `count/${resource}`]: 1 };
  if (resource === 'pods') return { ...usage, ...podUsage(object as unknown as Pod) };
  if (!group) usage[resource] = 1;
  if (resource === 'services') {
    const { type, ports = [], allocateLoadBalancerNodePorts } = (object as unknown as Service).spec ?? {};
    const balanced = type === 'LoadBalancer';
    if (type === 'NodePort' || (balanced && allocateLoadBalancerNodePorts !== false))
      usage['services.nodeports'] = ports.length;
    if (balanced) usage['services.loadbalancers'] = 1;
  }
  if (resource === 'persistentvolumeclaims') {
    const claim = object as unknown as Kinds['persistentvolumeclaims'];
    usage['requests.storage'] = amountOf('storage', claim.spec?.resources?.requests?.storage ?? '0');
  }
  return usage;
}

/** A pod that has ended, or is beyond its grace, uses nothing. */
function podUsage(pod: Pod): Usage {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return {};
  const usage: Usage = { pods: 1 };
  for (const [name, amount] of Object.entries(requestsOf(pod, 'as-given'))) {
    usage[`requests.${name}`] = amount;
    usage[name] = amount;
  }
  for (const container of pod.spec?.containers ?? []) {
    for (const [name, text] of Object.entries(container.resources?.limits ?? {})) {
      usage[`limits.${name}`] = (usage[`limits.${name}`] ?? 0) + amountOf(name, text);
    }
  }
  return usage;
}

/** What a quota counts must be said by every container. */
function unsaidAmounts(object: KubeObject, names: readonly string[]): string[] {
  const containers = (object as unknown as Pod).spec?.containers ?? [];
  return names.filter(isCompute).filter((name) => {
    const limits = name.startsWith('limits.');
    const resource = name.replace(/^(requests|limits)\./, '');
    return containers.some(
      ({ resources }) => !(limits ? resources?.limits : resources?.requests)?.[resource],
    );
  });
}

function inScope(quota: Quota, definition: ResourceDefinition, object: KubeObject): boolean {
  const scopes = quota.spec?.scopes ?? [];
  if (scopes.length === 0) return true;
  if (definition.resource !== 'pods') return false;
  const { spec, status } = object as unknown as Pod;
  return scopes.every((scope) => {
    const terminating = spec?.activeDeadlineSeconds !== undefined;
    switch (scope) {
      case 'Terminating':
        return terminating;
      case 'NotTerminating':
        return !terminating;
      case 'BestEffort':
        return status?.qosClass === 'BestEffort';
      case 'NotBestEffort':
        return status?.qosClass !== 'BestEffort';
      default:
        return true;
    }
  });
}

const unitOf = (name: string) => name.replace(/^(requests|limits)\./, '');
const hardAmount = (name: string, text: string) => amountOf(unitOf(name), text);

function shown(name: string, amount: number): string {
  return unitOf(name) === 'cpu' ? canonicalQuantity(`${amount}m`) : String(amount);
}
