// Laws of the pure parts of load and judging, on random input: pacer, response parser, merges of counts, loss windows.
import * as assert from 'uvu/assert';
import { brokenHistograms } from '../../harness/journal/identities/histograms.ts';
import { longestOutage, lossWindows, WINDOW_GAP_MS } from '../../harness/judge/windows.ts';
import { Histogram } from '../../harness/load/histogram.ts';
import { Pacer } from '../../harness/load/pacer.ts';
import { ResponseParser } from '../../harness/load/response-parser.ts';
import { type Bucket, outcomes, type RateProfile, type StreamEnd } from '../../harness/model/load.ts';
import { addBuckets, addOutcomes } from '../../harness/model/merge-load.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('properties: load');

const rate = fc.integer({ min: 0, max: 2000 });
/** Points whose times rise from 0. */
const points = fc
  .array(fc.record({ gapMs: fc.integer({ min: 1, max: 2000 }), ratePerSecond: rate }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((list) => {
    let atMs = 0;
    return list.map(({ gapMs, ratePerSecond }, index) => {
      if (index > 0) atMs += gapMs;
      return { atMs, ratePerSecond };
    });
  });
const profile: fc.Arbitrary<RateProfile> = fc.oneof(
  fc.record({ shape: fc.constant('constant' as const), ratePerSecond: rate }),
  points.map((steps) => ({ shape: 'steps' as const, steps })),
  points.map((list) => ({ shape: 'ramp' as const, points: list })),
);
const durationMs = fc.integer({ min: 1, max: 4000 });

function dueTimes(pacer: Pacer): number[] {
  const times: number[] = [];
  for (; pacer.dueMs !== Number.POSITIVE_INFINITY; pacer.advance()) times.push(pacer.dueMs);
  return times;
}

/** Integral of the rate over [0, toMs), by its own simple way: each piece's mean rate times its length. */
function integral(given: RateProfile, toMs: number): number {
  if (given.shape === 'constant') return (given.ratePerSecond * toMs) / 1000;
  const list = given.shape === 'steps' ? given.steps : given.points;
  let sum = 0;
  for (const [index, point] of list.entries()) {
    const next = list[index + 1];
    const endMs = Math.min(toMs, next?.atMs ?? toMs);
    if (endMs <= point.atMs) continue;
    const share = next ? (endMs - point.atMs) / (next.atMs - point.atMs) : 0;
    const last =
      given.shape === 'ramp' && next
        ? point.ratePerSecond + (next.ratePerSecond - point.ratePerSecond) * share
        : point.ratePerSecond;
    sum += (((point.ratePerSecond + last) / 2) * (endMs - point.atMs)) / 1000;
  }
  return sum;
}

test('pacer: due times never go back, stay below the limit, and are as many as the rate adds up to', () => {
  fc.assert(
    fc.property(profile, durationMs, (given, maxDurationMs) => {
      const times = dueTimes(new Pacer({ profile: given, maxDurationMs }));
      for (const [index, dueMs] of times.entries()) {
        assert.ok(dueMs >= 0 && dueMs < maxDurationMs, `due at ${dueMs} of ${maxDurationMs}`);
        assert.ok(index === 0 || dueMs >= (times[index - 1] as number), 'due times go back');
      }
      const expected = integral(given, maxDurationMs);
      // Arrival k is due where the integral reaches k, from 0: one more than its whole part, but for rounding.
      assert.ok(
        Math.abs(times.length - Math.ceil(expected)) <= 1,
        `${times.length} arrivals, the rate adds up to ${expected}`,
      );
    }),
    { numRuns: 300 },
  );
});

test('pacer: the shares of several agents are the whole schedule, each arrival once', () => {
  fc.assert(
    fc.property(profile, durationMs, fc.integer({ min: 1, max: 7 }), (given, maxDurationMs, of) => {
      const whole = dueTimes(new Pacer({ profile: given, maxDurationMs }));
      const shares = Array.from({ length: of }, (_, index) =>
        dueTimes(new Pacer({ profile: given, maxDurationMs, split: { index, of } })),
      );
      assert.equal(
        shares.flat().toSorted((a, b) => a - b),
        whole,
      );
    }),
    { numRuns: 200 },
  );
});

test('pacer: a change of rate keeps what was due before it and is followed from there', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 100, max: 1500 }),
      (before, after, atMs) => {
        const maxDurationMs = 3000;
        const pacer = new Pacer({
          profile: { shape: 'constant', ratePerSecond: before },
          maxDurationMs,
        });
        let count = 0;
        for (; pacer.dueMs < atMs; pacer.advance()) count++;
        pacer.setRate(atMs, after);
        for (; pacer.dueMs !== Number.POSITIVE_INFINITY; pacer.advance()) {
          assert.ok(pacer.dueMs >= atMs, `due at ${pacer.dueMs}, before the change at ${atMs}`);
          count++;
        }
        const expected = (before * atMs + after * (maxDurationMs - atMs)) / 1000;
        assert.ok(Math.abs(count - expected) <= 1.001, `${count} arrivals for ${expected}`);
      },
    ),
    { numRuns: 200 },
  );
});

