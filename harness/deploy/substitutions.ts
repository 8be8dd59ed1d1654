// What was changed of published manifests before they ran, each change with its reason and its difference. Pure.
import type { Manifest } from '../model/manifest.ts';
import { manifestsDiff } from '../model/manifests-diff.ts';
import type { Substituted } from '../model/own-target.ts';
import type { Scenario } from '../model/scenario.ts';
import { countsPods } from './assemble.ts';
import type { AppliedSubstitution, TargetDefinition } from './definition.ts';

const names = ['before.yaml', 'after.yaml'] as const;

/**
 * `base`: with the scenario's knobs; `placed`: on one node as well, where the scenario wants that. Everything between
 * what was published and what runs is said here, but for the labels and the namespace of the experiment.
 */
export function substitutionsOf(
  target: TargetDefinition,
  scenario: Pick<Scenario, 'id' | 'steps' | 'target'>,
  base: readonly Manifest[],
  placed: readonly Manifest[],
  conceal: (manifests: readonly Manifest[]) => readonly Manifest[],
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
  ];
  return steps
    .map(({ because, before, after }) => ({
      because,
      diff: manifestsDiff(conceal(before), conceal(after), names),
    }))
    .filter(({ diff }) => diff !== '');
}

function becauseOf(target: TargetDefinition, scenario: Pick<Scenario, 'id' | 'steps' | 'target'>): string {
  if (!target.asIs) return 'The scenario sets it.';
  return countsPods(scenario)
    ? `Scenario ${scenario.id} is about a number of pods and begins with ${scenario.target.replicas}; what else it or target.images.current sets is here, too.`
    : `Scenario ${scenario.id} or target.images.current sets it.`;
}
