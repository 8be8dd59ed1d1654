// `rollproof watch` on a real cluster while the real kubectl changes things: what it counts against what the servers counted
// that received it, what it says of each kind of change, and what is left. One cluster serves all tests; the first makes it,
// the last removes it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { readJournal } from '../../harness/journal/read.ts';
import type { Results } from '../../harness/model/results.ts';
import { clusterByHand, lacksKubectl } from '../kind-cluster.ts';
import { readResults, rollproof, root, startRollproof } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacksKubectl();
const test = suite('watch on kind', { timeoutMs: 120_000, ...(skip && { skip }) });

const cluster = clusterByHand('watch', skip);
const { folder, kubeconfig } = cluster;
const namespace = 'watched';
const image = 'node:20-bookworm-slim';
const at = ['--kubeconfig', kubeconfig];
const env = { KUBECONFIG: kubeconfig };
const lanes = ['new', 'kept'] as const;
let before: readonly string[] = [];
let runs = 0;

test(
  'a cluster, and servers that count what they receive',
  async () => {
    await cluster.create({ nodes: ['control-plane', 'worker', 'worker'], images: [image] });
    kubectl('create', 'namespace', namespace);
    kubectl('apply', '-f', join(root, 'test', 'data', 'watched', 'counted.yaml'));
    kubectl('wait', '--for', 'condition=ready', 'pod/tally', '--timeout', '120s');
    for (const workload of ['deployment/web', 'deployment/api', 'statefulset/db'])
      kubectl('rollout', 'status', workload, '--timeout', '180s');
    before = everything();
  },
  { timeoutMs: 400_000 },
);

test('kubectl set image', async () => {
  const next = `docker.io/library/${image}`;
  const { results, code, text } = await watched(
    ['web'],
    ['kubectl', '-n', namespace, 'set', 'image', 'deployment/web', `app=${next}`],
  );
  const [change] = changesOf(results);
  assert.is(code, 1, text);
  assert.is(change?.episode?.verdict, 'lost', text);
  assert.match(change?.episode?.changes.join() ?? '', /Deployment web: image node:20.* → docker.io\/library/);
  assert.equal([change?.episode?.podsCame, change?.episode?.podsWent], [2, 2], text);
});

test('kubectl rollout restart of what is set right: clean', async () => {
  const { results, text } = await watched(
    ['api'],
    ['kubectl', '-n', namespace, 'rollout', 'restart', 'deployment/api'],
  );
  const [change] = changesOf(results);
  assert.is(change?.lanes.new?.lost, 0, text);
  assert.equal([change?.episode?.podsCame, change?.episode?.podsWent], [2, 2], text);
});

test('kubectl drain', async () => {
  const node = kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].spec.nodeName}');
  const drain = `kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data --pod-selector app=web`;
  const { results, text } = await watched(['web'], ['sh', '-c', `${drain}; kubectl uncordon ${node}`]);
  const [change] = changesOf(results);
  assert.is(change?.episode?.verdict, 'lost', text);
  assert.match(change?.episode?.changes.join() ?? '', `Node ${node} was cordoned`);
});

test('a StatefulSet', async () => {
  const { results, text } = await watched(
    ['db'],
    ['kubectl', '-n', namespace, 'rollout', 'restart', 'statefulset/db'],
  );
  const [change] = changesOf(results);
  assert.is(change?.episode?.verdict, 'lost', text);
  assert.equal(change?.episode?.owners, ['StatefulSet db']);
  assert.equal([change?.episode?.podsCame, change?.episode?.podsWent], [2, 2], text);
});

// Without metrics an autoscaler still keeps to its bounds.
test('a Deployment scaled by its HorizontalPodAutoscaler', async () => {
  const patch = JSON.stringify({ spec: { minReplicas: 4 } });
  const { results, text } = await watched(
    ['api'],
    [
      'sh',
      '-c',
      `kubectl -n ${namespace} patch hpa api -p '${patch}'; until [ "$(kubectl -n ${namespace} get deploy api -o jsonpath={.spec.replicas})" = 4 ]; do sleep 1; done`,
    ],
  );
  const [change] = changesOf(results);
  assert.match(change?.episode?.changes.join() ?? '', /Deployment api: replicas 2 → 4/, text);
  assert.is(change?.lanes.new?.lost, 0, text);
});

test('a script that changes two Services at once', async () => {
  const { results, text } = await watched(
    ['web', 'db'],
    ['sh', '-c', `kubectl -n ${namespace} rollout restart deployment/web statefulset/db`],
  );
  assert.equal(
    results.scenarios.map(({ name, verdict }) => `${name} ${verdict}`).sort(),
    ['watch-db lost', 'watch-web lost'],
    text,
  );
});

test('the agent is deleted in the middle: told at once', async () => {
  const watching = startRollproof(args(nextFolder(), ['api'], ['--for', '5m']), env);
  await watching.shows('watching, 0 changes', 60_000);
  kubectl('delete', 'pod', '-l', 'rollproof.dev/role=agent', '--wait=false');
  const { code, stderr } = await watching.ended;
  assert.is(code, 3, stderr);
  assert.match(stderr, /Load agent rollproof-agent-0\S*: its pod is (gone|being deleted)/);
});

