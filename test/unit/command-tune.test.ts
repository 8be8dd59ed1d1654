// What `tune` concludes from measurements, and how it says it.
import * as assert from 'uvu/assert';
import type { EntryKind } from '../../harness/model/entry.ts';
import { decided, type EntryTries, type Tuned } from '../../harness/run/tune.ts';
import {
  candidateSeconds,
  graceCheck,
  isCutOff,
  routingOf,
  ShortestLengths,
} from '../../harness/run/tune-advice.ts';
import { tunedText } from '../../harness/run/tune-text.ts';
import { experimentResult } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('command tune: what it concludes');

test('the shortest whole number of seconds with a margin of 0.25 s', () => {
  const table: [number, number][] = [
    [0, 1],
    [400, 1],
    [750, 1],
    [751, 2],
    [2900, 4],
    [3000, 4],
  ];
  for (const [lagMs, seconds] of table) assert.is(candidateSeconds(lagMs), seconds, `${lagMs} ms`);
});

test('a sleep that ended about when the connections did has hidden the later ones', () => {
  const table: [number, number, boolean][] = [
    [500, 8, false],
    [6900, 8, false],
    [7100, 8, true],
    [8400, 8, true],
  ];
  for (const [lagMs, seconds, cut] of table)
    assert.is(isCutOff({ lagMs, shutdownMs: 0 }, seconds), cut, `${lagMs} ms of ${seconds} s`);
});

test('routing and shutdown from the measures; unknown when no answer named its pod', () => {
  const measured = (measures: Record<string, number | string>) => ({
    ...experimentResult({ variant: 'hardened' }),
    measures,
  });
  const known = measured({ lastNewConnectionAfterDeletionMsMax: 1200, terminationMsMax: 10_500 });
  assert.equal(routingOf(known, 8), { lagMs: 1200, shutdownMs: 2500 });
  assert.is(routingOf(measured({ terminationMsMax: 10_500 }), 8), undefined);
  // The kernel sees connections to a pod that has stopped as well: a short sleep measures the same lag.
  const exact = routingOf({ ...known, routing: [] }, 1);
  assert.equal([exact?.exact, exact && isCutOff(exact, 1)], [true, false]);
});

test('sleep and shutdown must fit into the grace period', () => {
  const table: [string, number, number, number | undefined, boolean, RegExp][] = [
    ['well within the default', 2, 2100, undefined, true, /fits into the grace period of 30 s: preStop 2 s/],
    ['one second left', 5, 4000, 10, true, /^It fits/],
    [
      'as long as the period',
      6,
      4000,
      10,
      false,
      /^Warning: .*take 10 s.*terminationGracePeriodSeconds to 11/,
    ],
    ['the published example', 30, 500, 30, false, /take 31 s.*to 32/],
  ];
  for (const [name, preStop, shutdownMs, grace, fits, text] of table) {
    const check = graceCheck(preStop, shutdownMs, grace);
    assert.is(check.fits, fits, name);
    assert.match(check.text, text, name);
  }
});

/** Clients of an entry reach a deleted pod for so long; the app stops at the end of its sleep. */
const tryLengths = (lags: Readonly<Record<string, number>>, seen = lags) => {
  const lengths = new ShortestLengths(Object.keys(lags), (entry) => seen[entry] ?? 0);
  const tried: number[] = [];
  for (let next = lengths.next; next !== undefined && tried.length < 20; next = lengths.next) {
    const seconds = next;
    tried.push(seconds);
    lengths.tried(seconds, (entry) => {
      const lagMs = lags[entry] ?? 0;
      return { lost: lagMs > seconds * 1000 ? 5 : 0, lagMs: Math.min(lagMs, seconds * 1000 + 300) };
    });
  }
  return { tried, found: Object.keys(lags).map((entry) => lengths.of(entry)) };
};

test('several entries: the shortest length of each, none tried twice', () => {
  assert.equal(tryLengths({ service: 400 }), { tried: [1], found: [1] });
  assert.equal(tryLengths({ service: 400, ingress: 3300 }), { tried: [1, 4], found: [1, 4] });
  assert.equal(tryLengths({ service: 400, url: 500 }), { tried: [1], found: [1, 1] });
  // No answer through the ingress says which pod gave it: losses alone lengthen the sleep.
  assert.equal(tryLengths({ service: 1400, ingress: 3300 }, { service: 1400 }), {
    tried: [1, 2, 3, 4],
    found: [2, 4],
  });
});

