// The pure parts of the meter: pacing, histograms, lost intervals, buckets, the response parser, merging.
import { Socket } from 'node:net';
import * as hdr from 'hdr-histogram-js';
import * as assert from 'uvu/assert';
import { autocannonIdentities } from '../../harness/load/autocannon-clients.ts';
import { Buckets, outcomeIndex } from '../../harness/load/buckets.ts';
import { Histogram } from '../../harness/load/histogram.ts';
import { brokenIdentities } from '../../harness/load/identities.ts';
import { LostIntervals } from '../../harness/load/lost-intervals.ts';
import { outcomeOfError, outcomeOfStatus, type SystemError } from '../../harness/load/outcome.ts';
import { Pacer } from '../../harness/load/pacer.ts';
import { type ParseProblem, ResponseParser } from '../../harness/load/response-parser.ts';
import { RetiredSockets } from '../../harness/load/retired-sockets.ts';
import { Spool } from '../../harness/load/spool.ts';
import type { Bucket, Outcome, RateProfile, StreamEnd } from '../../harness/model/load.ts';
import { addBuckets, mergeStreamEnds, percentilesOf } from '../../harness/model/merge-load.ts';
import { seeded } from '../faults/random.ts';
import { suite } from '../suite.ts';

const test = suite('load parts');

const dueTimes = (pacer: Pacer, limit = 100_000): number[] => {
  const times: number[] = [];
  for (; pacer.dueMs !== Number.POSITIVE_INFINITY && times.length < limit; pacer.advance())
    times.push(pacer.dueMs);
  return times;
};
const near = (a: number, b: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(a - b) <= tolerance, `${what}: ${a} is not within ${tolerance} of ${b}`);

test('pacer: number of arrivals and times of the first and last', () => {
  const constant = (ratePerSecond: number): RateProfile => ({ shape: 'constant', ratePerSecond });
  const table: [string, RateProfile, number, number, number][] = [
    // profile, duration, arrivals, last due
    ['300/s for 3 s', constant(300), 3000, 900, 899 * (1000 / 300)],
    ['0.1/s for 3 s', constant(0.1), 3000, 1, 0],
    ['0.1/s for 25 s', constant(0.1), 25_000, 3, 20_000],
    ['20,000/s for 2 s', constant(20_000), 2000, 40_000, 39_999 / 20],
    ['333/s for 3 s', constant(333), 3000, 999, 998 * (1000 / 333)],
    [
      'steps 100/s, 0, 50/s',
      {
        shape: 'steps',
        steps: [
          { atMs: 0, ratePerSecond: 100 },
          { atMs: 1000, ratePerSecond: 0 },
          { atMs: 2000, ratePerSecond: 50 },
        ],
      },
      3000,
      150,
      2980,
    ],
    // A ramp from 0 to 200/s over 2 s holds 200 arrivals, arrival k at √(k / 200) × 2000 ms.
    [
      'ramp 0 to 200/s',
      {
        shape: 'ramp',
        points: [
          { atMs: 0, ratePerSecond: 0 },
          { atMs: 2000, ratePerSecond: 200 },
        ],
      },
      2000,
      200,
      Math.sqrt(199 / 200) * 2000,
    ],
    [
      'ramp down to 0',
      {
        shape: 'ramp',
        points: [
          { atMs: 0, ratePerSecond: 100 },
          { atMs: 1000, ratePerSecond: 0 },
        ],
      },
      5000,
      50,
      1000 - Math.sqrt((1 / 50) * 1000 * 1000),
    ],
  ];
  for (const [name, profile, maxDurationMs, count, last] of table) {
    const times = dueTimes(new Pacer({ profile, maxDurationMs }));
    assert.is(times.length, count, name);
    assert.is(times[0], 0, name);
    near(times.at(-1) ?? -1, last, 0.001, name);
    assert.ok(
      times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0)),
      `${name}: in order`,
    );
  }
});

test('pacer: a constant rate is evenly spaced to a microsecond, also when agents split it', () => {
  const profile: RateProfile = { shape: 'constant', ratePerSecond: 700 };
  const whole = dueTimes(new Pacer({ profile, maxDurationMs: 5000 }));
  for (let k = 1; k < whole.length; k++)
    near((whole[k] ?? 0) - (whole[k - 1] ?? 0), 1000 / 700, 0.001, `gap ${k}`);
  const shares = [0, 1, 2].flatMap((index) =>
    dueTimes(new Pacer({ profile, maxDurationMs: 5000, split: { index, of: 3 } })),
  );
  assert.equal(
    shares.sort((a, b) => a - b),
    whole,
  );
});

