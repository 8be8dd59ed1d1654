// The embedded provider: Kubernetes v1.34 emulated in this process tree, with nothing to install.
import { availableParallelism } from 'node:os';
import {
  apiRefusalOf,
  type Cluster,
  type ClusterOptions,
  EmulatorError,
  EmulatorUsageError,
  noIsolation,
  startCluster,
  unsupportedIn,
} from '../../../emulator/index.ts';
import { removeAbandonedFolders } from '../../exec/temporary-folder.ts';
import { FaultError, UsageError } from '../../model/errors.ts';
import { withinLimit } from '../../model/lifetime.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ClusterProvider, ImageRequest, RunningCluster } from '../provider.ts';

export function embeddedProvider(options: ClusterOptions): ClusterProvider {
  return {
    kind: 'embedded',
    unavailable: async () =>
      process.platform === 'win32'
        ? 'embedded: pods are processes with signals and process groups, which Windows lacks. Use WSL or --cluster kind.'
        : undefined,
    cannotRun: (manifests, images) => cannotRun(options, manifests, images),
    async create({ progress, signal }) {
      signal.throwIfAborted();
      // What a run left that was killed, with a kubeconfig in it.
      removeAbandonedFolders();
      const cluster = await startCluster(options).catch(asFault);
      progress(`emulated Kubernetes ${cluster.facts.kubernetesVersion} is up at ${cluster.url}`);
      return running(cluster, options);
    },
  };
}

/** What the emulator says of this machine, as the harness says it. */
export function asFault(error: unknown): never {
  if (error instanceof EmulatorUsageError) throw new UsageError(error.message, { cause: error });
  throw error instanceof EmulatorError ? new FaultError(error.message, { cause: error }) : error;
}

/** Killing every process takes a moment. What is left then goes with this process: its watchdog sees to that. */
const STOP_LIMIT_MS = 8_000;

async function stop(cluster: Cluster): Promise<void> {
  const over = new FaultError(`not stopped within ${STOP_LIMIT_MS / 1000} s`);
  await withinLimit(() => cluster.stop(), STOP_LIMIT_MS, over).catch((error: unknown) => {
    if (error !== over) throw error;
  });
}

function running(cluster: Cluster, options: ClusterOptions): RunningCluster {
  const { agentNode } = cluster.facts;
  return {
    info: cluster.facts,
    stays: false,
    sideBySide: experimentsAtOnce(),
    kubeconfig: () => cluster.kubeconfig,
    async provideImages(requests, { progress }) {
      for (const request of requests) {
        provide(cluster, request);
        const command = request.build ? undefined : commandFor(options, request.name);
        if (command) progress(`image ${request.name} is run by ${command.join(' ')}`);
      }
    },
    async delayProxy(delayMs) {
      cluster.delayProxy(agentNode, delayMs);
    },
    destroy: () => stop(cluster),
    [Symbol.asyncDispose]: () => stop(cluster),
  };
}

/** Everything at once, with the object's name: nobody wants to learn it one run at a time. */
function cannotRun(
  { images: given = [], isolation }: ClusterOptions,
  manifests: readonly Manifest[],
  images: readonly string[],
): string[] {
  // Where pods have files of their own, what they mount is at its path.
  const isolated = noIsolation(isolation) === undefined;
  const fields = manifests.flatMap((manifest) =>
    unsupportedIn(manifest as unknown as Parameters<typeof unsupportedIn>[0], {
      volumes: isolated,
      names: isolated,
    }).map(
      (sentence) =>
        `${manifest.kind} ${manifest.metadata.name}: the embedded cluster cannot run it: ${sentence}.`,
    ),
  );
  const refused = manifests.flatMap((manifest) => {
    const said = apiRefusalOf(manifest as unknown as Parameters<typeof apiRefusalOf>[0]);
    return said === undefined
      ? []
      : [`${manifest.kind} ${manifest.metadata.name}: the API server would refuse it: ${said}.`];
  });
  const commands = new Set(given.flatMap((source) => ('keys' in source ? [...source.keys()] : [])));
  const nameless = [...new Set(images)].filter((name) => !commands.has(name));
  return [
    ...fields,
    ...refused,
    ...nameless.map(
      (name) =>
        `image "${name}" has no local command; say what runs for it under "images" in rollproof.yaml.`,
    ),
  ];
}

/** Pods are processes of this machine: on two cores four experiments at once leave send lag and verdicts as they are. */
const experimentsAtOnce = (): number => {
  const wanted = Number(process.env.ROLLPROOF_SIDE_BY_SIDE ?? Number.NaN);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : Math.min(8, 2 * availableParallelism());
};

const commandFor = ({ images = [] }: ClusterOptions, name: string): readonly string[] | undefined =>
  images.flatMap((source) => ('get' in source ? [source.get(name)?.command] : [])).find(Boolean);

/** What is looked for by itself. */
const onPath = (image: string): string =>
  image.startsWith('traefik:') ? 'Put the program traefik of that version on the PATH. ' : '';

function provide(cluster: Cluster, { name, build }: ImageRequest): void {
  if (build && 'bundle' in build) {
    cluster.addImage(name, { command: [process.execPath, build.bundle], env: build.env });
  } else if (!cluster.hasImage(name)) {
    throw new FaultError(
      `embedded: image "${name}" has no local command. ${onPath(name)}Say what runs for it under "images" in rollproof.yaml, or use --cluster kind.`,
    );
  }
}
