// The load from inside and from outside a real cluster, by several agents, with k6 beside them: counts that add up, and
// nothing left on any way out. One cluster of one node serves all tests; the first makes it, the last removes it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Ownership } from '../../harness/cluster/kind/ownership.ts';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { sweep } from '../../harness/cluster/kind/removal.ts';
import { runCommand } from '../../harness/exec/command.ts';
import type { Journal } from '../../harness/journal/journal.ts';
import { readJournal } from '../../harness/journal/read.ts';
import { k6Version } from '../../harness/load/k6/binary.ts';
import type { Bucket } from '../../harness/model/load.ts';
import { addBuckets, mergeHistograms, percentilesOf } from '../../harness/model/merge-load.ts';
import type { ExperimentResult } from '../../harness/model/results.ts';
import { keptState } from '../kind-state.ts';
import { type Ended, readResults, rollproof, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = await kindProvider().unavailable();
const test = suite('paths and agents on kind', { timeoutMs: 300_000, skip });

const AGENTS = 3;
/** Per second; low, because seven generators share this machine with the cluster. */
const RATE = 60;
const { folder: state } = keptState(skip);
const own = skip ? '' : mkdtempSync(join(tmpdir(), 'rollproof-test-paths-'));
const env = { XDG_STATE_HOME: state };
const ownership = new Ownership(join(state, 'rollproof'));
const verify = [
  ...['verify', '--cluster', 'kind', '--one-node', '--keep-cluster'],
  ...['--scenario', 'image-change', '--variants', 'baseline', '--rate', String(RATE)],
];

let running: Promise<Ended> | undefined;
const folder = join(own, 'out');
/** The run that several tests look at. */
async function measured(): Promise<Ended> {
  running ??= rollproof(
    [
      ...verify,
      '--path',
      'cluster-ip,outside',
      '--agents',
      String(AGENTS),
      '--cross-check',
      'k6',
      '--out',
      folder,
    ],
    env,
  );
  return running;
}

test('both paths in one run, shown apart', async () => {
  const { code, stdout, stderr } = await measured();
  // One variant alone decides no claim that compares.
  assert.is(code, 2, `${stdout}\n${stderr}`);
  const experiments = experimentsOf(folder);
  assert.equal(
    experiments.map(({ path, agents, status }) => [path, agents, status]),
    [
      ['cluster-ip', AGENTS, 'complete'],
      ['outside', AGENTS, 'complete'],
    ],
  );
  for (const { path, lanes } of experiments) {
    assert.ok((lanes.new?.outcomes.ok ?? 0) > 100, `${path}: ${JSON.stringify(lanes.new?.outcomes)}`);
    assert.ok((lanes.new?.lost ?? 0) > 0, `${path}: baseline loses`);
  }
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  for (const column of ['baseline, cluster-ip', 'baseline, outside'])
    assert.ok(page.includes(column), column);
  const outside = await journalOf(experiments[1]);
  const names = new Set(
    outside.streamEnds.filter(({ end }) => end.stream === 'new').map(({ agent }) => agent),
  );
  assert.is(
    [...names].filter((name) => /^rollproof-outside-/.test(name)).length,
    AGENTS,
    [...names].join(' '),
  );
});

test('the counts, buckets and histograms of the agents add up, and so does their schedule', async () => {
  await measured();
  for (const experiment of experimentsOf(folder)) {
    const journal = await journalOf(experiment);
    for (const lane of ['new', 'kept'] as const) {
      const what = `${experiment.path}, ${lane}`;
      const result = experiment.lanes[lane];
      assert.ok(result, what);
      const ends = journal.streamEnds.map(({ end }) => end).filter(({ stream }) => stream === lane);
      assert.is(ends.length, AGENTS, what);
      assert.equal(
        ends.flatMap((end) => end.brokenIdentities),
        [],
        what,
      );
      for (const figure of ['scheduled', 'attempts', 'shed'] as const) {
        assert.is(result[figure], sum(ends.map((end) => end[figure])), `${what}: ${figure}`);
      }
      const shares = ends.map((end) => end.scheduled);
      // They are told to stop a moment apart: at most a quarter of a second of the load.
      assert.ok(
        Math.max(...shares) - Math.min(...shares) <= RATE / 4,
        `${what}: ${shares.join(', ')} scheduled`,
      );
      const buckets = new Map<number, Bucket>();
      for (const { frame } of journal.frames) addBuckets(buckets, frame.streams[lane]?.buckets ?? []);
      assert.is(sum([...buckets.values()].map(({ sent }) => sent)), result.attempts, `${what}: buckets`);
      const last = Math.max(...buckets.keys());
      for (let i = 0; i < last - 5; i++) {
        const { sent = 0, shed = 0 } = buckets.get(i) ?? {};
        assert.is(sent + shed, RATE / 10, `${what}: due in bucket ${i}`);
      }
      const merged = percentilesOf(mergeHistograms(ends.map((end) => end.histograms?.latency ?? '')));
      assert.is(result.latencyMs.p99, merged.p99, `${what}: latency`);
    }
    const firing = new Set(
      journal.streamEnds.filter(({ end }) => end.stream === 'new').map(({ agent }) => agent),
    );
    const begins = journal.clocks.filter(({ agent }) => firing.has(agent)).map(({ offsetMs }) => offsetMs);
    assert.ok(Math.max(...begins) - Math.min(...begins) < 250, `began at ${begins.join(', ')} ms`);
  }
});

test(
  'k6 fired the same plan from a pod, and its counts stand beside ours',
  async () => {
    await measured();
    for (const { path, lanes, crossCheck } of experimentsOf(folder)) {
      assert.match(crossCheck?.version ?? '', /^v\d/);
      for (const lane of ['new', 'kept'] as const) {
        const what = `${path}, ${lane}: ${JSON.stringify(crossCheck?.counts[lane])}`;
        const ours = lanes[lane]?.scheduled ?? 0;
        const theirs = crossCheck?.counts[lane];
        assert.ok(theirs && 'attempts' in theirs, what);
        assert.is(sum(Object.values(theirs.outcomes)), theirs.attempts, what);
        assert.ok((theirs.outcomes.ok ?? 0) > theirs.attempts / 2, what);
        assert.ok(Math.abs(theirs.attempts + theirs.dropped - ours) < 0.1 * ours, `${what}; ours ${ours}`);
      }
      assert.ok((crossCheck?.explained.length ?? 0) > 0, `${path}: losses in the same gaps differ`);
    }
    assert.ok(readFileSync(join(folder, 'index.html'), 'utf8').includes('Why the counts differ'));
  },
  { skip: skip ?? (k6Version() ? undefined : 'no k6 on the PATH') },
);

const fromOutside = [...verify, '--path', 'outside', '--agents', '2'];

test('Ctrl-C under load from outside: exit code 130, and no agent is left', async () => {
  const run = startRollproof([...fromOutside, '--out', join(own, 'interrupted')], env);
  await run.shows('under load', 120_000);
  assert.is(companions().length, 2);
  run.child.kill('SIGINT');
  const { code, stderr } = await run.ended;
  assert.is(code, 130, stderr);
  assert.equal(companions(), []);
});

test('kill -9 under load from outside: cleanup removes the agents beside the kept cluster', async () => {
  const run = startRollproof([...fromOutside, '--out', join(own, 'killed')], env);
  await run.shows('under load', 120_000);
  run.child.kill('SIGKILL');
  await run.ended;
  assert.is(companions().length, 2);
  const { stdout } = await rollproof(['cleanup'], env);
  assert.match(stdout, /^removed 2 load agents beside cluster rollproof/);
  assert.equal(companions(), []);
});

test('in the end nothing is left', async () => {
  const tokens = ownership.list().map(({ token }) => token);
  await sweep(runCommand, ownership, { kept: true, say: () => {} });
  assert.is(tokens.length, 1);
  assert.equal(companions(tokens), []);
  assert.equal(readdirSync(join(state, 'rollproof', 'clusters')), []);
  for (const one of [state, own]) rmSync(one, { recursive: true, force: true });
});

test.run();

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function experimentsOf(out: string): readonly ExperimentResult[] {
  return readResults(out).scenarios[0]?.experiments ?? [];
}

function journalOf(experiment: ExperimentResult | undefined): Promise<Journal> {
  const file = join(folder, experiment?.journal ?? '');
  return readJournal(readFileSync(file, 'utf8').trimEnd().split('\n'), file);
}

/** Containers that carry the token of a cluster of this test: load agents outside. Stopped ones, too. */
function companions(tokens = ownership.list().map(({ token }) => token)): string[] {
  return tokens.flatMap((token) =>
    execFileSync('docker', ['ps', '-aq', '--filter', `label=rollproof.dev/owner=${token}`], {
      encoding: 'utf8',
    })
      .split('\n')
      .filter(Boolean),
  );
}