test('pacer: a live rate goes on from the arrivals so far', () => {
  const pacer = new Pacer({ profile: { shape: 'constant', ratePerSecond: 100 }, maxDurationMs: 4000 });
  const times: number[] = [];
  const until = (ms: number) => {
    for (; pacer.dueMs <= ms; pacer.advance()) times.push(pacer.dueMs);
  };
  until(1000);
  pacer.setRate(1000, 200);
  until(2000);
  pacer.setRate(2000, 0);
  assert.is(pacer.dueMs, Number.POSITIVE_INFINITY);
  pacer.setRate(3000, 100, 1000);
  until(5000);
  const within = (from: number, to: number) => times.filter((time) => time >= from && time < to).length;
  assert.is(within(0, 1000), 100);
  assert.is(within(1000, 2000), 200);
  assert.is(within(2000, 3000), 1, 'the arrival that was due exactly at 2000');
  // From 0 to 100/s over one second: 50 arrivals.
  near(within(3000, 4000), 50, 1, 'ramp');
});

test('histogram: same percentiles as HdrHistogram, before and after encoding', () => {
  const random = seeded(7);
  const ours = new Histogram();
  const theirs = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 31 - 1,
    numberOfSignificantValueDigits: 3,
  });
  for (let n = 0; n < 20_000; n++) {
    const us = Math.floor(10 ** (random.next() * 7));
    ours.recordMs(us / 1000);
    theirs.recordValue(us);
  }
  const decoded = hdr.decodeFromCompressedBase64(ours.encode());
  assert.is(decoded.totalCount, 20_000);
  for (const percent of [1, 50, 90, 99, 99.9, 100]) {
    assert.is(
      decoded.getValueAtPercentile(percent),
      theirs.getValueAtPercentile(percent),
      `p${percent} encoded`,
    );
  }
  for (const percent of [1, 50, 90, 99, 99.9]) {
    assert.is(
      Math.round(ours.atShareMs(percent / 100) * 1000),
      theirs.getValueAtPercentile(percent),
      `p${percent}`,
    );
  }
});

test('lost intervals: in whatever order attempts end, the same as in order of due time', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const kinds = ['answered', 'lost', 'lost', 'neutral'] as const;
    const attempts = Array.from({ length: 1 + Math.floor(random.next() * 3000) }, (_, k) => ({
      dueMs: k * 2,
      how: random.pick(kinds),
    }));
    const expected: { startMs: number; endMs: number | null; lost: number }[] = [];
    let open: { startMs: number; lost: number } | undefined;
    for (const { dueMs, how } of attempts) {
      if (how === 'lost') open = { startMs: open?.startMs ?? dueMs, lost: (open?.lost ?? 0) + 1 };
      if (how === 'answered' && open) {
        expected.push({ ...open, endMs: dueMs });
        open = undefined;
      }
    }
    if (open) expected.push({ ...open, endMs: null });
    const intervals = new LostIntervals();
    const pending: { sequence: number; how: (typeof kinds)[number] }[] = [];
    const got: unknown[] = [];
    const endOne = () => {
      const [one] = pending.splice(Math.floor(random.next() * pending.length), 1);
      if (one) intervals.end(one.sequence, one.how);
    };
    for (const { dueMs, how } of attempts) {
      pending.push({ sequence: intervals.begin(dueMs), how });
      while (pending.length > 0 && random.next() < 0.5) endOne();
      if (random.next() < 0.01) got.push(...intervals.take());
    }
    while (pending.length > 0) endOne();
    intervals.finish();
    got.push(...intervals.take());
    assert.equal(got, expected, `seed ${seed}`);
  }
});

test('buckets: increments by due time, taken once', () => {
  const buckets = new Buckets();
  buckets.sent(10);
  buckets.sent(250);
  buckets.ended(10, outcomeIndex.ok, 3, 'a');
  const sum = new Map<number, Bucket>();
  addBuckets(sum, buckets.take());
  buckets.ended(250, outcomeIndex.refused, undefined, undefined);
  buckets.sent(99.999);
  buckets.ended(99.999, outcomeIndex.ok, 9.5, 'b');
  buckets.shed(299);
  addBuckets(sum, buckets.take());
  assert.equal(buckets.take(), []);
  assert.equal(
    [...sum.values()],
    [
      { i: 0, sent: 2, shed: 0, outcomes: { ok: 2 }, pods: { a: 1, b: 1 }, maxMs: 9.5 },
      { i: 2, sent: 1, shed: 1, outcomes: { refused: 1 }, maxMs: 0 },
    ],
  );
});