test('an entry that was found is looked for again when a longer sleep shows more', () => {
  const lengths = new ShortestLengths(['service', 'ingress'], (entry) => (entry === 'service' ? 400 : 4300));
  lengths.tried(1, (entry) => ({ lost: entry === 'service' ? 0 : 9 }));
  assert.equal([lengths.of('service'), lengths.next], [1, 5]);
  // A connection that came after 1.2 s was luck with 1 s: 2 s are tried.
  lengths.tried(5, (entry) => ({ lost: 0, lagMs: entry === 'service' ? 1200 : 4300 }));
  assert.equal([lengths.of('service'), lengths.of('ingress'), lengths.next], [undefined, 5, 2]);
  lengths.tried(2, () => ({ lost: 0, lagMs: 1200 }));
  assert.equal([lengths.of('service'), lengths.of('ingress'), lengths.next], [2, 5, undefined]);
  lengths.tried(5, (entry) => ({ lost: entry === 'service' ? 1 : 0 }));
  assert.equal([lengths.of('service'), lengths.next], [undefined, 6], 'what loses with 5 s needs more');
});

test('the routing of each entry; behind a proxy the kernel of the agent’s node does not see it', () => {
  const result = (kinds: readonly EntryKind[]) => ({
    ...experimentResult({ variant: 'hardened' }),
    measures: {
      lastNewConnectionAfterDeletionMsMax: 400,
      'lastNewConnectionAfterDeletionMsMax:service': 400,
      'lastNewConnectionAfterDeletionMsMax:ingress': 3300,
    },
    routing: [],
    entries: kinds.map((kind) => ({ name: kind, kind, address: 'x' })),
  });
  assert.equal(routingOf(result(['service', 'ingress']), 8), {
    lagMs: 3300,
    shutdownMs: 0,
    byEntry: { service: 400, ingress: 3300 },
  });
  assert.is(routingOf(result(['service', 'node-port']), 8)?.exact, true);
});

test('what it prints of several entries: side by side, and which hop decides', () => {
  const tuned = (byEntry: Record<string, number | null>, hops?: EntryTries['hops']): Tuned => {
    const found = Object.values(byEntry);
    const tries = (preStopSeconds: number, lost: number): Tuned['confirmed'][number] => ({
      preStopSeconds,
      tries: 3,
      lost,
      attempts: 1800,
      lagMs: 3300,
      byEntry: {
        service: { lost: 0, attempts: 900, lagMs: 410 },
        ingress: { lost, attempts: 900, lagMs: 3300, ...(lost > 0 && hops && { hops }) },
      },
    });
    const confirmed = [tries(1, 42), tries(4, 0)];
    const lengths = { of: (entry: string) => byEntry[entry] ?? undefined, lagMs: () => 0 };
    return {
      scenario: 'image-change',
      cluster: { kind: 'kind', kubernetesVersion: 'v1.34.4', emulated: false, proxyMode: 'iptables' },
      preStopSeconds: found.includes(null) ? undefined : Math.max(...found.map(Number)),
      measured: [{ preStopSeconds: 8, lagMs: 3300, shutdownMs: 0, byEntry: { service: 400, ingress: 3290 } }],
      confirmed,
      byEntry,
      ...decided(Object.keys(byEntry), lengths, confirmed),
      marginMs: 700,
      grace: graceCheck(4, 0, 30),
      longestSeconds: 60,
    };
  };
  const text = tunedText(tuned({ service: 1, ingress: 4 }, { 'entry-pod': 40, 'client-entry': 2 }));
  assert.match(text, /^entry {4}shortest preStop {2}last new connection {2}lost with a sleep of$/m);
  assert.match(text, /^service {2}1 s {15}0\.41 s {15}nothing$/m);
  assert.match(text, /^ingress {2}4 s {15}3\.30 s {15}1 s: 42 of 900 \(/m);
  assert.match(
    text,
    /^What decides: entry ingress \(it needs 4 s\), between entry and pod: with 1 s it lost 42, 2 between client and entry, 40 between entry and pod\.$/m,
  );
  assert.match(text, /^preStop: sleep 4 s$/m);
  assert.match(tunedText(tuned({ service: 1, ingress: null })), /no length that was tried is enough for it/);
  assert.match(tunedText(tuned({ service: 4, ingress: 4 })), /^No entry decides: each of them needs 4 s\.$/m);
});

test.run();
