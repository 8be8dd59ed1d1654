// A cluster that exists, by its context in a kubeconfig. Nothing is changed on it but what is made in namespaces of our own,
// or in one that it was given; `rollproof rbac` prints what that needs.
import { KubeConfig } from '@kubernetes/client-node';
import { removeAbandonedFolders } from '../../exec/temporary-folder.ts';
import { connectKube, type Kube } from '../../kube/client.ts';
import {
  exportedConfig,
  isMadeUp,
  type KubeconfigText,
  noKubeconfig,
  readKubeconfig,
  serverProblem,
  unreadable,
} from '../../kube/exported.ts';
import { FaultError, UsageError } from '../../model/errors.ts';
import { describeCluster } from '../describe.ts';
import type { ClusterProvider, CreateOptions, RunningCluster } from '../provider.ts';
import { removeAbandoned, untilFree } from './leftovers.ts';
import { type Denied, deniedRights } from './permissions.ts';
import { watchFlags } from './rbac-text.ts';
import { type RightsWanted, rightsNeeded, watchPlaces } from './rights.ts';

export interface ContextOptions {
  /** Default: the kubeconfig's current one. */
  readonly context?: string;
  /** Default: $KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfigFile?: string;
  /** What will be done there. */
  readonly wanted?: RightsWanted;
  /** A mesh's proxy may come beside the load agent. */
  readonly mesh?: boolean;
}

export function contextProvider(
  options: ContextOptions = {},
  connect: (kubeconfig: string) => Promise<Kube> = connectKube,
): ClusterProvider {
  return {
    kind: 'context',
    async unavailable() {
      const { name, text } = chosenContext(options);
      const kube = await connect(text);
      try {
        await kube.json('GET', '/version');
        return undefined;
      } catch (error) {
        return `context ${name}: the cluster does not answer (${(error as Error).message}). Check the kubeconfig and the network.`;
      } finally {
        kube.close();
      }
    },
    async create(createOptions) {
      const { name, text } = chosenContext(options);
      createOptions.progress(`looking at the cluster of context ${name}`);
      removeAbandonedFolders();
      const kube = await connect(text);
      // What it says of itself is asked meanwhile; what keeps us out is told first.
      const described = describeCluster(kube);
      described.catch(() => {});
      try {
        const denied = options.wanted?.dryRun ? nothingDenied : await checkRights(kube, name, options.wanted);
        if (!options.wanted?.dryRun) await makeRoom(kube, name, options.wanted?.namespace, createOptions);
        return runningCluster(name, text, await described, options, denied);
      } finally {
        kube.close();
      }
    },
  };
}

/** Asked for nothing else. */
export async function contextVersion(
  options: ContextOptions,
  connect: (kubeconfig: string) => Promise<Kube> = connectKube,
): Promise<string> {
  const kube = await connect(chosenContext(options).text);
  try {
    return (await kube.json<{ gitVersion: string }>('GET', '/version')).gitVersion;
  } finally {
    kube.close();
  }
}

/** Namespaces that killed runs have left there; returns the names of those that were removed. */
export async function cleanContext(
  options: ContextOptions,
  createOptions: CreateOptions,
  connect: (kubeconfig: string) => Promise<Kube> = connectKube,
): Promise<readonly string[]> {
  const kube = await connect(chosenContext(options).text);
  try {
    return await removeAbandoned(kube, createOptions);
  } finally {
    kube.close();
  }
}

/** Throws one sentence with everything that lacks. */
export async function checkRights(kube: Kube, context: string, wanted: RightsWanted = {}): Promise<Denied> {
  const denied = await Promise.all(
    placesOf(wanted).map(async ({ namespace, rights }) => ({
      namespace,
      ...(await deniedRights(kube, rights, namespace)),
    })),
  );
  const lacking = denied.filter(({ required }) => required.length > 0);
  if (lacking.length > 0) {
    const where = lacking.map(
      ({ namespace, required }) =>
        `${namespace === undefined ? '' : ` in namespace ${namespace}`}: ${required.join('; ')}`,
    );
    throw new FaultError(
      `context ${context}: missing permissions${where.join(', and')}. Apply what \`rollproof rbac${rbacFlags(wanted)}\` prints.`,
    );
  }
  return {
    required: [],
    optional: [...new Set(denied.flatMap(({ optional }) => optional))],
    without: [...new Set(denied.flatMap(({ without }) => without))],
  };
}

