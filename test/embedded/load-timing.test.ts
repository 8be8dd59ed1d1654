// What depends on time: the smallest outage that is seen, pacing at high and low rates, memory over a minute.
import { spawn } from 'node:child_process';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { agentEntry, bundle } from '../../harness/load/bundle.ts';
import { Meter } from '../../harness/load/meter.ts';
import {
  type Bucket,
  frameSchema,
  type LostInterval,
  streamEndSchema,
  streamPlanSchema,
} from '../../harness/model/load.ts';
import { addBuckets } from '../../harness/model/merge-load.ts';
import { suite } from '../suite.ts';

const test = suite('load timing', { timeoutMs: 300_000 });
const response = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';

/** What else runs on this machine can stall it for longer than what is measured here: then it is measured once more. */
async function twice(measure: () => Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    console.error(`measured once more: ${(error as Error).message}`);
    await sleep(5000);
    await measure();
  }
}

/**
 * A server that can be away: it resets what it accepts meanwhile. (A port that nobody listens on would not do: a SYN
 * that meets an old TIME_WAIT there is not refused but sent again after some 10 ms, and then may succeed.)
 */
class Intermittent {
  readonly #server: Server;
  away = false;
  port = 0;

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve);
    });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.away) socket.resetAndDestroy();
    else socket.once('data', () => socket.end(response));
  }
}

interface Trial {
  readonly startMs: number;
  readonly endMs: number;
  /** The machine was busy: the harness itself was late, and would say so. */
  readonly late: boolean;
}

test('at 1,000 per second an outage of 10 ms is one outage, right within 5 ms, 100 of 100 times', () =>
  twice(outagesAreFound));

async function outagesAreFound(): Promise<void> {
  const server = new Intermittent();
  await server.open();
  const meter = new Meter({
    plan: streamPlanSchema.parse({
      id: 'new',
      lane: 'new',
      url: `http://127.0.0.1:${server.port}/`,
      rate: { shape: 'constant', ratePerSecond: 1000 },
      connections: 3000,
      timeoutMs: 3000,
      maxDurationMs: 600_000,
    }),
  });
  const t0 = performance.now();
  meter.start(t0);
  const intervals: LostInterval[] = [];
  const trials: Trial[] = [];
  const wanted = 100;
  const limitMs = t0 + 60_000;
  await sleep(300);
  while (trials.filter((trial) => !trial.late).length < wanted && performance.now() < limitMs) {
    meter.takeLag();
    const startMs = performance.now() - t0;
    server.away = true;
    await sleep(10);
    server.away = false;
    const endMs = performance.now() - t0;
    await sleep(60);
    // A harness that is late by more than the figure to be proven proves nothing, and is asked again.
    const late = endMs - startMs > 14 || meter.takeLag().maxMs > 3;
    trials.push({ startMs, endMs, late });
    intervals.push(...meter.drain().intervals);
  }
  meter.stop();
  const end = await meter.ended;
  intervals.push(...meter.drain().intervals);
  server.close();
  assert.equal(end.brokenIdentities, []);
  const valid = trials.filter((trial) => !trial.late);
  assert.ok(
    valid.length >= wanted * 0.3,
    `the machine was too busy: late in ${trials.length - valid.length} of ${trials.length} trials`,
  );
  const wrong = valid.flatMap((trial) => {
    const near = intervals.filter(
      ({ startMs }) => startMs > trial.startMs - 30 && startMs < trial.endMs + 30,
    );
    const [found] = near;
    const right =
      near.length === 1 &&
      found?.endMs != null &&
      Math.abs(found.startMs - trial.startMs) <= 5 &&
      Math.abs(found.endMs - found.startMs - (trial.endMs - trial.startMs)) <= 5;
    return right ? [] : [{ trial, near }];
  });
  assert.equal(wrong, []);
}

