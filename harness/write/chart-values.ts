// Settings as values of a chart, where its templates offer the fields. What a value does is found out by rendering: a
// marker goes in, and where it comes out in the workload, there the value leads.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import { makeTemporaryFolder } from '../exec/temporary-folder.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { sameMeaning } from './difference.ts';

type Fields = Readonly<Record<string, unknown>>;
type ValuePath = readonly string[];

/** One field of the workload that is to say something else. */
interface Wanted {
  readonly holder: 'spec' | 'pod' | 'container';
  readonly field: string;
  /** As it should come out. */
  readonly value: unknown;
  /** As it goes in: of a list of variables those that are new. */
  readonly given: unknown;
}

interface ChartProbe {
  /** Renders with one more file of values behind the others; throws UsageError when the chart refuses them. */
  readonly render: (valuesFile: string | undefined) => Promise<readonly ReadManifest[]>;
  /** The chart's own values, and the text of its templates as far as it is at hand. */
  readonly values: string;
  readonly templates: string;
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
}

interface ChartValues {
  /** Undefined: the chart offers none of the fields. */
  readonly values: Fields | undefined;
  /** `spec.strategy` …: fields that no value leads to. */
  readonly notOffered: readonly string[];
  /** What the chart renders with the values. */
  readonly rendered: readonly ReadManifest[];
}

/** What charts call the fields, beside their own names. */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  readinessProbe: ['customReadinessProbe', 'probes.readiness', 'probes.readinessProbe', 'readiness'],
  lifecycle: ['lifecycleHooks', 'lifecycleHook', 'containerLifecycle'],
  terminationGracePeriodSeconds: ['terminationGracePeriod', 'gracePeriodSeconds'],
  strategy: ['updateStrategy', 'deploymentStrategy', 'deployment.strategy', 'rolloutStrategy'],
  updateStrategy: ['strategy'],
  env: ['extraEnv', 'extraEnvVars', 'envVars'],
  topologySpreadConstraints: ['topologySpread'],
};
/** Renderings of one search: each takes a tenth of a second to a second. */
const RENDER_LIMIT = 60;
const DEPTH = 3;

