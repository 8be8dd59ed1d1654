// Settings written where the workload is described: plain files edited in place, a patch beside a kustomization, values of
// a chart, a patch for a live workload. Plans only; `writePlan` is what writes.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createTwoFilesPatch } from 'diff';
import type { TargetConfiguration } from '../config/schema.ts';
import { manifestFilesOf } from '../deploy/read-manifests.ts';
import { readSource, type SourceContext } from '../deploy/sources/index.ts';
import { kustomizationIn } from '../deploy/sources/kustomize.ts';
import { FaultError, UsageError } from '../model/errors.ts';
import { chartPlan } from './chart.ts';
import { editInPlace } from './in-place.ts';
import { patchKustomization } from './kustomize-patch.ts';
import { livePlan } from './live-patch.ts';
import type { Apply, FileChange, WritePlan } from './plan.ts';

export type { WritePlan } from './plan.ts';

interface WriteContext extends SourceContext {
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
}

/** Throws UsageError where the source cannot say it. */
export async function planSettings(
  target: TargetConfiguration,
  apply: Apply,
  context: WriteContext,
): Promise<WritePlan> {
  const { workload } = context;
  if (target.helm) return chartPlan(target.helm, await readSource(target, context), apply, context);
  if (target.kustomize !== undefined)
    return patchKustomization(target.kustomize, await readSource(target, context), apply, context);
  if (target.from === 'cluster')
    return livePlan(await readSource(target, context), apply, workload, target.namespace ?? 'default');
  const paths = target.manifests ?? [];
  const built = paths.filter((path) => kustomizationIn(path));
  if (built.length === 0)
    return editInPlace(
      paths.flatMap(manifestFilesOf).map((file) => ({ file, text: readFileSync(file, 'utf8') })),
      apply,
      workload,
    );
  return amongFolders(target, paths, apply, context);
}

/** Files and kustomizations side by side: the one that holds the workload is edited, the others stay. */
async function amongFolders(
  target: TargetConfiguration,
  paths: readonly string[],
  apply: Apply,
  context: WriteContext,
): Promise<WritePlan> {
  const { workload } = context;
  for (const path of paths) {
    const one = { ...target, manifests: [path] };
    const read = await readSource(one, context);
    const holds = read.some(
      ({ manifest }) => manifest.kind === workload.kind && manifest.metadata.name === workload.name,
    );
    if (!holds) continue;
    const plan = kustomizationIn(path)
      ? await patchKustomization(path, read, apply, context)
      : await planSettings(one, apply, context);
    const others = await Promise.all(
      paths
        .filter((other) => other !== path)
        .map((other) => readSource({ ...target, manifests: [other] }, context)),
    );
    return { ...plan, manifests: [...plan.manifests, ...others.flat()] };
  }
  throw new UsageError(
    `${context.at(['target', 'manifests'])}: ${workload.kind} ${workload.name}: is in none of them.`,
  );
}

/** As `diff -u`: what is new, file by file. */
export const planDiff = (files: readonly FileChange[]): string =>
  files
    .map(({ file, before, after }) =>
      createTwoFilesPatch(
        before === undefined ? '/dev/null' : file,
        file,
        before ?? '',
        after,
        '',
        '',
      ).replace(/^=+\n/, ''),
    )
    .join('');

/** Refuses files that were changed since the plan was made. */
export function writePlan({ files }: WritePlan): void {
  for (const { file, before } of files) {
    if (textOf(file) !== before)
      throw new UsageError(`${file}: was changed while rollproof measured; nothing was written.`);
  }
  for (const { file, after, executable } of files) {
    try {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, after);
      if (executable) chmodSync(file, 0o755);
    } catch (error) {
      throw new FaultError(`${file}: cannot be written: ${(error as Error).message}.`, { cause: error });
    }
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`${file}: cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}
