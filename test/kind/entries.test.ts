// Where clients come in, on a real cluster: a race between the idle timeouts of app and proxy behind an ingress that is
// installed for it, and a reverse proxy that nobody knows, measured by its URL beside the Service: who lost it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import type { LaneResult } from '../../harness/model/results.ts';
import { keptState } from '../kind-state.ts';
import { readResults, rollproof, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacking();
const test = suite('entries on kind', { timeoutMs: 300_000, skip });

const { folder: state, lent } = keptState(skip);
const own = skip ? '' : mkdtempSync(join(tmpdir(), 'rollproof-test-entries-'));
const kubeconfig = join(own, 'kubeconfig');
const namespace = 'shop';
let runs = 0;

test('an app that closes idle connections before the ingress does: requests are lost between the two', async () => {
  const out = join(own, 'keepalive');
  const cluster = ['--cluster', 'kind', '--one-node', '--keep-cluster'];
  const { stderr, stdout } = await rollproof(
    ['verify', ...cluster, '--scenario', 'ingress-keepalive', '--out', out],
    { XDG_STATE_HOME: state },
  );
  const text = `${stdout}\n${stderr}`;
  const [scenario] = readResults(out).scenarios;
  const of = (variant: string) => scenario?.experiments.find((one) => one.variant === variant);
  const lost = of('app-shorter')?.lanes['ingress/new'];
  const all = lost?.lost ?? 0;
  // A tenth of the requests or so.
  assert.ok(all > 0, text);
  assert.equal(lost?.hops, { 'entry-pod': all }, text);
  assert.equal(lost?.causes, { 'kept-connection-cut': all }, text);
  assert.is(of('proxy-shorter')?.lanes['ingress/new']?.lost, 0, text);
  assert.is(scenario?.verdict, 'proven', text);
});

test('a proxy that is not known, before two apps', () => {
  const [cluster = ''] = readdirSync(join(state, 'rollproof', 'clusters'));
  writeFileSync(kubeconfig, run('kind', ['get', 'kubeconfig', '--name', cluster]));
  // What stood outside the experiments' namespaces went with them.
  const kinds = 'clusterroles,clusterrolebindings,ingressclasses';
  assert.is(kubectl('get', kinds, '-l', 'app.kubernetes.io/managed-by=rollproof', '-o', 'name'), '');
  for (const image of ['node:20-bookworm-slim', 'nginx:1.22.1'])
    run('kind', ['load', 'docker-image', image, '--name', cluster]);
  kubectl('create', 'namespace', namespace);
  kubectl('apply', '-f', join(root, 'test', 'data', 'entries', 'edge.yaml'));
  for (const name of ['gone', 'ill', 'edge'])
    kubectl('rollout', 'status', `deployment/${name}`, '--timeout', '180s');
});

test('pods that go while they are asked: lost between the proxy and the pods', async () => {
  const { direct, url, text } = await watched('gone', 'deployment/gone');
  assert.ok(direct.lost > 0 && url.lost > 0, text);
  assert.equal(url.hops, { 'entry-pod': url.lost }, text);
});

test('an app that answers 502 itself: the pod', async () => {
  const { direct, url, text } = await watched('ill', 'deployment/ill');
  assert.equal(Object.keys(url.outcomes).sort(), ['http5xx', 'ok'], text);
  assert.ok(direct.lost > 0 && url.lost > 0, text);
  // At its very end the proxy may find nobody.
  assert.ok((url.hops?.pod ?? 0) >= 0.9 * url.lost, text);
  assert.is(url.hops?.['client-entry'] ?? 0, 0, text);
});

test('the proxy itself is restarted: before it, and the Service loses nothing', async () => {
  const { direct, url, text } = await watched('gone', 'deployment/edge');
  assert.is(direct.lost, 0, text);
  assert.ok(url.lost > 0, text);
  assert.equal(url.hops, { 'client-entry': url.lost }, text);
});

test('the cluster is removed, or what was made on it', async () => {
  if (lent) kubectl('delete', 'namespace', namespace);
  rmSync(own, { recursive: true, force: true });
  if (lent) return;
  const { code, stderr } = await rollproof(['cleanup', '--all'], { XDG_STATE_HOME: state });
  rmSync(state, { recursive: true, force: true });
  assert.is(code, 0, stderr);
});

test.run();

/** Around a restart: lane new of the Service, and of the proxy's URL. */
async function watched(service: string, restarted: string) {
  const out = join(own, `watch-${++runs}`);
  const change = ['kubectl', '--kubeconfig', kubeconfig, '-n', namespace, 'rollout', 'restart', restarted];
  const entry = ['--entry', `http://edge.${namespace}/${service}`];
  const { stdout, stderr } = await rollproof([
    ...['watch', '--kubeconfig', kubeconfig, '-n', namespace, '--service', service, '--path', '/', ...entry],
    ...['--rate', '40', '--out', out, '--', 'sh', '-c'],
    `${change.join(' ')} && ${change.join(' ').replace('restart', 'status')} --timeout 60s`,
  ]);
  const text = `${readFileSync(join(out, 'results.json'), 'utf8').length} ${stdout}\n${stderr}`;
  const experiments = readResults(out).scenarios.flatMap((scenario) => scenario.experiments);
  const lane = (name: string): LaneResult => {
    const found = experiments[0]?.lanes[name];
    if (!found) throw new Error(`no line ${name}\n${text}`);
    process.stdout.write(
      `${service}, ${restarted}, ${name}: ${JSON.stringify([found.outcomes, found.hops, found.causes])}\n`,
    );
    return found;
  };
  return { direct: lane('new'), url: lane('url/new'), text };
}

function kubectl(...words: readonly string[]): string {
  return run('kubectl', ['--kubeconfig', kubeconfig, '-n', namespace, ...words]);
}

function run(command: string, words: readonly string[]): string {
  return execFileSync(command, words, {
    encoding: 'utf8',
    timeout: 200_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function lacking(): string | undefined {
  if (spawnSync('kubectl', ['version', '--client']).status !== 0) return 'no "kubectl" on the PATH';
  const there = spawnSync('docker', ['image', 'inspect', 'traefik:v3.6.12', 'nginx:1.22.1']).status === 0;
  return there ? undefined : 'Docker has no images traefik:v3.6.12 and nginx:1.22.1';
}
