// Flags that several commands share, and the forms that their values have.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { installableControllers } from '../config/entries.ts';
import {
  type Configuration,
  type KnownNames,
  type LoadedConfiguration,
  loadConfiguration,
} from '../config/load.ts';
import { overrideConfiguration } from '../config/override.ts';
import { UsageError } from '../model/errors.ts';
import { rateBounds } from '../model/load.ts';
import { type ProxyMode, proxyModes } from '../model/proxy-mode.ts';
import type { ClusterChoice } from '../run/clusters.ts';
import { settings, variantNamed } from '../settings/index.ts';

/** Where to run, what against, and with which load. */
export interface ClusterFlags {
  readonly cluster?: ClusterChoice;
  readonly config?: string;
  readonly kindImage?: string;
  readonly oneNode?: boolean;
  readonly proxyMode?: ProxyMode;
  readonly ingressClass?: string;
  readonly gatewayClass?: string;
  readonly gatewayApi?: string;
  readonly installIngress?: (typeof installableControllers)[number];
  readonly keepCluster?: boolean;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
  readonly rate?: number;
  readonly seed?: number;
  readonly proxyDelay?: number;
  readonly copySecrets?: boolean;
  readonly witness?: boolean;
  readonly witnessImage?: string;
}

export const clusterOption = (): Option =>
  new Option('--cluster <kind>', 'where to run').choices(['auto', 'kind', 'embedded', 'context']);

export const addClusterFlags = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration (default: rollproof.yaml when it is there)')
    .option('--kind-image <image>', 'node image for kind')
    .option('--one-node', 'kind: one node instead of four')
    .addOption(new Option('--proxy-mode <mode>', 'kind: how kube-proxy routes').choices(proxyModes))
    .addOption(
      new Option(
        '--install-ingress <controller>',
        'kind, embedded: install it for entries ingress and gateway',
      ).choices(installableControllers),
    )
    .option('--ingress-class <name>', 'IngressClass for entry ingress')
    .option('--gateway-class <name>', 'GatewayClass for entry gateway')
    .option('--gateway-api <file>', 'kind: standard CRDs of the Gateway API, for entry gateway')
    .option('--keep-cluster', 'leave the cluster up; the next run uses it again')
    .option('--context <name>', 'context of the kubeconfig, for --cluster context')
    .option('--kubeconfig <file>', 'kubeconfig, for --cluster context')
    .option(
      '--namespace <name>',
      'for --cluster context: everything in this one, which exists',
      namespaceName,
    )
    .option(
      '--witness',
      'for --cluster context: a pod with NET_ADMIN in the node’s network reads which pod each connection went to',
    )
    .option('--witness-image <image>', 'image with conntrack, bash and grep (default: kube-proxy’s)')
    .option('--copy-secrets', 'target.from: cluster may copy the Secrets that the pods need; never recorded')
    .option('--rate <n>', 'requests per second and lane', rate)
    .option('--proxy-delay <ms>', 'embedded: routing updates lag by this much', wholeNumber(0, 600_000))
    .option('--seed <n>', 'seed of what is chosen by chance', wholeNumber(0, 2 ** 31));

/** The configuration with the flags over it. Throws UsageError for everything wrong in it. */
export function configured(
  flags: ClusterFlags & { readonly preStop?: number },
  scenarioIds: readonly string[],
): LoadedConfiguration {
  const loaded = loadConfiguration(flags.config, process.cwd(), knownNames(scenarioIds));
  return { ...loaded, configuration: withFlags(loaded.configuration, flags) };
}

export const knownNames = (scenarioIds: readonly string[]): KnownNames => ({
  scenarios: scenarioIds,
  settings: settings.map((setting) => setting.name),
  variantProblem(name, configured) {
    if (knownScenarios.some(({ full }) => Object.hasOwn(full.cases, name))) return undefined;
    try {
      variantNamed(name, configured);
      return undefined;
    } catch (error) {
      if (error instanceof UsageError) return error.message;
      throw error;
    }
  },
});

function withFlags(
  configuration: Configuration,
  flags: ClusterFlags & { readonly preStop?: number },
): Configuration {
  return overrideConfiguration(configuration, {
    load: {
      rate: flags.rate === undefined ? undefined : { shape: 'constant', ratePerSecond: flags.rate },
      ingressClass: flags.ingressClass,
      gatewayClass: flags.gatewayClass,
    },
    agent: { witness: flags.witness, witnessImage: flags.witnessImage },
    preStopSeconds: flags.preStop,
    cluster: {
      kind: flags.cluster,
      nodeImage: flags.kindImage,
      oneNode: flags.oneNode,
      proxyMode: flags.proxyMode,
      installIngress: flags.installIngress,
      gatewayApi: flags.gatewayApi,
      keep: flags.keepCluster,
      context: flags.context,
      kubeconfig: flags.kubeconfig,
      namespace: flags.namespace,
    },
  });
}

/** DNS label (RFC 1123). */
export function namespaceName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('A Kubernetes name has at most 63 lower case letters, digits and "-".');
  }
  return text;
}

/** The base address of an HTTP service, without a "/" at its end. */
export function httpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '')
    return url.href.replace(/\/+$/, '');
  throw new InvalidArgumentError('It must be an address such as http://localhost:4318.');
}

/** Each part once. */
export function list(text: string): string[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (parts.length === 0) throw new InvalidArgumentError('It must name at least one.');
  return [...new Set(parts)];
}

function rate(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= rateBounds.least && value <= rateBounds.most) return value;
  throw new InvalidArgumentError(`It must be a number from ${rateBounds.least} to ${rateBounds.most}.`);
}

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
