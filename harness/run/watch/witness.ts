// Connection tracking beside a watch, where it was asked for (--witness): as `verify` has it on a cluster of somebody's.
import { podEvents } from '../../cluster/conntrack.ts';
import type { Identity } from '../../deploy/assemble.ts';
import { witnessJob } from '../../deploy/witness-pod.ts';
import { UsageError } from '../../model/errors.ts';
import type { ClusterInfo } from '../../model/journal.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import type { AgentPlan } from '../../model/load.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { OwnPods } from '../../model/own-pods.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import { type RunningWitness, startWitness } from '../experiment/witness.ts';
import { witnessByPod } from '../experiment/witness-pod.ts';
import { ENDS_WITHIN_MS, type PlacedWatch } from './objects.ts';
import { addressOf, noSteps } from './plan.ts';
import type { WatchedService } from './services.ts';

/** Throws UsageError where there is no kernel that could be asked. */
export function refuseEmulated({ witness }: { readonly witness: boolean }, { emulated }: ClusterInfo): void {
  if (witness && emulated)
    throw new UsageError(
      '--witness: an emulated cluster has no connection tracking. Leave it out (agent.witness): which pod was asked is worked out from the recorded facts.',
    );
}

/** Which node, with which image, and the control target's address are known only then. */
export const witnessObjects = (
  identity: Identity,
  own: OwnPods,
  services: readonly WatchedService[],
): Manifest[] =>
  own.guest?.witness
    ? [
        witnessJob(identity, own, {
          image: own.guest.witness.image ?? 'IMAGE-OF-KUBE-PROXY',
          node: undefined,
          events: podEvents([...services.map(addressOf), 'ADDRESS-OF-THE-CONTROL-TARGET:80']),
          deadlineMs: ENDS_WITHIN_MS,
          index: 0,
        }),
      ]
    : [];

interface BesideWatch {
  readonly placed: PlacedWatch;
  readonly identity: Identity;
  readonly own: OwnPods;
  readonly plan: AgentPlan;
  readonly journal: JournalWriter;
  readonly life: Lifetime;
}

/** Resolves when it is read, at once (with undefined) where it was not asked for. Throws FaultError: one sentence with what keeps it from that. */
export async function startWatchWitness({
  placed: { marking, agentPods },
  identity,
  own,
  plan,
  journal,
  life,
}: BesideWatch): Promise<RunningWitness | undefined> {
  if (!own.guest?.witness) return undefined;
  const { signal } = life;
  const pods = {
    // What is stopped at the end of `life` outlives it by a request.
    kube: marking,
    identity,
    own,
    agents: agentPods,
    deadlineMs: ENDS_WITHIN_MS,
    signal,
  };
  return startWitness({
    read: (node, index, request) => witnessByPod(pods, node, index, request),
    nodes: agentPods.map(({ node }) => node),
    agents: agentPods,
    plans: [plan],
    scenario: noSteps,
    journal,
    life,
  });
}
