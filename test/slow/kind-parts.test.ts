// The kind provider's parts by themselves: commands, kind's configuration, process identity, the lock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { clusterConfig } from '../../harness/cluster/kind/cluster-config.ts';
import { withLock } from '../../harness/cluster/kind/lock.ts';
import { Ownership, standingOf, thisProcess } from '../../harness/cluster/kind/ownership.ts';
import { proxyFailure } from '../../harness/cluster/kind/proxy-mode.ts';
import { CommandError, commandLine, runCommand } from '../../harness/exec/command.ts';
import { identify, isAlive } from '../../harness/exec/process-identity.ts';
import { makeTemporaryFolder, removeAbandonedFolders } from '../../harness/exec/temporary-folder.ts';
import { InterruptedError, UsageError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('kind-parts');

test('a command line is printed so that a shell takes it', () => {
  assert.is(
    commandLine('docker', ['exec', 'node-1', 'sh', '-c', "echo 'it works' $HOME"]),
    "docker exec node-1 sh -c 'echo '\\''it works'\\'' $HOME'",
  );
});

test('a command that fails says how it ended and its last lines', async () => {
  const table: [script: string, limitMs: number, end: unknown, message: string][] = [
    ['echo out; echo one >&2; echo two >&2; exit 3', 5000, 3, 'ended with 3\n  one\n  two'],
    ['echo only out; exit 1', 5000, 1, 'ended with 1\n  only out'],
    ['kill -KILL $$', 5000, 'SIGKILL', 'was ended by SIGKILL'],
    ['sleep 30', 200, 'timeout', 'did not end within 0.2 s'],
  ];
  for (const [script, limitMs, end, message] of table) {
    const error = await errorOf(runCommand('sh', ['-c', script], { limitMs }));
    assert.instance(error, CommandError);
    assert.is((error as CommandError).end, end, script);
    assert.is(error.message, `"${commandLine('sh', ['-c', script])}" ${message}`);
  }
  const missing = await errorOf(runCommand('no-such-program', [], { limitMs: 1000 }));
  assert.is((missing as CommandError).end, 'not-found');
});

test('only the last dozen lines are kept', async () => {
  const error = (await errorOf(
    runCommand('sh', ['-c', 'seq 100 >&2; exit 1'], { limitMs: 5000 }),
  )) as CommandError;
  assert.is(error.lastLines.length, 12);
  assert.is(error.lastLine, '100');
});

test('lines come while it runs; input and environment go in', async () => {
  const lines: string[] = [];
  const { stdout } = await runCommand('sh', ['-c', 'cat; echo "$WHO" >&2; echo done >&2'], {
    limitMs: 5000,
    input: 'given',
    env: { WHO: 'me' },
    onLine: (line) => lines.push(line),
  });
  assert.is(stdout, 'given');
  assert.equal(lines, ['me', 'done']);
});

test('an interrupt ends the command and what it has started', async () => {
  const controller = new AbortController();
  let grandchild = 0;
  const running = runCommand('sh', ['-c', 'sleep 60 & echo $! >&2; wait'], {
    limitMs: 60_000,
    signal: controller.signal,
    onLine: (line) => {
      grandchild = Number(line);
      controller.abort();
    },
  });
  assert.instance(await errorOf(running), InterruptedError);
  for (let attempt = 0; identify(grandchild) && attempt < 100; attempt++) await delay(20);
  assert.is(identify(grandchild), undefined);
  assert.instance(
    await errorOf(runCommand('sh', ['-c', 'true'], { limitMs: 1000, signal: controller.signal })),
    InterruptedError,
  );
});

test("kind's configuration: our token on every node, the user's fields kept", () => {
  const text = `
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: somebody
networking: { ipFamily: ipv4 }
kubeadmConfigPatches: ["kind: InitConfiguration"]
nodes:
  - role: control-plane
    labels: { tier: front }
    extraMounts: [{ hostPath: /data, containerPath: /data }]
  - role: worker
`;
  const shape = { token: 'abc', oneNode: false, autoscalerSyncSeconds: null };
  const four = clusterConfig(text, 'f.yaml', shape);
  assert.is(four.nodes, 2);
  const mount = { hostPath: '/dev/null', containerPath: '/rollproof/owner-abc', readOnly: true };
  assert.equal(parse(four.yaml), {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { ipFamily: 'ipv4' },
    kubeadmConfigPatches: ['kind: InitConfiguration'],
    nodes: [
      {
        role: 'control-plane',
        labels: { tier: 'front', 'rollproof.dev/owner': 'abc' },
        extraMounts: [{ hostPath: '/data', containerPath: '/data' }, mount],
      },
      { role: 'worker', labels: { 'rollproof.dev/owner': 'abc' }, extraMounts: [mount] },
    ],
  });
  const one = clusterConfig(text, 'f.yaml', { ...shape, oneNode: true, autoscalerSyncSeconds: 5 });
  assert.is(one.nodes, 1);
  const mode = (text: string) =>
    parse(clusterConfig(text, 'f.yaml', { ...shape, proxyMode: 'nftables' }).yaml);
  assert.equal(mode(text).networking, { ipFamily: 'ipv4', kubeProxyMode: 'nftables' });
  const patches = (parse(one.yaml).kubeadmConfigPatches as string[]).map((patch) => parse(patch));
  assert.equal(
    patches.slice(1).map((patch) => [patch.apiVersion, patch.controllerManager.extraArgs]),
    [
      ['kubeadm.k8s.io/v1beta3', { 'horizontal-pod-autoscaler-sync-period': '5s' }],
      ['kubeadm.k8s.io/v1beta4', [{ name: 'horizontal-pod-autoscaler-sync-period', value: '5s' }]],
    ],
  );
});

test("kube-proxy's last word is a failure only when it does not run", () => {
  const log = (text: string) => `2026-01-02T03:04:05.678901234Z stderr F ${text}`;
  const nft = log(
    'E0102 03:04:05.678 1 run.go:72] "command failed" err="could not find nftables binary: exec: \\"nft\\": executable file not found in $PATH"',
  );
  const table: [text: string, words: string | undefined][] = [
    [nft, 'could not find nftables binary: exec: "nft": executable file not found in $PATH'],
    [`${nft}\nkube-proxy-runs\n`, undefined],
    [log('I0102 03:04:05.678 1 server.go:88] "Using iptables proxy"'), undefined],
    [log('F0102 03:04:05.678 1 server.go:88] no IPVS in this kernel'), 'no IPVS in this kernel'],
    ['', undefined],
  ];
  for (const [text, words] of table) assert.is(proxyFailure(text), words, text);
});

test("kind's configuration: what is wrong with it is a sentence", () => {
  const table: [text: string, message: RegExp][] = [
    ['kind: Pod', /^f\.yaml: not a configuration of kind/],
    ['', /^f\.yaml: not a configuration of kind/],
    ['{', /^f\.yaml: not YAML: /],
    [
      'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: worker}]',
      /none of them has role control-plane/,
    ],
  ];
  for (const [text, message] of table) {
    assert.throws(
      () => clusterConfig(text, 'f.yaml', { token: 't', oneNode: false, autoscalerSyncSeconds: null }),
      (error: Error) => error instanceof UsageError && message.test(error.message),
    );
  }
});

test('a process is known by id and start time, so that a reused id is another process', async () => {
  const me = thisProcess();
  assert.is(isAlive(me), true);
  assert.is(isAlive({ ...me, startedAt: 'earlier' }), false);
  assert.is(
    isAlive({ ...me, pidNamespace: 'another', startedAt: 'unknown' }),
    true,
    'cannot be looked at from here',
  );
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
  const identity = identify(child.pid as number);
  assert.is(identity && isAlive(identity), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.is(identity && isAlive(identity), false);
  assert.is(identify(child.pid as number), undefined);
});

test('standing of a record', () => {
  const record = {
    schemaVersion: 1 as const,
    name: 'c',
    token: 't',
    owner: thisProcess(),
    creator: null,
    state: 'up' as const,
    keep: false,
    nodes: 1,
    image: null,
    autoscalerSyncSeconds: null,
    networkBefore: null,
    createdAt: '',
  };
  const [alive, dead] = [() => true, () => false];
  assert.is(standingOf(record, alive), 'in use');
  assert.is(standingOf(record, dead), 'abandoned');
  assert.is(standingOf({ ...record, keep: true }, dead), 'kept');
  assert.is(standingOf({ ...record, keep: true, owner: null }, alive), 'kept');
  assert.is(standingOf({ ...record, keep: true, state: 'creating' }, dead), 'abandoned');
});

test('a record that cannot be read is not listed and breaks nothing', async () => {
  await using place = folder();
  const ownership = new Ownership(place.path);
  mkdirSync(ownership.folderOf('broken'), { recursive: true });
  writeFileSync(join(ownership.folderOf('broken'), 'owner.json'), '{"name":');
  assert.equal(ownership.list(), []);
});

test(
  'the lock lets one process in at a time',
  async () => {
    await using place = folder();
    const counter = join(place.path, 'counter');
    writeFileSync(counter, '0');
    const module = fileURLToPath(new URL('../../harness/cluster/kind/ownership.ts', import.meta.url));
    const body = `
    import { Ownership } from ${JSON.stringify(module)};
    import { readFileSync, writeFileSync } from 'node:fs';
    const ownership = new Ownership(${JSON.stringify(place.path)});
    for (let round = 0; round < 5; round++) {
      await ownership.exclusively(async () => {
        const count = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'));
        await new Promise((resolve) => setTimeout(resolve, 10));
        writeFileSync(${JSON.stringify(counter)}, String(count + 1));
      });
    }`;
    const script = join(place.path, 'child.mts');
    writeFileSync(script, body);
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, ['--import', 'tsx', script], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    assert.equal(codes, [0, 0, 0]);
    assert.is(readFileSync(counter, 'utf8'), '15');
  },
  { timeoutMs: 90_000 },
);

test('turns: after a dead process, after a damaged file, and never before one that is in gives back', async () => {
  const dead = JSON.stringify({ ...thisProcess(), startedAt: 'earlier' });
  const cases: [what: string, files: Record<string, string>][] = [
    ['nobody yet', {}],
    ['a dead process', { '7': dead }],
    ['an empty file', { '3': '' }],
    ['given back', { '4': 'given back', '3': dead }],
    ['what a killed process left half made', { 'new-1-aa': dead, '2': dead }],
  ];
  for (const [what, files] of cases) {
    await using place = folder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place.path, name), text);
    assert.is(await withLock(place.path, thisProcess(), 1000, () => 'in'), 'in', what);
    assert.is(await withLock(place.path, thisProcess(), 1000, () => 'again'), 'again', what);
  }
  await using place = folder();
  const inside = withLock(place.path, thisProcess(), 1000, () => delay(400));
  await delay(50);
  const error = await errorOf(withLock(place.path, thisProcess(), 100, () => 'in'));
  assert.match(
    error.message,
    new RegExp(`^Waited 0.1 s for another .* Last seen: process ${process.pid}\\. End`),
  );
  await inside;
  assert.is(await withLock(place.path, thisProcess(), 1000, () => 'in'), 'in');
  await errorOf(
    withLock(place.path, thisProcess(), 1000, () => {
      throw new Error('the work failed');
    }),
  );
  assert.is(await withLock(place.path, thisProcess(), 1000, () => 'in'), 'in');
});

