// kind's configuration for one cluster: the user's file with our token on every node. Pure.
import { parse, stringify } from 'yaml';
import { UsageError } from '../../model/errors.ts';
import type { ProxyMode } from '../../model/proxy-mode.ts';

interface ClusterShape {
  readonly token: string;
  /** The control plane alone. */
  readonly oneNode: boolean;
  /** The autoscaler's sync period; null: Kubernetes' default of 15 s. */
  readonly autoscalerSyncSeconds: number | null;
  /** kube-proxy's; undefined: as the file says, or kind's default. */
  readonly proxyMode?: ProxyMode | undefined;
}

export const ownerLabel = 'rollproof.dev/owner';

/** A file that is there on every Docker host, mounted under a name that carries the token: a label on the container. */
export const ownerMount = (token: string): string => `/rollproof/owner-${token}`;

interface KindNode {
  role?: string;
  labels?: Record<string, string>;
  extraMounts?: unknown[];
  [field: string]: unknown;
}
interface KindCluster {
  kind?: string;
  apiVersion?: string;
  nodes?: KindNode[];
  networking?: Record<string, unknown>;
  kubeadmConfigPatches?: string[];
  [field: string]: unknown;
}

/** The configuration as YAML, and its number of nodes. `where` names the file in messages. */
export function clusterConfig(
  text: string,
  where: string,
  shape: ClusterShape,
): { readonly yaml: string; readonly nodes: number } {
  const config = parseConfig(text, where);
  const listed = config.nodes?.length ? config.nodes : [{ role: 'control-plane' }];
  const controlPlane = listed.find((node) => node.role === 'control-plane');
  if (!controlPlane) throw new UsageError(`${where}: nodes: none of them has role control-plane.`);
  const nodes = (shape.oneNode ? [controlPlane] : listed).map((node) => ({
    ...node,
    // No label of ours under kubernetes.io: a kubelet that is started with one refuses to run.
    labels: { ...node.labels, [ownerLabel]: shape.token },
    extraMounts: [
      ...(node.extraMounts ?? []),
      { hostPath: '/dev/null', containerPath: ownerMount(shape.token), readOnly: true },
    ],
  }));
  const patches = shape.autoscalerSyncSeconds === null ? [] : autoscalerPatches(shape.autoscalerSyncSeconds);
  return {
    yaml: stringify({
      ...config,
      // A name in the file would win over --name.
      name: undefined,
      nodes,
      ...(shape.proxyMode && { networking: { ...config.networking, kubeProxyMode: shape.proxyMode } }),
      ...(patches.length > 0 && {
        kubeadmConfigPatches: [...(config.kubeadmConfigPatches ?? []), ...patches],
      }),
    }),
    nodes: nodes.length,
  };
}

function parseConfig(text: string, where: string): KindCluster {
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new UsageError(`${where}: not YAML: ${(error as Error).message}`);
  }
  const { kind, apiVersion } = (config ?? {}) as KindCluster;
  if (kind !== 'Cluster' || !apiVersion?.startsWith('kind.x-k8s.io/')) {
    throw new UsageError(
      `${where}: not a configuration of kind (kind: Cluster, apiVersion: kind.x-k8s.io/v1alpha4).`,
    );
  }
  return config as KindCluster;
}

/** kubeadm's v1beta3 takes extraArgs as a map, v1beta4 as a list; kind applies the patch whose version it writes. */
function autoscalerPatches(seconds: number): string[] {
  const [name, value] = ['horizontal-pod-autoscaler-sync-period', `${seconds}s`];
  const patch = (version: string, extraArgs: unknown) =>
    stringify({
      apiVersion: `kubeadm.k8s.io/${version}`,
      kind: 'ClusterConfiguration',
      controllerManager: { extraArgs },
    });
  return [patch('v1beta3', { [name]: value }), patch('v1beta4', [{ name, value }])];
}
