// A day of watching, its time compressed: what is kept in memory does not grow with it, only with the number of changes.
import * as assert from 'uvu/assert';
import type { JournalRecord } from '../../harness/model/journal.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import { Episodes } from '../../harness/run/watch/episodes.ts';
import { episodeHeader, fireLong, podFacts, sliceFacts } from '../data/long-load.ts';
import { suite } from '../suite.ts';

const test = suite('watch: a day', { timeoutMs: 120_000 });
const HOUR_MS = 3_600_000;
const CHANGES = 96;
/** Of the heap over a day, beside what an hour needs. */
const GROWTH_LIMIT_BYTES = 24 * 1024 * 1024;

test('24 hours, a change every quarter of an hour: bounded memory, a bounded journal each', () => {
  let now = 0;
  let records = 0;
  let most = 0;
  const journal = (): JournalWriter => {
    let own = 0;
    return {
      nowMs: () => now,
      truncated: false,
      write: (_: Pick<JournalRecord, 'type'>) => {
        records++;
        own++;
        most = Math.max(most, own);
      },
      end: async () => {},
    };
  };
  const episodes = new Episodes({
    services: [{ name: 'web', streams: [{ id: 'web:new', as: 'new', lane: 'new', address: '10.0.0.1:80' }] }],
    control: { id: 'control', as: 'control', lane: 'new', address: '10.0.0.9:80' },
    timeoutMs: 3000,
    limitMs: 1_800_000,
    tailMs: 3000,
    clock: () => now,
    headerOf: episodeHeader,
    open: journal,
  });
  const see = (
    event: 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED',
    name: string,
    facts: JournalRecord & object,
  ) => episodes.write({ type: 'watch', event, namespace: 'shop', name, facts: facts as never });
  see('EXISTING', 'web-0', podFacts('web') as never);
  see('EXISTING', 'web-x', sliceFacts('web', ['web-0']) as never);
  const heaps: number[] = [];
  const change = (index: number) => {
    const atMs = (index + 1) * ((24 * HOUR_MS) / CHANGES) - 60_000;
    return [
      [atMs, () => see('ADDED', `web-${index + 1}`, podFacts('web', { ready: false }) as never)],
      [atMs + 2000, () => see('MODIFIED', `web-${index + 1}`, podFacts('web') as never)],
      [atMs + 2100, () => see('MODIFIED', `web-${index}`, podFacts('web', { terminating: true }) as never)],
      [atMs + 9000, () => see('DELETED', `web-${index}`, podFacts('web', { terminating: true }) as never)],
    ] as const;
  };
  const look = (hour: number) =>
    [hour * HOUR_MS, () => void heaps.push(process.memoryUsage().heapUsed)] as const;
  fireLong(
    episodes,
    (t) => {
      now = t;
    },
    {
      streams: [{ id: 'web:new' }, { id: 'control' }],
      untilMs: 24 * HOUR_MS,
      happens: [
        ...Array.from({ length: CHANGES }, (_, index) => change(index)).flat(),
        ...Array.from({ length: 23 }, (_, hour) => look(hour + 1)),
      ],
    },
  );
  assert.is(episodes.ended.length, CHANGES);
  assert.ok(episodes.ended.every(({ lost, unsettled }) => lost === 0 && unsettled.length === 0));
  assert.ok(most < 400, `a journal has up to ${most} records`);
  assert.ok(records < CHANGES * 400, `${records} records`);
  const growth = Math.min(...heaps.slice(-6)) - Math.min(...heaps.slice(0, 6));
  assert.ok(
    growth < GROWTH_LIMIT_BYTES,
    `the heap grew by ${growth} bytes (${heaps.map((one) => Math.round(one / 1e6))} MB)`,
  );
});

test.run();