test('nothing is left', () => {
  const now = everything();
  // Pods, their ReplicaSets and revisions are what was changed.
  assert.equal(
    [...now.filter((one) => !before.includes(one)), ...before.filter((one) => !now.includes(one))].filter(
      (one) => !/ (Pod|ReplicaSet|ControllerRevision)\//.test(one),
    ),
    [],
  );
  assert.is(
    kubectl('get', 'all,configmaps', '-A', '-l', 'app.kubernetes.io/managed-by=rollproof', '-o', 'name'),
    '',
  );
});

test('the cluster is removed, or what was made on it', () => cluster.remove([`namespace/${namespace}`]), {
  timeoutMs: 120_000,
});

test.run();

/**
 * Around a command. What the servers received must be what was counted: each answered request once, none that was never
 * connected. Of a request that was cut nobody but the server knows whether it was read, so those may be on either side.
 */
async function watched(services: readonly string[], command: readonly string[]) {
  const earlier = tally();
  const out = nextFolder();
  const ended = await rollproof(args(out, services, ['--', ...command]), env);
  const text = `${ended.stdout}\n${ended.stderr}`;
  const now = tally();
  for (const service of services) {
    const { asked, cut, unconnected } = await countsOf(out, service);
    const received = (now[`${service} received`] ?? 0) - (earlier[`${service} received`] ?? 0);
    // Before the load each lane asks once whether there is an answer.
    const most = asked - unconnected + lanes.length;
    const counts = `${service}: ${received} received; ${asked} attempts, ${unconnected} never connected, ${cut} cut`;
    process.stdout.write(`${counts}\n`);
    assert.ok(received >= most - cut && received <= most, `${counts}\n${text}`);
  }
  const results = readResults(out);
  // The counts are exact all the same; a verdict there is none.
  const unsound = changesOf(results).flatMap(({ status, invalid }) => (status === 'complete' ? invalid : []));
  if (unsound.length > 0) throw new Skipped(`this machine was too busy to measure: ${unsound[0]}`);
  return { results, code: ended.code, text };
}

interface RunFile {
  readonly journals: readonly string[];
  readonly watch: {
    readonly services: readonly {
      readonly name: string;
      readonly totals: Readonly<Record<string, { readonly attempts: number; readonly lost: number }>>;
    }[];
  };
}

/** Attempts of the whole load, those that were never connected, and those that were cut after that. */
async function countsOf(
  out: string,
  service: string,
): Promise<{ asked: number; unconnected: number; cut: number }> {
  const { watch, journals } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as RunFile;
  const totals = watch.services.find(({ name }) => name === service)?.totals ?? {};
  const read = await Promise.all(
    journals.map(async (file) =>
      readJournal(readFileSync(join(out, file), 'utf8').trimEnd().split('\n'), file),
    ),
  );
  const failures = read
    .filter(({ header }) => header.episode?.service === service)
    .flatMap(({ frames }) => frames)
    .flatMap(({ frame }) => lanes.flatMap((lane) => frame.streams[lane]?.failures ?? []));
  assert.is(
    failures.length,
    lanes.reduce((sum, lane) => sum + (totals[lane]?.lost ?? 0), 0),
    'every loss of the load is in a change',
  );
  const unconnected = failures.filter(({ phase }) => phase === 'connect').length;
  return {
    asked: lanes.reduce((sum, lane) => sum + (totals[lane]?.attempts ?? 0), 0),
    unconnected,
    cut: failures.length - unconnected,
  };
}

function tally(): Record<string, number> {
  const path = `/api/v1/namespaces/${namespace}/services/tally:ask/proxy/`;
  return JSON.parse(kubectl('get', '--raw', path)) as Record<string, number>;
}

/** What may not have come or gone, as "NAMESPACE kind/name". */
function everything(): string[] {
  const kinds =
    'all,configmaps,secrets,serviceaccounts,roles,rolebindings,endpointslices,poddisruptionbudgets';
  const each = '{range .items[*]}{.metadata.namespace} {.kind}/{.metadata.name}{"\\n"}{end}';
  return kubectl('get', kinds, '-A', '-o', `jsonpath=${each}`).trim().split('\n');
}

function changesOf({ scenarios }: Results) {
  return scenarios.flatMap(({ experiments }) => experiments);
}

function nextFolder(): string {
  return join(folder, `run-${++runs}`);
}

function args(out: string, services: readonly string[], more: readonly string[]): string[] {
  return ['watch', '-n', namespace, '--service', services.join(), '--path', '/work', '--out', out, ...more];
}

function kubectl(...words: readonly string[]): string {
  return execFileSync('kubectl', [...at, '-n', namespace, ...words], { encoding: 'utf8', timeout: 200_000 });
}
