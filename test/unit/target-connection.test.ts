import * as assert from 'uvu/assert';
import { readTargetConfig } from '../../target/config.ts';
import { type Connection, isExpected, isFresh } from '../../target/connection.ts';
import { suite } from '../suite.ts';

const test = suite('target-connection');

const connection = (fields: Partial<Connection>): Connection => ({
  openedAtMs: 0,
  lastUsedAtMs: 0,
  longestGapMs: 0,
  requests: 0,
  inFlight: 0,
  ...fields,
});

test('a connection is fresh for a second, until its first request', () => {
  assert.is(isFresh(connection({}), 999), true);
  assert.is(isFresh(connection({}), 1000), false);
  assert.is(isFresh(connection({ requests: 1 }), 10), false);
});

test('a graceful stop waits for these connections', () => {
  const used = { requests: 9, lastUsedAtMs: 10_000 };
  const table: [what: string, fields: Partial<Connection>, nowMs: number, expected: boolean][] = [
    ['a request is in flight', { requests: 1, inFlight: 1 }, 60_000, true],
    ['just connected', { openedAtMs: 9_500 }, 10_000, true],
    ['connected and never asked', { openedAtMs: 0 }, 10_000, false],
    ['used once, idle less than the linger', { requests: 1, lastUsedAtMs: 9_000 }, 10_999, true],
    ['used once, idle for the linger', { requests: 1, lastUsedAtMs: 9_000 }, 11_000, false],
    ['used every 0.1 s, 1.9 s idle', { ...used, longestGapMs: 100 }, 11_900, true],
    ['used every 0.1 s, 2 s idle', { ...used, longestGapMs: 100 }, 12_000, false],
    ['used every 4 s, 7.9 s idle', { ...used, longestGapMs: 4000 }, 17_900, true],
    ['used every 4 s, 8 s idle', { ...used, longestGapMs: 4000 }, 18_000, false],
  ];
  for (const [what, fields, nowMs, expected] of table) {
    assert.is(isExpected(connection(fields), nowMs, 2000), expected, what);
  }
});

test('configuration: defaults, and the linger limit is never below the linger', () => {
  assert.equal(readTargetConfig({ HOSTNAME: 'web-1' }), {
    port: 8080,
    adminPort: 8081,
    bindAddress: undefined,
    startMs: 0,
    workMs: 5,
    cpuMs: 0,
    crashAfterMs: 0,
    version: 'unknown',
    podName: 'web-1',
    onTerm: 'exit',
    lingerMs: 2000,
    lingerLimitMs: 15_000,
    readyFile: undefined,
    phases: undefined,
    parentPid: undefined,
    mode: 'server',
    queue: '',
    pace: { coldPerSecond: 1, warmPerSecond: 10, warmUpMs: 0 },
    queueing: { enqueuePerSecond: 10, quietMs: 0, limit: 10_000, leaseMs: 10_000 },
    keepAliveMs: 75_000,
    stallMs: 0,
    stallEveryMs: 1000,
    failEvery: 0,
    allProtocols: false,
    tlsFolder: undefined,
    streamDrain: false,
    connectionAgeMs: 0,
    connectionAgeGraceMs: 5000,
  });
  assert.is(readTargetConfig({ LINGER_MS: '20000' }).lingerLimitMs, 20_000);
});

test.run();
