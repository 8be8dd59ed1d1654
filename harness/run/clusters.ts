// Which cluster a run uses, and why: kind where it can serve, else the embedded one; or what was asked for.
import { resolve } from 'node:path';
import type { LocalImage } from '../../emulator/index.ts';
import { type ContextOptions, contextProvider } from '../cluster/context/provider.ts';
import { embeddedProvider } from '../cluster/embedded/provider.ts';
import { kindProvider } from '../cluster/kind/provider.ts';
import type { ClusterProvider } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { traefikImage } from '../deploy/entries/traefik.ts';
import { programOnPath } from '../exec/on-path.ts';
import { FaultError, UsageError } from '../model/errors.ts';

export type ClusterChoice = 'auto' | 'kind' | 'embedded' | 'context';

interface ChosenCluster {
  readonly provider: ClusterProvider;
  /** One sentence for the first line: which cluster and why. */
  readonly why: string;
}

export interface ClusterNeeds {
  /** Kinds of the target's manifests, for what a cluster of somebody's must allow. */
  readonly kinds?: readonly { readonly apiVersion: string; readonly kind: string }[] | undefined;
  readonly proxyDelayMs?: number | undefined;
  /** A shorter cycle of the autoscaler (profile quick); undefined: Kubernetes' defaults. */
  readonly autoscaler?:
    | {
        readonly syncSeconds: number;
        readonly metricsSeconds: number;
        /** On the embedded cluster; a metrics-server looks every 10 s at the most often. */
        readonly emulatedMetricsSeconds: number;
      }
    | undefined;
}

/** Throws FaultError when the cluster that was asked for cannot serve here. No side effect. */
export async function chooseCluster(
  configuration: Configuration,
  needs: ClusterNeeds,
): Promise<ChosenCluster> {
  const { cluster } = configuration;
  const kind = kindProvider({
    nodeImage: cluster.nodeImage,
    oneNode: cluster.oneNode,
    keep: cluster.keep,
    proxyMode: cluster.proxyMode,
    ...(needs.autoscaler && { autoscalerSyncSeconds: needs.autoscaler.syncSeconds }),
  });
  const embedded = embeddedProvider({
    images: [userImages(configuration), programsOnPath()],
    ...(needs.proxyDelayMs !== undefined && { proxyDelayMs: needs.proxyDelayMs }),
    ...(needs.autoscaler && {
      hpaSyncMs: needs.autoscaler.syncSeconds * 1000,
      metricsResolutionMs: needs.autoscaler.emulatedMetricsSeconds * 1000,
    }),
  });
  const choice = cluster.kind ?? 'auto';
  if (cluster.namespace !== undefined && choice !== 'context') {
    throw new UsageError(
      `--namespace ${cluster.namespace}: cluster ${choice} is one of its own; a namespace is for --cluster context.`,
    );
  }
  if (cluster.proxyMode !== undefined && (choice === 'embedded' || choice === 'context')) {
    throw new UsageError(
      `--proxy-mode ${cluster.proxyMode} (cluster.proxyMode): cluster ${choice} routes in its own way; it is for --cluster kind.`,
    );
  }
  switch (choice) {
    case 'auto': {
      const problem = await kind.unavailable();
      if (problem && cluster.proxyMode !== undefined) throw new FaultError(problem);
      if (!problem)
        return {
          provider: kind,
          why: 'Cluster: kind, a real one: Docker answers, kind and a node image are there.',
        };
      const short = problem.replace(/^kind: /, '').replace(/[,.] .*$/, '');
      return {
        provider: embedded,
        why: `Cluster: embedded, emulated Kubernetes, because kind cannot serve here (${short}).`,
      };
    }
    case 'kind':
      return required(kind, 'Cluster: kind, a real one, as asked for.');
    case 'embedded':
      return required(embedded, 'Cluster: embedded, emulated Kubernetes, as asked for.');
    case 'context': {
      const context = contextProvider(contextOptions(configuration, needs));
      return required(context, `Cluster: context ${cluster.context ?? '(the current one)'}, as asked for.`);
    }
    default:
      return unknownChoice(choice);
  }
}

export const contextOptions = (
  { cluster, agent }: Configuration,
  { kinds }: Pick<ClusterNeeds, 'kinds'>,
): ContextOptions => ({
  ...(cluster.context !== undefined && { context: cluster.context }),
  ...(cluster.kubeconfig !== undefined && { kubeconfigFile: cluster.kubeconfig }),
  mesh: agent.mesh,
  wanted: { namespace: cluster.namespace, kinds, copiesSecret: agent.pullSecret !== undefined },
});

async function required(provider: ClusterProvider, why: string): Promise<ChosenCluster> {
  const problem = await provider.unavailable();
  if (problem) throw new FaultError(problem);
  return { provider, why };
}

/** Programs of this machine that stand for the images that scenarios bring along, on the embedded cluster. */
function programsOnPath(): ReadonlyMap<string, LocalImage> {
  const traefik = programOnPath('traefik');
  return new Map(traefik === undefined ? [] : [[traefikImage, { command: [traefik] }]]);
}

/** Commands that stand for image names on the embedded cluster, as the configuration maps them. */
export function userImages({ images }: Configuration): ReadonlyMap<string, LocalImage> {
  return new Map(
    Object.entries(images).map(([name, { command, env, folder }]) => [
      name,
      { command, env, workingDirectory: resolve(folder) },
    ]),
  );
}

function unknownChoice(choice: never): never {
  throw new Error(`no cluster ${String(choice)}`);
}
