// The workload that a configuration names, read from where it is described, before anything is started.
import { KubeConfig } from '@kubernetes/client-node';
import type { LoadedConfiguration } from '../config/load.ts';
import type { ClusterConfiguration } from '../config/schema.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { foreignTarget } from '../deploy/foreign.ts';
import { referencesOf } from '../deploy/references.ts';
import { readSource } from '../deploy/sources/index.ts';
import { connectKube, type Kube } from '../kube/client.ts';
import {
  exportedConfig,
  isMadeUp,
  type KubeconfigText,
  noKubeconfig,
  readKubeconfig,
  serverProblem,
  unreadable,
} from '../kube/exported.ts';
import { UsageError } from '../model/errors.ts';
import { onInterrupt } from '../run/interrupt.ts';
import { refuseWhatApiRefuses } from '../run/refused-by-check.ts';

/** Undefined: the built-in target. Throws UsageError for everything wrong with the workload's source. */
export async function configuredTarget(
  { configuration, at }: LoadedConfiguration,
  copySecrets: boolean,
): Promise<TargetDefinition | undefined> {
  const { target, cluster } = configuration;
  if (!target) return undefined;
  using interrupt = onInterrupt(() => {});
  const read = await foreignTarget(
    target,
    {
      at,
      signal: interrupt.signal,
      live: { connect: () => connected(cluster), copySecrets },
    },
    refuseWhatApiRefuses,
  );
  interrupt.signal.throwIfAborted();
  return read;
}

/** Kinds of a live workload and of what its pods need; that it needs Secrets is seen, and none is read. */
export async function liveKinds({
  configuration,
  at,
}: LoadedConfiguration): Promise<{ readonly apiVersion: string; readonly kind: string }[]> {
  const { target, cluster } = configuration;
  if (!target) return [];
  using interrupt = onInterrupt(() => {});
  const read = await readSource(target, {
    at,
    signal: interrupt.signal,
    live: { connect: () => connected(cluster), copySecrets: false, withoutSecrets: true },
  });
  interrupt.signal.throwIfAborted();
  const manifests = read.map(({ manifest }) => manifest);
  const secrets = manifests.some((one) => referencesOf(one).some(({ kind }) => kind === 'Secret'));
  return [...manifests, ...(secrets ? [{ apiVersion: 'v1', kind: 'Secret' }] : [])];
}

/** The cluster of the kubeconfig, as kubectl would choose it. */
export async function connected({ kubeconfig, context }: ClusterConfiguration): Promise<Kube> {
  const config = new KubeConfig();
  let read: readonly KubeconfigText[];
  try {
    read = readKubeconfig(config, kubeconfig);
  } catch (error) {
    throw new UsageError(
      `kubeconfig ${kubeconfig ?? '(the default one)'}: cannot be read: ${unreadable(error as Error)}.`,
      { cause: error },
    );
  }
  if (isMadeUp(config)) throw new UsageError(noKubeconfig);
  if (context !== undefined) {
    if (!config.getContexts().some(({ name }) => name === context))
      throw new UsageError(
        `cluster.context: the kubeconfig has no context "${context}"; it has ${
          config
            .getContexts()
            .map(({ name }) => name)
            .join(', ') || 'none'
        }.`,
      );
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new UsageError('kubeconfig: it names no current cluster.');
  const problem = serverProblem(cluster);
  if (problem) throw new UsageError(`kubeconfig: ${problem}`);
  return connectKube(exportedConfig(config, read));
}
