// A cluster that exists, by its context in a kubeconfig. Nothing is changed on it but what runs in namespaces of our own;
// docs/rbac.yaml says what that needs.
import { rmSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { type RunCommand, runCommand } from '../../exec/command.ts';
import { connectKube, type Kube } from '../../kube/client.ts';
import { FaultError, UsageError } from '../../model/errors.ts';
import { describeCluster } from '../describe.ts';
import { buildImage, failureOf } from '../docker-image.ts';
import type { ClusterProvider, CreateOptions, ImageRequest, RunningCluster } from '../provider.ts';
import { makeTemporaryFolder, removeAbandonedFolders } from '../temporary-folder.ts';
import { missingPermissions } from './permissions.ts';

export interface ContextOptions {
  /** Default: the kubeconfig's current one. */
  readonly context?: string;
  /** Default: $KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfigFile?: string;
  /** Where the load agent runs; a node that no step touches. Default: a control-plane node, where one is listed. */
  readonly agentNode?: string;
}

const PUSH_LIMIT_MS = 300_000;

export function contextProvider(
  options: ContextOptions = {},
  seams: { readonly run: RunCommand; readonly connect: (kubeconfig: string) => Promise<Kube> } = {
    run: runCommand,
    connect: connectKube,
  },
): ClusterProvider {
  return {
    kind: 'context',
    async unavailable() {
      const { name, text } = chosenContext(options);
      const kube = await seams.connect(text);
      try {
        await kube.json('GET', '/version');
        return undefined;
      } catch (error) {
        return `context ${name}: the cluster does not answer (${(error as Error).message}). Check the kubeconfig and the network.`;
      } finally {
        kube.close();
      }
    },
    async create({ progress }) {
      const { name, text } = chosenContext(options);
      progress(`looking at the cluster of context ${name}`);
      removeAbandonedFolders();
      const kube = await seams.connect(text);
      try {
        const missing = await missingPermissions(kube);
        if (missing.length > 0) {
          throw new FaultError(
            `context ${name}: you may not ${missing.join('; ')}. Ask for what docs/rbac.yaml lists.`,
          );
        }
        return await runningCluster(name, text, kube, options, seams.run);
      } finally {
        kube.close();
      }
    },
  };
}

async function runningCluster(
  name: string,
  kubeconfig: string,
  kube: Kube,
  options: ContextOptions,
  run: RunCommand,
): Promise<RunningCluster> {
  const described = await describeCluster(kube);
  const known = described.nodes.map((node) => node.name);
  if (options.agentNode && known.length > 0 && !known.includes(options.agentNode)) {
    throw new UsageError(
      `context ${name}: there is no node "${options.agentNode}"; there are ${known.join(', ')}.`,
    );
  }
  const agentNode = options.agentNode ?? described.nodes.find((node) => node.role === 'control-plane')?.name;
  return {
    stays: true,
    info: {
      ...described,
      name,
      kind: 'context',
      emulated: false,
      ...(agentNode && { agentNode }),
      notes: [...described.notes, 'Other workloads of this cluster may disturb what is measured.'],
    },
    kubeconfig: () => kubeconfig,
    provideImages: (images, createOptions) => pushImages(run, name, images, createOptions),
    // The cluster was there before; the experiments remove their own namespaces.
    destroy: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Ours are pushed to the registry that their names tell; others are the cluster's business, which pulls them. */
async function pushImages(
  run: RunCommand,
  context: string,
  images: readonly ImageRequest[],
  options: CreateOptions,
): Promise<void> {
  const own = images.filter((image) => image.build);
  const local = own.find((image) => !/^[^/]*[.:][^/]*\//.test(image.name));
  if (local) {
    throw new FaultError(
      `context ${context}: image ${local.name} is built here, and the cluster cannot get it from here. Name a registry that both reach.`,
    );
  }
  if (own.length === 0) return;
  const folder = makeTemporaryFolder('build');
  try {
    for (const image of own) {
      if (image.build) await buildImage(run, folder, image, image.build, options);
      options.progress(`pushing image ${image.name}`);
      await run('docker', ['push', '--quiet', image.name], {
        limitMs: PUSH_LIMIT_MS,
        signal: options.signal,
      });
    }
  } catch (error) {
    throw failureOf(`context ${context}: an image could not be pushed.`, error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The one context as a kubeconfig of its own, so that nothing else of the user's file travels along. */
function chosenContext(options: ContextOptions): { readonly name: string; readonly text: string } {
  const all = new KubeConfig();
  const where = options.kubeconfigFile ?? 'the kubeconfig';
  try {
    if (options.kubeconfigFile) all.loadFromFile(options.kubeconfigFile);
    else all.loadFromDefault();
  } catch (error) {
    throw new UsageError(`context: ${where} cannot be read: ${(error as Error).message}`);
  }
  const name = options.context ?? all.getCurrentContext();
  const context = all.getContextObject(name);
  const cluster = context && all.getCluster(context.cluster);
  if (!context || !cluster) {
    const names = all.getContexts().map((one) => one.name);
    throw new UsageError(
      `context: ${where} has no context "${name ?? ''}"; it has ${names.join(', ') || 'none'}.`,
    );
  }
  const user = all.getUser(context.user);
  const one = new KubeConfig();
  one.loadFromOptions({
    clusters: [cluster],
    users: user ? [user] : [],
    contexts: [context],
    currentContext: name,
  });
  return { name, text: one.exportConfig() };
}