interface Read {
  readonly consumed: number;
  readonly done: boolean;
  readonly status: number;
  readonly keepAlive: boolean;
  readonly pod: string | undefined;
  readonly problem: string | undefined;
}

/** Reads the bytes in pieces that end at the cuts. */
function read(bytes: Buffer, cuts: readonly number[]): Read {
  const parser = new ResponseParser('x-pod');
  parser.reset(false);
  let consumed = 0;
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  for (const end of ends) {
    if (parser.done || parser.problem || end <= consumed) continue;
    // What came is in a buffer of its own, as from a socket.
    const piece = Buffer.from(bytes.subarray(consumed, end));
    consumed += parser.execute(piece, 0, piece.length);
  }
  const { done, status, keepAlive, pod, problem } = parser;
  return { consumed, done, status, keepAlive, pod, problem };
}

const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const response = fc
  .record({
    status: fc.constantFrom('200 OK', '204 No Content', '304 Not Modified', '503 ', '500'),
    headers: fc.array(
      fc.constantFrom(
        'X-Pod: web-1',
        'connection: close',
        'Connection: keep-alive',
        'A: b ',
        'x-pod:\tweb-2',
      ),
      { maxLength: 4 },
    ),
    framing: fc.constantFrom('length', 'chunked', 'until-fin'),
    body,
  })
  .map(({ status, headers, framing, body }) => {
    const head = [`HTTP/1.1 ${status}`, ...headers];
    if (framing === 'length') head.push(`Content-Length: ${body.length}`);
    if (framing === 'chunked') head.push('Transfer-Encoding: chunked');
    const chunk =
      body.length > 0
        ? Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
        : body;
    const rest = framing === 'chunked' ? Buffer.concat([chunk, Buffer.from('0\r\n\r\n')]) : body;
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), rest]);
  });
const cuts = fc.array(fc.nat({ max: 2000 }), { maxLength: 12 });

test('response parser: how bytes are cut into pieces changes nothing', () => {
  fc.assert(
    fc.property(response, cuts, (bytes, where) => {
      assert.equal(read(bytes, where), read(bytes, []));
    }),
    { numRuns: 1000 },
  );
});

test('response parser: a changed byte never throws, never reads past the end, and is the same in any pieces', () => {
  fc.assert(
    fc.property(
      response,
      fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 })), { maxLength: 4 }),
      cuts,
      (bytes, changes, where) => {
        const mutated = Buffer.from(bytes);
        for (const [at, value] of changes) mutated[at % mutated.length] = value;
        const once = read(mutated, []);
        assert.ok(once.consumed <= mutated.length);
        const pieces = read(mutated, where);
        assert.is(pieces.problem, once.problem);
        assert.is(pieces.done, once.done);
        if (once.done) assert.equal(pieces, once);
      },
    ),
    { numRuns: 2000 },
  );
});

test('response parser: any bytes at all', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (bytes, where) => {
      const given = Buffer.from(bytes);
      assert.is(read(given, where).problem, read(given, []).problem);
    }),
    { numRuns: 1000 },
  );
});

const counts = fc.dictionary(fc.constantFrom(...outcomes), fc.integer({ min: 1, max: 50 }));
const bucket: fc.Arbitrary<Bucket> = fc.record({
  i: fc.nat({ max: 5 }),
  sent: fc.nat({ max: 50 }),
  shed: fc.nat({ max: 5 }),
  outcomes: counts,
  maxMs: fc.nat({ max: 900 }),
});

