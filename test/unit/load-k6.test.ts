// The cross-check: what k6 counts against the fault server, and how differences are explained.
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { k6Version } from '../../harness/load/k6/binary.ts';
import { explainK6 } from '../../harness/load/k6/explain.ts';
import { startK6 } from '../../harness/load/k6/run.ts';
import { resultIn } from '../../harness/load/k6/summary.ts';
import type { CrossCheckCounts } from '../../harness/model/cross-check.ts';
import { type StreamEnd, streamPlanSchema } from '../../harness/model/load.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import type { FaultName } from '../faults/faults.ts';
import { suite } from '../suite.ts';

const test = suite('load k6', { timeoutMs: 90_000 });
const noTimes = { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
const ours: StreamEnd = {
  stream: 'kept',
  lane: 'kept',
  scheduled: 1000,
  attempts: 995,
  shed: 5,
  inFlight: 0,
  outcomes: { ok: 980, refused: 5, closed: 8, protocol: 2 },
  races: 3,
  phases: {},
  failuresListed: 15,
  failuresDropped: 0,
  connectionsOpened: 20,
  durationMs: 1,
  latencyMs: noTimes,
  serviceMs: noTimes,
  sendLagMs: noTimes,
  brokenIdentities: [],
};

test('differences are explained by what k6 cannot tell apart', () => {
  const table: [string, Partial<StreamEnd>, CrossCheckCounts, RegExp[]][] = [
    [
      'nothing to explain',
      { outcomes: { ok: 995 }, races: 0, shed: 0 },
      { attempts: 995, dropped: 0, outcomes: { ok: 995 } },
      [],
    ],
    [
      'all at once',
      {},
      { attempts: 990, dropped: 10, outcomes: { ok: 978, refused: 5, uncoded: 7 } },
      [
        /no code of their own: 7 of k6's; ours by name: closed 8, protocol 2/,
        /3 of our losses crossed a close/,
        /k6 dropped 10, rollproof did not send 5/,
        /we 15 of 995, k6 12 of 990/,
      ],
    ],
    [
      'another schedule',
      { outcomes: { ok: 995 }, races: 0, shed: 0 },
      { attempts: 900, dropped: 0, outcomes: { ok: 900 } },
      [/k6 scheduled 900 requests, rollproof 1000/],
    ],
  ];
  for (const [name, changes, k6, expected] of table) {
    const sentences = explainK6({ ...ours, ...changes }, k6);
    assert.is(sentences.length, expected.length, `${name}: ${sentences.join(' ')}`);
    for (const [index, pattern] of expected.entries()) assert.match(sentences[index] ?? '', pattern);
  }
});

test(
  'k6 fires the same plan, one process per stream',
  async () => {
    const faults: [FaultName, string][] = [
      ['length', 'ok'],
      ['503 and close', 'http5xx'],
      ['RST instead of a response', 'reset'],
      ['FIN in the body', 'uncoded'],
    ];
    const servers = await Promise.all(faults.map(([name]) => startFaultServer({ plan: () => name })));
    const streams = servers.map((server, index) =>
      streamPlanSchema.parse({
        id: faults[index]?.[1],
        lane: index === 0 ? 'kept' : 'new',
        url: `http://127.0.0.1:${server.port}/`,
        rate: {
          shape: 'steps',
          steps: [
            { atMs: 0, ratePerSecond: 10 },
            { atMs: 500, ratePerSecond: 30 },
          ],
        },
        connections: 5,
        timeoutMs: 5000,
        maxDurationMs: 60_000,
      }),
    );
    try {
      const run = await startK6(streams);
      if (typeof run === 'string') throw new Error(run);
      assert.match(run.version, /^v\d/);
      const came = (index: number) =>
        [
          ...(servers[index]?.tally.onNew.values() ?? []),
          ...(servers[index]?.tally.onReused.values() ?? []),
        ].reduce((a, b) => a + b, 0);
      for (
        const deadline = performance.now() + 60_000;
        servers.some((_, index) => came(index) < 20);
        await sleep(100)
      ) {
        if (performance.now() > deadline)
          throw new Error('k6 did not send 20 requests per stream within 60 s');
      }
      const results = await run.stop();
      for (const [index, [name, outcome]] of faults.entries()) {
        const counts = results.get(outcome);
        assert.ok(counts && 'attempts' in counts, `${name}: ${JSON.stringify(counts)}`);
        assert.equal(counts.outcomes, { [outcome]: counts.attempts }, name);
        // An interrupt cuts off at most one request per user.
        assert.ok(
          came(index) >= counts.attempts && came(index) <= counts.attempts + 5,
          `${name}: ${came(index)} came, ${counts.attempts} counted`,
        );
      }
    } finally {
      await Promise.all(servers.map((server) => server.close()));
    }
  },
  { skip: k6Version() ? undefined : 'no k6 on the PATH' },
);

test('the summary is found among other lines; without one there is a sentence', () => {
  const table: [string, string, unknown][] = [
    [
      'counts',
      '\n{"attempts":3,"dropped":1,"outcomes":{"ok":3}}\n',
      { attempts: 3, dropped: 1, outcomes: { ok: 3 } },
    ],
    [
      'before an error, and an attempt that counted nothing',
      'x\n{"attempts":3,"dropped":0,"outcomes":{"ok":2}}\ntime="t" level=error msg="stopped"\n',
      { attempts: 3, dropped: 0, outcomes: { ok: 2, uncoded: 1 } },
    ],
    [
      'none',
      'level=error msg="no such file"\n',
      { problem: 'k6 ended with 107 and left no summary: level=error msg="no such file"' },
    ],
    ['cut off', '{"attempts":3,', { problem: 'k6 ended with 107 and left no summary: {"attempts":3,' }],
    ['nothing', '', { problem: 'k6 ended with 107 and left no summary' }],
  ];
  for (const [name, output, expected] of table)
    assert.equal(resultIn(output, 'ended with 107'), expected, name);
});

test('no k6: a sentence, not a failure', async () => {
  const path = process.env.PATH;
  process.env.PATH = '/nowhere';
  try {
    assert.match(String(await startK6([])), /no "k6" on the PATH.*Install it/);
  } finally {
    process.env.PATH = path;
  }
});

test.run();
