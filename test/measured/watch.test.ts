// `rollproof watch` beside `rollproof cluster up`, the real kubectl making the changes: what it counts, what it says, what
// it leaves.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bound, lacksForWatch, WatchedCluster } from '../embedded-watch.ts';
import { readResults, rollproof, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('watch beside an embedded cluster', {
  timeoutMs: 180_000,
  ...(lacksForWatch && { skip: lacksForWatch }),
});
const cluster = new WatchedCluster();
const { nextFolder, args, kubectl, kubectlCommand, left } = bound(cluster);

test('a cluster is up, with a workload as most people write it', () => cluster.start());

test('around kubectl rollout restart: lost, with causes; its output untouched; nothing is left', async () => {
  const out = nextFolder();
  const { code, stdout, stderr } = await watch(out, [
    '--',
    ...kubectlCommand('rollout', 'restart', 'deployment/target'),
  ]);
  assert.match(stdout, 'deployment.apps/target restarted');
  assert.match(
    stderr,
    'Will send 20 requests per second and lane (new, kept) to Service default/target:80: GET /',
  );
  const results = readResults(out);
  const [scenario] = results.scenarios;
  const [experiment] = scenario?.experiments ?? [];
  assert.is(scenario?.experiments.length, 1, stdout);
  assert.is(scenario?.verdict, 'lost', scenario?.reason);
  assert.equal(experiment?.invalid, []);
  assert.is(code, 1);
  assert.equal([experiment?.episode?.podsCame, experiment?.episode?.podsWent], [3, 3]);
  assert.equal(experiment?.episode?.owners, ['Deployment target', experiment?.episode?.owners[1]]);
  const { lost = 0, causes = {} } = experiment?.lanes.new ?? {};
  assert.ok(lost > 0);
  assert.is(
    Object.values(causes).reduce((sum, n) => sum + n, 0),
    lost,
    'each has a cause',
  );
  assert.ok(results.cluster.emulated, 'it says that it is emulated');
  assert.is(results.watch?.command?.code, 0);
  // What the agent says of the whole load, and what was lost in changes.
  const facts = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as {
    watch: { services: { totals: Record<string, { lost: number }> }[] };
  };
  assert.is(facts.watch.services[0]?.totals.new?.lost, lost);
  assert.match(stdout, /Seal: [0-9a-f]{64}/);
  assert.is((await rollproof(['audit', out])).code, 0, 'it is as it was sealed');
  assert.equal(left(), '');
});

test('nothing changes: no evidence, exit code 2', async () => {
  const out = nextFolder();
  const { code } = await watch(out, ['--for', '2s']);
  assert.is(code, 2);
  assert.is(readResults(out).scenarios[0]?.verdict, 'nothing-changed');
  assert.equal(left(), '');
});

test('wrong from the first request on is a wrong question: exit code 4', async () => {
  const { code, stderr } = await watch(nextFolder(), ['--expect-status', '204', '--for', '30s']);
  assert.is(code, 4, stderr);
  assert.match(stderr, /not one request for \S+ was answered as expected/);
  assert.equal(left(), '');
});

test('the agent is deleted: told at once, exit code 3', async () => {
  const watching = startRollproof(args(nextFolder(), ['--for', '5m']));
  await watching.shows('watching, 0 changes', 60_000);
  kubectl('delete', 'pod', '-l', 'rollproof.dev/role=agent', '--wait=false');
  const { code, stderr } = await watching.ended;
  assert.is(code, 3, stderr);
  assert.match(stderr, /Load agent rollproof-agent-0\S*: its pod is (gone|being deleted)/);
  assert.equal(left(), '');
});

test('Ctrl-C once ends in order and reports', async () => {
  const out = nextFolder();
  const watching = startRollproof(args(out, []));
  await watching.shows('watching, 0 changes', 60_000);
  watching.child.kill('SIGINT');
  const { code, stdout } = await watching.ended;
  assert.is(code, 2);
  assert.match(stdout, 'It was stopped.');
  assert.ok(existsSync(join(out, 'index.html')));
  assert.equal(left(), '');
});

test('a rollout that never ends is told by its pod, within the limit', async () => {
  const out = nextFolder();
  const command = kubectlCommand('set', 'image', 'deployment/target', 'target=nowhere:1');
  const { code } = await watch(out, ['--limit', '8s', '--', ...command]);
  const [scenario] = readResults(out).scenarios;
  assert.match(scenario?.reason ?? '', /had not settled.*pod target-\S+ is not ready/);
  assert.is(code, scenario?.verdict === 'lost' ? 1 : 2);
  kubectl('rollout', 'undo', 'deployment/target');
  assert.equal(left(), '');
});

test('the Service is deleted: the watch ends and says so', async () => {
  const out = nextFolder();
  const watching = startRollproof(args(out, ['--for', '5m']));
  await watching.shows('watching, 0 changes', 60_000);
  kubectl('delete', 'service', 'target');
  const { stdout } = await watching.ended;
  assert.match(stdout, 'Service target was deleted while it was watched.');
  assert.equal(left(), '');
});

test('the cluster ends', () => cluster.end());

test.run();

function watch(out: string, more: readonly string[]) {
  return rollproof(args(out, more));
}
