// `rollproof init`: looks at a folder, a chart, a kustomization or a live workload, and writes a commented rollproof.yaml.
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { TargetConfiguration } from '../config/schema.ts';
import { podTemplateOf } from '../deploy/definition.ts';
import { findTargets, lookWithin, othersThatServe } from '../deploy/find-target.ts';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import { isChart, readSource } from '../deploy/sources/index.ts';
import { kustomizationIn } from '../deploy/sources/kustomize.ts';
import { readNames } from '../deploy/sources/live.ts';
import { type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { FoundTarget } from '../model/found-target.ts';
import { onInterrupt } from '../run/interrupt.ts';
import { listed } from '../words/figures.ts';
import { configurationText, type InitSource } from '../words/init-configuration.ts';
import { summaries } from './summaries.ts';
import { connected } from './target.ts';

interface InitFlags {
  readonly deployment?: string;
  readonly statefulSet?: string;
  readonly daemonSet?: string;
  readonly rollout?: string;
  readonly service?: string;
  readonly fromCluster?: boolean;
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly values: readonly string[];
  readonly out: string;
  readonly force?: boolean;
}

export function registerInit(program: Command): void {
  program
    .command('init [path]')
    .description(summaries.init)
    .option('--deployment <name>', 'the workload, where there are several')
    .option('--stateful-set <name>', 'the workload, a StatefulSet')
    .option('--daemon-set <name>', 'the workload, a DaemonSet')
    .option('--rollout <name>', 'the workload, a Rollout of Argo')
    .option('--service <name>', 'the Service, where there are several')
    .option('--from-cluster', 'look at the cluster of the kubeconfig instead of a folder')
    .option('--namespace <name>', 'with --from-cluster: where the workload runs')
    .option('--context <name>', 'with --from-cluster: context of the kubeconfig')
    .option('--kubeconfig <file>', 'with --from-cluster: kubeconfig')
    .option(
      '--values <file>',
      'values of a chart (may be repeated)',
      (one, all: string[]) => [...all, one],
      [],
    )
    .option('--out <file>', 'the file to write', 'rollproof.yaml')
    .option('--force', 'overwrite it')
    .action(async (path: string | undefined, flags: InitFlags) => {
      process.exitCode = await init(path ?? '.', flags);
    });
}

async function init(path: string, flags: InitFlags): Promise<ExitCode> {
  if (existsSync(flags.out) && !flags.force)
    throw new UsageError(
      `${flags.out}: is there already. Overwrite it with --force, or name another with --out.`,
    );
  const source = flags.fromCluster ? clusterSource(flags) : sourceAt(path, flags);
  using interrupt = onInterrupt(() => {});
  const read = await readSource(await targetIn(source, flags), {
    at: () => 'rollproof init',
    signal: interrupt.signal,
    live: { connect: () => connected(flags), copySecrets: false, withoutSecrets: true },
  });
  const found = chosen(read, flags, path);
  const passedOver = othersThatServe(read);
  const text = configurationText(seenFrom(dirname(flags.out), source), found);
  try {
    writeFileSync(flags.out, text);
  } catch (error) {
    throw new UsageError(`${flags.out}: cannot be written: ${(error as Error).message}.`, { cause: error });
  }
  process.stdout.write(
    `${flags.out} written: ${found.kind} ${found.name}, Service ${found.service ?? '(none found)'}.\n`,
  );
  for (const line of [...found.missing, ...passedOver]) process.stdout.write(`  ? ${line}\n`);
  const config = flags.out === 'rollproof.yaml' ? '' : ` --config ${flags.out}`;
  process.stdout.write(`\nNext: rollproof verify --scenario ${found.scenario}${config}\n`);
  return exitCode.ok;
}

const named = ({ deployment, statefulSet, daemonSet, rollout }: InitFlags): Partial<TargetConfiguration> => ({
  ...(deployment !== undefined && { deployment }),
  ...(statefulSet !== undefined && { statefulSet }),
  ...(daemonSet !== undefined && { daemonSet }),
  ...(rollout !== undefined && { rollout }),
});

const kindsOfWorkloads = 'Deployment, StatefulSet, DaemonSet or Rollout';
const flagsOfWorkloads = '--deployment, --stateful-set, --daemon-set or --rollout';

const base = { path: '/', method: 'GET', headers: {} } as const;

async function targetIn(source: InitSource, flags: InitFlags): Promise<TargetConfiguration> {
  if (source.is !== 'cluster') return { ...base, ...source.fields };
  const names = named(flags);
  if (Object.keys(names).length > 0) return { ...base, ...source.fields, ...names };
  // Live objects are read one by one: which one has to be said, or be the only one.
  const there = await readNames(() => connected(flags), source.fields.namespace ?? 'default');
  const [only, second] = there;
  if (only && !second) return { ...base, ...source.fields, [only.field]: only.name };
  throw new UsageError(
    only
      ? `namespace ${source.fields.namespace ?? 'default'} has ${there.map(({ kind, name }) => `${kind} ${name}`).join(', ')}; say which one with ${flagsOfWorkloads}.`
      : `namespace ${source.fields.namespace ?? 'default'} has no ${kindsOfWorkloads}; name another with --namespace.`,
  );
}

const clusterSource = ({ namespace }: InitFlags): InitSource => ({
  is: 'cluster',
  fields: { from: 'cluster', ...(namespace !== undefined && { namespace }) },
});

function sourceAt(path: string, { values }: InitFlags): InitSource {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UsageError(`${path}: there is no such file or folder.`);
  const chart = (at: string): InitSource => ({
    is: 'helm',
    fields: { helm: { chart: at, ...(values.length > 0 && { values: [...values] }) } },
  });
  const kustomization = (at: string): InitSource => ({ is: 'kustomize', fields: { kustomize: at } });
  if (!found.isDirectory())
    return /\.tgz$/.test(path) ? chart(path) : { is: 'manifests', fields: { manifests: [path] } };
  if (isChart(path)) return chart(path);
  if (kustomizationIn(path)) return kustomization(path);
  const { files, kustomizations, charts } = lookWithin(path);
  if (files.length > 0) return { is: 'manifests', fields: { manifests: [...files] } };
  const [only, second] = [...charts.map(chart), ...kustomizations.map(kustomization)];
  if (only && !second) return only;
  throw new UsageError(
    only
      ? `${path}: has no manifests of its own, but ${listed([
          ...kustomizations.map((one) => `${one} (a kustomization)`),
          ...charts.map((one) => `${one} (a chart)`),
        ])}; name one of them.`
      : `${path}: has no manifests: no .yaml, .yml or .json file with a Kubernetes object in it or in the folders within. Name a folder, a file, a chart, or --from-cluster.`,
  );
}

/** Paths of a configuration are relative to the folder that it lies in. */
function seenFrom(folder: string, source: InitSource): InitSource {
  const moved = (path: string) => relative(resolve(folder), resolve(path)) || '.';
  switch (source.is) {
    case 'manifests':
      return { ...source, fields: { manifests: source.fields.manifests.map(moved) } };
    case 'kustomize':
      return { ...source, fields: { kustomize: moved(source.fields.kustomize) } };
    case 'helm': {
      const { chart, values } = source.fields.helm;
      return {
        ...source,
        fields: { helm: { chart: moved(chart), ...(values && { values: values.map(moved) }) } },
      };
    }
    case 'cluster':
      return source;
  }
}

function chosen(read: readonly ReadManifest[], flags: InitFlags, path: string): FoundTarget {
  const all = findTargets(read, flags.fromCluster ? 'Secret' : undefined);
  const { deployment, statefulSet, daemonSet, rollout, service } = flags;
  const wanted = [
    ['Deployment', deployment],
    ['StatefulSet', statefulSet],
    ['DaemonSet', daemonSet],
    ['Rollout', rollout],
  ].filter(([, name]) => name !== undefined);
  const fit = all.filter(
    ({ kind, name }) => wanted.length === 0 || wanted.some(([k, n]) => k === kind && n === name),
  );
  const served = fit.filter((one) => one.service !== undefined);
  const [only, second] = served.length > 0 ? served : fit;
  const list = (some: readonly FoundTarget[]) =>
    some.map(({ kind, name }) => `${kind} ${name}`).join(', ') || 'none';
  const templateless = read.find(
    ({ manifest }) => manifest.kind === 'Rollout' && podTemplateOf(manifest) === undefined,
  );
  if (!only && all.length === 0 && templateless)
    throw new UsageError(
      `${templateless.at()}: Rollout ${templateless.manifest.metadata.name} has no pod template of its own (spec.template), and rollproof changes no other.`,
    );
  if (!only)
    throw new UsageError(
      `${path}: no ${wanted.length === 0 ? kindsOfWorkloads : wanted.map((one) => one.join(' ')).join(', ')} is there; there are ${list(all)}.`,
    );
  const places = (served.length > 0 ? served : fit)
    .filter(({ kind, name }) => kind === only.kind && name === only.name)
    .map(({ at }) => at);
  if (places.length > 1)
    throw new UsageError(
      `${path}: ${only.kind} ${only.name} stands there ${places.length} times (${listed(places)}); name a file or folder that has it once.`,
    );
  if (second)
    throw new UsageError(
      `${path}: ${list(served.length > 0 ? served : fit)} fit; say which one with ${flagsOfWorkloads}.`,
    );
  return service === undefined ? only : { ...only, service };
}