test('merges of counts: in any order and grouping the same, nothing lost', () => {
  fc.assert(
    fc.property(fc.array(bucket, { maxLength: 20 }), fc.nat(), (buckets, seed) => {
      const sum = (list: readonly Bucket[]) => {
        const into = new Map<number, Bucket>();
        addBuckets(into, list);
        return [...into.values()].toSorted((a, b) => a.i - b.i);
      };
      const whole = sum(buckets);
      const turned = buckets.map((_, index) => buckets[(index + seed) % buckets.length] as Bucket);
      assert.equal(sum(turned), whole);
      const half = Math.floor(buckets.length / 2);
      assert.equal(sum([...sum(buckets.slice(0, half)), ...sum(buckets.slice(half))]), whole);
      const total = (list: readonly Bucket[], pick: (one: Bucket) => number) =>
        list.reduce((added, one) => added + pick(one), 0);
      for (const outcome of outcomes)
        assert.is(
          total(whole, (one) => one.outcomes[outcome] ?? 0),
          total(buckets, (one) => one.outcomes[outcome] ?? 0),
        );
      assert.is(
        total(whole, (one) => one.sent),
        total(buckets, (one) => one.sent),
      );
    }),
    { numRuns: 300 },
  );
  fc.assert(fc.property(counts, counts, (a, b) => assert.equal(addOutcomes(a, b), addOutcomes(b, a))));
});

/** Runs of one agent: they do not overlap, and rise. */
const runsOf = (agent: string) =>
  fc
    .array(fc.record({ gapMs: fc.integer({ min: 1, max: 3000 }), extra: fc.nat({ max: 60 }) }), {
      maxLength: 12,
    })
    .map((list) => {
      let atMs = 0;
      return list.map(({ gapMs, extra }) => {
        const startMs = atMs + gapMs;
        // A run of n lost attempts, 5 ms apart, ends at the next success.
        const lost = 1 + extra;
        atMs = startMs + lost * 5;
        return { startMs, endMs: atMs, lost, agent };
      });
    });

test('loss windows: every loss is in one window, windows are apart, and the order of runs changes nothing', () => {
  fc.assert(
    fc.property(runsOf('a'), runsOf('b'), fc.nat(), (a, b, seed) => {
      const runs = [...a, ...b];
      const windows = lossWindows(runs, 5);
      assert.is(
        windows.reduce((sum, one) => sum + one.lost, 0),
        runs.reduce((sum, one) => sum + one.lost, 0),
      );
      for (const [index, one] of windows.entries()) {
        assert.ok(one.startMs <= one.lastLostMs && one.lastLostMs <= one.endMs, JSON.stringify(one));
        const next = windows[index + 1];
        if (next) assert.ok(next.startMs - one.lastLostMs >= WINDOW_GAP_MS, 'two windows are one');
      }
      for (const run of runs) {
        const home = windows.filter((one) => one.startMs <= run.startMs && run.endMs <= one.endMs);
        assert.ok(home.length >= 1, `a run is in no window: ${JSON.stringify(run)}`);
      }
      const turned = runs.map((_, index) => runs[(index + seed) % runs.length] as (typeof runs)[number]);
      assert.equal(lossWindows(turned, 5), windows);
    }),
    { numRuns: 500 },
  );
});

test('longest outage: of one agent its longest run; of several never longer than any agent’s own', () => {
  fc.assert(
    fc.property(runsOf('a'), runsOf('b'), (a, b) => {
      const longest = (runs: typeof a) => Math.max(0, ...runs.map((run) => run.endMs - run.startMs));
      assert.is(longestOutage(a, 1, 5), longest(a));
      const both = longestOutage([...a, ...b], 2, 5);
      assert.ok(both <= Math.max(5, Math.min(longest(a), longest(b))), `${both}`);
    }),
    { numRuns: 300 },
  );
});

/** A value in a bucket of its own for each number: none is hidden by its neighbour. */
const ownBucketMs = (index: number): number =>
  index < 2048 ? index / 1000 : (2048 * 2 ** ((index - 2048) / 1000)) / 1000;

test('percentiles of an agent are those of its histogram when a journal is read, however many values and how far apart', () => {
  const broken = (values: readonly number[]): string[] => {
    const histogram = new Histogram();
    for (const value of values) histogram.recordMs(value);
    const none = { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    const end = {
      scheduled: values.length,
      outcomes: {},
      latencyMs: none,
      serviceMs: none,
      sendLagMs: histogram.percentiles(),
      histograms: { sendLag: histogram.encode() },
    };
    return [...brokenHistograms(end as unknown as StreamEnd, undefined)];
  };
  // Counts at which a rank, made a percentile and a rank again, is a double just above it.
  for (const count of [1, 2, 4454, 4309, 3329])
    assert.equal(broken(Array.from({ length: count }, (_, index) => ownBucketMs(index))), [], `${count}`);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6000 }), fc.integer({ min: 1, max: 9 }), (count, step) => {
      const values = Array.from({ length: count }, (_, index) => ownBucketMs(index * step));
      assert.equal(broken(values), []);
    }),
    { numRuns: 40 },
  );
});

test.run();
