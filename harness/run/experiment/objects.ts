// The objects of one experiment, as they are created and as a dry run prints them. Pure: what only a cluster knows (which
// node, which addresses) is handed in.
import {
  type AgentsWanted,
  agentJob,
  agentService,
  controlTarget,
  type Identity,
  labelledTarget,
  labelsOf,
  namespaceManifest,
  onOneNode,
  withPhaseLink,
  withScenario,
} from '../../deploy/assemble.ts';
import { isForeign, type TargetDefinition } from '../../deploy/definition.ts';
import { programsManifest } from '../../deploy/programs.ts';
import { type QueueSpec, queueObjects, withConsumers } from '../../deploy/queue.ts';
import { scenarioTarget } from '../../deploy/scenario-target.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { OwnPods, Placement } from '../../model/own-pods.ts';
import type { SettingContext } from '../../model/setting.ts';
import { applyVariant } from '../../settings/index.ts';
import type { RunContext } from './context.ts';
import { type ExperimentKey, experimentName, labelValue, namespaceOf } from './key.ts';

/** What a run gives to the objects of its experiments. */
type ObjectsContext = Pick<RunContext, 'runId' | 'target' | 'own' | 'preStopSeconds'> & {
  readonly kubernetesVersion: string;
  /** One that exists; undefined: the experiment makes its own. */
  readonly namespace: string | undefined;
};

interface ExperimentPlace {
  readonly agents: Placement;
  readonly wanted: AgentsWanted;
  /** For scenarios that want all pods of the target on one; undefined: whichever the scheduler finds. */
  readonly worker: string | undefined;
}

/** Addresses that exist only once their Services do: host:port. */
export interface ExperimentAddresses {
  readonly phases: string;
  readonly queue: string;
}

export interface ExperimentObjects {
  readonly identity: Identity;
  /** The run's, or the scenario's own. */
  readonly target: TargetDefinition;
  /** Undefined: it exists. */
  readonly namespace: Manifest | undefined;
  /** The Job, and the programs where they travel beside it. */
  readonly agents: readonly Manifest[];
  readonly agentService: Manifest;
  readonly queue: readonly Manifest[];
  readonly control: readonly Manifest[];
  /** With the scenario's knobs; then on one node as well, where the scenario wants that; then with the variant. */
  readonly knobs: readonly Manifest[];
  readonly base: readonly Manifest[];
  readonly variant: ReturnType<typeof applyVariant>;
  /** The variant as it is created. */
  targetAt(addresses: ExperimentAddresses): readonly Manifest[];
}

export function experimentObjects(
  run: ObjectsContext,
  key: ExperimentKey,
  place: ExperimentPlace,
): ExperimentObjects {
  const { own } = run;
  const target = scenarioTarget(run.target, key.scenario);
  const identity = identityOf(run, key);
  const { oneNode, queue: queued } = key.scenario.target;
  const knobs = withScenario(target, key.scenario);
  const base = oneNode ? onOneNode(knobs, target, place.worker) : knobs;
  const variant = applyVariant(base, key.variant, settingContext({ ...run, target }, key.variant));
  const queue: QueueSpec | undefined = target.builtIn ? queued : undefined;
  return {
    identity,
    target,
    namespace: run.namespace === undefined ? namespaceManifest(identity) : undefined,
    agents: agentObjects(own, identity, place),
    agentService: agentService(identity),
    queue: queue ? queueObjects(identity, own, place.agents, queue) : [],
    control: controlTarget(identity, own, place.agents),
    knobs,
    base,
    variant,
    targetAt({ phases, queue: address }) {
      const linked = withPhaseLink(variant.manifests, target, phases);
      return labelledTarget(queue ? withConsumers(linked, target, address, queue) : linked, target, identity);
    },
  };
}

function identityOf(run: ObjectsContext, key: ExperimentKey): Identity {
  const name = experimentName(key);
  return {
    namespace: run.namespace ?? namespaceOf(run.runId, key.attempt ? `${name}.again-${key.attempt}` : name),
    runId: run.runId,
    experiment: labelValue(name),
  };
}

/** A kubelet that finds no programs tries again later. On a cluster of somebody's they belong to the Job, so it comes first. */
function agentObjects(own: OwnPods, identity: Identity, { agents, wanted }: ExperimentPlace): Manifest[] {
  const job = agentJob(identity, own, agents, wanted);
  if (!own.programs) return [job];
  const metadata = { namespace: identity.namespace, labels: labelsOf('agent', identity) };
  const programs = programsManifest(metadata, own.programs);
  return own.guest ? [job, programs] : [programs, job];
}

/** A variant may carry figures and a way to stop of its own. */
export function settingContext(
  run: Pick<ObjectsContext, 'target' | 'kubernetesVersion' | 'preStopSeconds'>,
  variant: ExperimentKey['variant'],
): SettingContext {
  const { preStopSeconds, minReadySeconds, maxSurge, stopMode } = variant;
  const { target } = run;
  return {
    kubernetesVersion: run.kubernetesVersion,
    workload: target.workload,
    health: target.health,
    preStopSeconds: preStopSeconds ?? run.preStopSeconds,
    preStopExact: preStopSeconds !== undefined,
    foreign: isForeign(target),
    minReadySeconds,
    maxSurge,
    appSwitches: target.appSwitches,
    gracefulEnv: stopMode === undefined ? target.gracefulEnv : target.stopModeEnv?.(stopMode),
  };
}
