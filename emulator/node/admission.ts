// What a node refuses to run: host ports that are taken, as a real kubelet does it, and what an emulation without
// containers cannot do, by name, so that nothing is half-obeyed.
import type { Node, Pod } from '../api/types.ts';
import { addResources, allocatableOf, requestsOf } from '../controllers/scheduler/resources.ts';
import { containersOf, TOKEN_FOLDER } from './volumes.ts';

interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** `others`: pods of the node that still hold their ports and what they asked for. */
export function refusalOf(
  pod: Pod,
  others: readonly Pod[],
  node: Node | undefined,
  volumes = false,
): Refusal | undefined {
  const lacking = notEmulated(pod, volumes);
  if (lacking.length > 0) {
    return {
      reason: 'NotEmulated',
      message: `the embedded cluster runs pods as local processes and has no ${lacking.join(', no ')}. Remove it or use --cluster kind.`,
    };
  }
  if (pod.spec?.os && pod.spec.os.name !== 'linux') {
    const message = "Failed to admit pod as the OS field doesn't match node OS";
    return { reason: 'PodOSNotSupported', message };
  }
  const short = node && outOf(pod, others, node);
  if (short) return short;
  const taken = new Set(others.flatMap(hostPortsOf));
  if (hostPortsOf(pod).some((port) => taken.has(port))) {
    return {
      reason: 'NodePorts',
      message: `Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports`,
    };
  }
  return undefined;
}

/** Only of pods that no scheduler has put here: it would have found them another place. */
function outOf(pod: Pod, others: readonly Pod[], node: Node): Refusal | undefined {
  const capacity = allocatableOf(node);
  const used = addResources(others.map((other) => requestsOf(other, 'as-given')));
  for (const [name, requested] of Object.entries(requestsOf(pod, 'as-given'))) {
    const [have = 0, taken = 0] = [capacity[name], used[name]];
    if (requested === 0 || taken + requested <= have) continue;
    const message = `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${taken}, capacity: ${have}`;
    return { reason: `OutOf${name}`, message };
  }
  return undefined;
}

/** Fields of a pod that the emulation has nothing for, each with its path. */
export function notEmulated(pod: Pod, volumes = false): string[] {
  const { spec } = pod;
  const found: string[] = [];
  if (!spec) return found;
  if ((spec.ephemeralContainers ?? []).length > 0)
    found.push('ephemeral containers (spec.ephemeralContainers)');
  (spec.volumes ?? []).forEach((volume, index) => {
    // Without a mount a volume changes nothing, and without volumes nobody is given a token.
    const mounted = containersOf(pod).some((container) =>
      (container.volumeMounts ?? []).some(
        (mount) => mount.name === volume.name && mount.mountPath !== TOKEN_FOLDER,
      ),
    );
    if (mounted && !volumes) found.push(`volume mounts (spec.volumes[${index}], "${volume.name}")`);
  });
  spec.containers.forEach((container, index) => {
    if (container.tty || container.stdin) found.push(`terminals (spec.containers[${index}].tty, stdin)`);
    if (container.restartPolicy) {
      found.push(`restart policy of its own for a container (spec.containers[${index}].restartPolicy)`);
    }
  });
  for (const field of ['hostPID', 'hostIPC', 'shareProcessNamespace'] as const) {
    if (spec[field]) found.push(`namespaces to share (spec.${field})`);
  }
  return found;
}

function hostPortsOf(pod: Pod): string[] {
  return (pod.spec?.containers ?? []).flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, protocol }) =>
      hostPort ? [`${protocol ?? 'TCP'}/${hostPort}`] : [],
    ),
  );
}
