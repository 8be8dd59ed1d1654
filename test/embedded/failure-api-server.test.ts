// What happens to an experiment when the API server of somebody's cluster goes away, for good or for a while, and when the
// whole cluster dies at once, pods and all. The cluster is `rollproof cluster up`; what is cut is a relay before it.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needsLinux, podProcesses, until } from '../embedded-pods.ts';
import { checkOutcome, inTurns, leftOut, type Outcome, outOf, play, type Row } from '../failures.ts';
import { inTemporaryFolder, readResults, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('the API server goes away', { timeoutMs: 300_000, skip: needsLinux });

interface Relay {
  readonly port: number;
  /** Refuses everybody, and ends every connection. */
  cut(): Promise<void>;
  /** Takes connections and answers nothing. */
  hush(): void;
  mend(): Promise<void>;
}

/** Before an API server that listens on loopback; what is cut here is away for whoever comes by this way. */
async function relayTo(port: number): Promise<Relay> {
  const open = new Set<Socket>();
  let silent = false;
  const server = createServer((client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => {});
    if (silent) return client.pause();
    const behind = dial({ host: '127.0.0.1', port });
    open.add(behind);
    behind.on('close', () => {
      open.delete(behind);
      client.destroy();
    });
    behind.on('error', () => {});
    client.on('close', () => behind.destroy());
    client.pipe(behind).pipe(client);
  });
  const listen = (at: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, '127.0.0.1', resolve);
    });
  await listen(0);
  const own = (server.address() as { port: number }).port;
  const endAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: own,
    async cut() {
      const closed = new Promise((resolve) => server.close(resolve));
      endAll();
      await closed;
    },
    hush() {
      silent = true;
      for (const socket of open) socket.unpipe().pause();
    },
    mend: () => listen(own),
  };
}

interface Up {
  readonly kubeconfig: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it at once, as a machine that loses its power. */
  kill(): Promise<void>;
}

async function clusterUp(folder: string): Promise<Up> {
  const kubeconfig = join(folder, 'kubeconfig');
  const config = join(folder, 'images.yaml');
  writeFileSync(config, `images: {"node:20-bookworm-slim": {command: [${process.execPath}]}}\n`);
  const run = startRollproof([
    ...['cluster', 'up', '--workers', '2', '--config', config, '--kubeconfig', kubeconfig],
  ]);
  process.on('exit', () => run.child.kill('SIGKILL'));
  await until('a kubeconfig', () => existsSync(kubeconfig), 60_000);
  const text = readFileSync(kubeconfig, 'utf8');
  return {
    kubeconfig: text,
    pid: run.child.pid as number,
    port: Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]),
    async kill() {
      run.child.kill('SIGKILL');
      await run.within(30_000);
    },
  };
}

interface ClusterRow extends Row {
  readonly kill: (relay: Relay, cluster: Up) => Promise<void> | void;
  /** It has a cluster for itself, which dies. */
  readonly alone?: true;
}

const AWAY_MS = 5000;
const cut = (relay: Relay) => relay.cut();
async function awhile(relay: Relay): Promise<void> {
  await relay.cut();
  setTimeout(() => void relay.mend(), AWAY_MS);
}
/** One more phase, which says little that the others do not. */
const onRequest = (phase: Row['phase']) => phase === 'warm-up' && { onRequest: true as const };
const away =
  /API server[^\n]*(has not answered|ECONNREFUSED|ECONNRESET|socket hang up|disconnected before secure TLS)/;

const rows: readonly ClusterRow[] = [
  ...(['deploy', 'warm-up', 'step', 'tail'] as const).map(
    (phase): ClusterRow => ({
      dies: 'API server',
      phase,
      kill: cut,
      code: 3,
      sentence: away,
      withinMs: 45_000,
      ...onRequest(phase),
    }),
  ),
  {
    dies: 'API server hangs',
    phase: 'step',
    kill: (relay) => relay.hush(),
    code: 3,
    sentence: /API server [^\n]*no answer/,
    withinMs: 60_000,
  },
  {
    dies: 'API server for 5 s',
    phase: 'deploy',
    kill: awhile,
    code: 3,
    sentence: away,
    withinMs: 45_000,
  },
  ...(['step', 'tail'] as const).map(
    (phase): ClusterRow => ({
      dies: 'API server for 5 s',
      phase,
      kill: awhile,
      code: 2,
      sentence: /what was measured is sound/,
      withinMs: 100_000,
    }),
  ),
  ...(['deploy', 'warm-up', 'step', 'tail'] as const).map(
    (phase): ClusterRow => ({
      dies: 'whole cluster',
      phase,
      kill: (_, cluster) => cluster.kill(),
      code: 3,
      sentence: away,
      withinMs: 45_000,
      alone: true,
      ...onRequest(phase),
    }),
  ),
];

interface Played extends Outcome {
  readonly reasons: readonly string[];
  readonly journals: readonly string[];
}

const sharedFolder = mkdtempSync(join(tmpdir(), 'rollproof-out-'));
process.on('exit', () => rmSync(sharedFolder, { recursive: true, force: true }));
const shared = needsLinux ? undefined : clusterUp(sharedFolder);
const inTurn = inTurns(3);
for (const row of rows) {
  const skip = leftOut(row);
  const played = shared && !skip && inTurn(() => inTemporaryFolder((folder) => playOn(row, folder)));
  if (played) played.catch(() => {});
  const body = async () => {
    const outcome = (await played) as Played;
    checkOutcome(row, outcome);
    if (row.phase === 'deploy') return;
    // What was measured is kept, with why it does not count.
    assert.is(outcome.journals.length, 1);
    const reasons = outcome.reasons.join('\n');
    if (row.code === 3) assert.match(reasons, row.sentence, `${reasons}\n${outcome.stderr}`);
    else assert.equal(outcome.reasons, []);
  };
  test(`${row.dies} in ${row.phase}`, body, { skip: needsLinux ?? skip });
}

async function playOn(row: ClusterRow, folder: string): Promise<Played> {
  const cluster = row.alone ? await clusterUp(folder) : await shared;
  if (!cluster) throw new Error('no cluster');
  const relay = await relayTo(cluster.port);
  const kubeconfig = join(folder, 'relayed');
  writeFileSync(kubeconfig, cluster.kubeconfig.replace(String(cluster.port), String(relay.port)));
  const outcome = await play(row, folder, ['--cluster', 'context', '--kubeconfig', kubeconfig], () =>
    row.kill(relay, cluster),
  ).finally(() => relay.cut().catch(() => {}));
  if (row.alone) await until('no pod of the cluster', () => podProcesses(cluster.pid).length === 0, 20_000);
  const out = outOf(folder);
  return {
    ...outcome,
    reasons: readResults(out).scenarios.flatMap(({ experiments }) =>
      experiments.flatMap(({ invalid }) => invalid),
    ),
    journals: readdirSync(join(out, 'journals')),
  };
}

test('the cluster ends', async () => (await shared)?.kill());

test.run();
