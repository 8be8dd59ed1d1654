// `rollproof init`: looks at a folder, a chart, a kustomization or a live workload, and writes a commented rollproof.yaml.
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { TargetConfiguration } from '../config/schema.ts';
import { findTargets, pathsWithin } from '../deploy/find-target.ts';
import { readSource } from '../deploy/sources/index.ts';
import { readNames } from '../deploy/sources/live.ts';
import { type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { FoundTarget } from '../model/found-target.ts';
import { onInterrupt } from '../run/interrupt.ts';
import { configurationText, type InitSource } from '../words/init-configuration.ts';
import { connected } from './target.ts';

interface InitFlags {
  readonly deployment?: string;
  readonly statefulSet?: string;
  readonly daemonSet?: string;
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
    .description('look at manifests, a chart, a kustomization or a live workload, and write rollproof.yaml')
    .option('--deployment <name>', 'the workload, where there are several')
    .option('--stateful-set <name>', 'the workload, a StatefulSet')
    .option('--daemon-set <name>', 'the workload, a DaemonSet')
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
  const found = chosen(findTargets(read), flags, path);
  const text = configurationText(source, found);
  try {
    writeFileSync(flags.out, text);
  } catch (error) {
    throw new UsageError(`${flags.out}: cannot be written: ${(error as Error).message}.`, { cause: error });
  }
  process.stdout.write(
    `${flags.out} written: ${found.kind} ${found.name}, Service ${found.service ?? '(none found)'}.\n`,
  );
  for (const line of found.missing) process.stdout.write(`  ? ${line}\n`);
  const config = flags.out === 'rollproof.yaml' ? '' : ` --config ${flags.out}`;
  process.stdout.write(`\nNext: rollproof verify --scenario ${found.scenario}${config}\n`);
  return exitCode.ok;
}

const named = ({ deployment, statefulSet, daemonSet }: InitFlags): Partial<TargetConfiguration> => ({
  ...(deployment !== undefined && { deployment }),
  ...(statefulSet !== undefined && { statefulSet }),
  ...(daemonSet !== undefined && { daemonSet }),
});

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
      ? `namespace ${source.fields.namespace ?? 'default'} has ${there.map(({ kind, name }) => `${kind} ${name}`).join(', ')}; say which one with --deployment, --stateful-set or --daemon-set.`
      : `namespace ${source.fields.namespace ?? 'default'} has no Deployment, StatefulSet or DaemonSet; name another with --namespace.`,
  );
}

const clusterSource = ({ namespace }: InitFlags): InitSource => ({
  is: 'cluster',
  fields: { from: 'cluster', ...(namespace !== undefined && { namespace }) },
});

function sourceAt(path: string, { values }: InitFlags): InitSource {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UsageError(`${path}: there is no such file or folder.`);
  if (found.isDirectory() && existsSync(join(path, 'Chart.yaml')))
    return {
      is: 'helm',
      fields: { helm: { chart: path, ...(values.length > 0 && { values: [...values] }) } },
    };
  if (/\.tgz$/.test(path)) return { is: 'helm', fields: { helm: { chart: path } } };
  if (found.isDirectory() && readdirSync(path).some((name) => /^kustomization(\.ya?ml)?$/i.test(name)))
    return { is: 'kustomize', fields: { kustomize: path } };
  const paths = found.isDirectory() ? pathsWithin(path) : [path];
  if (paths.length === 0)
    throw new UsageError(
      `${path}: has no manifests: no .yaml, .yml or .json file with a Kubernetes object in it or in the folders within. Name a folder, a file, a chart, or --from-cluster.`,
    );
  return { is: 'manifests', fields: { manifests: paths } };
}

function chosen(all: readonly FoundTarget[], flags: InitFlags, path: string): FoundTarget {
  const { deployment, statefulSet, daemonSet, service } = flags;
  const wanted = [
    ['Deployment', deployment],
    ['StatefulSet', statefulSet],
    ['DaemonSet', daemonSet],
  ].filter(([, name]) => name !== undefined);
  const fit = all.filter(
    ({ kind, name }) => wanted.length === 0 || wanted.some(([k, n]) => k === kind && n === name),
  );
  const served = fit.filter((one) => one.service !== undefined);
  const [only, second] = served.length > 0 ? served : fit;
  const list = (some: readonly FoundTarget[]) =>
    some.map(({ kind, name }) => `${kind} ${name}`).join(', ') || 'none';
  if (!only)
    throw new UsageError(
      `${path}: no ${wanted.length === 0 ? 'Deployment, StatefulSet or DaemonSet' : wanted.map((one) => one.join(' ')).join(', ')} is there; there are ${list(all)}.`,
    );
  if (second)
    throw new UsageError(
      `${path}: ${list(served.length > 0 ? served : fit)} fit; say which one with --deployment, --stateful-set or --daemon-set.`,
    );
  return service === undefined ? only : { ...only, service };
}
