// Warnings that the API server sends with an answer: taken, but probably not meant.
// Source: pkg/api/pod/warnings.go, pkg/registry/apps/deployment/strategy.go WarningsOnCreate.
import type { Container, PodSpec } from './defaults/pod.ts';
import type { KubeObject } from './objects.ts';
import { canonicalQuantity, parseQuantity } from './quantity.ts';
import { dns1123Label } from './validation/names.ts';

const podMakers = ['Pod', 'Deployment', 'ReplicaSet', 'DaemonSet', 'Job'];

/** @param current Before an update: only one that changes the spec is warned of. Undefined on creation. */
export function warningsFor(object: KubeObject, current: KubeObject | undefined): string[] {
  if (!podMakers.includes(object.kind)) return [];
  const created = current === undefined;
  if (current && current.metadata.generation === object.metadata.generation) return [];
  const isPod = object.kind === 'Pod';
  const spec = isPod
    ? (object.spec as PodSpec | undefined)
    : (object.spec as { template?: { spec?: PodSpec } } | undefined)?.template?.spec;
  return [
    ...(created ? nameWarnings(object) : []),
    ...(spec ? podWarnings(isPod ? 'spec' : 'spec.template.spec', spec) : []),
  ];
}

function nameWarnings({ metadata }: KubeObject): string[] {
  const problems = metadata.name ? dns1123Label(metadata.name) : [];
  if (problems.length === 0) return [];
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`,
  ];
}

function podWarnings(field: string, spec: PodSpec): string[] {
  const warnings: string[] = [];
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    warnings.push(
      `${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  }
  for (const [index, { labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    if (labelSelector) continue;
    warnings.push(
      `${field}.topologySpreadConstraints[${index}].labelSelector: a null labelSelector results in matching no pod`,
    );
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    warnings.push(...containerWarnings(`${field}.containers[${index}]`, container));
  }
  return warnings;
}

function containerWarnings(path: string, container: Container): string[] {
  const warnings: string[] = [];
  for (const kind of ['limits', 'requests'] as const) {
    for (const [resource, amount] of Object.entries(container.resources?.[kind] ?? {})) {
      const whole = (parseQuantity(amount)?.nano ?? 0n) % 10n ** 9n === 0n;
      if (whole || (resource !== 'memory' && resource !== 'ephemeral-storage')) continue;
      warnings.push(
        `${path}.resources.${kind}[${resource}]: fractional byte value ${JSON.stringify(canonicalQuantity(amount))} is invalid, must be an integer`,
      );
    }
  }
  const names = new Set<string>();
  for (const [index, { name }] of (container.env ?? []).entries()) {
    if (names.has(name)) {
      warnings.push(
        `${path}.env[${index}]: hides previous definition of "${name}", which may be dropped when using apply`,
      );
    }
    names.add(name);
  }
  const ports = container.ports ?? [];
  for (const [index, port] of ports.entries()) {
    const first = ports.findIndex(
      ({ containerPort, protocol, hostPort, hostIP }) =>
        containerPort === port.containerPort &&
        protocol === port.protocol &&
        hostPort === port.hostPort &&
        hostIP === port.hostIP,
    );
    if (first < index) {
      warnings.push(`${path}.ports[${index}]: duplicate port definition with ${path}.ports[${first}]`);
    }
  }
  return warnings;
}