/** `after`: the workload as it should be. */
export async function findValues(probe: ChartProbe, after: Manifest): Promise<ChartValues> {
  const bare = await probe.render(undefined);
  const before = workloadIn(bare, probe);
  const wanted = before ? wantedFields(before, after, probe.workload.container) : [];
  const folder = makeTemporaryFolder('values');
  let left = RENDER_LIMIT;
  const trial = async (values: Fields): Promise<readonly ReadManifest[] | undefined> => {
    if (left-- <= 0) return undefined;
    const file = join(folder, 'values.yaml');
    writeFileSync(file, stringify(values));
    try {
      return await probe.render(file);
    } catch (error) {
      // A chart may refuse values that it does not know (values.schema.json, fail).
      if (error instanceof UsageError) return undefined;
      throw error;
    }
  };
  try {
    const found = new Map<Wanted, ValuePath>();
    const tryEach = async (want: Wanted, paths: readonly ValuePath[]): Promise<boolean> => {
      for (const path of paths) {
        const result = await trial(nested([{ path, value: want.given }]));
        if (!result || !says(result, probe, want)) continue;
        found.set(want, path);
        return true;
      }
      return false;
    };
    const open: { readonly want: Wanted; readonly others: readonly ValuePath[] }[] = [];
    for (const want of wanted) {
      const { came, others } = await leading(want, candidatesOf(want.field, probe), trial, probe);
      if (!(await tryEach(want, came))) open.push({ want, others });
    }
    // A value that takes another's place (a custom probe) hides it: those that did not come out are tried last, and what
    // is left of the renderings is shared among the fields.
    for (const [index, { want, others }] of open.entries())
      await tryEach(want, others.slice(0, Math.floor(left / (open.length - index))));
    // In the order of the workload's fields, whenever they were found.
    const offered = wanted.flatMap((want) => {
      const path = found.get(want);
      return path ? [{ path, value: want.given }] : [];
    });
    const values = offered.length > 0 ? nested(offered) : undefined;
    left = 1;
    const rendered = (values && (await trial(values))) || bare;
    const missing = wanted.filter((want) => !says(rendered, probe, want));
    return {
      values: rendered === bare ? undefined : values,
      notOffered: missing.map(({ holder, field }) => (holder === 'spec' ? `spec.${field}` : field)),
      rendered,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All candidates at once, each with a marker of its own: which of them came out in the workload. */
async function leading(
  { field, value }: Wanted,
  candidates: readonly ValuePath[],
  trial: (values: Fields) => Promise<readonly ReadManifest[] | undefined>,
  { workload }: ChartProbe,
): Promise<{ readonly came: readonly ValuePath[]; readonly others: readonly ValuePath[] }> {
  const marked = candidates.map((path, index) => ({ path, value: withMarker(field, value, index) }));
  const together = await trial(nested(marked));
  // The chart refuses them together.
  if (!together) return { came: [], others: candidates };
  const text = JSON.stringify(workloadIn(together, { workload }) ?? {});
  const came = candidates.filter((_, index) => text.includes(String(markerOf(index))));
  return { came, others: candidates.filter((path) => !came.includes(path)) };
}

const markerOf = (index: number): number => 86_101 + index;

function withMarker(field: string, value: unknown, index: number): unknown {
  const marker = markerOf(index);
  if (typeof value === 'number') return marker;
  if (field === 'readinessProbe') return { ...(value as Fields), periodSeconds: marker };
  if (field === 'lifecycle') return { preStop: { sleep: { seconds: marker } } };
  if (field === 'strategy' || field === 'updateStrategy')
    return { type: 'RollingUpdate', rollingUpdate: { maxSurge: marker, maxUnavailable: 0 } };
  if (field === 'env') return [{ name: `ROLLPROOF_${marker}`, value: 'x' }];
  return value;
}

function candidatesOf(field: string, { values, templates }: ChartProbe): readonly ValuePath[] {
  const names = [field, ...(synonyms[field] ?? [])].map((name) => name.split('.'));
  const tree = (parse(values) ?? {}) as unknown;
  const holders = mapsOf(tree, [], 0);
  const inTree = holders.flatMap((holder) =>
    names.map((name) => [...holder, ...name]).filter((path) => has(tree, path)),
  );
  const mentioned = [...templates.matchAll(/\.Values\.([A-Za-z_][\w.]*\w)/g)]
    .map(([, path]) => path!.split('.'))
    .filter((path) =>
      names.some((name) => name.every((part, at) => path[path.length - name.length + at] === part)),
    );
  // Templates may reach a value by "with" or a helper, so that its whole path is nowhere: the usual places are tried.
  const usual = holders.filter((holder) => holder.length <= 1).map((holder) => [...holder, ...names[0]!]);
  const all = [...inTree, ...mentioned, ...usual].map((path) => path.join('.'));
  return [...new Set(all)].slice(0, 40).map((path) => path.split('.'));
}

function mapsOf(node: unknown, path: ValuePath, depth: number): ValuePath[] {
  if (!isFields(node) || depth > DEPTH) return [];
  return [path, ...Object.entries(node).flatMap(([key, inner]) => mapsOf(inner, [...path, key], depth + 1))];
}

function has(tree: unknown, path: ValuePath): boolean {
  let node = tree;
  for (const key of path) {
    if (!isFields(node) || !(key in node)) return false;
    node = node[key];
  }
  return true;
}

function nested(entries: readonly { readonly path: ValuePath; readonly value: unknown }[]): Fields {
  const tree: Record<string, unknown> = {};
  for (const { path, value } of entries) {
    let node = tree;
    for (const key of path.slice(0, -1)) {
      if (!isFields(node[key])) node[key] = {};
      node = node[key] as Record<string, unknown>;
    }
    node[path.at(-1)!] = value;
  }
  return tree;
}

function wantedFields(before: Manifest, after: Manifest, container: string): Wanted[] {
  return (['spec', 'pod', 'container'] as const).flatMap((holder) => {
    const [old, now] = [before, after].map((one) => holderOf(one, holder, container));
    return Object.entries(now ?? {})
      .filter(
        ([field]) =>
          !(holder === 'spec' && field === 'template') && !(holder === 'pod' && field === 'containers'),
      )
      .filter(([field, value]) => !sameMeaning(old?.[field], value))
      .map(([field, value]) => ({ holder, field, value, given: givenFor(field, old?.[field], value) }));
  });
}

function givenFor(field: string, old: unknown, value: unknown): unknown {
  if (field !== 'env' || !Array.isArray(old) || !Array.isArray(value)) return value;
  return value.filter((item) => !old.some((one) => sameMeaning(one, item)));
}

function holderOf(manifest: Manifest, holder: Wanted['holder'], container: string): Fields | undefined {
  const spec = manifest.spec as { template?: { spec?: { containers?: Fields[] } } } | undefined;
  if (holder === 'spec') return spec as Fields | undefined;
  const pod = spec?.template?.spec;
  return holder === 'pod'
    ? (pod as Fields | undefined)
    : pod?.containers?.find(({ name }) => name === container);
}

function says(
  rendered: readonly ReadManifest[],
  probe: ChartProbe,
  { holder, field, value }: Wanted,
): boolean {
  const workload = workloadIn(rendered, probe);
  return (
    workload !== undefined &&
    sameMeaning(holderOf(workload, holder, probe.workload.container)?.[field], value)
  );
}

function workloadIn(
  rendered: readonly ReadManifest[],
  { workload }: Pick<ChartProbe, 'workload'>,
): Manifest | undefined {
  return rendered
    .map(({ manifest }) => manifest)
    .find(({ kind, metadata }) => kind === workload.kind && metadata.name === workload.name);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
