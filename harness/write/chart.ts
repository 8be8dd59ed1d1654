// Settings for a chart: a file of values where its templates offer the fields, and for the rest a patch that is applied
// to what helm has rendered.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { HelmSource } from '../config/schema.ts';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import { type ChartContext, chartDefaults, renderChart } from '../deploy/sources/helm.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { mergeManifest } from '../model/merge-manifest.ts';
import { findValues } from './chart-values.ts';
import { strategicPatch } from './difference.ts';
import { type Apply, type FileChange, objectName, type WritePlan } from './plan.ts';

export const valuesName = 'values-rollproof.yaml';
const postRenderFolder = 'rollproof-post-render';

interface ChartPlanContext extends ChartContext {
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
  /** Where the files are to lie, and the command that takes them; undefined: beside the values that are given last. */
  readonly into?: { readonly folder: string; readonly upgrade: string };
}

/** `read`: what the chart renders now. */
export async function chartPlan(
  source: HelmSource,
  read: readonly ReadManifest[],
  apply: Apply,
  context: ChartPlanContext,
): Promise<WritePlan> {
  const { workload, into } = context;
  const folder = into?.folder ?? folderFor(source);
  const upgrade = into?.upgrade ?? 'helm upgrade …';
  const after = apply(read.map(({ manifest }) => manifest));
  const wanted = after.find(
    ({ kind, metadata }) => kind === workload.kind && metadata.name === workload.name,
  )!;
  const found = await findValues(
    {
      render: (file) =>
        renderChart({ ...source, values: [...(source.values ?? []), ...(file ? [file] : [])] }, context),
      values: await chartDefaults(source, context),
      templates: templatesOf(source.chart),
      workload,
    },
    wanted,
  );
  const files: FileChange[] = [];
  const notes: string[] = [];
  if (found.values) {
    const file = join(folder, valuesName);
    files.push(valuesFile(file, found.values));
    notes.push(
      into
        ? `The chart offers values for it, in ${file}: ${upgrade} --values ${file}.`
        : `Add it to the others: ${upgrade} --values ${file} (and in rollproof.yaml under target.helm.values).`,
    );
  }
  const before = found.rendered.map(({ manifest }) => manifest);
  const rest = apply(before);
  const patches = before.flatMap((manifest, index) => {
    const fields = strategicPatch(manifest, rest[index]);
    const { apiVersion, kind, metadata } = manifest;
    const head = { apiVersion, kind, metadata: { name: metadata.name } };
    return fields === undefined ? [] : [{ ...head, ...(fields as object) } as Manifest];
  });
  const added = rest.slice(before.length);
  if (patches.length > 0 || added.length > 0) {
    files.push(...postRender(join(folder, postRenderFolder), patches, added));
    const what = [...found.notOffered, ...added.map(objectName)].join(', ');
    const script = join(folder, postRenderFolder, 'patch.sh');
    notes.push(
      `The chart offers no value for ${what}: a patch behind the rendering sets it. ${into && found.values ? `Helm 3: with --post-renderer ${script} on top.` : `Helm 3: ${upgrade} --post-renderer ${script}`}`,
    );
  }
  return {
    files,
    notes,
    manifests: rest.map((manifest, index) =>
      found.rendered[index]
        ? { ...found.rendered[index], manifest }
        : { manifest, at: () => postRenderFolder },
    ),
  };
}

/** Beside the values that are given last, else beside the chart, else here. */
function folderFor({ chart, values = [] }: HelmSource): string {
  const last = values.at(-1);
  if (last !== undefined) return dirname(last);
  return existsSync(chart) ? dirname(chart) : '.';
}

/** What an earlier run wrote there stays and is added to. */
function valuesFile(file: string, values: Readonly<Record<string, unknown>>): FileChange {
  if (!existsSync(file)) return { file, before: undefined, after: stringify(values, { lineWidth: 0 }) };
  const before = readFileSync(file, 'utf8');
  const there = parse(before) as unknown;
  if (typeof there !== 'object' || there === null || Array.isArray(there))
    throw new UsageError(`${file}: is there already and holds no values.`);
  return { file, before, after: stringify(mergeManifest(there as Manifest, values), { lineWidth: 0 }) };
}

function postRender(folder: string, patches: readonly Manifest[], added: readonly Manifest[]): FileChange[] {
  const documents = (objects: readonly Manifest[]) =>
    objects.map((one) => stringify(one, { lineWidth: 0 })).join('---\n');
  const kustomization = {
    resources: ['rendered.yaml', ...(added.length > 0 ? ['objects.yaml'] : [])],
    ...(patches.length > 0 && { patches: [{ path: 'patch.yaml' }] }),
  };
  const script = [
    '#!/bin/sh',
    '# Helm hands over what it has rendered and takes back what is applied.',
    'cd "$(dirname "$0")" || exit 1',
    "trap 'rm -f rendered.yaml' EXIT",
    'cat > rendered.yaml',
    'kubectl kustomize .',
    '',
  ].join('\n');
  const texts: Readonly<Record<string, string>> = {
    'kustomization.yaml': stringify(kustomization),
    ...(patches.length > 0 && { 'patch.yaml': documents(patches) }),
    ...(added.length > 0 && { 'objects.yaml': documents(added) }),
    'patch.sh': script,
  };
  return Object.entries(texts).map(([name, after]) => {
    const file = join(folder, name);
    const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    return { file, before, after, ...(name.endsWith('.sh') && { executable: true as const }) };
  });
}

const TEMPLATES_LIMIT_BYTES = 4_000_000;

/** Of a chart that lies in a folder; empty for one that helm fetches. */
function templatesOf(chart: string): string {
  const folder = join(chart, 'templates');
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return '';
  let text = '';
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || text.length > TEMPLATES_LIMIT_BYTES) continue;
    text += `${readFileSync(join(entry.parentPath, entry.name), 'utf8')}\n`;
  }
  return text;
}
