// On which hop an attempt through an entry was lost, and why there: by what pods and endpoints did, never by the status.
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { AccessLine } from '../../harness/model/access.ts';
import type { MeasuredEntry } from '../../harness/model/entry.ts';
import type { LaneResult } from '../../harness/model/results.ts';
import { JournalBuilder, type Loss, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: hops');

const ingress: MeasuredEntry = {
  name: 'ingress',
  kind: 'ingress',
  address: '10.96.0.9:80',
  service: 'ns/rollproof-entry',
};
/** A reverse proxy that the project does not know. */
const url: MeasuredEntry = { name: 'url', kind: 'url', url: 'http://proxy/', address: 'http://proxy/' };

const three = (journal: JournalBuilder) => {
  for (const [index, name] of ['a', 'b', 'c'].entries()) journal.oldPod(name, { ip: `10.0.0.${index + 1}` });
  journal.endpoints(-500, { a: 'ready', b: 'ready', c: 'ready' });
};
/** Pod `old`: deleted at 8000, SIGTERM and end at 8050, seen ended at 8400, gone at 9000. */
const earlyStopper = (journal: JournalBuilder) => {
  journal
    .pod('old', { ip: '10.0.0.4' })
    .runningReady(-1000)
    .terminating(8000)
    .ended(8400, 0)
    .deleted(9000)
    .phase(-900, 'listening')
    .phase(8050, 'sigterm')
    .phase(8052, 'closed');
  journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
  journal.endpoints(8060, { a: 'ready', b: 'ready', c: 'ready', old: 'terminating' });
  journal.endpoints(8420, { a: 'ready', b: 'ready', c: 'ready' });
};
/** Pods of the entry itself; `entry-1` is deleted at 8000 and seen ended at 8300. */
const ownPods = (journal: JournalBuilder, restarts: boolean) => {
  journal.pod('entry-2', { role: 'entry' }).runningReady(-1000);
  const pod = journal.pod('entry-1', { role: 'entry' }).runningReady(-1000);
  if (restarts) pod.terminating(8000).ended(8300, 0).deleted(8500);
  const slice = (atMs: number, names: readonly string[]) =>
    journal.watch(atMs, 'MODIFIED', 'rollproof-entry-x', {
      kind: 'EndpointSlice',
      service: 'rollproof-entry',
      endpoints: names.map((name, index) => ({
        ip: `10.0.1.${index + 1}`,
        pod: name,
        node: 'node1',
        ready: true,
        serving: true,
        terminating: false,
      })),
    });
  slice(-500, ['entry-1', 'entry-2']);
  if (restarts) slice(8020, ['entry-2']);
};
const logged = (journal: JournalBuilder, atMs: number, sequence: number, said: Partial<AccessLine>) =>
  journal.record(atMs, {
    type: 'access',
    t: 0,
    entry: 'ingress',
    pod: 'entry-1',
    said: {
      format: 'traefik-json',
      atMs: 0,
      status: 502,
      answered: 'proxy',
      retries: 0,
      requestId: `rp-ingress/new.${String(sequence).padStart(9, '0')}`,
      ...said,
    },
  });

interface Case {
  readonly entry?: MeasuredEntry;
  readonly losses: readonly Loss[];
  readonly direct?: readonly Loss[];
  readonly setup?: (journal: JournalBuilder) => void;
  readonly expected: readonly (readonly [
    hop: string,
    cause: string,
    lost: number,
    pods: readonly string[],
    confidence: string,
  ])[];
  readonly fact?: RegExp;
}

const answered = (status: number, more: Partial<Loss> = {}) => ({
  outcome: 'http5xx' as const,
  phase: 'body' as const,
  status,
  ...more,
});
const every100 = (fromMs: number, toMs: number, loss: Omit<Loss, 'dueMs'>) =>
  lossesBetween(fromMs, toMs, loss, 10);

const table: Readonly<Record<string, Case>> = {
  '502 of the entry: its list still had a pod that was gone': {
    losses: every100(8100, 8400, answered(502)),
    setup: earlyStopper,
    expected: [['entry-pod', 'routed-after-stop', 3, ['old'], 'high']],
    fact: /pod old stopped listening at 8.05 s/,
  },
  '502 long after the Service had forgotten the pod: a proxy gathers changes': {
    losses: every100(11_200, 11_500, answered(502)),
    setup: earlyStopper,
    expected: [['entry-pod', 'routed-after-stop', 3, ['old'], 'medium']],
  },
  '502 at the moment when a pod ended with the request': {
    losses: [{ dueMs: 8040, endMs: 8060, ...answered(502) }],
    setup: earlyStopper,
    expected: [['entry-pod', 'killed-in-flight', 1, ['old'], 'high']],
  },
  'the app answers 502 itself': {
    losses: every100(5000, 5500, answered(502, { pod: 'b', podKnownBy: 'answer' })),
    expected: [['pod', 'app-error', 5, ['b'], 'high']],
    fact: /the app itself answered 502/,
  },
  'an app that does not name its pods: the direct line got the same answers': {
    losses: every100(5000, 5500, answered(502)),
    direct: every100(5000, 5500, answered(502, { pod: 'b', podKnownBy: 'answer' })),
    expected: [['pod', 'app-error', 5, [], 'medium']],
    fact: /pod b answered 502 to a request that came by the Service/,
  },
  'an app of which no answer names a pod: the direct line got the same status': {
    entry: url,
    losses: every100(8100, 8600, answered(502)),
    direct: every100(8100, 8600, answered(502)),
    setup: earlyStopper,
    expected: [['pod', 'app-error', 5, ['old'], 'medium']],
    fact: /a pod answered 502 to a request that came by the Service/,
  },
  'the direct line got another status: it says nothing': {
    losses: every100(8100, 8400, answered(502)),
    direct: every100(8100, 8400, answered(500)),
    setup: earlyStopper,
    expected: [['entry-pod', 'routed-after-stop', 3, ['old'], 'high']],
  },
  'the access log says that the app answered': {
    losses: [{ dueMs: 5000, sequence: 1000, ...answered(502) }],
    setup: (journal) => logged(journal, 5400, 1000, { answered: 'app', upstream: '10.0.0.2:8080' }),
    expected: [['pod', 'app-error', 1, ['b'], 'high']],
    fact: /pod entry-1 of entry ingress logged status 502, having asked 10.0.0.2:8080/,
  },
  'the entry is rolled: refused and cut while one of its own pods goes': {
    losses: every100(8300, 8800, { outcome: 'refused' }),
    setup: (journal) => ownPods(journal, true),
    expected: [['client-entry', 'routed-after-stop', 5, ['entry-1'], 'medium']],
  },
  'keep-alive race: nothing was starting or stopping, the direct line lost nothing, the log names the pod': {
    losses: [{ dueMs: 5000, sequence: 1000, ...answered(502) }],
    setup: (journal) => {
      ownPods(journal, false);
      logged(journal, 5400, 1000, { answered: 'proxy', upstream: '10.0.0.3:8080' });
    },
    expected: [['entry-pod', 'kept-connection-cut', 1, ['c'], 'high']],
    fact: /a connection that it had kept was closed as the request went over it/,
  },
  'keep-alive race without an access log': {
    entry: url,
    losses: every100(5000, 5300, answered(502)),
    expected: [['entry-pod', 'kept-connection-cut', 3, [], 'medium']],
    fact: /the direct line, which opens connections of its own, lost nothing/,
  },
  '503 while the Service had no endpoint': {
    losses: every100(5100, 5600, answered(503)),
    setup: (journal) => {
      journal.endpoints(3000, {});
      journal.endpoints(7000, { a: 'ready', b: 'ready', c: 'ready' });
    },
    expected: [['entry-pod', 'no-endpoint', 5, [], 'high']],
  },
  '504 that nothing explains stays unknown': {
    losses: [{ dueMs: 5000, endMs: 8000, ...answered(504) }],
    expected: [['entry-pod', 'unknown', 1, [], 'low']],
  },
  'an entry that is not known does not take the connection': {
    entry: url,
    losses: every100(5000, 5300, { outcome: 'refused' }),
    expected: [['client-entry', 'unknown', 3, [], 'low']],
    fact: /did not take the connection; its own pods are not known/,
  },
  '404 of an entry that has just begun': {
    losses: every100(6100, 6400, { outcome: 'http4xx', phase: 'body', status: 404 }),
    setup: (journal) => {
      ownPods(journal, false);
      journal.pod('entry-3', { role: 'entry' }).created(5000).running(5500).ready(6000);
    },
    expected: [['client-entry', 'app-error', 3, ['entry-3'], 'high']],
  },
};

async function judge({ entry = ingress, losses, direct, setup }: Case): Promise<LaneResult> {
  const journal = new JournalBuilder({
    entries: [{ name: 'service', kind: 'service', address: 'x' }, entry],
  });
  three(journal);
  setup?.(journal);
  journal.lane('new', { losses: direct ?? [] });
  const id = `${entry.name}/new`;
  journal.lane('new', { id, entry: entry.name, requestIds: `rp-${id}`, losses });
  const result = judgeExperiment(await readJournal(journal.lines())).lanes[id];
  assert.ok(result);
  return result;
}

for (const [what, one] of Object.entries(table)) {
  test(what, async () => {
    const { windows, lost, hops } = await judge(one);
    const shares = windows.flatMap(({ causes }) => causes);
    assert.equal(
      shares.map(({ hop, cause, lost: share, pods, confidence }) => [hop, cause, share, pods, confidence]),
      one.expected.map((row) => [...row]),
      JSON.stringify(shares, null, 1),
    );
    assert.is(
      Object.values(hops ?? {}).reduce((sum, value) => sum + value, 0),
      lost,
      'hops add up',
    );
    if (one.fact) {
      const facts = shares.flatMap((share) => share.facts.map(({ text }) => text));
      assert.ok(
        facts.some((text) => one.fact?.test(text)),
        facts.join('\n'),
      );
    }
  });
}

test('retries: what came twice and was answered hid a loss; what was lost all the same did not', async () => {
  const journal = new JournalBuilder({
    entries: [ingress],
    scenario: { entries: [{ name: 'ingress', kind: 'ingress' }] },
  });
  three(journal);
  journal.lane('new', {
    id: 'ingress/new',
    entry: 'ingress',
    requestIds: 'rp-ingress/new',
    losses: [{ dueMs: 5000, sequence: 1000, ...answered(502) }],
  });
  logged(journal, 5400, 1000, { retries: 1 });
  logged(journal, 5500, 1004, { retries: 1, status: 200, answered: 'app' });
  const records = journal.build();
  const frame = records.find((record) => record.type === 'frame' && record.frame.seq > 6);
  assert.ok(frame?.type === 'frame');
  frame.frame.deliveries = { 'rp-ingress/new': { received: 4002, again: [1000, 1004, 1004] } };
  const result = judgeExperiment(await readJournal(records.map((record) => JSON.stringify(record))));
  assert.equal(result.lanes['ingress/new']?.deliveries, { received: 4002, repeated: 2, hidden: 1 });
  assert.is(result.lanes['ingress/new']?.retriedByLog, 1);
  assert.is(result.measures['ingress/new.hidden'], 1);
});

test('how long each entry still sends new connections to a deleted pod: by its own answers', async () => {
  const journal = new JournalBuilder({
    entries: [{ name: 'service', kind: 'service', address: '10.96.0.1:80' }, ingress],
    scenario: { entries: [ingress].map(({ name, kind }) => ({ name, kind })) },
  });
  three(journal);
  journal
    .pod('old', { ip: '10.0.0.4' })
    .runningReady(-1000)
    .terminating(8000)
    .ended(13_000, 0)
    .deleted(13_500);
  const until = (endMs: number) => ({ answeredBy: (dueMs: number) => (dueMs < endMs ? 'old' : 'a') });
  journal.lane('new', until(8400));
  journal.lane('new', { id: 'ingress/new', entry: 'ingress', ...until(11_300) });
  const { measures } = judgeExperiment(
    await readJournal(journal.build().map((record) => JSON.stringify(record))),
  );
  const of = (entry: string) => Number(measures[`lastNewConnectionAfterDeletionMsMax:${entry}`]);
  assert.ok(Math.abs(of('service') - 400) <= 100, String(of('service')));
  assert.ok(Math.abs(of('ingress') - 3300) <= 100, String(of('ingress')));
});

test('weights that are moved: how much the target itself still answers, while a step waits', async () => {
  const journal = new JournalBuilder({
    entries: [{ name: 'service', kind: 'service', address: '10.96.0.1:80' }, ingress],
    scenario: { entries: [ingress].map(({ name, kind }) => ({ name, kind })) },
  });
  three(journal);
  const wait = { step: 'wait' as const, for: 'time' as const, ms: 8000, limitMs: 60_000 };
  journal.step(1000, { step: 'patch', patch: {} }, 1100);
  journal.step(1100, wait, 9100);
  journal.step(9100, { step: 'patch', patch: {} }, 9200);
  journal.step(9200, wait, 17_200);
  // Until 3 s all of it, then three of four; from 11 s on nothing. The other Service's pods do not name themselves.
  const answeredBy = (dueMs: number) =>
    dueMs < 3000 || (dueMs < 11_000 && (dueMs / 5) % 4 !== 0) ? 'a' : undefined;
  journal.lane('new', { id: 'ingress/new', entry: 'ingress', answeredBy });
  journal.lane('new', { answeredBy: () => 'a' });
  const { measures } = judgeExperiment(
    await readJournal(journal.build().map((record) => JSON.stringify(record))),
  );
  const shares = Object.entries(measures).filter(([name]) => name.includes('targetShare'));
  assert.equal(shares, [
    ['ingress/new.targetShare:2', 0.75],
    ['ingress/new.targetShare:4', 0],
  ]);
});

test.run();
