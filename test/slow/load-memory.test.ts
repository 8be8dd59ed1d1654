// Memory of a load agent over a minute, or as long as ROLLPROOF_LOAD_SECONDS says.
import { spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { agentEntry, bundle } from '../../harness/load/bundle.ts';
import { frameSchema, streamEndSchema } from '../../harness/model/load.ts';
import { suite } from '../suite.ts';

const test = suite('load memory');
const response = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok';

const seconds = Number(process.env.ROLLPROOF_LOAD_SECONDS ?? 60);

test(`memory is flat over ${seconds} s at 2,000 per second, with losses`, memoryIsFlat, {
  timeoutMs: (seconds + 60) * 1000,
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
  // V8 lets garbage pile up for minutes where memory is plenty; with a small heap what grows is what is kept.
  const child = spawn(process.execPath, ['--max-old-space-size=36', file], {
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
    console.log(`highest resident size: ${warm / 1e6} MB in the second eighth, ${last / 1e6} MB in the last`);
    assert.ok(last - warm < 20e6, `grew from ${warm / 1e6} to ${last / 1e6} MB`);
  } finally {
    child.kill('SIGKILL');
    server.close();
  }
}

test.run();
