// The embedded provider: Kubernetes v1.34 emulated in this process tree, with nothing to install.
import { availableParallelism } from 'node:os';
import { type EmbeddedCluster, type EmbeddedOptions, startEmbedded } from '../../../emulator/index.ts';
import { FaultError } from '../../model/errors.ts';
import type { ClusterProvider, ImageRequest, RunningCluster } from '../provider.ts';

export function embeddedProvider(options: EmbeddedOptions): ClusterProvider {
  return {
    kind: 'embedded',
    unavailable: async () =>
      process.platform === 'win32'
        ? 'embedded: pods are processes with signals and process groups, which Windows lacks. Use WSL or --cluster kind.'
        : undefined,
    async create({ progress, signal }) {
      if (signal.aborted) throw new FaultError('embedded: interrupted before it began.');
      const cluster = await startEmbedded(options);
      progress(`emulated Kubernetes ${cluster.info.kubernetesVersion} is up at ${cluster.url}`);
      return running(cluster);
    },
  };
}

function running(cluster: EmbeddedCluster): RunningCluster {
  const agentNode = cluster.info.agentNode as string;
  return {
    info: cluster.info,
    stays: false,
    sideBySide: experimentsAtOnce(),
    kubeconfig: () => cluster.kubeconfig(),
    async provideImages(requests) {
      for (const request of requests) provide(cluster, request);
    },
    async delayProxy(delayMs) {
      cluster.delayProxy(agentNode, delayMs);
    },
    destroy: () => cluster.close(),
    [Symbol.asyncDispose]: () => cluster.close(),
  };
}

/** Pods are processes of this machine: on two cores four experiments at once leave send lag and verdicts as they are. */
const experimentsAtOnce = (): number => {
  const wanted = Number(process.env.ROLLPROOF_SIDE_BY_SIDE ?? Number.NaN);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : Math.min(8, 2 * availableParallelism());
};

function provide(cluster: EmbeddedCluster, { name, build }: ImageRequest): void {
  if (build && 'bundle' in build) {
    cluster.images.add(name, { command: [process.execPath, build.bundle], env: build.env });
  } else if (!cluster.images.find(name)) {
    throw new FaultError(
      `embedded: image "${name}" has no local command. Say what runs for it under "images" in rollproof.yaml, or use --cluster kind.`,
    );
  }
}
