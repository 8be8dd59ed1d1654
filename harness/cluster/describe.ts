// What a cluster says about itself through its API: version, nodes, readiness, kube-proxy's mode. For every real one.
import { parse } from 'yaml';
import { apiStatus } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import type { ClusterInfo } from '../model/journal.ts';

interface NodeList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly status?: {
      readonly conditions?: readonly {
        readonly type: string;
        readonly status: string;
        readonly message?: string;
      }[];
    };
  }[];
}

interface NodeState {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly ready: boolean;
  /** The kubelet's own words, for one that is not ready. */
  readonly message: string;
}

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';
const KUBE_SYSTEM = '/api/v1/namespaces/kube-system';

export async function nodeStates(kube: Kube): Promise<readonly NodeState[]> {
  const { items } = await kube.json<NodeList>('GET', '/api/v1/nodes');
  return items.map(({ metadata, status }) => {
    const condition = status?.conditions?.find(({ type }) => type === 'Ready');
    return {
      name: metadata.name,
      role: metadata.labels?.[CONTROL_PLANE] === undefined ? 'worker' : 'control-plane',
      ready: condition?.status === 'True',
      message: condition?.message ?? 'its kubelet has not reported',
    };
  });
}

/** CoreDNS' wanted and available pods; undefined: this cluster's DNS is something else. */
export async function coreDnsState(kube: Kube): Promise<{ wanted: number; available: number } | undefined> {
  const answer = await kube.raw('GET', '/apis/apps/v1/namespaces/kube-system/deployments/coredns');
  if (answer.status !== 200) return undefined;
  const { spec, status } = JSON.parse(answer.text) as {
    spec?: { replicas?: number };
    status?: { availableReplicas?: number };
  };
  return { wanted: spec?.replicas ?? 1, available: status?.availableReplicas ?? 0 };
}

/** Version, nodes and proxy mode; `notes` says what could not be found out. */
export async function describeCluster(
  kube: Kube,
): Promise<Pick<ClusterInfo, 'kubernetesVersion' | 'nodes' | 'proxyMode' | 'notes'>> {
  const [version, nodes, proxyMode] = await Promise.all([
    kube.json<{ gitVersion: string }>('GET', '/version'),
    nodeStates(kube).catch((error: unknown) => {
      // Somebody else's cluster may not let us list its nodes.
      if (apiStatus(error) === 403) return undefined;
      throw error;
    }),
    proxyModeOf(kube),
  ]);
  const notes: string[] = [];
  if (!nodes) notes.push('The nodes may not be listed, so they are not known.');
  if (!proxyMode) notes.push('kube-proxy has no readable configuration, so its mode is not known.');
  return {
    kubernetesVersion: version.gitVersion,
    nodes: (nodes ?? []).map(({ name, role }) => ({ name, role })),
    proxyMode: proxyMode ?? 'unknown',
    notes,
  };
}

/** From kubeadm's ConfigMap. An empty mode means iptables on Linux (pkg/proxy/apis/config/types.go). */
async function proxyModeOf(kube: Kube): Promise<string | undefined> {
  const answer = await kube.raw('GET', `${KUBE_SYSTEM}/configmaps/kube-proxy`);
  if (answer.status !== 200) return undefined;
  try {
    const { data } = JSON.parse(answer.text) as { data?: Readonly<Record<string, string>> };
    const config = parse(data?.['config.conf'] ?? '') as { mode?: string } | null;
    return config ? config.mode || 'iptables' : undefined;
  } catch {
    return undefined;
  }
}
