// NodePorts: a host port can be taken once per address and protocol; terminating pods still hold theirs.
// Source: pkg/scheduler/framework/plugins/nodeports, HostPortInfo in pkg/scheduler/framework/types.go.
import type { Pod } from '../../../api/types.ts';
import { type Plugin, refuse } from './plugin.ts';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  weight: 0,
  filter(pod) {
    const wanted = hostPortsOf(pod);
    return ({ pods }) =>
      wanted.length > 0 && pods.some((other) => conflict(wanted, hostPortsOf(other)))
        ? refuse("node(s) didn't have free ports for the requested pod ports", true)
        : undefined;
  },
  helps: (pod, event) =>
    event.kind === 'node-added' ||
    (event.kind === 'pod-deleted' && conflict(hostPortsOf(pod), hostPortsOf(event.pod))),
};

interface HostPort {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

const anyAddress = '0.0.0.0';

function hostPortsOf(pod: Pod): HostPort[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...sidecars].flatMap((container) =>
    (container.ports ?? [])
      .filter(({ hostPort }) => (hostPort ?? 0) > 0)
      .map(({ hostIP, protocol, hostPort }) => ({
        address: hostIP || anyAddress,
        protocol: protocol ?? 'TCP',
        port: hostPort ?? 0,
      })),
  );
}

function conflict(left: readonly HostPort[], right: readonly HostPort[]): boolean {
  return left.some((a) =>
    right.some(
      (b) =>
        a.port === b.port &&
        a.protocol === b.protocol &&
        (a.address === b.address || a.address === anyAddress || b.address === anyAddress),
    ),
  );
}