test('turns: who comes late, from an old look at the folder, goes back', async () => {
  await using place = folder();
  const inside = { ...thisProcess() };
  writeFileSync(join(place.path, '7'), JSON.stringify(inside));
  const { readdirSync } = fs;
  let looks = 0;
  // As it was before somebody took number 7 and cleared away those below.
  fs.readdirSync = ((...args: Parameters<typeof readdirSync>) =>
    ++looks === 1 ? ['5'] : readdirSync(...args)) as never;
  syncBuiltinESMExports();
  try {
    const error = await errorOf(withLock(place.path, thisProcess(), 200, () => 'in'));
    assert.match(error.message, new RegExp(`Last seen: process ${process.pid}\\.`));
  } finally {
    fs.readdirSync = readdirSync;
    syncBuiltinESMExports();
  }
  assert.equal(readdirSync(place.path), ['7']);
});

test(
  'turns: processes that are killed in the middle let the next one in, one at a time',
  async () => {
    await using place = folder();
    const module = (name: string) =>
      JSON.stringify(fileURLToPath(new URL(`../../harness/cluster/${name}`, import.meta.url)));
    const inside = join(place.path, 'inside');
    const log = join(place.path, 'log');
    writeFileSync(log, '');
    // Who is in says so in a file that it makes anew: a file that is there is one of a killed process.
    const script = join(place.path, 'child.mts');
    writeFileSync(
      script,
      `
import { withLock } from ${module('kind/lock.ts')};
import { identify, isAlive } from ${module('../exec/process-identity.ts')};
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
const me = identify(process.pid);
for (;;) {
  await withLock(${JSON.stringify(join(place.path, 'turns'))}, me, 60_000, async () => {
    try {
      writeFileSync(${JSON.stringify(inside)}, JSON.stringify(me), { flag: 'wx' });
    } catch {
      const other = JSON.parse(readFileSync(${JSON.stringify(inside)}, 'utf8') || 'null');
      appendFileSync(${JSON.stringify(log)}, other && isAlive(other) ? 'two\\n' : 'killed\\n');
      writeFileSync(${JSON.stringify(inside)}, JSON.stringify(me));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    appendFileSync(${JSON.stringify(log)}, 'in\\n');
    rmSync(${JSON.stringify(inside)}, { force: true });
  });
}`,
    );
    const start = () =>
      spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'ignore', 'inherit'] });
    const children = Array.from({ length: 4 }, start);
    try {
      const lines = () => readFileSync(log, 'utf8').split('\n');
      for (let tries = 0; lines().length < 20 && tries < 1200; tries++) await delay(50);
      for (let round = 0; round < 3; round++) {
        const [victim] = children.splice(0, 1);
        victim?.kill('SIGKILL');
        const before = lines().length;
        for (let tries = 0; lines().length < before + 20 && tries < 1000; tries++) await delay(20);
        assert.ok(lines().length >= before + 20, 'the others go on');
      }
      assert.is(lines().filter((line) => line === 'two').length, 0, 'two were in at once');
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
    }
  },
  { timeoutMs: 120_000 },
);

