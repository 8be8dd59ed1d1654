// The agent as the harness sees it: start, frames, rates, stop, end, clock, phases and routes, over HTTP.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { agentAt, fireTogether } from '../../harness/control/agent-client.ts';
import { runAgent } from '../../harness/load/agent.ts';
import { agentEntry, bundle } from '../../harness/load/bundle.ts';
import {
  agentPlanSchema,
  type Bucket,
  type Frame,
  frameSchema,
  streamEndSchema,
} from '../../harness/model/load.ts';
import { addBuckets } from '../../harness/model/merge-load.ts';
import { suite } from '../suite.ts';

const test = suite('load agent', { timeoutMs: 40_000 });

const framesAnswer = z.object({ frames: z.array(frameSchema), state: z.string(), nextSeq: z.number() });
const endAnswer = z.object({ ends: z.array(streamEndSchema), lastSeq: z.number() });

function control(port: number) {
  return async (method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: await response.json() };
  };
}

async function webServer() {
  const server = createServer((_request, response) =>
    response.setHeader('x-rollproof-pod', 'web-1').end('hello'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const stream = (id: string, url: string, lane: 'new' | 'kept' = 'new') => ({
  id,
  lane,
  url,
  rate: { shape: 'constant', ratePerSecond: 100 },
  connections: 20,
  timeoutMs: 20_000,
  maxDurationMs: 60_000,
});

async function until(what: string, holds: () => Promise<boolean>, limitMs = 10_000): Promise<void> {
  for (const deadline = performance.now() + limitMs; !(await holds()); await sleep(20)) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
  }
}

test('a load from start to end: every attempt is in the frames, the numbers have no gap', async () => {
  await using web = await webServer();
  const goes = await webServer();
  const agent = await runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' });
  const call = control(agent.port);
  try {
    assert.is((await call('GET', '/healthz')).status, 200);
    assert.equal((await call('GET', '/frames?after=0')).json, { frames: [], state: 'idle', nextSeq: 1 });
    assert.is((await call('GET', '/end')).status, 409);
    const url = `http://127.0.0.1:${web.port}/`;
    const started = await call('POST', '/start', {
      runId: 'r',
      streams: [
        stream('new', url),
        stream('kept', url, 'kept'),
        stream('gone', `http://127.0.0.1:${goes.port}/`),
      ],
    });
    assert.is(started.status, 200);
    await goes[Symbol.asyncDispose]();
    assert.is((await call('POST', '/start', { runId: 'r', streams: [stream('new', url)] })).status, 409);
    const clock = z
      .object({ nowMs: z.number(), since: z.string() })
      .parse((await call('GET', '/clock')).json);
    assert.is(clock.since, 'load');
    const frames: Frame[] = [];
    let state = '';
    const pull = async () => {
      const answer = framesAnswer.parse((await call('GET', `/frames?after=${frames.at(-1)?.seq ?? 0}`)).json);
      frames.push(...answer.frames);
      state = answer.state;
      return answer;
    };
    for (let n = 0; n < 4; n++) {
      await sleep(150);
      await pull();
    }
    assert.is((await call('POST', '/rate', { stream: 'kept', ratePerSecond: 300 })).status, 200);
    await sleep(300);
    assert.is((await call('POST', '/stop', {})).status, 200);
    await until(
      'state ended',
      async () => (await pull()).nextSeq - 1 === frames.at(-1)?.seq && state === 'ended',
    );
    const { ends, lastSeq } = endAnswer.parse((await call('GET', '/end')).json);
    assert.is(lastSeq, frames.at(-1)?.seq);
    assert.equal(
      frames.map((frame) => frame.seq),
      frames.map((_, index) => index + 1),
    );
    assert.ok(frames.length >= 4);
    for (const end of ends) {
      assert.equal(end.brokenIdentities, []);
      const buckets = new Map<number, Bucket>();
      for (const frame of frames) addBuckets(buckets, frame.streams[end.stream]?.buckets ?? []);
      const sum = (pick: (bucket: Bucket) => number) =>
        [...buckets.values()].reduce((total, bucket) => total + pick(bucket), 0);
      assert.is(
        sum((bucket) => bucket.sent),
        end.attempts,
        end.stream,
      );
      assert.is(
        sum((bucket) => Object.values(bucket.outcomes).reduce((a, b) => a + (b ?? 0), 0)),
        end.attempts,
      );
      const failures = frames.flatMap((frame) => frame.streams[end.stream]?.failures ?? []);
      assert.is(failures.length, end.failuresListed);
      if (end.stream !== 'gone') {
        assert.equal(end.outcomes, { ok: end.attempts });
        continue;
      }
      const intervals = frames.flatMap((frame) => frame.streams.gone?.intervals ?? []);
      assert.is(
        intervals.reduce((total, interval) => total + interval.lost, 0),
        failures.length,
      );
      assert.is(intervals.at(-1)?.endMs, null, 'nothing answered any more');
      assert.ok(failures.length > 20 && failures.every((failure) => failure.outcome !== 'ok'));
    }
    assert.ok(frames.some((frame) => (frame.health?.rssBytes ?? 0) > 1e6));
  } finally {
    await agent.close();
  }
});

test('agents that share a schedule begin together, and their sum is even', async () => {
  await using web = await webServer();
  const agents = await Promise.all(
    [0, 1, 2].map(() => runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' })),
  );
  const clients = agents.map((agent, index) => agentAt(`agent-${index}`, `http://127.0.0.1:${agent.port}`));
  const fire = (port: number, atMs: number) => control(port)('POST', '/fire', { atMs });
  try {
    const first = agents[0]?.port ?? 0;
    assert.is((await fire(first, 0)).status, 409, 'nothing is prepared');
    for (const [index, client] of clients.entries()) {
      const split = { index, of: clients.length };
      await client.prepare(
        agentPlanSchema.parse({
          runId: 'r',
          streams: [{ ...stream('a', `http://127.0.0.1:${web.port}/`), split }],
        }),
      );
    }
    assert.equal((await control(first)('GET', '/frames?after=0')).json, {
      frames: [],
      state: 'ready',
      nextSeq: 1,
    });
    assert.is((await fire(first, performance.now() + 60_000)).status, 400, 'too far ahead');
    const now = () => performance.now();
    await fireTogether(clients, now);
    assert.is((await fire(first, 0)).status, 409, 'it was fired');
    const begins: number[] = [];
    for (const client of clients) begins.push((await client.clock(now)).offsetMs);
    // All on this process' clock; what differs is how well each clock was known.
    assert.ok(Math.max(...begins) - Math.min(...begins) < 200, `began at ${begins.join(', ')} ms`);
    await sleep(600);
    const buckets = new Map<number, Bucket>();
    const scheduled: number[] = [];
    for (const client of clients) {
      await client.stop();
      await until('the end', async () => (await client.frames(0)).state === 'ended');
      for (let after = 0, more = true; more; ) {
        const { frames } = await client.frames(after);
        for (const frame of frames) addBuckets(buckets, frame.streams.a?.buckets ?? []);
        after = frames.at(-1)?.seq ?? after;
        more = frames.length > 0;
      }
      scheduled.push(...(await client.end()).ends.map((end) => end.scheduled));
    }
    const due = (bucket?: Bucket) => (bucket?.sent ?? 0) + (bucket?.shed ?? 0);
    for (let i = 0; i < 5; i++) assert.is(due(buckets.get(i)), 10, `bucket ${i}`);
    assert.is(
      scheduled.reduce((a, b) => a + b, 0),
      [...buckets.values()].reduce((sum, bucket) => sum + due(bucket), 0),
    );
  } finally {
    await Promise.all(agents.map((agent) => agent.close()));
  }
});

test('what is wrong with a request is told in a sentence', async () => {
  const agent = await runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' });
  const call = control(agent.port);
  await using web = await webServer();
  const url = `http://127.0.0.1:${web.port}/`;
  const table: [string, string, unknown, number, RegExp][] = [
    ['POST', '/start', { runId: 'r', streams: [] }, 400, /streams/],
    [
      'POST',
      '/start',
      { runId: 'r', streams: [{ ...stream('a', url), timeoutMs: -1 }] },
      400,
      /streams\.0\.timeoutMs/,
    ],
    ['POST', '/start', { runId: 'r', streams: [stream('a', url), stream('a', url)] }, 400, /one id/],
    [
      'POST',
      '/start',
      { runId: 'r', streams: [{ ...stream('a', url), method: 'NO' }] },
      400,
      /not an HTTP method/,
    ],
    ['POST', '/rate', { stream: 'nobody', ratePerSecond: 1 }, 404, /no stream "nobody"/],
    ['POST', '/rate', { stream: 'a', ratePerSecond: -1 }, 400, /ratePerSecond/],
    ['GET', '/frames?after=x', undefined, 400, /after is "x"/],
    ['GET', '/nothing', undefined, 404, /has no GET \/nothing/],
  ];
  try {
    for (const [method, path, body, status, message] of table) {
      const answer = await call(method, path, body);
      assert.is(answer.status, status, path);
      assert.match((answer.json as { message: string }).message, message);
    }
    // After all refusals a right plan still starts.
    assert.is((await call('POST', '/start', { runId: 'r', streams: [stream('a', url)] })).status, 200);
  } finally {
    await agent.close();
  }
});

test('phases are stamped on receipt; a link that ends without "closed" is a process that is gone', async () => {
  await using web = await webServer();
  const agent = await runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' });
  const call = control(agent.port);
  const link = () => connect(agent.phasePort, '127.0.0.1');
  try {
    const early = link();
    early.write(
      '{"pod":"a","phase":"starting","version":"1","agoMs":500}\n{"pod":"a","phase":"listening","version":"1"}\n',
    );
    await sleep(100);
    await call('POST', '/start', { runId: 'r', streams: [stream('a', `http://127.0.0.1:${web.port}/`)] });
    const orderly = link();
    orderly.end('{"pod":"b","phase":"sigterm"}\n{"pod":"b","phase":"closed"}\n');
    link().write('this is not JSON\n');
    await sleep(50);
    early.destroy();
    const phases: Frame['phases'] = [];
    let after = 0;
    await until('five phases', async () => {
      const { frames } = framesAnswer.parse((await call('GET', `/frames?after=${after}`)).json);
      after = frames.at(-1)?.seq ?? after;
      phases.push(...frames.flatMap((frame) => frame.phases));
      return phases.length >= 5;
    });
    const told = (pod: string) => phases.filter((phase) => phase.pod === pod);
    assert.equal(
      told('a').map(({ phase, version }) => `${phase} ${version}`),
      ['starting 1', 'listening 1', 'gone 1'],
    );
    assert.equal(
      told('b').map(({ phase }) => phase),
      ['sigterm', 'closed'],
    );
    const [starting, listening, gone] = told('a').map(({ tMs }) => tMs);
    assert.ok((starting ?? 0) < -500 && (listening ?? 0) < 0 && (gone ?? 0) > 0, "on the load's clock");
    assert.ok(Math.abs((listening ?? 0) - (starting ?? 0) - 500) < 1);
  } finally {
    await agent.close();
  }
});

test('routes: the endpoint table decides, and an empty one refuses', async () => {
  await using web = await webServer();
  const followers = new Set<ServerResponse>();
  const tell = (endpoints: unknown[]) => `${JSON.stringify({ services: { 'web.ns.svc:80': endpoints } })}\n`;
  let table = tell([{ ip: '127.0.0.1', port: web.port, pod: 'web-1' }]);
  const tables = createServer((_request, response) => {
    followers.add(response);
    response.write(table);
  });
  await new Promise<void>((resolve) => tables.listen(0, '127.0.0.1', resolve));
  const agent = await runAgent({
    port: 0,
    phasePort: 0,
    host: '127.0.0.1',
    routesUrl: `http://127.0.0.1:${(tables.address() as AddressInfo).port}/`,
  });
  const call = control(agent.port);
  try {
    await call('POST', '/start', { runId: 'r', streams: [stream('new', 'http://web.ns.svc/x')] });
    await sleep(300);
    table = tell([]);
    for (const follower of followers) follower.write(table);
    await sleep(300);
    // The table stays while the stream is away, and is read again when it is back.
    for (const follower of followers) follower.destroy();
    table = tell([{ ip: '127.0.0.1', port: web.port }]);
    await sleep(400);
    await call('POST', '/stop', {});
    let ends: z.infer<typeof endAnswer>['ends'] = [];
    await until('the end', async () => {
      const answer = await call('GET', '/end');
      if (answer.status === 200) ends = endAnswer.parse(answer.json).ends;
      return answer.status === 200;
    });
    const { outcomes, attempts } = ends[0] ?? { outcomes: {}, attempts: 0 };
    assert.is((outcomes.ok ?? 0) + (outcomes.refused ?? 0), attempts);
    assert.ok((outcomes.ok ?? 0) > 30 && (outcomes.refused ?? 0) > 15, JSON.stringify(outcomes));
  } finally {
    await agent.close();
    tables.closeAllConnections();
    tables.close();
  }
});

test('as a bundled process: configured by the environment, ends on SIGTERM and with its parent', async () => {
  const file = await bundle(agentEntry);
  assert.is(await bundle(agentEntry), file, 'equal sources give the same file');
  const parent = spawn('sleep', ['60']);
  const start = (env: Record<string, string>) =>
    spawn(process.execPath, [file], {
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        PHASE_PORT: '0',
        ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const ended = (child: ChildProcess) =>
    new Promise<number | string | null>((resolve) =>
      child.on('exit', (code, signal) => resolve(signal ?? code)),
    );
  const ready = (child: ChildProcess) =>
    new Promise<number>((resolve) =>
      child.stdout?.on('data', (chunk) => resolve(Number(/control on port (\d+)/.exec(String(chunk))?.[1]))),
    );
  const orphan = start({ ROLLPROOF_PARENT_PID: String(parent.pid) });
  const told = start({});
  try {
    const [orphanPort, toldPort] = await Promise.all([ready(orphan), ready(told)]);
    for (const port of [orphanPort, toldPort])
      assert.is((await control(port)('GET', '/healthz')).status, 200);
    const ends = Promise.all([ended(orphan), ended(told)]);
    parent.kill('SIGKILL');
    told.kill('SIGTERM');
    assert.equal(await ends, [0, 0]);
    const wrong = start({ PORT: 'eighty' });
    assert.is(await ended(wrong), 1);
  } finally {
    for (const child of [parent, orphan, told]) child.kill('SIGKILL');
  }
});

test('an agent that is told to stop before it fires never does, also when the start was agreed on already', async () => {
  await using web = await webServer();
  const agent = await runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' });
  const call = control(agent.port);
  try {
    const plan = { runId: 'r', streams: [stream('new', `http://127.0.0.1:${web.port}/`)] };
    assert.is((await call('POST', '/prepare', plan)).status, 200);
    const firing = call('POST', '/fire', { atMs: performance.now() + 400 });
    await sleep(50);
    assert.is((await call('POST', '/stop', {})).status, 200);
    assert.is((await firing).status, 409);
    assert.is((await call('POST', '/fire', { atMs: 0 })).status, 409);
    await sleep(500);
    assert.is(framesAnswer.parse((await call('GET', '/frames?after=0')).json).frames.length, 0);
  } finally {
    await agent.close();
  }
});

test.run();
