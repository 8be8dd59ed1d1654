// A chart, rendered as `helm install` would render it, without a cluster.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HelmSource } from '../../config/schema.ts';
import { UsageError } from '../../model/errors.ts';
import { assumedMinor, releaseOf, renderedFor } from '../../model/rendering.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { type ReadManifest, readText } from '../read-manifests.ts';
import { rendered } from './program.ts';

export interface ChartContext {
  at(path: FieldPath): string;
  readonly signal: AbortSignal;
  /** What messages call what was given; undefined: fields of the configuration. */
  readonly named?: (field: 'chart' | 'values') => string;
  /** More for `helm template`, before the values: as somebody's own helm command has it. */
  readonly args?: readonly string[];
}

export async function renderChart(
  { chart, values = [], set = {}, release, version }: HelmSource,
  context: ChartContext,
): Promise<ReadManifest[]> {
  for (const [index, file] of values.entries())
    if (!existsSync(file))
      throw new UsageError(`${fieldOf(context, 'values', index)}: ${file}: there is no such file.`);
  if (version !== undefined) refuseOtherVersion(chart, version, context);
  const text = await helm(
    chart,
    [
      'template',
      release ?? releaseOf(chart),
      chart,
      ...(context.args ?? []),
      ...values.flatMap((file) => ['--values', file]),
      ...Object.entries(set).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]),
      ...(version === undefined ? [] : ['--version', version]),
      ...renderedFor(assumedMinor),
    ],
    context,
  );
  return readText(`helm template ${chart}`, text);
}

/** helm takes no notice of a version that is asked of a folder. */
function refuseOtherVersion(chart: string, version: string, context: ChartContext): void {
  const file = join(chart, 'Chart.yaml');
  if (!existsSync(file)) return;
  const own = /^version:\s*["']?([^\s"'#]+)/m.exec(readFileSync(file, 'utf8'))?.[1];
  // Without one helm itself refuses the chart.
  if (own === undefined || own === version) return;
  const where = context.named
    ? context.named('chart')
    : `${context.at(['target', 'helm', 'version'])}: target.helm.version`;
  throw new UsageError(
    `${where}: ${chart} is a folder with version ${own} of the chart, not ${version}. Leave the version out, or name the folder that has it.`,
  );
}

/** The values that the chart brings along, as it writes them. */
export const chartDefaults = ({ chart, version }: HelmSource, context: ChartContext): Promise<string> =>
  helm(chart, ['show', 'values', chart, ...(version === undefined ? [] : ['--version', version])], context);

function helm(chart: string, args: readonly string[], context: ChartContext): Promise<string> {
  const field = fieldOf(context, 'chart');
  if (/^[./]/.test(chart) && !existsSync(chart))
    throw new UsageError(`${field}: ${chart}: there is no such chart.`);
  return rendered({
    program: 'helm',
    args,
    what: `${field}: ${chart}`,
    missing: `${field}: there is no "helm" on the PATH to render ${chart}. Install Helm, or ${context.named ? `leave out ${context.named('chart')}` : 'render the chart and name the result under target.manifests'}.`,
    signal: context.signal,
  });
}

function fieldOf(context: ChartContext, field: 'chart' | 'values', index?: number): string {
  if (context.named) return context.named(field);
  const path = ['target', 'helm', field, ...(index === undefined ? [] : [index])];
  return `${context.at(path)}: target.helm.${field}${index === undefined ? '' : `[${index}]`}`;
}
