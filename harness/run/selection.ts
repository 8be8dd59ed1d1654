// Which experiments a run consists of: scenarios × variants × paths × repeats, and which of them cannot run here.
import type { RunningCluster } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { withLoad } from '../config/scenario-load.ts';
import { countsPods } from '../deploy/assemble.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { heldByPartition } from '../deploy/partition.ts';
import { ownTarget, scenarioTarget } from '../deploy/scenario-target.ts';
import type { Entry } from '../model/entry.ts';
import { UsageError } from '../model/errors.ts';
import { lineId, linesNamed, parseLineId, serviceEntry } from '../model/line.ts';
import {
  lineOfLoad,
  type Profile,
  type Scenario,
  type ScenarioDefinition,
  scenarioOfVariant,
} from '../model/scenario.ts';
import type { Variant } from '../model/setting.ts';
import { ablation, asIs, baseline, variantNamed } from '../settings/index.ts';
import type { ExperimentKey } from './experiment/index.ts';

export interface Selection {
  readonly scenarios: readonly Scenario[];
  /** Their scenarios are as run: with what a case replaces. */
  readonly keys: readonly ExperimentKey[];
}

interface SelectionRequest {
  readonly profile: Profile;
  /** Ids from the command line; empty: the configuration's, else the profile's. */
  readonly scenarios: readonly string[];
  /** Names from the command line; empty: each scenario's own. `ablation` stands for its whole list. */
  readonly variants: readonly string[];
  readonly repeat: number;
  readonly paths: readonly ExperimentKey['path'][];
  readonly entries?: readonly Entry[];
  readonly agents: number;
  readonly builtIn: boolean;
}

/** Ids of profile quick. Those that a version does not have yet are simply not among `known`. */
export const quickIds = ['image-change', 'scale-up', 'scale-down', 'autoscale', 'rollback'];

/** Throws UsageError for an unknown scenario or variant, with what there is. */
export function select(
  known: readonly ScenarioDefinition[],
  configuration: Configuration,
  request: SelectionRequest,
): Selection {
  const definitions = chosenScenarios(known, configuration, request);
  const scenarios = definitions.map((definition) => {
    const scenario = withLoad(
      request.profile === 'full' ? definition.full : definition.quick,
      configuration.load,
    );
    const made = withClaims(scenario, request);
    if (request.builtIn || made.target.own) return made;
    const theirs = known.includes(definition) ? withoutPodFigures(made) : made;
    return onTheirWorkload(theirs, configuration, request);
  });
  const keys = scenarios.flatMap((scenario) =>
    variantsOf(scenario, configuration, request).flatMap((variant) => {
      const asRun = scenarioOfVariant(scenario, variant.name);
      if (asRun.target.own) ownTarget(asRun.target.own, `scenario ${scenario.id}, variant ${variant.name}`);
      // Where nothing fires at the target, one agent watches the control target.
      const agents = asRun.load.length > 0 ? request.agents : 1;
      return request.paths.flatMap((path) =>
        Array.from({ length: request.repeat }, (_, repeat) => ({
          scenario: asRun,
          variant,
          path,
          ...entriesOf(asRun, request),
          agents,
          repeat,
        })),
      );
    }),
  );
  return { scenarios, keys };
}

/** The command's stand before the scenario's own. */
function entriesOf({ entries }: Scenario, request: SelectionRequest): Pick<ExperimentKey, 'entries'> {
  const chosen = request.entries?.length ? request.entries : entries;
  return chosen ? { entries: chosen } : {};
}

/** Claims on lanes that do not fire, or on a target that is not under test, cannot be decided: they are not made. */
function withClaims(scenario: Scenario, request: SelectionRequest): Scenario {
  const entries = request.entries?.length ? request.entries : scenario.entries;
  const names = entries?.map(({ name }) => name) ?? [serviceEntry];
  const fired = names.flatMap((entry) => scenario.load.map((load) => lineOfLoad(load, entry)));
  const asked = request.entries?.length && !scenario.entries ? names : [];
  const made = scenario.claims
    .flatMap((claim) => [claim, ...atEntries(claim, asked)])
    .filter(
      ({ appliesTo, builtInOnly }) =>
        (!appliesTo.lane || linesNamed(appliesTo.lane, fired).length > 0) &&
        (request.builtIn || !builtInOnly),
    );
  return { ...scenario, claims: made };
}

