// Where a workload is described, as people have it: files and folders, a kustomization, a chart, or a live cluster.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TargetConfiguration } from '../../config/schema.ts';
import { UsageError } from '../../model/errors.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { isToolFile, manifestFilesOf, type ReadManifest, readManifestFiles } from '../read-manifests.ts';
import { renderChart } from './helm.ts';
import { buildKustomization, kustomizationIn } from './kustomize.ts';
import { type LiveSource, readLive } from './live.ts';

export interface SourceContext {
  /** "rollproof.yaml:3:5" of a field of the configuration. */
  at(path: FieldPath): string;
  readonly signal: AbortSignal;
  /** For `from: cluster`. */
  readonly live: LiveSource;
}

/** Every object of the target's source. Throws UsageError for what is wrong with it. */
export async function readSource(
  target: TargetConfiguration,
  context: SourceContext,
): Promise<ReadManifest[]> {
  if (target.helm) return renderChart(target.helm, context);
  if (target.kustomize !== undefined) {
    const { kustomize } = target;
    const field = () => `${context.at(['target', 'kustomize'])}: target.kustomize`;
    if (!existsSync(kustomize)) throw new UsageError(`${field()}: ${kustomize}: there is no such folder.`);
    if (!kustomizationIn(kustomize))
      throw new UsageError(`${field()}: ${kustomize}: has no kustomization.yaml.`);
    return buildKustomization(kustomize, { ...context, field: field() });
  }
  if (target.from === 'cluster') return readLive(target, context);
  const read: ReadManifest[] = [];
  for (const [index, path] of (target.manifests ?? []).entries()) {
    const field = () => `${context.at(['target', 'manifests', index])}: target.manifests[${index}]`;
    if (kustomizationIn(path)) read.push(...(await buildKustomization(path, { ...context, field: field() })));
    else if (isChart(path))
      throw new UsageError(`${field()}: ${path}: is a chart; name it under target.helm.chart instead.`);
    else read.push(...pathOf(path, field));
  }
  return read;
}

function pathOf(path: string, field: () => string): ReadManifest[] {
  if (!existsSync(path)) throw new UsageError(`${field()}: ${path}: there is no such file or folder.`);
  if (manifestFilesOf(path).length === 0)
    throw new UsageError(`${field()}: ${path}: has no .yaml, .yml or .json file.`);
  const read = readManifestFiles(path);
  const tool = read.find(({ manifest }) => isToolFile(manifest));
  if (tool)
    throw new UsageError(
      `${tool.at()}: is a kustomization, no object of a cluster. Name its folder under target.kustomize instead of the file.`,
    );
  return read;
}

export const isChart = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && existsSync(join(path, 'Chart.yaml'));
