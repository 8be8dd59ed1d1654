// What was changed of published manifests before they ran, each change with its reason and its difference. Pure.
import type { Manifest } from '../model/manifest.ts';
import { manifestsDiff } from '../model/manifests-diff.ts';
import type { Substituted } from '../model/own-target.ts';
import type { Scenario } from '../model/scenario.ts';
import { countsPods, type Identity, labelledTarget, nodePortService } from './assemble.ts';
import type { AppliedSubstitution, TargetDefinition } from './definition.ts';

const names = ['before.yaml', 'after.yaml'] as const;

/** Placeholders: what is put on somebody's manifests is the same sentence for every experiment of a run. */
const shownIdentity: Identity = {
  namespace: 'the-namespace-of-the-experiment',
  runId: 'the-run',
  experiment: 'the-experiment',
};

/**
 * `base`: with the scenario's knobs; `placed`: on one node as well, where the scenario wants that. Everything between
 * what was published and what runs is said here; of somebody's own manifests the labels and the namespace, too, and what
 * of `ours` stands beside them, a sentence each.
 */
export function substitutionsOf(
  target: TargetDefinition,
  scenario: Pick<Scenario, 'id' | 'steps' | 'target'>,
  base: readonly Manifest[],
  placed: readonly Manifest[],
  conceal: (manifests: readonly Manifest[]) => readonly Manifest[],
  ours: readonly AddedByUs[] = [],
): Substituted[] {
  const steps: AppliedSubstitution[] = [
    ...(target.published?.substitutions ?? []),
    ...(target.asIs?.substitutions ?? []),
    ...(target.published || target.asIs
      ? [{ because: becauseOf(target, scenario), before: target.manifests, after: base }]
      : []),
    {
      because: 'All pods on one node: a nodeSelector makes it one on a cluster that has more.',
      before: base,
      after: placed,
    },
    ...(target.asIs
      ? [
          {
            because:
              'Every object goes into the experiment’s namespace, and labels of the run are added to it and its pods: by them it is recorded and removed. Your own labels and selectors stay.',
            before: placed,
            after: labelledTarget(placed, target, shownIdentity),
          },
        ]
      : []),
  ];
  const shown = steps.flatMap(({ because, before, after }) => {
    const diff = manifestsDiff(conceal(before), conceal(after), names);
    // An object that is left out is said, and nothing of it shown; a change that changes nothing is none.
    const leftOut = before.length + after.length === 0;
    return diff !== '' || leftOut ? [{ because, diff }] : [];
  });
  if (!target.asIs) return shown;
  const added = ours.map(({ because, objects }) => ({
    because,
    diff: manifestsDiff([], conceal(objects), names),
  }));
  return [...shown, ...added];
}

/** What runs beside somebody's manifests; `objects` are shown where they concern their pods. */
interface AddedByUs {
  readonly because: string;
  readonly objects: readonly Manifest[];
}

export const agentAdded = (agentNodes: readonly string[]): AddedByUs => ({
  because: `Beside it run ${agentNodes.length > 1 ? `load agents (on nodes ${agentNodes.join(' and ')})` : `a load agent${agentNodes.map((node) => ` (on node ${node})`).join('')}`} and a control target that no step touches, with Services of their own. Nothing of yours refers to them.`,
  objects: [],
});

/** A Service that keeps a client on its pod sees no more clients than there are load agents. */
export function stickyAgents(service: Manifest, agents: number): AddedByUs[] {
  const { sessionAffinity } = (service.spec ?? {}) as { sessionAffinity?: string };
  if (sessionAffinity !== 'ClientIP') return [];
  const clients =
    agents === 1 ? 'The load agent is one client' : `The ${agents} load agents are ${agents} clients`;
  const pods = agents === 1 ? 'one pod carries the whole load' : `at most ${agents} pods carry the load`;
  return [
    {
      because: `${clients} to Service ${service.metadata.name}, whose sessionAffinity is ClientIP: ${pods} at a time, and losses come in one piece where many users would see a part of them. More load agents (load.agents) are more clients.`,
      objects: [],
    },
  ];
}

/** Where clients come by a node's port and the Service has none: a second Service for the same pods. */
export const nodePortAdded = (service: Manifest, port: number): AddedByUs => ({
  because: `Load enters by a port of a node, and Service ${service.metadata.name} has none (type ${(service.spec as { type?: string } | undefined)?.type ?? 'ClusterIP'}): a second Service of type NodePort for the same pods. Its policies are Kubernetes’ defaults.`,
  objects: [nodePortService(shownIdentity, service, port)],
});

function becauseOf(target: TargetDefinition, scenario: Pick<Scenario, 'id' | 'steps' | 'target'>): string {
  if (!target.asIs) return 'The scenario sets it.';
  return countsPods(scenario)
    ? `Scenario ${scenario.id} is about a number of pods and begins with ${scenario.target.replicas}; what else it or target.images.current sets is here, too.`
    : `Scenario ${scenario.id} or target.images.current sets it.`;
}
