// What dies while an experiment runs on a real cluster, by phase: the load agent, the target, the API server, the disk, the
// cluster, the command itself. One cluster for all rows; each runs in a namespace of its own, where nothing may stay. The whole
// table takes half an hour: ROLLPROOF_FAILURE_TABLE=all (test/failures.ts).
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { until } from '../embedded-pods.ts';
import {
  checkOutcome,
  fillDisk,
  inTurns,
  leftOut,
  type Outcome,
  onDisk,
  outOf,
  play,
  type Row,
} from '../failures.ts';
import { clusterByHand, lacksKubectl } from '../kind-cluster.ts';
import { inTemporaryFolder, type Running, readResults } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacksKubectl();
const test = suite('failure table on kind', { timeoutMs: 240_000, ...(skip && { skip }) });

const cluster = clusterByHand('failures', skip);
const { folder, kubeconfig } = cluster;
const config = join(folder, 'rollproof.yaml');

interface Victim {
  readonly run: Running;
  readonly namespace: string;
  readonly out: string;
}
interface KindRow extends Row {
  readonly kill: (victim: Victim) => Promise<void> | void;
  /** The output folder is a disk of its own, of this many MB. */
  readonly diskMb?: number;
  /** Attempts must have been lost. */
  readonly isLoss?: true;
  /** When the command has ended. */
  readonly after?: () => Promise<void>;
}

const agent = 'rollproof.dev/role=agent';

/** To every process of the agent's containers, found on the node by the control group of its pod. */
const signalToAgent =
  (signal: 'KILL' | 'STOP') =>
  async ({ namespace }: Victim): Promise<void> => {
    await until(
      'a process of the agent',
      async () => {
        const fields = 'jsonpath={.items[0].metadata.uid} {.items[0].spec.nodeName}';
        const asked = await kubectl('get', 'pod', '-n', namespace, '-l', agent, '-o', fields).catch(() => '');
        const [uid = '', node] = asked.split(' ');
        if (!node) return undefined;
        // Some drivers of control groups write an id with underscores. `pause` holds the pod's network, and runc is no
        // container yet.
        const script = `for group in $(grep -lE 'pod(${uid}|${uid.replaceAll('-', '_')})' /proc/[0-9]*/cgroup); do
          process=\${group%/cgroup}
          case "$(cat $process/comm)" in
            pause | runc*) ;;
            *) kill -${signal} \${process##*/} && echo hit ;;
          esac
        done`;
        const hit = await inNode(node, 'sh', '-c', script).catch(() => '');
        return hit.includes('hit') || undefined;
      },
      60_000,
    );
  };

const deletePods =
  (labels: string, ...flags: readonly string[]) =>
  async ({ namespace }: Victim): Promise<void> => {
    await kubectl('delete', 'pod', '-n', namespace, '-l', labels, '--wait=false', ...flags);
  };

const underLoad = ['warm-up', 'step', 'tail'] as const;
type PhaseUnderLoad = (typeof underLoad)[number];

/** The same in each phase under load; each time in one of them, on request in the others. */
const underLoadRows = (eachTimeIn: PhaseUnderLoad | undefined, row: Omit<KindRow, 'phase'>): KindRow[] =>
  underLoad.map((phase) => ({ ...row, phase, ...(phase !== eachTimeIn && { onRequest: true }) }));

