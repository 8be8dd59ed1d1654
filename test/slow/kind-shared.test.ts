// A kind cluster that files of test/kind take in turn: what one left is told by name, and the cluster goes with the runner,
// however that ends. Docker and kind are shell scripts here that write down what they are asked.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { until } from '../embedded-pods.ts';
import { differences, KindObjects } from '../kind-objects.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('kind cluster for several files', { timeoutMs: 100_000 });

/** Answers of kubectl on the node: rows of the objects, and the nodes. */
const clusterWith = (rows: readonly string[], node: object) =>
  new KindObjects(async (_, args) => {
    const line = args.join(' ');
    if (line.includes('api-resources'))
      return { stdout: 'configmaps\nevents\nleases.coordination.k8s.io\n', stderr: '' };
    if (line.includes('get nodes -o json')) return { stdout: JSON.stringify({ items: [node] }), stderr: '' };
    assert.match(line, / get configmaps -A /);
    return { stdout: rows.join('\n'), stderr: '' };
  }, 'node');
const NODE = { metadata: { name: 'one', labels: { zone: 'a' } }, spec: { taints: [] } };
const rows = ['Namespace  <none>  default  <none>  <none>', 'ConfigMap  default  settings  <none>  <none>'];

test('what a file left is told by kind and name; what goes with it is not; what it took away, too', async () => {
  const before = await clusterWith(rows, NODE).standing();
  const same = differences(before, await clusterWith(rows, NODE).standing());
  assert.equal([same.left, same.gone], [[], []]);
  const { left, gone } = differences(
    before,
    await clusterWith(
      [
        rows[0] as string,
        'Namespace  <none>  shop  <none>  <none>',
        'ConfigMap  shop  inside  <none>  <none>',
        'ClusterRole  <none>  ours  <none>  2026-01-01T00:00:00Z',
        'Pod  default  owned  ReplicaSet  <none>',
      ],
      {
        metadata: { name: 'one', labels: { zone: 'a', disk: 'fast' } },
        spec: {
          unschedulable: true,
          taints: [
            { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
            { key: 'mine', value: 'yes', effect: 'NoExecute' },
          ],
        },
      },
    ).standing(),
  );
  assert.equal(
    left.map(({ what, leaving }) => `${what}${leaving ? ' (going)' : ''}`),
    [
      'Namespace shop',
      'ClusterRole ours (going)',
      'Node one: cordoned',
      'Node one: label disk=fast',
      'Node one: taint mine=yes:NoExecute',
    ],
  );
  assert.equal(gone, ['ConfigMap default/settings']);
  assert.equal(
    left.map(({ removal }) => removal.slice(0, 4).join(' ')),
    [
      'delete Namespace/shop --ignore-not-found --timeout=120s',
      'delete ClusterRole/ours --ignore-not-found --timeout=120s',
      'uncordon one',
      'label node one disk-',
      'taint node one mine:NoExecute-',
    ],
  );
});

/** A machine that is busy with other things is waited for. */
const WAIT_MS = 120_000;
const NODE_IMAGE = 'kindest/node v1.34.4 <none>';
/** `slow`: making the cluster takes longer than anybody waits here. */
const programs = (log: string, slow: boolean): Record<string, string> => ({
  docker: `case "$*" in
  version*) echo 28.0.0 ;;
  "image ls"*) echo "${NODE_IMAGE}" ;;
  *) ;;
esac`,
  kind: `echo "kind $*" >> "${log}"
case "$1 $2" in
  "version "*) echo kind v0.30.0 ;;
  "create cluster") ${slow ? 'exec /bin/sleep 600' : 'exit 0'} ;;
esac`,
});

for (const [when, slow] of [
  ['the runner has the cluster', false],
  ['it is being made', true],
] as const)
  test(`kill -9 while ${when}: it is removed, and the file that runs is ended`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-holder-'));
    const [log, state] = [join(folder, 'log'), join(folder, 'state')];
    const said = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
    let child: ChildProcess | undefined;
    const file = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const fileEnded = new Promise((resolve) => file.on('exit', resolve));
    try {
      mkdirSync(state);
      for (const [name, text] of Object.entries(programs(log, slow))) {
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
        chmodSync(join(folder, name), 0o755);
      }
      const runner = join(folder, 'runner.mts');
      writeFileSync(
        runner,
        `import { startProgram } from ${JSON.stringify(join(root, 'harness/exec/program.ts'))};
         const program = ${JSON.stringify(join(root, 'test/kind-holder.ts'))};
         const holder = startProgram(process.execPath, ['--import', 'tsx', program, ${JSON.stringify(state)}], {
           onLine: (line) => console.log(line),
         });
         holder.write('create');
         holder.write('runs ${file.pid}');
         console.log('holder', holder.pid);`,
      );
      child = spawn(process.execPath, ['--import', 'tsx', runner], {
        cwd: root,
        // Nothing else: no real kind, whatever goes wrong here.
        env: { ...process.env, PATH: folder },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout?.on('data', (chunk) => {
        out += chunk;
      });
      await until(
        'the cluster',
        () => (slow ? /create cluster/.test(said()) : /^created /m.test(out)),
        WAIT_MS,
      );
      child.kill('SIGKILL');
      const holder = Number(/holder (\d+)/.exec(out)?.[1]);
      await until('the end of the holder', () => !isAlive(holder), WAIT_MS);
      assert.match(said(), `kind delete cluster --name rollproof-shared-${holder}\n`);
      assert.not.ok(existsSync(state));
      await fileEnded;
      assert.is(file.signalCode, 'SIGTERM');
    } finally {
      child?.kill('SIGKILL');
      file.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });

test.run();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
