// What the embedded cluster costs: start, idle processor time, 100 Deployments × 3 pods created, rolled and deleted, and
// 200 watchers of which one never reads. Each part in a process of its own, so that none warms up the next.
// Usage: node scripts/start.mjs scripts/emulator-size.ts [--only start,idle,pods,watchers] [--isolation auto|none]
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { type Cluster, type ClusterOptions, startCluster } from '../emulator/index.ts';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { runCommand } from '../harness/exec/command.ts';
import { startProgram } from '../harness/exec/program.ts';
import { FaultError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';

const parts = { start, idle, pods, watchers };
type Part = keyof typeof parts;

const flags = parseCommandLine(
  new Command('emulator-size')
    .description('what the embedded cluster costs: time, processor, memory')
    .option('--only <parts>', `of ${Object.keys(parts).join(', ')}`, list, Object.keys(parts))
    .addOption(
      new Option('--isolation <mode>', 'as in docs/embedded.md').choices(['auto', 'none']).default('auto'),
    )
    .option('--deployments <n>', 'with three pods each', wholeNumber(1, 500), 100)
    .option('--watchers <n>', 'one of them never reads', wholeNumber(2, 2000), 200)
    .addOption(new Option('--here <part>').hideHelp()),
).opts<{
  only: readonly string[];
  isolation: 'auto' | 'none';
  deployments: number;
  watchers: number;
  here?: Part;
}>();

const STARTS = 5;
const SETTLE_MS = 10_000;
const IDLE_MS = 30_000;
const PART_LIMIT_MS = 300_000;
const PODS = 3;
const POLL_MS = 100;
/** 16 KiB, so often that what nobody reads fills every buffer on the way, and then 4 MiB. */
const PAYLOAD = 'x'.repeat(16 * 1024);
const CHANGES = 1000;
const MEGABYTE = 1024 * 1024;

function say(what: string, figure: string): void {
  process.stdout.write(`${what}: ${figure}\n`);
}

const options = (): ClusterOptions => ({
  isolation: flags.isolation,
  images: [
    new Map([
      ['size:1', program],
      ['size:2', program],
    ]),
  ],
  // 110 pods fit on a node, and a rolling update needs more than there will be.
  nodes: ['control-plane', 'worker', 'worker2', 'worker3', 'worker4'].map((name) => ({
    name: `embedded-${name}`,
    role: name === 'control-plane' ? name : 'worker',
  })),
});
/** Small, and it ends at once when it is asked to. */
const program = { command: ['/bin/sh', '-c', "trap 'exit 0' TERM; sleep 86400 & wait"] };

async function start(): Promise<void> {
  const from = performance.now();
  await using cluster = await startCluster(options());
  say(
    'start, until nodes are ready and the API server answers',
    `${(performance.now() - from).toFixed(0)} ms`,
  );
  void cluster;
}

async function idle(): Promise<void> {
  // What compiles these scripts is no part of it.
  const others = new Set(childrenOf(process.pid));
  await using cluster = await startCluster(options());
  await pause(SETTLE_MS);
  const [before, from] = [treeCpuMs(others), performance.now()];
  await pause(IDLE_MS);
  const share = (treeCpuMs(others) - before) / (performance.now() - from);
  say(
    'idle, all of its processes',
    `${(share * 100).toFixed(2)} % of a core, ${megabytes(process.memoryUsage.rss())}`,
  );
  void cluster;
}

async function pods(): Promise<void> {
  await using cluster = await startCluster(options());
  const names = Array.from({ length: flags.deployments }, (_, index) => `app-${index}`);
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const isDone = async () => {
    const { items } = (await ask(cluster, 'GET', deployments)) as { items: DeploymentLike[] };
    return items.every(
      ({ metadata, status }) =>
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === PODS &&
        status.availableReplicas === PODS &&
        status.replicas === PODS,
    );
  };
  const timed = async (
    what: string,
    act: (name: string) => Promise<unknown>,
    done: () => Promise<boolean>,
  ) => {
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    await Promise.all(names.map(act));
    while (!(await done())) await pause(POLL_MS);
    const { user, system } = process.cpuUsage(cpu);
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    say(
      `${names.length} Deployments × ${PODS} pods ${what}`,
      `${seconds} s, ${((user + system) / 1e6).toFixed(1)} s of processor time in the emulator, ${megabytes(process.resourceUsage().maxRSS * 1024)} at most`,
    );
  };
  await timed(
    'created, until available',
    (name) => ask(cluster, 'POST', deployments, deployment(name, 1)),
    isDone,
  );
  await timed(
    'rolled, until complete',
    (name) => ask(cluster, 'PUT', `${deployments}/${name}`, deployment(name, 2)),
    isDone,
  );
  await timed(
    'deleted, until the last pod is gone',
    (name) => ask(cluster, 'DELETE', `${deployments}/${name}`),
    async () => {
      const { items } = (await ask(cluster, 'GET', '/api/v1/namespaces/default/pods?limit=1')) as {
        items: unknown[];
      };
      return items.length === 0;
    },
  );
}

interface DeploymentLike {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
  };
}