test('parser: however a response is cut, the result is the same', () => {
  const body = 'hello';
  const table: [
    string,
    string,
    {
      head?: boolean;
      problem?: ParseProblem;
      status?: number;
      keep?: boolean;
      left?: string;
      open?: boolean;
      pod?: string;
    },
  ][] = [
    [
      'length',
      `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Rollproof-Pod: web-1 \r\n\r\n${body}`,
      { pod: 'web-1' },
    ],
    ['behind it', `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${body}HTTP`, { left: 'HTTP' }],
    [
      'chunked',
      'HTTP/1.1 200 OK\r\ntransfer-ENCODING: gzip, chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n',
      {},
    ],
    [
      'not chunked last',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello',
      { open: true, keep: false },
    ],
    [
      'upper case size',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1A\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`,
      {},
    ],
    ['to FIN', `HTTP/1.1 200 OK\r\n\r\n${body}`, { open: true, keep: false }],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n', { head: true }],
    ['HEAD chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', { head: true }],
    [
      '1xx',
      `HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 5\r\n\r\n${body}`,
      { status: 201 },
    ],
    [
      'close',
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n',
      { keep: false },
    ],
    [
      'close wins',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
      { keep: false },
    ],
    ['1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', { keep: false }],
    ['1.0 kept', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n', {}],
    ['LF', `HTTP/1.1 200 OK\nContent-Length: 5\n\n${body}`, {}],
    ['length list', `HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n${body}`, {}],
    ['no version', 'HTTP/2 200 OK\r\n\r\n', { problem: 'BAD_STATUS_LINE', status: 0 }],
    ['lower case', 'http/1.1 200 OK\r\n\r\n', { problem: 'BAD_STATUS_LINE', status: 0 }],
    ['no space', 'HTTP/1.1 200OK\r\n\r\n', { problem: 'BAD_STATUS_LINE', status: 0 }],
    ['status 099', 'HTTP/1.1 099 OK\r\n\r\n', { problem: 'BAD_STATUS_LINE', status: 0 }],
    ['header of NUL', 'HTTP/1.1 200 OK\r\nA: \0\r\n\r\n', { problem: 'BAD_HEADER' }],
    ['header of CR', 'HTTP/1.1 200 OK\r\nA: a\rb\r\n\r\n', { problem: 'BAD_HEADER' }],
    [
      'folded length',
      'HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello',
      { problem: 'BAD_CONTENT_LENGTH' },
    ],
    [
      'length behind fold',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 5\r\n\r\nhello',
      { problem: 'BAD_HEADER' },
    ],
    ['hex length', 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello', { problem: 'BAD_CONTENT_LENGTH' }],
    ['plus length', 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello', { problem: 'BAD_CONTENT_LENGTH' }],
    [
      'length too large',
      'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n',
      { problem: 'BAD_CONTENT_LENGTH' },
    ],
    [
      'no chunk size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello',
      { problem: 'BAD_CHUNK' },
    ],
    [
      'chunk size too large',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n',
      { problem: 'BAD_CHUNK' },
    ],
    ['head too large', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(90_000)}`, { problem: 'HEAD_TOO_LARGE' }],
    ['many headers', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(20_000)}\r\n`, { problem: 'HEAD_TOO_LARGE' }],
  ];
  for (const [name, text, expected] of table) {
    const bytes = Buffer.from(text, 'latin1');
    const cuts = bytes.length > 1000 ? [bytes.length, 7000] : [bytes.length, 1, 2, 3, 7];
    for (const cut of cuts) {
      const parser = new ResponseParser('x-rollproof-pod');
      parser.reset(expected.head ?? false);
      let consumed = 0;
      for (let at = 0; at < bytes.length && !parser.done && !parser.problem; at += cut) {
        const end = Math.min(bytes.length, at + cut);
        consumed += parser.execute(bytes, at, end) - at;
      }
      const what = `${name}, in pieces of ${cut}`;
      assert.is(parser.problem, expected.problem, what);
      assert.is(parser.status, expected.status ?? 200, what);
      if (expected.problem) continue;
      assert.is(parser.done, !expected.open, what);
      assert.is(parser.endsWithFin, expected.open === true, what);
      assert.is(parser.keepAlive, expected.keep ?? true, what);
      assert.is(parser.pod, expected.pod, what);
      assert.is(consumed, bytes.length - (expected.left?.length ?? 0), what);
    }
  }
});

test('outcome: of errors and of statuses', () => {
  const errors: [Partial<SystemError>, boolean, Outcome][] = [
    [{ code: 'ECONNREFUSED', syscall: 'connect' }, false, 'refused'],
    [{ code: 'ECONNRESET', syscall: 'read' }, false, 'reset'],
    [{ code: 'ECONNRESET', syscall: 'read' }, true, 'reset'],
    [{ code: 'ECONNRESET' }, true, 'closed'],
    [{ code: 'EPIPE', syscall: 'write' }, false, 'closed'],
    [{ code: 'EHOSTUNREACH' }, false, 'unreachable'],
    [{ code: 'ENETUNREACH' }, false, 'unreachable'],
    [{ code: 'EAI_AGAIN' }, false, 'dns'],
    [{ code: 'ENOTFOUND' }, false, 'dns'],
    [{ code: 'EMFILE' }, false, 'local'],
    [{ code: 'EADDRNOTAVAIL' }, false, 'local'],
    [{ code: 'CERT_HAS_EXPIRED' }, true, 'tls'],
    [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, true, 'tls'],
    [{ code: 'ERR_SSL_WRONG_VERSION_NUMBER' }, true, 'tls'],
    [{ code: 'EPROTO' }, false, 'tls'],
    [{ code: 'ENOSYS' }, false, 'other'],
  ];
  for (const [error, handshake, expected] of errors) {
    assert.is(
      outcomeOfError(Object.assign(new Error('x'), error), handshake),
      expected,
      JSON.stringify(error),
    );
  }
  const statuses: [number, number[], Outcome][] = [
    [200, [], 'ok'],
    [299, [], 'ok'],
    [301, [], 'http3xx'],
    [404, [], 'http4xx'],
    [503, [], 'http5xx'],
    [404, [404], 'ok'],
    [200, [404], 'other'],
    [101, [], 'other'],
    [101, [101], 'ok'],
    [600, [], 'other'],
  ];
  for (const [status, expected, outcome] of statuses) {
    assert.is(outcomeOfStatus(status, expected), outcome, `${status} of ${expected}`);
  }
});

const end: StreamEnd = {
  stream: 'new',
  lane: 'new',
  scheduled: 10,
  attempts: 9,
  shed: 1,
  inFlight: 0,
  outcomes: { ok: 5, http5xx: 1, refused: 1, timeout: 1, aborted: 1 },
  races: 0,
  phases: {},
  failuresListed: 4,
  failuresDropped: 0,
  connectionsOpened: 9,
  durationMs: 1,
  latencyMs: { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 },
  serviceMs: { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 },
  sendLagMs: { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 },
  brokenIdentities: [],
};

test('identities: each miscount is told', () => {
  const sound = {
    end,
    carried: { sent: 9, shed: 1, outcomes: 9, lostInIntervals: 3 },
    own: [],
  };
  const totals = { errors: 2, timeouts: 1, sent: 9, classes: [0, 5, 0, 0, 1] as const };
  const own = (changed: Partial<Parameters<typeof autocannonIdentities>[0]>) =>
    autocannonIdentities({ ...totals, ...changed }, { end, answered: 6, classes: [0, 5, 0, 0, 1] });
  assert.equal(brokenIdentities({ ...sound, own: own({}) }), []);
  const broken: [string, Parameters<typeof brokenIdentities>[0]][] = [
    ['scheduled = attempts', { ...sound, end: { ...end, scheduled: 11 } }],
    ['sum of outcomes', { ...sound, end: { ...end, inFlight: 1 } }],
    ['outcomes in buckets', { ...sound, carried: { ...sound.carried, outcomes: 8 } }],
    ['sent in buckets', { ...sound, carried: { ...sound.carried, sent: 8 } }],
    ['shed in buckets', { ...sound, carried: { ...sound.carried, shed: 0 } }],
    ['lost in intervals', { ...sound, carried: { ...sound.carried, lostInIntervals: 4 } }],
    ['failures', { ...sound, end: { ...end, failuresListed: 3 } }],
    ['autocannon: sent', { ...sound, own: own({ sent: 10 }) }],
    ['autocannon: timeouts', { ...sound, own: own({ timeouts: 0 }) }],
    ['autocannon: errors', { ...sound, own: own({ errors: 1 }) }],
    ['autocannon: 2xx', { ...sound, own: own({ classes: [0, 4, 0, 0, 1] }) }],
  ];
  for (const [name, counted] of broken) {
    assert.ok(
      brokenIdentities(counted).some((sentence) => sentence.includes(name)),
      name,
    );
  }
});

test('histogram: cleared, it is as new', () => {
  const random = seeded(9);
  const reused = new Histogram();
  for (let round = 0; round < 20; round++) {
    const fresh = new Histogram();
    for (let n = 0; n < 50; n++) {
      const ms = 10 ** (random.next() * 5 - 2);
      reused.recordMs(ms);
      fresh.recordMs(ms);
    }
    assert.equal(reused.percentiles(), fresh.percentiles());
    assert.is(reused.encode(), fresh.encode());
    reused.clear();
    assert.equal(reused.percentiles(), new Histogram().percentiles());
  }
});

test('retired sockets: ended when their time is over, given out again only when they ended in order', () => {
  let nowMs = 0;
  const retired = new RetiredSockets(() => nowMs, true);
  const [first, second, third] = [new Socket(), new Socket(), new Socket()];
  retired.add(first);
  nowMs = 100;
  retired.add(second);
  retired.closed(second, true);
  nowMs = 200;
  retired.add(third);
  assert.equal([first.destroyed, third.destroyed], [true, false]);
  retired.closed(first, false);
  assert.is(retired.takeSpare(), second);
  assert.is(retired.takeSpare(), undefined);
  // It is another connection's now: what it waited for before is forgotten.
  nowMs = 1000;
  retired.add(new Socket());
  assert.equal([second.destroyed, third.destroyed], [false, true]);
  const fourth = new Socket();
  retired.add(fourth);
  for (let n = 0; n < 1000; n++) retired.add(new Socket());
  assert.ok(fourth.destroyed, 'no more than 1000 wait');
  retired.close();

  const tls = new RetiredSockets(() => nowMs, false);
  tls.add(second);
  tls.closed(second, true);
  assert.is(tls.takeSpare(), undefined, 'nothing of TLS can be used again');
  tls.close();
});

test('many agents add up: counts, phases and histograms', () => {
  const agents = [1, 2, 3].map((agent) => {
    const histogram = new Histogram();
    for (let n = 0; n < agent * 100; n++) histogram.recordMs(agent * 10 + n / 100);
    const encoded = histogram.encode();
    return {
      ...end,
      attempts: agent,
      phases: { 'refused/connect/new': agent, [`reset/body/${agent}`]: 1 },
      latencyMs: histogram.percentiles(),
      histograms: { latency: encoded, service: encoded, sendLag: encoded },
    };
  });
  const merged = mergeStreamEnds(agents);
  assert.is(merged.attempts, 6);
  assert.is(merged.scheduled, 30);
  assert.equal(merged.outcomes, { ok: 15, http5xx: 3, refused: 3, timeout: 3, aborted: 3 });
  assert.equal(merged.phases, {
    'refused/connect/new': 6,
    'reset/body/1': 1,
    'reset/body/2': 1,
    'reset/body/3': 1,
  });
  const one = new Histogram();
  for (const agent of [1, 2, 3]) for (let n = 0; n < agent * 100; n++) one.recordMs(agent * 10 + n / 100);
  assert.equal(merged.latencyMs, percentilesOf(one.encode()));
});

test('spool: numbered, acknowledged frames go, what falls out is seen as a missing number', () => {
  const spool = new Spool();
  const seqs = (after: number) => spool.pull(after).map((json) => (JSON.parse(json) as { seq: number }).seq);
  for (let n = 0; n < 5; n++) spool.add({ atMs: n, streams: {}, phases: [] });
  assert.equal(seqs(0), [1, 2, 3, 4, 5]);
  assert.equal(seqs(3), [4, 5]);
  assert.equal(seqs(0), [4, 5], 'acknowledged ones are gone');
  for (let n = 0; n < 4000; n++) spool.add({ atMs: n, streams: {}, phases: [] });
  assert.ok((seqs(5)[0] ?? 0) > 6, 'bounded');
  assert.is(spool.nextSeq, 4006);
});

test.run();