test('pacing: every bucket of due time has its share, from 0.5 to 5,000 per second', async () => {
  const table: [number, number][] = [
    // rate, ms
    [0.5, 4500],
    [10, 3000],
    [333, 3000],
    [5000, 1000],
  ];
  await Promise.all(
    table.map(async ([ratePerSecond, maxDurationMs]) => {
      const meter = new Meter({
        plan: streamPlanSchema.parse({
          id: 'kept',
          lane: 'kept',
          url: 'http://127.0.0.1:1/',
          rate: { shape: 'constant', ratePerSecond },
          connections: 100,
          timeoutMs: 3000,
          maxDurationMs,
        }),
      });
      meter.start();
      const end = await meter.ended;
      const buckets = new Map<number, Bucket>();
      addBuckets(buckets, meter.drain().buckets);
      const name = `${ratePerSecond} per second`;
      assert.is(end.scheduled, Math.ceil((ratePerSecond * maxDurationMs) / 1000), name);
      assert.is(end.attempts + end.shed, end.scheduled, name);
      assert.equal(end.brokenIdentities, [], name);
      for (let i = 0; i < maxDurationMs / 100; i++) {
        const { sent = 0, shed = 0 } = buckets.get(i) ?? {};
        const before = Math.ceil((ratePerSecond * i) / 10);
        const expected = Math.ceil((ratePerSecond * (i + 1)) / 10) - before;
        assert.ok(
          Math.abs(sent + shed - expected) <= 1,
          `${name}, bucket ${i}: ${sent + shed} of ${expected}`,
        );
      }
    }),
  );
});

const seconds = Number(process.env.ROLLPROOF_LOAD_SECONDS ?? 60);

test(`memory is flat over ${seconds} s at 2,000 per second, with losses`, () => twice(memoryIsFlat), {
  timeoutMs: 2 * (seconds + 60) * 1000,
});

async function memoryIsFlat(): Promise<void> {
  const file = await bundle(agentEntry);
  const server = createServer((socket) => {
    let count = 0;
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      if (request.includes('Connection: close')) socket.end(response);
      // One in a hundred is lost, so that the lists of failures and intervals are in play.
      else if (++count % 100 === 0) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Rollproof-Pod: web-1\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const child = spawn(process.execPath, [file], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      PHASE_PORT: '0',
      ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
      ROLLPROOF_PARENT_PID: String(process.pid),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise<string>((resolve) =>
      child.stdout.on('data', (chunk) => resolve(/control on port (\d+)/.exec(String(chunk))?.[1] ?? '')),
    );
    const call = async (method: string, path: string, body?: unknown) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, json: await answer.json() };
    };
    const stream = (lane: 'new' | 'kept', ratePerSecond: number) => ({
      id: lane,
      lane,
      url,
      rate: { shape: 'constant', ratePerSecond },
      connections: lane === 'kept' ? 20 : 2000,
      timeoutMs: 3000,
      maxDurationMs: 3_600_000,
    });
    const started = await call('POST', '/start', {
      runId: 'r',
      streams: [stream('new', 200), stream('kept', 1800)],
    });
    assert.is(started.status, 200, JSON.stringify(started.json));
    const memory: { atMs: number; bytes: number }[] = [];
    let after = 0;
    const pull = async () => {
      const answer = z
        .object({ frames: z.array(frameSchema), state: z.string() })
        .parse((await call('GET', `/frames?after=${after}`)).json);
      for (const frame of answer.frames) {
        assert.is(frame.seq, after + 1);
        after = frame.seq;
        if (frame.health) memory.push({ atMs: frame.atMs, bytes: frame.health.rssBytes });
      }
      return answer.state;
    };
    for (
      const startedMs = performance.now();
      performance.now() - startedMs < seconds * 1000;
      await sleep(250)
    )
      await pull();
    await call('POST', '/stop', {});
    while ((await pull()) !== 'ended') await sleep(100);
    const { ends } = z.object({ ends: z.array(streamEndSchema) }).parse((await call('GET', '/end')).json);
    for (const end of ends) assert.equal(end.brokenIdentities, []);
    const total = ends.reduce((sum, end) => sum + end.scheduled, 0);
    assert.ok(total > 2000 * (seconds - 2), `${total} scheduled`);
    const highest = (fromMs: number, toMs: number) =>
      memory
        .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
        .map(({ bytes }) => bytes)
        .sort((a, b) => a - b)
        .at(-1) ?? 0;
    const lastMs = memory.at(-1)?.atMs ?? 0;
    // The first quarter fills heap and caches.
    const warm = highest(lastMs / 8, lastMs / 4);
    const last = highest(lastMs * 0.875, lastMs);
    assert.ok(last - warm < 20e6, `grew from ${warm / 1e6} to ${last / 1e6} MB`);
  } finally {
    child.kill('SIGKILL');
    server.close();
  }
}

test.run();
