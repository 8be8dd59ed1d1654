// What dies while an experiment runs on a real cluster, by phase: the load agent, the target, the API server, the command
// itself. One cluster for all rows; each runs in a namespace of its own, where nothing may stay.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { until } from '../embedded-pods.ts';
import { checkOutcome, inTurns, type Outcome, outOf, play, type Row } from '../failures.ts';
import { clusterByHand, lacksKubectl } from '../kind-cluster.ts';
import { inTemporaryFolder, type Running, readResults } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacksKubectl();
const test = suite('failure table on kind', { timeoutMs: 240_000, ...(skip && { skip }) });

const cluster = clusterByHand('failures', skip);
const { folder, kubeconfig } = cluster;
const config = join(folder, 'rollproof.yaml');

interface Victim {
  readonly run: Running;
  readonly namespace: string;
}
interface KindRow extends Row {
  readonly kill: (victim: Victim) => Promise<void> | void;
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

/** Nothing of these outcomes depends on how fast the machine is. */
const rows: readonly KindRow[] = [
  {
    dies: 'agent stopped',
    phase: 'step',
    kill: signalToAgent('STOP'),
    code: 3,
    sentence: /the load agent runs but does not answer/,
    withinMs: 90_000,
  },
  {
    dies: 'agent killed',
    phase: 'deploy',
    kill: signalToAgent('KILL'),
    code: 3,
    sentence: /the load agent ended \(exit code 137/,
    withinMs: 60_000,
  },
  {
    dies: 'agent pod deleted',
    phase: 'warm-up',
    kill: deletePods(agent, '--grace-period=1'),
    code: 3,
    sentence: /Load agent rollproof-agent-0\S*: (its pod is (gone|being deleted)|the load agent ended)/,
    withinMs: 60_000,
  },
  {
    dies: 'command interrupted',
    phase: 'tail',
    kill: ({ run }) => void run.child.kill('SIGINT'),
    code: 130,
    sentence: /Interrupted/,
    withinMs: 20_000,
  },
];
/** All pods at once: a loss, whatever the machine has to say about the measurement. */
const target = { dies: 'target deleted by force', phase: 'step' } as const;
/** The kubelet starts it again: the run goes on, or says that it was away. */
const apiServer = { dies: 'api server killed', phase: 'step' } as const;
type Played = Outcome & { readonly lost: number };

const namespaceOf = ({ dies, phase }: Pick<Row, 'dies' | 'phase'>) => `${dies} ${phase}`.replaceAll(' ', '-');

async function playIn(row: Pick<Row, 'dies' | 'phase'>, kill: KindRow['kill']): Promise<Played> {
  const namespace = namespaceOf(row);
  const place = ['--cluster', 'context', '--kubeconfig', kubeconfig, '--namespace', namespace];
  const flags = ['--config', config, ...place];
  return inTemporaryFolder(async (folder) => {
    const outcome = await play(row, folder, flags, (run) => kill({ run, namespace }));
    const lanes = readResults(outOf(folder)).scenarios.flatMap(({ experiments }) =>
      experiments.flatMap((experiment) => Object.values(experiment.lanes)),
    );
    return { ...outcome, lost: lanes.reduce((sum, lane) => sum + lane.lost, 0) };
  });
}

const played = new Map<string, Promise<Played>>();
const inTurn = inTurns(4);
function begin(row: Pick<Row, 'dies' | 'phase'>, kill: KindRow['kill']): void {
  const outcome = inTurn(() => playIn(row, kill));
  outcome.catch(() => {});
  played.set(namespaceOf(row), outcome);
}

test('a cluster made by hand', async () => {
  // Several agents at once on the one node of a small machine.
  writeFileSync(config, 'agent: {resources: {requests: {cpu: 50m}}}\n');
  await cluster.create({ images: ['node:20-bookworm-slim'] });
  for (const row of [...rows, target, apiServer]) await kubectl('create', 'namespace', namespaceOf(row));
  for (const row of rows) begin(row, row.kill);
  begin(target, deletePods('rollproof.dev/role=target', '--grace-period=0', '--force'));
});

for (const row of rows)
  test(`${row.dies} in ${row.phase}`, async () =>
    checkOutcome(row, (await played.get(namespaceOf(row))) as Played));

test(`${target.dies} in ${target.phase}`, async () => {
  const outcome = (await played.get(namespaceOf(target))) as Played;
  const code = outcome.code === 2 ? 2 : 1;
  checkOutcome(
    { ...target, code, sentence: /(refuted|inconclusive) +image-change/, withinMs: 120_000 },
    outcome,
  );
  assert.ok(outcome.lost > 0, outcome.stdout);
});

test(`${apiServer.dies} in ${apiServer.phase}`, async () => {
  const outcome = await playIn(apiServer, async () => {
    await inNode(cluster.nodes()[0] ?? '', 'pkill', '-KILL', '-x', 'kube-apiserver');
  });
  const away = outcome.code === 3;
  // While it was away the cluster forgot what had happened: the watches say so, and nothing is concluded.
  const sentence = away
    ? /API server[^\n]*(has not answered|ECONNREFUSED|ECONNRESET|hang up)|watch on \w+ lost events/
    : /image-change/;
  checkOutcome({ ...apiServer, code: outcome.code ?? -1, sentence, withinMs: 150_000 }, outcome);
  assert.ok([0, 1, 2, 3].includes(outcome.code ?? -1), outcome.stderr);
});

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
  cluster.remove([...rows, target, apiServer].map((row) => `namespace/${namespaceOf(row)}`)));

test.run();

/** Not in step with the others: what dies must die at once. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { encoding: 'utf8', timeout: 60_000 });
  return stdout.trim();
}
function kubectl(...args: readonly string[]): Promise<string> {
  return output('kubectl', ['--kubeconfig', kubeconfig, ...args]);
}
function inNode(node: string, ...args: readonly string[]): Promise<string> {
  return output('docker', ['exec', node, ...args]);
}