/** What a scenario says of losses in a lane is asked of that lane at every entry that the command names. */
function atEntries(claim: Scenario['claims'][number], entries: readonly string[]): Scenario['claims'] {
  const lane = claim.appliesTo.lane === undefined ? undefined : parseLineId(claim.appliesTo.lane);
  if (!lane || lane.entry !== serviceEntry || claim.role === 'fact') return [];
  return entries
    .filter((entry) => entry !== serviceEntry)
    .map((entry) => ({
      ...claim,
      id: `${claim.id}-${entry}`,
      text: `Through ${entry}: ${claim.text}`,
      appliesTo: { ...claim.appliesTo, lane: lineId({ ...lane, entry }) },
    }));
}

/** Figures that say how many pods there are, or where. */
const podFigures =
  /^(minReady|maxPods\w*|readyAtEnd|updatedAtEnd|podsCreated|podsPerNodeMax|podCounts|placement\w*)$/;

/**
 * A scenario of ours claims them of its own number of pods. Somebody's workload keeps the number that its manifests say, and
 * of a kind that cannot surge: of it they are not claimed, unless the scenario sets the number.
 */
function withoutPodFigures(scenario: Scenario): Scenario {
  if (countsPods(scenario)) return scenario;
  const claims = scenario.claims.filter(({ that }) => !that.some(({ measure }) => podFigures.test(measure)));
  return { ...scenario, claims };
}

/**
 * On somebody's own workload `as-is` takes the place of `baseline` unless the variants are asked for by name; a claim that
 * the baseline loses is one about what runs, and claims on variants that do not run are not made.
 */
function onTheirWorkload(
  scenario: Scenario,
  configuration: Configuration,
  request: SelectionRequest,
): Scenario {
  const own = (name: string) => (name === baseline.name ? asIs.name : name);
  const asked = { ...scenario, variants: [...new Set(scenario.variants.map(own))] };
  const running = new Set(variantsOf(asked, configuration, request).map(({ name }) => name));
  const claims = scenario.claims.flatMap((claim) => {
    const { variant } = claim.appliesTo;
    if (variant === undefined || running.has(variant)) return [claim];
    if (claim.role !== 'baseline-loses' || variant !== baseline.name || !running.has(asIs.name)) return [];
    const text = claim.text.replace(/^Without the settings, /, 'As it is, ');
    return [{ ...claim, text, appliesTo: { ...claim.appliesTo, variant: asIs.name } }];
  });
  return { ...asked, claims };
}

function chosenScenarios(
  known: readonly ScenarioDefinition[],
  configuration: Configuration,
  request: SelectionRequest,
) {
  const inline = (configuration.scenarios ?? []).filter((entry) => typeof entry !== 'string');
  const all = [...known, ...inline];
  const byId = (id: string): ScenarioDefinition => {
    const found = all.find((definition) => definition.id === id);
    if (found) return found;
    throw new UsageError(`scenario "${id}" is not known. There are ${all.map((one) => one.id).join(', ')}.`);
  };
  if (request.scenarios.length > 0) return request.scenarios.map(byId);
  if (configuration.scenarios)
    return configuration.scenarios.map((entry) => (typeof entry === 'string' ? byId(entry) : entry));
  if (request.profile === 'full') return all;
  return all.filter((definition) => quickIds.includes(definition.id));
}

function variantsOf(
  scenario: Scenario,
  configuration: Configuration,
  request: SelectionRequest,
): readonly Variant[] {
  const names = request.variants.length > 0 ? request.variants : scenario.variants;
  const list = names.flatMap((name) =>
    name === 'ablation'
      ? ablation()
      : [caseVariant(scenario, name) ?? variantNamed(name, configuration.variants)],
  );
  return [...new Map(list.map((variant) => [variant.name, variant])).values()];
}

function caseVariant({ cases }: Scenario, name: string): Variant | undefined {
  const { settings } = (Object.hasOwn(cases, name) && cases[name]) || {};
  return settings && { name, version: 1, settings };
}

