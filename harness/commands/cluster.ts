// `rollproof cluster up`: an embedded cluster in the foreground, for kubectl and for trying things out.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parse } from 'yaml';
import {
  defaultNodes,
  fullImageName,
  type LocalImage,
  type NodePlan,
  startCluster,
} from '../../emulator/index.ts';
import { scenarios } from '../../scenarios/index.ts';
import { asFault } from '../cluster/embedded/provider.ts';
import { loadConfiguration } from '../config/load.ts';
import { bundle } from '../load/bundle.ts';
import { type ExitCode, exitCode, FaultError, UsageError } from '../model/errors.ts';
import { readNamedText } from '../model/named-file.ts';
import { userImages } from '../run/clusters.ts';
import { emulatedImages } from '../run/images.ts';
import { packageRoot } from '../run/package-version.ts';
import { settings } from '../settings/index.ts';
import { summaries } from './summaries.ts';

interface UpFlags {
  readonly cluster: 'embedded';
  readonly kubeconfig: string;
  readonly config?: string;
  readonly port: number;
  readonly workers: number;
  readonly proxyDelay: number;
  readonly latencyFactor: number;
}

const DEFAULT_WORKERS = 3;
const MOST_WORKERS = 15;

export function registerCluster(program: Command): void {
  const cluster = program.command('cluster').description(summaries.cluster);
  cluster
    .command('up')
    .description('run an emulated cluster in the foreground; Ctrl-C ends it')
    .addOption(
      new Option('--cluster <kind>', 'which kind of cluster').choices(['embedded']).default('embedded'),
    )
    .option('--kubeconfig <file>', 'file to write for kubectl', 'rollproof.kubeconfig')
    .option('--config <file>', 'configuration with images (default: rollproof.yaml when it is there)')
    .option('--port <n>', 'port of the API server; 0: any free one', wholeNumber(0, 65_535), 0)
    .option(
      '--workers <n>',
      'worker nodes beside the control plane',
      wholeNumber(0, MOST_WORKERS),
      DEFAULT_WORKERS,
    )
    .option('--proxy-delay <ms>', 'routing updates lag by this much', wholeNumber(0, 600_000), 0)
    .option(
      '--latency-factor <n>',
      'scales what control plane and nodes need for their work; 1 as measured on kind',
      factor,
      1,
    )
    .action(async (flags: UpFlags) => {
      process.exitCode = await up(flags);
    });
}

async function up(flags: UpFlags): Promise<ExitCode> {
  const { configuration, file } = loadConfiguration(flags.config, process.cwd(), {
    scenarios: scenarios.map(({ id }) => id),
    settings: settings.map(({ name }) => name),
  });
  const kubeconfigFile = resolve(flags.kubeconfig);
  refuseForeignFile(kubeconfigFile);
  const own = await ownCommands();
  const stop = untilStopped();
  await using cluster = await startCluster({
    images: [userImages(configuration), own],
    nodes: nodePlans(flags.workers),
    port: flags.port,
    proxyDelayMs: flags.proxyDelay,
    latencyFactor: flags.latencyFactor,
    pullFailure: (image) => {
      const name = fullImageName(image);
      return {
        message: `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found (this emulated cluster runs local commands: say which one stands for ${image} under "images" in ${file ?? 'rollproof.yaml'})`,
      };
    },
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') asFault(error);
    throw new FaultError(
      `cluster up: port ${flags.port} is in use. Choose another with --port, or leave it out.`,
    );
  });
  // A new file, because the mode of one that is there already would stay; and there as a whole, for whoever waits for it.
  const part = `${kubeconfigFile}.${process.pid}.part`;
  writeFileSync(part, cluster.kubeconfig, { mode: 0o600 });
  renameSync(part, kubeconfigFile);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  say(`Emulated Kubernetes ${cluster.facts.kubernetesVersion} is up at ${cluster.url}`);
  for (const note of cluster.facts.notes) say(`Note: ${note}`);
  say(`Nodes: ${cluster.facts.nodes.map(({ name }) => name).join(', ')}`);
  say(`Images: ${[...Object.keys(configuration.images), ...own.keys()].join(', ')}`);
  say('');
  say('In another terminal:');
  say(`  export KUBECONFIG=${kubeconfigFile}`);
  say(`  kubectl apply -f ${join(packageRoot, 'target', 'manifests.yaml')}`);
  say('  kubectl rollout status deployment/target');
  say('  kubectl set image deployment/target target=rollproof/target:2');
  say('');
  say('Ctrl-C ends it and everything that runs on it.');
  await stop;
  say('Ending ...');
  await cluster.stop();
  rmSync(kubeconfigFile, { force: true });
  return exitCode.interrupted;
}

/** The built-in target and agent under short names. */
async function ownCommands(): Promise<ReadonlyMap<string, LocalImage>> {
  const [target, agent] = await Promise.all([
    bundle(join(packageRoot, 'target', 'server.ts')),
    bundle(join(packageRoot, 'harness', 'load', 'agent-main.ts')),
  ]);
  const images = new Map<string, LocalImage>();
  for (const version of ['1', '2', '3']) {
    images.set(`rollproof/target:${version}`, {
      command: [process.execPath, target],
      env: { VERSION: version },
    });
  }
  images.set(emulatedImages.agent, { command: [process.execPath, agent] });
  return images;
}

/** The default nodes are kind's: worker, worker2, worker3 … */
function nodePlans(workers: number): readonly NodePlan[] {
  const [controlPlane] = defaultNodes;
  if (!controlPlane) throw new Error('no default nodes');
  return [
    controlPlane,
    ...Array.from(
      { length: workers },
      (_, index): NodePlan => ({ name: `embedded-worker${index === 0 ? '' : index + 1}`, role: 'worker' }),
    ),
  ];
}

/** A kubeconfig of somebody else is never overwritten. */
function refuseForeignFile(file: string): void {
  if (!existsSync(file)) return;
  let found: unknown;
  try {
    found = parse(readNamedText(file));
  } catch {
    found = undefined;
  }
  const config = found as { 'current-context'?: string; contexts?: unknown[] } | null | undefined;
  if (config?.['current-context'] === 'embedded' && config.contexts?.length === 1) return;
  throw new UsageError(
    `cluster up: ${file} exists and is not from an embedded cluster. Choose another file with --kubeconfig.`,
  );
}

/** Resolves on the first signal; the second one ends the process, and the pods with it. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let received = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (++received > 1) process.exit(exitCode.interrupted);
        resolve();
      });
    }
  });
}

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 10)) throw new InvalidArgumentError('It must be a number from 0 to 10.');
  return value;
}
