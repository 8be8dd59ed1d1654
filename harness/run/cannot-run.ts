// What a cluster cannot run of somebody's manifests, said before it is brought up, all at once.
import type { ClusterProvider } from '../cluster/provider.ts';
import { rolloutNobodyRuns } from '../deploy/argo-rollouts.ts';
import { podTemplateOf, type TargetDefinition } from '../deploy/definition.ts';
import { missingOnOurs } from '../deploy/refusals.ts';
import { UsageError } from '../model/errors.ts';
import type { Scenario } from '../model/scenario.ts';
import { imagesRun } from './selection.ts';

/** Throws UsageError with everything of the target that the cluster has not, a line each. */
export function refuseWhatCannotRun(
  provider: ClusterProvider,
  target: TargetDefinition,
  scenarios: readonly Scenario[],
): void {
  const { container, name: workload } = target.workload;
  const others = target.manifests.flatMap((manifest) =>
    (podTemplateOf(manifest)?.spec.containers ?? [])
      .filter(({ name }) => manifest.metadata.name !== workload || name !== container)
      .map(({ image }) => image),
  );
  const problems = [
    ...(provider.cannotRun?.(target.manifests, [...imagesRun(target, scenarios), ...others]) ?? []),
    ...(provider.kind === 'context'
      ? []
      : [...missingOnOurs(target.manifests), ...rolloutNobodyRuns(target)]),
  ];
  if (problems.length > 0)
    throw new UsageError(
      [...problems, 'Nothing was started. Change this, or choose another cluster (--cluster).'].join('\n'),
    );
}