test('temporary folders: those of dead processes are removed, others are not', async () => {
  // In the shared one others sweep, too.
  const before = process.env.TMPDIR;
  const own = mkdtempSync(join(tmpdir(), 'rollproof-parts-'));
  process.env.TMPDIR = own;
  const mine = makeTemporaryFolder('test');
  const dead = makeTemporaryFolder('test');
  const foreign = mkdtempSync(join(tmpdir(), 'rollproof-test-'));
  try {
    writeFileSync(join(dead, '.owner.json'), JSON.stringify({ ...thisProcess(), startedAt: 'earlier' }));
    assert.ok(removeAbandonedFolders().includes(dead));
    assert.equal([mine, dead, foreign].map(existsSync), [true, false, true]);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(own, { recursive: true, force: true });
  }
});

test('a temporary folder of the harness says whose it is: what a killed run leaves goes at the next start', () => {
  const harness = fileURLToPath(new URL('../../harness/', import.meta.url));
  const past = readdirSync(harness, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    // The one way, and a folder within one that is recorded.
    .filter((name) => !['exec/temporary-folder.ts', 'cluster/docker-image.ts'].includes(name))
    .filter((name) => /mkdtemp/.test(readFileSync(join(harness, name), 'utf8')));
  assert.equal(past, [], 'use makeTemporaryFolder (harness/exec/temporary-folder.ts)');
});

test.run();

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'rollproof-parts-'));
  return {
    path,
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was expected to fail');
}
