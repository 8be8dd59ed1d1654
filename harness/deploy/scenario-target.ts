// The target of one scenario: the run's, as a DaemonSet where the scenario wants one, or a target that the scenario brings
// along, with what was changed of its manifests.
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { mergeManifest } from '../model/merge-manifest.ts';
import type { OwnTarget, Substitution } from '../model/own-target.ts';
import type { Scenario } from '../model/scenario.ts';
import { asDaemonSet } from './assemble.ts';
import type { AppliedSubstitution, TargetDefinition } from './definition.ts';
import { targetOf } from './foreign.ts';

/** Throws UsageError when a target of the scenario's own does not fit its manifests. */
export function scenarioTarget(
  given: TargetDefinition,
  { id, target: { own, workload } }: Pick<Scenario, 'id' | 'target'>,
): TargetDefinition {
  if (own) return ownTarget(own, `scenario ${id}`);
  return workload === 'DaemonSet' && given.workload.kind === 'Deployment' ? asDaemonSet(given) : given;
}

/** `where` names the scenario in messages. */
export function ownTarget(own: OwnTarget, where: string): TargetDefinition {
  const substitutions = applied(own, where);
  const published: readonly Manifest[] = own.manifests;
  const manifests = substitutions.at(-1)?.after ?? published;
  const { manifests: _, substitutions: __, ...names } = own;
  const definition = targetOf(manifests, { ...names, method: 'GET', headers: {}, images: undefined }, where);
  return {
    ...definition,
    images: { ...definition.images, ...own.images },
    published: { substitutions },
  };
}

function applied({ manifests, substitutions }: OwnTarget, where: string): AppliedSubstitution[] {
  let before: readonly Manifest[] = manifests;
  return substitutions.map((substitution, index) => {
    const after = substituted(before, substitution, `${where}: target.own.substitutions[${index}]`);
    const step = { because: substitution.because, before, after };
    before = after;
    return step;
  });
}

function substituted(
  manifests: readonly Manifest[],
  { kind, patch, add }: Substitution,
  where: string,
): readonly Manifest[] {
  if (kind && !manifests.some((manifest) => manifest.kind === kind)) {
    throw new UsageError(`${where}.kind: the manifests have no ${kind}.`);
  }
  const patched = manifests.map((manifest) =>
    manifest.kind === kind && patch ? mergeManifest(manifest, patch) : manifest,
  );
  return add ? [...patched, add] : patched;
}
