// What a watch puts on the cluster: the load agent's Job, to which all else belongs, the programs, and a control target.
import type { AgentConfiguration } from '../../config/schema.ts';
import { createObjects } from '../../deploy/apply.ts';
import {
  agentJob,
  controlName,
  controlTarget,
  type Identity,
  labelsOf,
  ownPort,
} from '../../deploy/assemble.ts';
import { belongingsIn } from '../../deploy/belongings.ts';
import { type PodReady, podsAnswer, podsReady } from '../../deploy/pods-ready.ts';
import { programsManifest } from '../../deploy/programs.ts';
import type { Kube } from '../../kube/client.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import { label, type Manifest } from '../../model/manifest.ts';
import type { OwnPods } from '../../model/own-pods.ts';
import { clusterIpOf } from '../experiment/address.ts';
import { agentsReady, preparedAgents } from '../experiment/agents.ts';
import { type PreparedAgent, READY_LIMIT_MS } from '../experiment/context.ts';
import { emulatedImages } from '../images.ts';
import { LONGEST_MS } from './plan.ts';

/** An API server that restarts is away for less; one that is killed leaves nobody who asks, ms. */
const IDLE_LIMIT_MS = 120_000;
/** To begin and to end, ms. */
const BESIDE_MS = 600_000;
const REMOVE_LIMIT_MS = 60_000;

export const emulatedPods = ({ node }: AgentConfiguration): OwnPods => ({
  containers: false,
  images: emulatedImages,
  node,
});

/** The longest that anything of ours may run, ms. */
export const ENDS_WITHIN_MS = LONGEST_MS + BESIDE_MS;

/** In the order in which they are created. */
export function watchObjects(identity: Identity, own: OwnPods): readonly Manifest[] {
  const job = agentJob(identity, own, 'with-agents', {
    count: 1,
    deadlineMs: ENDS_WITHIN_MS,
    idleLimitMs: IDLE_LIMIT_MS,
  });
  const metadata = { namespace: identity.namespace, labels: labelsOf('agent', identity) };
  const programs = own.programs ? [programsManifest(metadata, own.programs)] : [];
  return [job, ...programs, ...controlTarget(identity, own, 'with-agents')];
}

export interface PlacedWatch {
  readonly agent: PreparedAgent;
  readonly agentPods: readonly PodReady[];
  /** Marks what is created through it as ours: it is removed with all else. Bound to no lifetime. */
  readonly marking: Kube;
  /** host:port */
  readonly control: string;
}

/** Removed at the end of `life`, on every way out; by itself when nobody is left to do it. */
export async function placeWatch(
  kube: Kube,
  identity: Identity,
  objects: readonly Manifest[],
  life: Lifetime,
): Promise<PlacedWatch> {
  const { signal } = life;
  const belongings = belongingsIn(identity);
  const marked = belongings.marking(kube);
  const marking = marked.during(signal);
  life.defer(`remove everything of ours from namespace ${identity.namespace}`, () =>
    belongings.remove(kube, REMOVE_LIMIT_MS),
  );
  let control: Manifest | undefined;
  const create = async (manifest: Manifest) => {
    const [created] = await createObjects(marking, [manifest]);
    if (created?.kind === 'Job') belongings.belongTo(created);
    if (created?.kind === 'Service' && created.metadata.name === controlName) control = created;
  };
  // The Job, to which the others belong, before them; they go side by side.
  const [job, ...others] = objects as [Manifest, ...Manifest[]];
  await create(job);
  await Promise.all(others.map(create));
  const labels = (role: string) => ({ [label.role]: role, [label.run]: identity.runId });
  const { namespace } = identity;
  const [agents, controls] = await Promise.all([
    agentsReady(marking, namespace, labels('agent'), 1, signal),
    podsReady(marking, namespace, labels('control'), 1, READY_LIMIT_MS, signal),
  ]);
  await podsAnswer(marking, namespace, controls, ownPort, '/', READY_LIMIT_MS, signal);
  const [agent] = preparedAgents(kube, identity, agents, []);
  return {
    agent: agent as PreparedAgent,
    agentPods: agents,
    marking: marked,
    control: `${clusterIpOf(control)}:80`,
  };
}