/** Rights by the namespace that they are needed in; undefined: in namespaces that are still to be made. */
function placesOf(wanted: RightsWanted) {
  const { namespace, watch, servicesIn, witness } = wanted;
  if (watch !== 'agents' || servicesIn === undefined || namespace === undefined)
    return [{ namespace, rights: rightsNeeded(wanted) }];
  return watchPlaces({ namespace: servicesIn, agentNamespace: namespace, witness });
}

function rbacFlags({ namespace, watch, servicesIn = namespace, witness }: RightsWanted): string {
  if (namespace === undefined) return '';
  if (!watch || servicesIn === undefined) return ` --namespace ${namespace}`;
  return watchFlags({ namespace: servicesIn, agentNamespace: namespace, witness });
}

const nothingDenied: Denied = { required: [], optional: [], without: [] };

/** What killed runs have left would be in the way, or would stay for ever. */
async function makeRoom(
  kube: Kube,
  context: string,
  namespace: string | undefined,
  options: CreateOptions,
): Promise<void> {
  if (namespace === undefined) {
    await removeAbandoned(kube, options);
    return;
  }
  const found = await kube.raw('GET', `/api/v1/namespaces/${namespace}`);
  // Who may not read it is told by the rights that lack, or by the API server.
  if (found.status === 404)
    throw new UsageError(
      `context ${context}: there is no namespace ${namespace}. Name one that exists, or none.`,
    );
  await untilFree(kube, namespace, options);
}

function runningCluster(
  name: string,
  kubeconfig: string,
  described: Awaited<ReturnType<typeof describeCluster>>,
  { wanted, mesh }: ContextOptions,
  denied: Denied,
): RunningCluster {
  const notes = [
    ...described.notes,
    'Other workloads of this cluster may disturb what is measured.',
    mesh
      ? 'A service mesh may put its proxy beside the load agent (agent.mesh).'
      : 'Load agent and control target opt out of service meshes (Istio, Linkerd, Kuma, Consul); agent.mesh: true lets one in.',
    ...denied.without.map((what) => `Some rights lack: ${what}.`),
  ];
  return {
    stays: true,
    ...(wanted?.namespace !== undefined && { namespace: wanted.namespace }),
    denied: denied.optional,
    info: { ...described, name, kind: 'context', emulated: isEmulated(described.kubernetesVersion), notes },
    kubeconfig: () => kubeconfig,
    // Images are the cluster's business, which pulls them; ours is a stock one.
    provideImages: async () => {},
    // The cluster was there before; the experiments remove what they made.
    destroy: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** `rollproof cluster up` says so in its version. */
const isEmulated = (version: string): boolean => version.endsWith('+rollproof.emulated');

/** The one context as a kubeconfig of its own, so that nothing else of the user's file travels along. */
function chosenContext(options: ContextOptions): { readonly name: string; readonly text: string } {
  const all = new KubeConfig();
  const where = options.kubeconfigFile ?? 'the kubeconfig';
  let read: readonly KubeconfigText[];
  try {
    read = readKubeconfig(all, options.kubeconfigFile);
  } catch (error) {
    throw new UsageError(`context: ${where} cannot be read: ${unreadable(error as Error)}.`);
  }
  if (isMadeUp(all)) throw new UsageError(`context: ${noKubeconfig}`);
  const name = options.context ?? all.getCurrentContext();
  const context = all.getContextObject(name);
  const cluster = context && all.getCluster(context.cluster);
  if (!context || !cluster) {
    const names = all.getContexts().map((one) => one.name);
    throw new UsageError(
      `context: ${where} has no context "${name ?? ''}"; it has ${names.join(', ') || 'none'}.`,
    );
  }
  const problem = serverProblem(cluster);
  if (problem) throw new UsageError(`context: ${where}: ${problem}`);
  const user = all.getUser(context.user);
  const one = new KubeConfig();
  one.loadFromOptions({
    clusters: [cluster],
    users: user ? [user] : [],
    contexts: [context],
    currentContext: name,
  });
  return { name, text: exportedConfig(one, read) };
}