function deployment(name: string, version: number): object {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: PODS,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: `size:${version}` }] } },
    },
  };
}

async function watchers(): Promise<void> {
  await using cluster = await startCluster(options());
  const maps = '/api/v1/namespaces/default/configmaps';
  const watch = `${maps}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Dchanging`;
  await ask(cluster, 'POST', maps, { metadata: { name: 'changing' }, data: { round: '', payload: PAYLOAD } });
  let bytes = 0;
  let onLine: (line: string) => void = () => {};
  const said = (wanted: RegExp) =>
    new Promise<string>((resolve) => {
      onLine = (line) => {
        const found = wanted.exec(line);
        if (found) resolve(found[1] ?? '');
      };
    });
  const opened = said(/^open$/);
  const script = join(dirname(fileURLToPath(import.meta.url)), 'bench', 'watchers.mjs');
  const readers = startProgram(
    process.execPath,
    [script, `${cluster.url}${watch}`, cluster.token, String(flags.watchers - 1), String(CHANGES + 1)],
    { onLine: (line) => onLine(line) },
  );
  const ended = readers.ended.then(({ how, stderr }): never => {
    throw new FaultError(`emulator-size: the watchers' process ${how}: ${stderr}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([opened, ended]);
    const silent = await neverReads(cluster, watch);
    const before = process.memoryUsage.rss();
    let most = before;
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    const all = said(/^all (\d+)$/);
    for (let round = 1; round <= CHANGES; round++) {
      await ask(cluster, 'PATCH', `${maps}/changing`, { data: { round: String(round) } });
      most = Math.max(most, process.memoryUsage.rss());
    }
    bytes = Number(await Promise.race([all, ended]));
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - from) / 1000;
    say(
      `${flags.watchers - 1} watchers that read, ${CHANGES} changes of 16 KiB`,
      `all have them all after ${seconds.toFixed(1)} s (${(bytes / MEGABYTE / seconds).toFixed(0)} MB/s), ${((user + system) / 1e6).toFixed(1)} s of processor time in the emulator, memory from ${megabytes(before)} to ${megabytes(most)} at most`,
    );
    say('the one that never reads', await silent.readAll());
  } finally {
    await readers.stop('SIGKILL', 1000);
  }
}

/** A watch whose socket is not read; `readAll` reads it at last, until its end, and says what was there. */
async function neverReads(cluster: Cluster, path: string): Promise<{ readAll(): Promise<string> }> {
  const { hostname, port } = new URL(cluster.url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.pause();
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${cluster.token}\r\n\r\n`,
  );
  // It is answered before the first change.
  await pause(500);
  return {
    readAll: () =>
      new Promise((resolve) => {
        let read = 0;
        const limit = setTimeout(() => {
          socket.destroy();
          resolve(`is still open after ${(read / MEGABYTE).toFixed(1)} MB`);
        }, 5000);
        socket.on('data', (chunk: Buffer) => {
          read += chunk.length;
        });
        socket.on('error', () => {});
        socket.once('close', () => {
          clearTimeout(limit);
          resolve(
            `was cut off: ${(read / MEGABYTE).toFixed(1)} MB of ${((CHANGES * PAYLOAD.length) / MEGABYTE).toFixed(1)} MB had left`,
          );
        });
        socket.resume();
      }),
  };
}

async function ask(cluster: Cluster, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${cluster.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${cluster.token}`,
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new FaultError(`emulator-size: ${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const megabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;

/** Of this process and of what it started, ms (clock ticks of 10 ms). */
function treeCpuMs(others: ReadonlySet<number>): number {
  const { user, system } = process.cpuUsage();
  return childrenOf(process.pid)
    .filter((pid) => !others.has(pid))
    .reduce((sum, pid) => sum + cpuMsBelow(pid), (user + system) / 1000);
}

function cpuMsBelow(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const own = (Number(fields[11]) + Number(fields[12])) * 10;
    return childrenOf(pid).reduce((sum, child) => sum + cpuMsBelow(child), own);
  } catch {
    // It has ended.
    return 0;
  }
}

const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter((text) => text.trim() !== '')
      .map(Number),
  );

await runScript(async () => {
  if (flags.here) {
    await parts[flags.here]();
    return 0;
  }
  for (const part of flags.only) {
    if (!(part in parts)) throw new FaultError(`emulator-size: --only: there is no part "${part}".`);
  }
  for (const part of flags.only) {
    for (let run = 0; run < (part === 'start' ? STARTS : 1); run++) {
      const same = ['isolation', 'deployments', 'watchers'] as const;
      const args = same.flatMap((name) => [`--${name}`, String(flags[name])]);
      const script = [join('scripts', 'start.mjs'), join('scripts', 'emulator-size.ts')];
      const { stdout } = await runCommand(process.execPath, [...script, ...args, '--here', part], {
        limitMs: PART_LIMIT_MS,
        cwd: dirname(dirname(fileURLToPath(import.meta.url))),
      });
      process.stdout.write(stdout);
    }
  }
  return 0;
});
