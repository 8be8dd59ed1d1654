// What was changed of published manifests before they ran, each change with its reason and its difference. Pure.
import type { Manifest } from '../model/manifest.ts';
import { manifestsDiff } from '../model/manifests-diff.ts';
import type { Substituted } from '../model/own-target.ts';
import type { AppliedSubstitution, TargetDefinition } from './definition.ts';

const names = ['before.yaml', 'after.yaml'] as const;

/**
 * `base`: with the scenario's knobs; `placed`: on one node as well, where the scenario wants that. Everything between
 * what was published and what runs is said here, but for the labels and the namespace of the experiment.
 */
export function substitutionsOf(
  target: TargetDefinition,
  base: readonly Manifest[],
  placed: readonly Manifest[],
  conceal: (manifests: readonly Manifest[]) => readonly Manifest[],
): Substituted[] {
  const steps: AppliedSubstitution[] = [
    ...(target.published?.substitutions ?? []),
    ...(target.published
      ? [{ because: 'The scenario sets it.', before: target.manifests, after: base }]
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
