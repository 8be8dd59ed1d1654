// A chart, rendered as `helm install` would render it, without a cluster.
import { existsSync } from 'node:fs';
import type { HelmSource } from '../../config/schema.ts';
import { UsageError } from '../../model/errors.ts';
import { releaseOf } from '../../model/rendering.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { type ReadManifest, readText } from '../read-manifests.ts';
import { rendered } from './program.ts';

export async function renderChart(
  { chart, values = [], set = {}, release, version }: HelmSource,
  context: { at(path: FieldPath): string; readonly signal: AbortSignal },
): Promise<ReadManifest[]> {
  const field = (path: FieldPath, name: string) =>
    `${context.at(['target', 'helm', ...path])}: target.helm.${name}`;
  for (const [index, file] of values.entries())
    if (!existsSync(file))
      throw new UsageError(
        `${field(['values', index], `values[${index}]`)}: ${file}: there is no such file.`,
      );
  if (/^[./]/.test(chart) && !existsSync(chart))
    throw new UsageError(`${field(['chart'], 'chart')}: ${chart}: there is no such chart.`);
  const text = await rendered({
    program: 'helm',
    args: [
      'template',
      release ?? releaseOf(chart),
      chart,
      ...values.flatMap((file) => ['--values', file]),
      ...Object.entries(set).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]),
      ...(version === undefined ? [] : ['--version', version]),
    ],
    what: `${field(['chart'], 'chart')}: ${chart}`,
    missing: `${field([], 'chart')}: there is no "helm" on the PATH to render ${chart}. Install Helm, or render the chart and name the result under target.manifests.`,
    signal: context.signal,
  });
  return readText(`helm template ${chart}`, text);
}
