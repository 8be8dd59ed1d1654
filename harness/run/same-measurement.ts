// Whether a journal was measured of exactly what would be measured now. Everything that decides a figure is compared; the
// first field that differs is named.
import { scryptSync } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { TargetDefinition } from '../deploy/definition.ts';
import { scenarioTarget } from '../deploy/scenario-target.ts';
import type { HeaderRecord } from '../model/journal.ts';
import { redactValue } from '../record/redact.ts';
import type { ExperimentKey, RunContext } from './experiment/index.ts';

export interface Deciding
  extends Pick<RunContext, 'tool' | 'profile' | 'seed' | 'proxyDelayMs' | 'configuration' | 'arguments'> {
  readonly builtIn: boolean;
  /** As far as it is known: before the cluster is up its kind at most, and the built-in target not at all. */
  readonly cluster: HeaderRecord['cluster'] | { readonly kind: HeaderRecord['cluster']['kind'] } | undefined;
  readonly target: TargetDefinition | undefined;
}

export const decidingOf = (run: RunContext): Deciding => ({
  ...run,
  builtIn: run.target.builtIn,
  cluster: run.cluster.info,
});

/** Undefined: the same. Otherwise "path: cluster-ip there, node-port now". */
export function differenceTo(header: HeaderRecord, key: ExperimentKey, now: Deciding): string | undefined {
  const ownTarget = key.scenario.target.own !== undefined;
  const there: Record<string, unknown> = {
    tool: header.tool,
    cluster: now.cluster && clusterFacts(header.cluster, now.cluster),
    profile: header.profile,
    seed: header.seed,
    proxyDelayMs: header.proxyDelayMs ?? 0,
    scenario: header.scenario,
    variant: { ...header.variant, settings: undefined },
    path: header.path,
    agents: header.agents,
    repeat: header.repeat,
    target: now.target
      ? { ...header.target, digest: undefined }
      : { builtIn: header.target.builtIn || ownTarget },
    configuration: deciding(header.configuration),
    crossCheck: firesBeside(header.arguments),
  };
  const here: Record<string, unknown> = {
    tool: now.tool,
    cluster: now.cluster && clusterFacts(now.cluster, now.cluster),
    profile: now.profile,
    seed: now.seed,
    proxyDelayMs: now.proxyDelayMs ?? 0,
    scenario: key.scenario,
    variant: { ...key.variant, settings: undefined },
    path: key.path,
    agents: key.agents,
    repeat: key.repeat,
    target: now.target
      ? targetFacts(scenarioTarget(now.target, key.scenario))
      : { builtIn: now.builtIn || ownTarget },
    configuration: deciding(redactValue(now.configuration) as Record<string, unknown>),
    crossCheck: firesBeside(now.arguments),
  };
  const difference = firstDifference(asRecorded(there), asRecorded(here), '');
  if (difference) return difference;
  const unknown = header.variant.settings.find((setting) => !key.variant.settings.includes(setting));
  if (unknown) return `variant.settings: ${unknown} was in effect there, and is not asked for now`;
  const { digest } = header.target;
  // Of the built-in target the images say everything; journals of older versions have none.
  if (!now.target || now.target.builtIn || digest === targetDigest(now.target, header.runId))
    return undefined;
  return 'target: its manifests, requests or secrets are others now (what differs is not shown: it may be a secret)';
}

/**
 * The target as it was given, secrets included, so that a change of one is seen and none can be read: a slow hash, salted
 * with the run's id.
 */
export const targetDigest = (target: TargetDefinition, runId: string): string =>
  scryptSync(JSON.stringify(target), runId, 16, { N: 4096 }).toString('hex');

const targetFacts = ({ builtIn, workload, service, images }: TargetDefinition) => ({
  builtIn,
  workload: `${workload.kind}/${workload.name}`,
  service: `${service.name}:${service.port}`,
  images,
});

/** What is compared of one, as far as `known` goes. */
const clusterFacts = (info: NonNullable<Deciding['cluster']>, known: NonNullable<Deciding['cluster']>) =>
  'nodes' in known && 'nodes' in info
    ? {
        kind: info.kind,
        kubernetesVersion: info.kubernetesVersion,
        emulated: info.emulated,
        proxyMode: info.proxyMode,
        nodes: info.nodes.length,
        // The others are of ours, made anew under any name.
        ...(info.kind === 'context' && { name: info.name }),
        // Whether pods have a network of their own. Other notes come with an experiment's Services (ports that a user may
        // not have).
        ...(info.emulated && { notes: info.notes.filter((note) => note.startsWith('pods are ')) }),
      }
    : { kind: info.kind };

/** Another tool that fires the same plan is as much load again. */
const firesBeside = (args: readonly string[]): boolean =>
  args.some((one) => one === '--cross-check' || one.startsWith('--cross-check='));

/** What of a configuration says where results go, what is asked for and what is made of them decides no figure. */
const decidesNothing = ['out', 'gate', 'scenarios', 'variants', 'cluster', '$schema'];

const deciding = (configuration: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(configuration).filter(([field]) => !decidesNothing.includes(field)));

/** As it stands in a journal: without fields that are undefined. */
const asRecorded = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** The first field, in depth, in which two JSON values differ, with both values. */
function firstDifference(there: unknown, now: unknown, field: string): string | undefined {
  if (isDeepStrictEqual(there, now)) return undefined;
  if (isObject(there) && isObject(now)) {
    for (const name of new Set([...Object.keys(there), ...Object.keys(now)])) {
      const found = firstDifference(there[name], now[name], field ? `${field}.${name}` : name);
      if (found) return found;
    }
  }
  return `${field}: ${shown(there)} there, ${shown(now)} now`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function shown(value: unknown): string {
  if (value === undefined) return 'not set';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
