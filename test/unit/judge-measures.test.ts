import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Measures } from '../../harness/judge/measures.ts';
import { JournalBuilder, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: measures');

async function measuresOf(setup: (journal: JournalBuilder) => void, options = {}): Promise<Measures> {
  const journal = new JournalBuilder(options);
  setup(journal);
  return judgeExperiment(await readJournal(journal.lines())).measures;
}

function check(measures: Measures, expected: Measures): void {
  for (const [name, value] of Object.entries(expected)) assert.equal(measures[name], value, name);
}

/** Two replicas, one replaced: surge of one, its old pod terminating for 2 s. */
function rollout(journal: JournalBuilder): void {
  journal.replicaSet(-1000, 'web-aaa', 2, '1', 'EXISTING').deployment(-1000);
  journal.oldPod('a', { node: 'node1' });
  journal
    .pod('b', { node: 'node2' })
    .runningReady(-1000)
    .phase(-900, 'listening')
    .terminating(6000)
    .phase(6100, 'sigterm')
    .phase(7900, 'closed')
    .ended(7950, 0)
    .deleted(8000);
  journal.endpoints(-500, { a: 'ready', b: 'ready' });
  journal.step(2000, { step: 'set-image', image: 'next' });
  journal.deployment(2010, { generation: 2, observedGeneration: 1 });
  journal.replicaSet(2020, 'web-bbb', 1, '2', 'ADDED');
  journal
    .pod('c', { node: 'node2', templateHash: 'bbb' })
    .created(2100)
    .running(3000)
    .phase(3000, 'starting')
    .phase(5000, 'listening')
    .ready(5500);
  journal.endpoints(5540, { a: 'ready', b: 'ready', c: 'ready' });
  journal.replicaSet(5560, 'web-aaa', 1);
  journal.endpoints(6050, { a: 'ready', b: 'terminating', c: 'ready' });
  journal.endpoints(7960, { a: 'ready', c: 'ready' });
  journal.deployment(6060, { generation: 2, observedGeneration: 2, revision: '2', images: ['target:2'] });
}

test('a rolling update, counted', async () => {
  const measures = await measuresOf(
    (journal) => {
      rollout(journal);
      journal.lane('new', {
        answeredBy: (dueMs) => (dueMs < 6480 ? 'b' : 'a'),
        losses: lossesBetween(6500, 6550),
      });
    },
    { replicas: 2 },
  );
  check(measures, {
    'new.lost': 10,
    'new.attempts': 4000,
    'new.lost:refused': 10,
    'new.lost:timeout': 0,
    'new.okShare': 0.998,
    'new.lostShare': 0.003,
    'new.windows': 1,
    'new.longestOutageMs': 50,
    rolloutMs: 4060,
    settledMs: 6000,
    minReady: 2,
    readyAtEnd: 2,
    maxPodsNotTerminating: 3,
    maxPodsAsked: 3,
    maxPods: 3,
    maxTerminating: 1,
    podCounts: '2/0/0, 2/1/0, 3/0/0, 2/0/1, 2/0/0',
    capacityLostPodSeconds: 0,
    // One more pod from 2.1 to 8.0 s.
    extraPodSeconds: 5.9,
    scaleSteps: 'rs2 0>1, rs1 2>1',
    revisions: '1,2',
    revisionAtEnd: 2,
    imageAtEnd: 'target:2',
    podsCreated: 1,
    podsDeleted: 1,
    readyAfterStartMsMin: 2500,
    readyAfterStartMsMax: 2500,
    readyAfterCreationMsMax: 3400,
    listeningAfterStartMsMax: 2000,
    readyAfterListeningMsMax: 500,
    sigtermAfterDeletionMsMax: 100,
    terminationMsMax: 2000,
    readyAfterDeletionMsMax: 0,
    lastNewConnectionAfterDeletionMsMax: 545,
    minEndpointsReady: 2,
    noEndpointMs: 0,
    endpointAfterReadyMsMax: 40,
    placementSkewMax: 1,
    placementSkewEnd: 0,
    podsPerNodeEnd: 'node1 1, node2 1',
    'exitCode:0': 1,
    'exitCode:137': 0,
    restarts: 0,
    progressDeadlineExceeded: 0,
  });
});

test('scaling from two to none and back: capacity lost, no endpoint', async () => {
  const measures = await measuresOf(
    (journal) => {
      journal.deployment(-1000, { specReplicas: 1 });
      journal.pod('a').runningReady(-1000).terminating(3000).ended(3500, 143).deleted(4000);
      journal.endpoints(-500, { a: 'ready' });
      journal.step(2000, { step: 'delete-pod', count: 1 }, 2020, { pods: ['a'] });
      journal.endpoints(3050, { a: 'terminating' }).endpoints(3510, {});
      journal.pod('b').created(3020).running(4000).ready(6000);
      journal.endpoints(6010, { b: 'ready' });
      journal.lane('new');
    },
    { replicas: 1 },
  );
  check(measures, {
    minReady: 0,
    capacityLostPodSeconds: 3,
    readyAfterDeletionMsMax: 3000,
    minEndpointsReady: 0,
    minEndpointsRouted: 0,
    noEndpointMs: 2500,
    'exitCode:143': 1,
    'step:1.pods': 'a',
    specReplicas: '1',
  });
});

test('restarts, exit codes, cut hooks and events', async () => {
  const measures = await measuresOf((journal) => {
    journal.step(1000, { step: 'set-image', image: 'broken' });
    journal.pod('a').runningReady(-1000).restarted(3000, 1).restarted(9000, 1);
    journal.pod('b').runningReady(-1000).terminating(2000, 5).ended(7200, 137).deleted(7400);
    journal
      .event(7000, 'FailedPreStopHook', 'PreStopHook failed', 'b')
      .event(5000, 'BackOff', 'Back-off', 'a', 'Pod', 3);
    journal.event(500, 'Unhealthy', 'before the first step', 'a');
    journal.deployment(8000, {
      conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
      updated: 1,
    });
    journal.lane('new');
  });
  check(measures, {
    restarts: 2,
    'exitCode:1': 2,
    'exitCode:137': 1,
    graceExceeded: 1,
    preStopCut: 1,
    'event:BackOff': 3,
    'eventMessage:BackOff': 'Back-off',
    'event:Unhealthy': 0,
    progressDeadlineExceeded: 1,
  });
  assert.is(measures.rolloutMs, undefined);
});

test('an autoscaler, a history and refusals', async () => {
  const scaler = (journal: JournalBuilder, atMs: number, desired: number, currentUtilization: number) =>
    journal.watch(atMs, 'MODIFIED', 'web', {
      kind: 'HorizontalPodAutoscaler',
      min: 1,
      max: 5,
      current: desired,
      desired,
      currentUtilization,
      targetUtilization: 50,
      conditions: [],
    });
  const measures = await measuresOf((journal) => {
    journal.step(1000, { step: 'load-rate', ratePerSecond: 300 });
    scaler(journal, 500, 0, 0);
    scaler(journal, 1200, 1, 2);
    scaler(journal, 5000, 5, 207);
    scaler(journal, 12_000, 4, 30);
    scaler(journal, 15_000, 1, 2);
    journal.step(16_000, { step: 'history', as: 'after' }, 16_020, { as: 'after', revisions: [1, 3, 4] });
    journal.step(16_100, { step: 'expect-refusal', patch: {}, message: 'may not be 0' }, 16_120, {
      refused: true,
      status: 422,
      message: 'Invalid value: may not be 0',
      asExpected: true,
    });
    journal.lane('new');
  });
  check(measures, {
    desired: '1>5>4>1',
    desiredMax: 5,
    desiredMin: 1,
    desiredEnd: 1,
    scaledUpMs: 4000,
    peakMs: 4000,
    scaledDownMs: 11_000,
    utilizationMax: 207,
    'history:after': '1,3,4',
    refusals: 1,
    refusalsAsExpected: 1,
    'step:3.status': 422,
  });
});

test('every measure is documented in docs/claims.md', async () => {
  const text = readFileSync(new URL('../../docs/claims.md', import.meta.url), 'utf8');
  const prose = text.replace(/```[\s\S]*?```/g, '');
  const documented = new Set([...prose.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string));
  const measures = await measuresOf(
    (journal) => {
      rollout(journal);
      journal.lane('new', { answeredBy: () => 'b' });
    },
    { replicas: 2 },
  );
  const patterns: [RegExp, string][] = [
    [/^(new|kept|long)\./, ''],
    [/^lost:.*/, 'lost:OUTCOME'],
    [/^cause:.*/, 'cause:CAUSE'],
    [/^exitCode:.*/, 'exitCode:N'],
    [/^event:.*/, 'event:REASON'],
    [/^eventMessage:.*/, 'eventMessage:REASON'],
    [/^step:.*/, 'step:N.FIELD'],
    [/^history:.*/, 'history:NAME'],
    [/Min$/, 'Min/Max'],
    [/Max$/, 'Min/Max'],
  ];
  const known = (name: string) =>
    documented.has(name) || patterns.some(([pattern, by]) => documented.has(name.replace(pattern, by)));
  const missing = Object.keys(measures)
    .map((name) => name.replace(/^(new|kept|long)\./, ''))
    .filter((name) => !known(name));
  assert.equal(missing, []);
  assert.ok(Object.keys(measures).length > 60);
});

test.run();
