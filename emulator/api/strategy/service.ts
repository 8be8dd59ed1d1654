// Service: what was given out stays (registry/core/service/storage: patchAllocatedValues).
import { invalid } from '../errors.ts';
import { isObject, type KubeObject } from '../objects.ts';
import { definitionOf } from '../resources.ts';
import type { Service } from '../types.ts';
import { ipAddress } from '../validation/names.ts';
import type { Strategy } from './strategy.ts';

export const serviceStrategy: Strategy = {
  admit: refuseChosenAddress,
  prepareForUpdate(object, current) {
    if (!isObject(object.spec) || !isObject(current.spec)) return;
    const headed = object.spec.type !== 'ExternalName';
    if (!object.spec.clusterIP && headed) object.spec.clusterIP = current.spec.clusterIP;
    keepNodePorts(current, object);
    dropUnused(current, object);
  },
  createsOnUpdate: true,
  returnsDeleted: true,
};

/** Addresses are given out here; one that a manifest brings along belongs to another network. */
function refuseChosenAddress(object: KubeObject): void {
  const address = isObject(object.spec) ? object.spec.clusterIP : undefined;
  if (typeof address !== 'string' || address === '' || address === 'None' || ipAddress(address).length > 0)
    return;
  throw invalid(definitionOf('services'), object.metadata.name, [
    {
      reason: 'FieldValueForbidden',
      message:
        'Forbidden: Unsupported by the emulated cluster: it chooses the addresses of Services; leave it out',
      field: 'spec.clusterIP',
    },
  ]);
}

/** By number and protocol of the port. */
function keepNodePorts(current: KubeObject, object: KubeObject): void {
  const before = (current as unknown as Service).spec;
  const now = (object as unknown as Service).spec;
  if (!before || !now || !isOnNodes(before) || !isOnNodes(now)) return;
  if (before.healthCheckNodePort !== undefined && now.externalTrafficPolicy === before.externalTrafficPolicy)
    now.healthCheckNodePort ??= before.healthCheckNodePort;
  for (const port of now.ports ?? []) {
    const same = before.ports?.find(
      (known) => known.port === port.port && (known.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (same?.nodePort !== undefined) port.nodePort ||= same.nodePort;
  }
}

/**
 * What another type has no use for goes with the old one, unless it was changed as well: then it is for the validation.
 * Source: dropTypeDependentFields in pkg/registry/core/service/strategy.go.
 */
function dropUnused(current: KubeObject, object: KubeObject): void {
  const before = (current as unknown as Service).spec;
  const now = (object as unknown as Service).spec;
  if (!before || !now) return;
  const drop = (...fields: (keyof Spec)[]) => {
    for (const field of fields) if (equalValues(before[field], now[field])) delete now[field];
  };
  if (before.type !== 'ExternalName' && now.type === 'ExternalName') {
    drop('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy');
  }
  if (isOnNodes(before) && !isOnNodes(now)) {
    const known = new Set(before.ports?.map(({ nodePort }) => nodePort));
    for (const port of now.ports ?? []) if (known.has(port.nodePort)) delete port.nodePort;
    drop('externalTrafficPolicy');
  }
  const hasHealthCheck = ({ type, externalTrafficPolicy }: Spec) =>
    type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  if (hasHealthCheck(before) && !hasHealthCheck(now)) drop('healthCheckNodePort');
  if (before.type === 'LoadBalancer' && now.type !== 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  }
}

const equalValues = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

type Spec = NonNullable<Service['spec']>;

const isOnNodes = ({ type }: Spec): boolean => type === 'NodePort' || type === 'LoadBalancer';
