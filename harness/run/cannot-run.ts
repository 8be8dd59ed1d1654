// What a cluster cannot run of somebody's manifests, said before it is brought up, all at once.
import { basename, dirname, resolve } from 'node:path';
import type { ClusterProvider } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { rolloutNobodyRuns } from '../deploy/argo-rollouts.ts';
import { podTemplateOf, type TargetDefinition } from '../deploy/definition.ts';
import { missingOnOurs } from '../deploy/refusals.ts';
import { programOnPath } from '../exec/on-path.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Scenario } from '../model/scenario.ts';
import { imagesRun } from './selection.ts';

/** Throws UsageError with everything of the target that the cluster has not, a line each. */
export function refuseWhatCannotRun(
  provider: ClusterProvider,
  target: TargetDefinition,
  scenarios: readonly Scenario[],
  configured: Configuration['images'],
): void {
  const { container, name: workload } = target.workload;
  const others = target.manifests.flatMap((manifest) =>
    (podTemplateOf(manifest)?.spec.containers ?? [])
      .filter(({ name }) => manifest.metadata.name !== workload || name !== container)
      .map(({ image }) => image),
  );
  const images = [...imagesRun(target, scenarios), ...others];
  const problems = [
    ...(provider.cannotRun?.(target.manifests, images) ?? []),
    ...(provider.kind === 'embedded' && !hasOwnCommand(target.manifests)
      ? missingPrograms(configured, images)
      : []),
    ...(provider.kind === 'context'
      ? []
      : [...missingOnOurs(target.manifests), ...rolloutNobodyRuns(target)]),
  ];
  if (problems.length > 0)
    throw new UsageError(
      [...problems, 'Nothing was started. Change this, or choose another cluster (--cluster).'].join('\n'),
    );
}

/** A container that names its command runs that, whatever its image would. */
const hasOwnCommand = (manifests: readonly Manifest[]): boolean =>
  manifests.some((manifest) =>
    ((podTemplateOf(manifest)?.spec.containers ?? []) as readonly { command?: readonly string[] }[]).some(
      ({ command = [] }) => command.length > 0,
    ),
  );

/** Images whose local command begins with what nobody can start. */
export const missingPrograms = (configured: Configuration['images'], images: readonly string[]): string[] =>
  [...new Set(images)].flatMap((name) => {
    const image = Object.hasOwn(configured, name) ? configured[name] : undefined;
    const program = image?.command[0];
    if (image === undefined || program === undefined || image.env?.PATH !== undefined) return [];
    const folder = program.includes('/') ? dirname(resolve(image.folder, program)) : undefined;
    return programOnPath(basename(program), folder) === undefined
      ? [
          `images: "${name}": ${program} is no program that can be started here; correct its command in rollproof.yaml.`,
        ]
      : [];
  });