/** Nothing of these outcomes depends on how fast the machine is. Several are played at once. */
const rows: readonly KindRow[] = [
  ...underLoadRows('step', {
    dies: 'agent stopped',
    kill: signalToAgent('STOP'),
    code: 3,
    sentence: /the load agent runs but does not answer/,
    withinMs: 90_000,
  }),
  {
    dies: 'agent killed',
    phase: 'deploy',
    kill: signalToAgent('KILL'),
    code: 3,
    sentence: /the load agent ended \(exit code 137/,
    withinMs: 60_000,
  },
  ...underLoadRows(undefined, {
    dies: 'agent killed',
    kill: signalToAgent('KILL'),
    code: 3,
    sentence: /the load agent ended \(exit code 137/,
    withinMs: 60_000,
  }),
  ...underLoadRows('warm-up', {
    dies: 'agent pod deleted',
    kill: deletePods(agent, '--grace-period=1'),
    code: 3,
    sentence: /Load agent rollproof-agent-0\S*: (its pod is (gone|being deleted)|the load agent ended)/,
    withinMs: 60_000,
  }),
  // All pods at once: a loss, whatever the machine has to say about the measurement.
  ...underLoadRows('step', {
    dies: 'target deleted by force',
    kill: deletePods('rollproof.dev/role=target', '--grace-period=0', '--force'),
    code: [1, 2],
    sentence: /(refuted|inconclusive) +image-change/,
    withinMs: 120_000,
    isLoss: true,
  }),
  ...underLoadRows(undefined, {
    dies: 'disk full',
    kill: ({ out }) => fillDisk(out),
    code: 3,
    sentence: /journals\/.*: the disk is full/,
    withinMs: 120_000,
    diskMb: 24,
  }),
  ...underLoadRows('tail', {
    dies: 'command interrupted',
    kill: ({ run }) => void run.child.kill('SIGINT'),
    code: 130,
    sentence: /Interrupted/,
    withinMs: 20_000,
  }),
];

const away =
  /API server[^\n]*(has not answered|ECONNREFUSED|ECONNRESET|hang up|disconnected before secure TLS)/;
/** What all others would feel: one after the other, when they have ended. */
const rowsAlone: readonly KindRow[] = [
  // The kubelet starts it again: the run goes on, or says that it was away. While it was, the cluster forgot what had
  // happened: the watches say so, and nothing is concluded.
  ...underLoadRows('step', {
    dies: 'API server killed',
    kill: async () => {
      await inNode(cluster.nodes()[0] ?? '', 'pkill', '-KILL', '-x', 'kube-apiserver');
    },
    code: [0, 1, 2, 3],
    sentence: /image-change|API server/,
    withinMs: 150_000,
    after: serverIsBack,
  }),
  // Every node at once, as when the machine under them loses its power.
  ...underLoadRows(undefined, {
    dies: 'cluster killed',
    kill: async () => {
      await output('docker', ['kill', ...cluster.nodes()]);
    },
    code: 3,
    sentence: away,
    withinMs: 90_000,
    after: clusterIsBack,
  }),
];
const notConcluded = new RegExp(`${away.source}|refused just after it came back|watch on \\w+ lost events`);
const all = [...rows, ...rowsAlone].filter((row) => !leftOut(row));

const namespaceOf = ({ dies, phase }: Pick<Row, 'dies' | 'phase'>) =>
  `${dies} ${phase}`.toLowerCase().replaceAll(' ', '-');

type Played = Outcome & { readonly lost: number };

async function playIn(row: KindRow): Promise<Played> {
  const namespace = namespaceOf(row);
  const place = ['--cluster', 'context', '--kubeconfig', kubeconfig, '--namespace', namespace];
  return inTemporaryFolder(async (folder) => {
    const out = outOf(folder);
    mkdirSync(out);
    return onDisk(row.diskMb, out, async () => {
      const flags = ['--config', config, ...place];
      const outcome = await play(row, folder, flags, (run) => row.kill({ run, namespace, out }));
      return { ...outcome, lost: row.isLoss ? lostIn(out) : 0 };
    });
  });
}

const lostIn = (out: string): number =>
  readResults(out)
    .scenarios.flatMap(({ experiments }) => experiments.flatMap(({ lanes }) => Object.values(lanes)))
    .reduce((sum, { lost }) => sum + lost, 0);

const played = new Map<KindRow, Promise<Played>>();
const inTurn = inTurns(4);

test('a cluster made by hand', async () => {
  // Several agents at once on the one node of a small machine.
  writeFileSync(config, 'agent: {resources: {requests: {cpu: 50m}}}\n');
  await cluster.create({ images: ['node:20-bookworm-slim'] });
  for (const row of all) await kubectl('create', 'namespace', namespaceOf(row));
  for (const row of rows.filter((one) => all.includes(one))) {
    const outcome = inTurn(() => playIn(row));
    outcome.catch(() => {});
    played.set(row, outcome);
  }
});

for (const row of [...rows, ...rowsAlone]) {
  const body = async () => {
    if (row.diskMb !== undefined && process.geteuid?.() !== 0)
      throw new Skipped('only root may mount a small disk');
    const outcome = await (played.get(row) ?? playIn(row));
    checkOutcome(row, outcome);
    if (outcome.code === 3 && rowsAlone.includes(row))
      assert.match(outcome.stderr + outcome.stdout, notConcluded, outcome.stderr + outcome.stdout);
    // The tail may be over before the pods are gone.
    if (row.isLoss && row.phase !== 'tail') assert.ok(outcome.lost > 0, outcome.stdout);
    await row.after?.();
  };
  const asked = leftOut(row);
  test(`${row.dies} in ${row.phase}`, body, asked ? { skip: skip ?? asked } : {});
}

test('nothing of these runs is left on the cluster', async () => {
  const kinds = 'jobs,pods,deployments,services,configmaps';
  const ours = ['-A', '-l', 'app.kubernetes.io/managed-by=rollproof', '-o', 'name'];
  await until(
    'nothing of ours',
    async () => (await kubectl('get', kinds, ...ours).catch(String)) === '',
    200_000,
  );
});

test('the cluster is removed, or what was made on it', () =>
  cluster.remove(all.map((row) => `namespace/${namespaceOf(row)}`)));

test.run();

/** Not in step with the others: what dies must die at once. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { encoding: 'utf8', timeout: 60_000 });
  return stdout.trim();
}
function kubectl(...args: readonly string[]): Promise<string> {
  return output('kubectl', ['--kubeconfig', kubeconfig, ...args]);
}
/** The kubelet waits longer each time before it starts it again. */
async function serverIsBack(): Promise<void> {
  const ready = () => kubectl('get', '--raw', '/readyz').catch(() => '');
  await until('the API server', async () => (await ready()) === 'ok' || undefined, 150_000);
}
/** The nodes' containers are started again, the control plane first, so that each gets the address that it had. */
async function clusterIsBack(): Promise<void> {
  for (const node of cluster.nodes()) await output('docker', ['start', node]);
  const wait = ['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s'];
  await until(
    'the cluster',
    async () =>
      kubectl(...wait).then(
        () => true,
        () => false,
      ),
    200_000,
  );
}

function inNode(node: string, ...args: readonly string[]): Promise<string> {
  return output('docker', ['exec', node, ...args]);
}
