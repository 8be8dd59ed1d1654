// What comes of `rollproof watch` beside its verdict: a patch that kubectl takes, a comparison of two watches, gate, history and
// reports of several Services; and what becomes of the agents of one that was killed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { bound, lacksForWatch, WatchedCluster } from '../embedded-watch.ts';
import { readResults, rollproof, root, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('what comes of a watch', {
  timeoutMs: 250_000,
  ...(lacksForWatch && { skip: lacksForWatch }),
});
const cluster = new WatchedCluster();
const { nextFolder, args, kubectl, kubectlCommand, left } = bound(cluster);
const abandoned = 'abandoned';
let killedAt = 0;

test('a cluster is up, with two workloads', async () => {
  await cluster.start();
  const manifests = readFileSync(join(root, 'target', 'manifests.yaml'), 'utf8');
  const other = join(cluster.folder, 'other.yaml');
  writeFileSync(other, manifests.replaceAll(/\btarget$/gm, 'other'));
  kubectl('apply', '-f', other);
  kubectl('create', 'namespace', abandoned);
  kubectl('rollout', 'status', 'deployment/other', '--timeout=60s');
});

test('kill -9: nobody is left to remove anything', async () => {
  const watching = startRollproof(args(nextFolder(), ['--agent-namespace', abandoned, '--for', '30m']));
  await watching.shows('watching, 0 changes', 60_000);
  watching.child.kill('SIGKILL');
  killedAt = performance.now();
  await watching.ended;
  assert.match(left(abandoned), /job.batch\/rollproof-agent/);
  // That Kubernetes keeps an ended Job for so long is Kubernetes' own: told less, so that the wait below is the agent's.
  const [job = ''] = kubectl('-n', abandoned, 'get', 'jobs', '-o', 'name').trim().split('\n');
  assert.is(kubectl('-n', abandoned, 'get', job, '-o', 'jsonpath={.spec.ttlSecondsAfterFinished}'), '60');
  kubectl('-n', abandoned, 'patch', job, '--type', 'merge', '-p', '{"spec":{"ttlSecondsAfterFinished":1}}');
});

test('what it says to change is a patch that kubectl takes, and compare says that it helped', async () => {
  const before = nextFolder();
  const restart = ['--', ...kubectlCommand('rollout', 'restart', 'deployment/target')];
  await rollproof(args(before, restart));
  const { command = '', file = '' } = JSON.parse(readFileSync(join(before, 'run.json'), 'utf8')).watch
    .services[0].remedy as { command?: string; file?: string };
  const [, ...words] = command.split(' ');
  kubectl(...words.map((word) => (word === file ? join(before, file) : word)));
  kubectl('rollout', 'status', 'deployment/target', '--timeout=60s');
  const out = nextFolder();
  const { stdout } = await rollproof(args(out, restart));
  // What the app itself does to kept connections no manifest mends.
  assert.is(readResults(out).scenarios[0]?.experiments[0]?.lanes.new?.lost, 0, stdout);
  const compared = await rollproof(['compare', before, out]);
  assert.is(compared.code, 0, compared.stdout);
  assert.match(
    compared.stdout,
    /It lost less than before: lane new \d+ of \d+ \([^)]+\) before, none of \d+ \(at most [^)]+\) now/,
  );
});

test('several Services, until so many changes: gate, history, reports and findings of each', async () => {
  const out = nextFolder();
  const [gate, history] = [join(cluster.folder, 'gate.yaml'), join(cluster.folder, 'history.ndjson')];
  writeFileSync(gate, 'maxLost: {new: 0}\n');
  const watching = startRollproof(
    args(out, ['--rollouts', '2', '--gate', gate, '--history', history], 'target,other'),
  );
  await watching.shows('watching, 0 changes', 60_000);
  kubectl('rollout', 'restart', 'deployment/target', 'deployment/other');
  const { code, stdout, stderr } = await watching.ended;
  const { scenarios, findings = [] } = readResults(out);
  assert.equal(
    scenarios.map(({ name, experiments }) => `${name} ${(experiments[0]?.lanes.new?.lost ?? 0) > 0}`).sort(),
    ['watch-other true', 'watch-target false'],
    `${stdout}\n${stderr}`,
  );
  assert.is(code, 1);
  assert.match(stdout, '2 changes have ended.');
  assert.match(stdout, /Gate: crossed\n {2}✕ maxLost: watch-other, watched/);
  const kept = readFileSync(history, 'utf8').trim().split('\n');
  assert.equal(
    kept.map((line) => (JSON.parse(line) as { scenarios: { name: string }[] }).scenarios[0]?.name).sort(),
    ['watch-other', 'watch-target'],
  );
  const junit = readFileSync(join(out, 'junit.xml'), 'utf8');
  assert.match(junit, /watch-other[\s\S]*<failure/);
  assert.match(readFileSync(join(out, 'summary.md'), 'utf8'), 'watch-other');
  assert.ok(
    findings.some(({ finding }) => finding.file === 'live-other.yaml'),
    JSON.stringify(findings),
  );
  assert.equal(left(), '');
});

test('what kill -9 left has gone by itself: the agent when nobody asked it, all else with its Job', async () => {
  const deadline = killedAt + 240_000;
  while (left(abandoned) !== '' && performance.now() < deadline) await sleep(1000);
  assert.is(left(abandoned), '', `${Math.round((performance.now() - killedAt) / 1000)} s after it`);
});

test('the cluster ends', () => cluster.end());

test.run();
