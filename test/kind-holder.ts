// Holds what files of test/kind take in turn: a cluster made by hand, and a state folder in which rollproof keeps one of its
// own. A process beside the runner (scripts/test.ts), because it ends when its input ends, and then removes both: that comes
// on every way out of the runner, kill -9 included. A line `create` makes the cluster; the answer is `created FILE` with its
// kubeconfig, or `failed WHY`. A line `runs PID` tells the process group of the file that has them, `runs nobody` that it has
// ended: one that runs when the input ends is ended first. Argument: the state folder.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Ownership } from '../harness/cluster/kind/ownership.ts';
import { kindProvider } from '../harness/cluster/kind/provider.ts';
import { sweep } from '../harness/cluster/kind/removal.ts';
import { runCommand } from '../harness/exec/command.ts';
import { messageOf } from '../harness/model/errors.ts';
import { clusterByHand } from './kind-cluster.ts';
import { endGroups } from './process-groups.ts';

const [stateFolder = ''] = process.argv.slice(2);
// An interrupt is the runner's to handle; it then ends our input.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// When the runner is gone nobody reads what we say.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const unavailable = await kindProvider().unavailable();
const cluster = clusterByHand('shared', unavailable);
const ended = new AbortController();
let creating: Promise<void> | undefined;
let running: number | undefined;

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'create') creating ??= create();
    else if (line.startsWith('runs ')) running = Number(line.slice('runs '.length)) || undefined;
  })
  .on('close', async () => {
    ended.abort();
    await creating;
    if (running) await endGroups([running], 'SIGTERM');
    await sweep(runCommand, new Ownership(join(stateFolder, 'rollproof')), {
      kept: true,
      say: (text) => process.stderr.write(`${text}\n`),
    }).catch((error) => process.stderr.write(`${messageOf(error)}\n`));
    rmSync(stateFolder, { recursive: true, force: true });
    cluster.remove();
  });

/** Two nodes that run pods: what is measured and what fires can stand apart. */
async function create(): Promise<void> {
  try {
    if (unavailable) throw new Error(unavailable);
    const nodes = ['control-plane', 'worker', 'worker'] as const;
    await cluster.create({ nodes, images: ['node:20-bookworm-slim'] }, ended.signal);
    process.stdout.write(`created ${cluster.kubeconfig}\n`);
  } catch (error) {
    process.stdout.write(`failed ${messageOf(error).replaceAll('\n', ' ')}\n`);
  }
}
