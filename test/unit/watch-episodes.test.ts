// What a watch cuts out of a load that goes on: one journal per change, exact, and whole by every identity of a journal.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { readJournalFile } from '../../harness/journal/file.ts';
import type { Journal } from '../../harness/journal/journal.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Facts } from '../../harness/model/facts.ts';
import type { RecordOf } from '../../harness/model/journal.ts';
import { createJournalWriter } from '../../harness/record/journal-writer.ts';
import { Episodes } from '../../harness/run/watch/episodes.ts';
import { unsettled } from '../../harness/run/watch/settled.ts';
import { StreamWindow } from '../../harness/run/watch/stream-window.ts';
import { episodeHeader, fireLong, type LongLoad, podFacts, sliceFacts } from '../data/long-load.ts';
import { suite } from '../suite.ts';

const test = suite('watch: episodes');

const SERVICE = '10.0.0.1:80';
const CONTROL = '10.0.0.9:80';

/** Pods web-a and web-b run; what `happens` changes them. */
async function watched({
  untilMs,
  lost,
  failing,
  happens = [],
  services = ['web'],
}: {
  readonly untilMs: number;
  readonly lost?: (dueMs: number) => boolean;
  readonly failing?: LongLoad['streams'][number]['failing'];
  readonly happens?: readonly (readonly [number, (see: See, hear: Hear) => void])[];
  readonly services?: readonly string[];
}) {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-watch-'));
  try {
    let now = 0;
    const files: string[] = [];
    const control = { id: 'control', as: 'control', lane: 'new' as const, address: CONTROL };
    const episodes = new Episodes({
      services: services.map((name) => ({
        name,
        streams: [{ id: `${name}:new`, as: 'new', lane: 'new', address: SERVICE }],
      })),
      control,
      timeoutMs: 3000,
      limitMs: 60_000,
      tailMs: 3000,
      clock: () => now,
      wallClock: () => Date.parse('2026-01-02T03:04:05Z'),
      headerOf: episodeHeader,
      open(begin, clock) {
        const file = join(folder, `${begin.number}.ndjson`);
        files.push(file);
        return createJournalWriter(file, { clock });
      },
    });
    const see: See = (event, name, facts) =>
      episodes.write({ type: 'watch', event, namespace: 'shop', name, uid: `uid-${name}`, facts });
    const hear = (t: number, ...connections: Parameters<Hear>) =>
      episodes.write({
        type: 'witness',
        node: 'n1',
        by: 'events',
        lost: false,
        errorMs: 1,
        sinceT: t - 100,
        from: ['10.9.9.9'],
        to: [SERVICE, CONTROL, '10.0.0.77:80'],
        pods: ['10.1.0.1:8080', '10.1.0.2:8080'],
        connections,
      });
    for (const service of services) {
      for (const pod of ['a', 'b']) see('EXISTING', `${service}-${pod}`, podFacts(service));
      see('EXISTING', `${service}-x`, sliceFacts(service, [`${service}-a`, `${service}-b`]));
    }
    const load: LongLoad = {
      streams: [
        ...services.map((name) => ({
          id: `${name}:new`,
          ...(name === 'web' && lost && { lost, ...(failing && { failing }) }),
        })),
        { id: 'control' },
      ],
      untilMs,
      happens: happens.map(
        ([atMs, act]) => [atMs, (t: number) => act(see, (...told) => hear(t, ...told))] as const,
      ),
    };
    fireLong(
      episodes,
      (t) => {
        now = t;
      },
      load,
    );
    await episodes.end({ status: 'complete' });
    const journals = await Promise.all(files.map((file) => readJournalFile(file)));
    return { episodes, journals, results: journals.map((journal) => judgeExperiment(journal)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
/** Connections of the 100 ms before: [port, from, to, pod, began, answer, answeredMs]. */
type Hear = (...connections: RecordOf<'witness'>['connections']) => void;
type See = (event: 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED', name: string, facts: Facts) => void;

/** Undefined: the node's word is not there. */
const connectionsOf = (journal: Journal | undefined): [port: number, to: string, t: number][] =>
  (journal?.witness ?? []).flatMap(({ sinceT, to, connections }) =>
    connections.map(([port, , address, , began]): [number, string, number] => [
      port,
      to[address] ?? '',
      Math.round(sinceT + began),
    ]),
  );

/** web-a is replaced by web-c from `atMs` on, in four seconds. */
const replaced = (atMs: number, service = 'web'): (readonly [number, (see: See) => void])[] => [
  [atMs, (see) => see('ADDED', `${service}-c`, podFacts(service, { ready: false }))],
  [atMs + 1500, (see) => see('MODIFIED', `${service}-c`, podFacts(service))],
  [atMs + 2000, (see) => see('MODIFIED', `${service}-a`, podFacts(service, { terminating: true }))],
  [atMs + 4000, (see) => see('DELETED', `${service}-a`, podFacts(service, { terminating: true }))],
];

test('an outage that goes on when the window closes: only what was due in it, and no end', () => {
  const window = new StreamWindow({ id: 'new', lane: 'new' }, 0);
  window.closeAt(1000);
  const bucket = (i: number, refused: number) => ({
    i,
    sent: 10,
    shed: 0,
    outcomes: { ok: 10 - refused, refused },
    maxMs: 5,
  });
  const cut = window.take({
    buckets: [bucket(7, 0), bucket(8, 4), bucket(9, 4), bucket(10, 2)],
    failures: [],
    intervals: [{ startMs: 800, endMs: 1050, lost: 10 }],
  });
  assert.equal(cut.intervals, [{ startMs: 800, endMs: null, lost: 8 }]);
  assert.is(window.lost, 8);
  assert.is(window.openInterval(), undefined);
});

test('nothing changes: no journal', async () => {
  const { journals, episodes } = await watched({ untilMs: 60_000 });
  assert.is(journals.length, 0);
  assert.equal(episodes.ended, []);
});

test('a change is one episode, from before its first sign to its quiet end, and its journal is whole', async () => {
  const { journals, results, episodes } = await watched({ untilMs: 40_000, happens: replaced(20_030) });
  assert.is(journals.length, 1);
  const [result] = results;
  assert.equal(result?.invalid, []);
  assert.is(episodes.ended[0]?.trigger, 'pod web-c was created');
  assert.equal(episodes.ended[0]?.unsettled, []);
  const { fromLoadMs } = episodes.ended[0] ?? {};
  assert.is(fromLoadMs, 14_000, 'whole seconds, before what may hang');
  // From 14 s to the end of the quiet tail (24.03 + 3 s, up to the next whole second).
  assert.is(result?.lanes.new?.attempts, (28 - 14) * 20);
  assert.is(result?.lanes.new?.lost, 0);
  const { verdict, podsCame, podsWent, settledMs } = result?.episode ?? {};
  assert.equal([verdict, podsCame, podsWent, settledMs], ['clean', 1, 1, 4000]);
  const pods = new Set(
    journals[0]?.watches.flatMap(({ name, facts }) => (facts.kind === 'Pod' ? [name] : [])),
  );
  assert.equal([...pods].sort(), ['web-a', 'web-b', 'web-c']);
});

test('losses are those of the time in which they were due, and none is counted twice or left out', async () => {
  const lost = (dueMs: number) => (dueMs >= 21_000 && dueMs < 21_500) || (dueMs >= 41_300 && dueMs < 41_400);
  const { results, episodes } = await watched({
    untilMs: 70_000,
    lost,
    happens: [...replaced(20_030)],
  });
  assert.equal(
    results.map(({ lanes }) => lanes.new?.lost),
    [10, 2],
  );
  assert.equal(
    results.map(({ invalid }) => invalid),
    [[], []],
  );
  assert.is(results[0]?.lanes.new?.longestOutageMs, 500);
  assert.equal(
    results.map(({ episode }) => episode?.verdict),
    ['lost', 'lost'],
  );
  assert.match(results[0]?.episode?.reason ?? '', /^Lost 10 of \d+ in lane new, longest outage 500 ms/);
  assert.equal(
    episodes.ended.map(({ trigger }) => trigger),
    ['pod web-c was created', 'a request was lost'],
  );
});

test('the kernel’s word: of the addresses and the time of the change, and of an older connection that the change ended', async () => {
  const [web, control, another] = [0, 1, 2];
  const { journals, results } = await watched({
    untilMs: 40_000,
    lost: (dueMs) => dueMs >= 21_000 && dueMs < 21_100,
    // The first on a kept connection of 5 s, the second on a new one that was refused.
    failing: (dueMs) =>
      dueMs === 21_000
        ? {
            localPort: 2001,
            openedMs: 4950,
            nth: 2,
            reused: true,
            race: true,
            outcome: 'reset',
            code: 'ECONNRESET',
            phase: 'headers',
          }
        : { localPort: 2005, openedMs: dueMs },
    happens: [
      [5000, (_, hear) => hear([2001, 0, web, 0, 50, 1, 0.4])],
      // On both sides of the beginning, 14 s of the load.
      [14_050, (_, hear) => hear([2002, 0, web, 0, 10, 1, 0.4], [2003, 0, web, 1, 90, 1, 0.4])],
      [20_000, (_, hear) => hear([2004, 0, another, 0, 50, 1, 0.4], [2006, 0, control, 1, 60, 1, 0.4])],
      ...replaced(20_030),
      [21_100, (_, hear) => hear([2005, 0, web, 1, 50, 2, 0.4])],
    ],
  });
  const [journal] = journals;
  assert.equal(results[0]?.invalid, []);
  const began = (loadMs: number) => loadMs - 14_000 + 20;
  assert.equal(connectionsOf(journal), [
    [2003, SERVICE, began(14_040)],
    [2006, CONTROL, began(19_960)],
    [2005, SERVICE, began(21_050)],
    [2001, SERVICE, 0],
  ]);
  const failures = factsOf(journal as Journal).streams.find(({ id }) => id === 'new')?.failures ?? [];
  assert.equal(
    failures.map(({ pod, podKnownBy }) => [pod, podKnownBy]),
    [
      ['10.1.0.1', 'kernel'],
      ['10.1.0.2', 'kernel'],
    ],
  );
});

test('a change of one Service is none of another', async () => {
  const { episodes, results } = await watched({
    untilMs: 40_000,
    services: ['web', 'api'],
    happens: [...replaced(20_000), ...replaced(21_000, 'api')],
  });
  assert.equal(episodes.ended.map(({ service }) => service).sort(), ['api', 'web']);
  for (const { invalid } of results) assert.equal(invalid, []);
});

test('what never settles ends at its limit, with what keeps it from settling', async () => {
  const { episodes, journals, results } = await watched({
    untilMs: 100_000,
    happens: [[20_000, (see) => see('ADDED', 'web-c', podFacts('web', { ready: false }))]],
  });
  assert.is(episodes.ended.length, 1);
  assert.match(episodes.ended[0]?.unsettled.join() ?? '', 'pod web-c is not ready');
  assert.is(results[0]?.episode?.verdict, 'inconclusive');
  assert.not.ok(results[0]?.valid, 'no loss in a change that did not end is no pass');
  assert.match(journals[0]?.notes.map(({ text }) => text).join() ?? '', 'had not settled');
});

test('a watch that ends in the middle of a change says so and keeps its counts', async () => {
  const { episodes, results } = await watched({
    untilMs: 22_400,
    lost: (dueMs) => dueMs >= 22_000,
    happens: [[20_000, (see) => see('MODIFIED', 'web-a', podFacts('web', { terminating: true }))]],
  });
  assert.equal(
    episodes.ended.map(({ unsettled: left }) => left),
    [['pod web-a is terminating']],
  );
  assert.is(results[0]?.lanes.new?.lost, 8, 'also those of a run that had not ended');
});

test('a change that is under way when the watch begins is one', async () => {
  const now = new Map<string, Facts>([['Pod/web-a', podFacts('web', { terminating: true })]]);
  assert.equal(unsettled(now, 'web'), ['pod web-a is terminating']);
  assert.equal(unsettled(now, 'api'), []);
});

test('changes that follow one another at once share nothing', async () => {
  const { results, episodes } = await watched({
    untilMs: 80_000,
    happens: [
      ...replaced(20_000),
      [28_500, (see) => see('MODIFIED', 'web-b', podFacts('web', { ready: false }))],
      [29_000, (see) => see('MODIFIED', 'web-b', podFacts('web'))],
    ],
  });
  assert.is(episodes.ended.length, 2);
  const [first, second] = episodes.ended;
  const firstEnd = (first?.fromLoadMs ?? 0) + ((results[0]?.lanes.new?.attempts ?? 0) * 1000) / 20;
  assert.is(second?.fromLoadMs, firstEnd);
  for (const { invalid } of results) assert.equal(invalid, []);
});

test.run();
