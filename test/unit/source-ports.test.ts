import * as assert from 'uvu/assert';
import { portsMissing, SILENT_REST_MS, SourcePorts, TIME_WAIT_MS } from '../../harness/load/source-ports.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('load: source ports');
const range = { from: 1024, to: 65_535 };

test('whatever is taken and given back: towards one destination no port is in use twice, nor one that listens', () => {
  const act = fc.record({
    take: fc.boolean(),
    destination: fc.constantFrom('10.96.0.1:80', '10.96.0.2:80'),
    which: fc.nat(40),
    afterMs: fc.nat(5000),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 300 }), (acts) => {
      let nowMs = 0;
      const ports = new SourcePorts({ from: 2000, to: 2030 }, [2003, 2010], () => nowMs);
      const open = new Map<string, { port: number }[]>();
      const last = new Map<string, number>();
      for (const { take, destination, which, afterMs } of acts) {
        nowMs += afterMs;
        const mine = open.get(destination) ?? [];
        open.set(destination, mine);
        if (take) {
          const port = ports.take(destination);
          if (port === undefined) {
            assert.is(mine.length, 29, 'only when all are in use');
            continue;
          }
          assert.ok(port >= 2000 && port <= 2030 && port !== 2003 && port !== 2010);
          assert.not.ok(
            mine.some((one) => one.port === port),
            `${port} is in use`,
          );
          // The one that has rested longest: none that is free now was given back before it.
          for (let other = 2000; other <= 2030; other++) {
            const free = !mine.some((one) => one.port === other) && other !== 2003 && other !== 2010;
            const rest = (one: number) => last.get(`${destination} ${one}`) ?? -1;
            if (free) assert.ok(rest(other) >= rest(port), `${other} has rested longer than ${port}`);
          }
          mine.push({ port });
        } else if (mine.length > 0) {
          const [{ port }] = mine.splice(which % mine.length, 1) as [{ port: number }];
          last.set(`${destination} ${port}`, nowMs);
          ports.release(destination, port);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('1,000 new connections per second for ten minutes, each open for up to 3 s: every one has a port that rested for TIME_WAIT', () => {
  let nowMs = 0;
  const ports = new SourcePorts(range, [8080, 7070], () => nowMs);
  const closing: { atMs: number; port: number }[][] = Array.from({ length: 604 }, () => []);
  let taken = 0;
  for (let second = 0; second < 600; second++) {
    nowMs = second * 1000;
    for (const { port } of closing[second] ?? []) ports.release('10.96.0.1:80', port);
    for (let k = 0; k < 1000; k++) {
      const port = ports.take('10.96.0.1:80');
      assert.ok(port !== undefined);
      taken++;
      closing[second + 1 + (k % 3)]?.push({ atMs: nowMs, port: port as number });
    }
  }
  assert.is(taken, 600_000);
  assert.ok(ports.shortestRestMs >= TIME_WAIT_MS, `${ports.shortestRestMs} ms`);
});

test('a port whose connection met silence rests until connection tracking has forgotten it, however long the others rest', () => {
  let nowMs = 0;
  const ports = new SourcePorts({ from: 5000, to: 5002 }, [], () => nowMs);
  const silent = ports.take('a:80') as number;
  ports.release('a:80', silent, true);
  const used: (number | undefined)[] = [];
  for (nowMs = 1000; nowMs < SILENT_REST_MS; nowMs += 10_000) {
    const port = ports.take('a:80');
    used.push(port);
    if (port !== undefined) ports.release('a:80', port);
  }
  assert.equal([...new Set(used)].sort(), [5001, 5002]);
  nowMs = SILENT_REST_MS - 1;
  const [one, two] = [ports.take('a:80'), ports.take('a:80')];
  assert.equal([one, two].sort(), [5001, 5002]);
  assert.is(ports.take('a:80'), undefined, 'the one that is left rests');
  nowMs = SILENT_REST_MS;
  assert.is(ports.take('a:80'), silent);
});

test('two destinations have all ports each; what cannot rest long enough is said with what to do', () => {
  const ports = new SourcePorts({ from: 5000, to: 5001 });
  assert.equal([ports.take('a:80'), ports.take('a:80'), ports.take('a:80')], [5000, 5001, undefined]);
  assert.is(ports.take('b:80'), 5000);
  const stream = { url: 'http://10.96.0.1/', lane: 'new' as const, timeoutMs: 3000, connections: 3020 };
  assert.is(portsMissing([{ ...stream, ratePerSecond: 1000 }], range), undefined);
  assert.match(
    portsMissing([{ ...stream, ratePerSecond: 2000 }], range) ?? '',
    /has 64512 source ports and would need 123020 towards 10\.96\.0\.1: a port rests for 60 s.*--agents 2/,
  );
  const apart = { ...stream, url: 'http://10.96.0.2/', ratePerSecond: 900 };
  assert.is(
    portsMissing([{ ...stream, ratePerSecond: 900 }, apart], range),
    undefined,
    'a 5-tuple has two ends',
  );
});

test.run();
