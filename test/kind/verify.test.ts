// The first scenario on a real cluster, as a user runs it: what baseline loses and hardened does not, why, and that
// nothing is left. One cluster serves all tests; the first makes it, the last removes it.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import type { ExperimentResult, LaneResult } from '../../harness/model/results.ts';
import { inTemporaryFolder, readResults, rollproof, root, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = await kindProvider().unavailable();
const test = suite('verify on kind', { timeoutMs: 420_000, skip });

const verify = ['verify', '--cluster', 'kind', '--keep-cluster', '--scenario', 'image-change'];
// A state folder of the test's own: a cluster that the user keeps is neither used nor removed.
const state = skip ? '' : mkdtempSync(join(tmpdir(), 'rollproof-test-state-'));
const env = { XDG_STATE_HOME: state };
const containersBefore = skip ? [] : lines('docker', ['ps', '-aq']);
const foldersBefore = temporaryFolders();
const networksBefore = skip ? [] : lines('docker', ['network', 'ls', '--format', '{{.Name}}']);

test('image-change is proven: baseline loses for both classic reasons, hardened loses nothing', () =>
  inTemporaryFolder(async (folder) => {
    const { code, stdout, stderr } = await rollproof([...verify, '--out', folder], env);
    const results = readResults(folder);
    const [scenario] = results.scenarios;
    assert.is(code, 0, `${stdout}\n${stderr}`);
    assert.is(scenario?.verdict, 'proven', scenario?.reason);
    assert.is(results.cluster.emulated, false);
    const baseline = lane(experiment(results.scenarios[0]?.experiments, 'baseline'), 'new');
    const hardened = lane(experiment(results.scenarios[0]?.experiments, 'hardened'), 'new');
    assert.ok(baseline.lost > 20, `baseline lost ${baseline.lost}`);
    assert.is(hardened.lost, 0);
    assert.ok(hardened.attempts > 2000, `only ${hardened.attempts} attempts`);
    const causes = baseline.windows.flatMap((window) => window.causes);
    for (const name of ['routed-before-listening', 'routed-after-stop'] as const) {
      const named = causes.filter(({ cause }) => cause === name);
      assert.ok(named.length > 0, `cause ${name} is missing`);
      assert.ok(
        named.some(({ pods }) => pods.length > 0),
        `${name} names no pod`,
      );
      assert.ok(
        named.some(({ facts }) => facts.length > 0),
        `${name} has no facts`,
      );
    }
    for (const window of baseline.windows) {
      assert.is(
        window.causes.reduce((sum, { lost }) => sum + lost, 0),
        window.lost,
        'causes add up to the window',
      );
    }
    assert.ok(readFileSync(join(folder, 'index.html'), 'utf8').includes('Not safe as it is'));
    // The node's connection tracking was read, and with it how long its routing lagged.
    const lag = experiment(scenario?.experiments, 'baseline').routing?.[0]?.left;
    assert.ok(lag && lag.count > 0, 'no pod that left was seen by connection tracking');
  }));

test("anybody's manifests: nginx from one tag to the next, and no secret of theirs in any file", () =>
  inTemporaryFolder(async (folder) => {
    const config = join(root, 'test', 'data', 'nginx', 'rollproof.yaml');
    const { code, stdout, stderr } = await rollproof([...verify, '--config', config, '--out', folder], env);
    const [scenario] = readResults(folder).scenarios;
    const loses = scenario?.direct?.verdict === 'loses';
    assert.is(code, loses ? 1 : 0, `${stdout}\n${stderr}`);
    assert.ok(['proven', 'safe'].includes(scenario?.verdict ?? ''), scenario?.reason);
    assert.is(lane(experiment(scenario?.experiments, 'hardened'), 'new').lost, 0);
    for (const { text, name } of filesBelow(folder)) assert.not.match(text, 'planted-secret-4711', name);
  }));

test('Ctrl-C under load: exit code 130, a report of what there was, every namespace on its way out', () =>
  inTemporaryFolder(async (folder) => {
    const run = startRollproof([...verify, '--out', folder], env);
    await run.shows('under load', 120_000);
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    assert.is(code, 130, stderr);
    await namespacesGone();
  }));

test('kill -9 under load: the next start removes what was left', () =>
  inTemporaryFolder(async (folder) => {
    const run = startRollproof([...verify, '--out', join(folder, 'killed')], env);
    await run.shows('under load', 120_000);
    run.child.kill('SIGKILL');
    await run.ended;
    const left = ownNamespaces();
    assert.ok(left.length > 0, 'the killed run had deployed something');
    const next = startRollproof([...verify, '--out', join(folder, 'next')], env);
    await next.shows('Deploy', 180_000);
    const still = ownNamespaces().filter((name) => left.includes(name));
    next.child.kill('SIGINT');
    await next.ended;
    assert.equal(still, [], 'namespaces of the killed run when the next one deploys');
    await namespacesGone();
  }));

test('in the end nothing is left: clusters, containers, networks, temporary folders', async () => {
  const { code, stderr } = await rollproof(['cleanup', '--all'], env);
  rmSync(state, { recursive: true, force: true });
  assert.is(code, 0, stderr);
  assert.equal(lines('docker', ['ps', '-aq']).sort(), containersBefore.sort());
  assert.equal(lines('docker', ['network', 'ls', '--format', '{{.Name}}']).sort(), networksBefore.sort());
  assert.equal(
    temporaryFolders().filter((name) => !foldersBefore.includes(name)),
    [],
  );
});

test.run();

function experiment(experiments: readonly ExperimentResult[] | undefined, variant: string): ExperimentResult {
  const found = experiments?.find((one) => one.variant === variant);
  if (!found) throw new Error(`no experiment of ${variant}`);
  return found;
}

function lane(result: ExperimentResult, name: 'new' | 'kept'): LaneResult {
  const found = result.lanes[name];
  if (!found) throw new Error(`no lane ${name} in ${result.variant}`);
  return found;
}

function lines(command: string, args: readonly string[]): string[] {
  return execFileSync(command, args, { encoding: 'utf8' }).split('\n').filter(Boolean);
}

/** Namespaces of ours on the kept cluster. */
function ownNamespaces(): string[] {
  const [cluster] = readdirSync(join(state, 'rollproof', 'clusters'));
  const kubectl = ['exec', `${cluster}-control-plane`, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf'];
  return lines('docker', [
    ...kubectl,
    'get',
    'namespaces',
    '-l',
    'app.kubernetes.io/managed-by=rollproof',
    '-o',
    'name',
  ]);
}

/** An interrupt waits until their deletion is accepted; Kubernetes needs a few seconds more. */
async function namespacesGone(): Promise<void> {
  for (let waitedS = 0; ownNamespaces().length > 0 && waitedS < 60; waitedS++) await delay(1000);
  assert.equal(ownNamespaces(), []);
}

/** Ours, but for the test runner's own. */
function temporaryFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => /^rollproof-(?!test-)/.test(name));
}

function filesBelow(folder: string): { name: string; text: string }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
}