/** Why a scenario cannot run on this cluster; undefined: it can. */
export function cannotRun(
  scenario: Scenario,
  cluster: RunningCluster,
  target: TargetDefinition,
  /** Literal images that the cluster could not be given, with the reason. */
  lacking: ReadonlyMap<string, string>,
  /** The cluster answers for CPU use, or can be made to. */
  metrics = true,
  /** The cluster knows the Gateway API. */
  gatewayApi = true,
): string | undefined {
  const { needs } = scenario;
  const { images } = target;
  const its = scenarioTarget(target, scenario);
  const { info } = cluster;
  const kind = info.kind as (typeof needs.clusters)[number];
  if (!needs.clusters.includes(kind))
    return `It runs on ${needs.clusters.join(', ')} only; this is ${info.kind}.`;
  const patched = its.workload.kind === 'Rollout' && scenario.steps.find(patchesWorkload);
  if (patched)
    return `Its step ${patched.step} changes the workload in the form of a Deployment, and the target is a Rollout.`;
  const held = heldByPartition(its, scenario);
  if (held) return held;
  if (needs.nodes > 1 && info.nodes.length === 0)
    return `It needs ${needs.nodes} nodes for the target, and the nodes of this cluster may not be listed.`;
  const drains = scenario.steps.some(({ step }) => step === 'drain-node');
  const denied = cluster.namespace === undefined ? (cluster.denied ?? []) : drainRights;
  const lackedRight = drains && drainRights.find((right) => denied.includes(right));
  if (lackedRight)
    return `It drains a node, and the permission to ${lackedRight} is missing (rollproof rbac).`;
  const workers = info.nodes.filter((node) => node.role !== 'control-plane').length || info.nodes.length;
  if (workers < needs.nodes && info.nodes.length > 0)
    return `It needs ${needs.nodes} nodes for the target; this cluster has ${workers}.`;
  const lacked = needs.images.find((name) => lacking.has(name));
  if (lacked) return `It needs the image ${lacked}. ${lacking.get(lacked)}`;
  const missing = imagesUsed(scenario).filter((name) => !Object.hasOwn(images, name) && !isLiteral(name));
  if (missing.length > 0)
    return `It needs the image "${missing[0]}" of the target (target.images.${missing[0]} in the configuration).`;
  if (scenario.entries?.some((entry) => entry.kind === 'gateway') && !gatewayApi)
    return 'It needs the Gateway API, which this cluster lacks (--gateway-api FILE with its standard CRDs).';
  const mounts = scenario.certificates
    ? 'Its pods mount a Secret'
    : scenario.entryController && 'Its ingress controller has a token of the API server in its pod';
  const withoutVolumes = mounts && info.notes.find((note) => /volumes are refused/.test(note));
  if (withoutVolumes) return `${mounts}: ${withoutVolumes}`;
  if (needs.metrics && !metrics)
    return 'It needs the metrics API (metrics-server), which this cluster lacks.';
  if (scenario.steps.some((step) => step.step === 'proxy-delay') && !cluster.delayProxy) {
    return 'It needs a cluster on which routing updates can be delayed.';
  }
  return undefined;
}

/** Its patch is one of apps/v1: no other kind is named. */
const patchesWorkload = (step: Scenario['steps'][number]): boolean =>
  step.step === 'expect-refusal' ||
  step.step === 'twin' ||
  (step.step === 'patch' && step.kind === undefined) ||
  step.step === 'apply';

const drainRights = ['patch nodes', 'create pods/eviction'];

/** Names (or literal images) that a scenario's steps change to, whatever the case. */
export const imagesUsed = (scenario: Scenario): string[] => [
  ...scenario.needs.images,
  ...[scenario, ...Object.values(scenario.cases)]
    .flatMap(({ steps = [] }) => steps)
    .flatMap((step) => (step.step === 'set-image' ? [step.image] : [])),
];

/** Images of the target that scenarios run: what it has now, and what their steps change to. */
export const imagesRun = (target: TargetDefinition, scenarios: readonly Scenario[]): string[] => {
  const used = new Set(scenarios.flatMap(imagesUsed));
  return Object.entries(target.images).flatMap(([name, image]) =>
    name === 'current' || used.has(name) ? [image] : [],
  );
};

const isLiteral = (image: string): boolean => /[/:.]/.test(image);

/** Images that scenarios need by their own names, not by a name of the target's. */
export const literalImages = (scenarios: readonly Scenario[]): string[] => [
  ...new Set(scenarios.flatMap(({ needs }) => needs.images.filter(isLiteral))),
];
