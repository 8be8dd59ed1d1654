// The default target as a real process: how it starts, serves, stops in each mode, and what it says about itself.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get, type IncomingHttpHeaders, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { bundle } from '../../harness/load/bundle.ts';
import { suite } from '../suite.ts';

const test = suite('target', { timeoutMs: 20_000 });
const program = await bundle(fileURLToPath(new URL('../../target/server.ts', import.meta.url)));

test('listens after START_MS, not before, and says who it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-target-'));
  const readyFile = join(folder, 'ready');
  try {
    await using target = await start({
      START_MS: '700',
      VERSION: '7',
      POD_NAME: 'web-1',
      READY_FILE: readyFile,
    });
    assert.is(await outcome(target.url('/')), 'ECONNREFUSED');
    await target.listening;
    assert.ok(target.ageMs() >= 700, `listened after ${target.ageMs()} ms`);
    assert.is(readFileSync(readyFile, 'utf8'), 'ready\n');
    const answer = await ask(target.url('/any?x=1'));
    assert.is(answer.status, 200);
    assert.is(answer.headers['x-rollproof-version'], '7');
    assert.is(answer.headers['x-rollproof-pod'], 'web-1');
    assert.equal(JSON.parse(answer.body), { version: '7', pod: 'web-1' });
    assert.is((await ask(target.url('/healthz'))).status, 200);
    assert.is((await ask(target.url('/livez'))).status, 200);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a wrong variable is a sentence and exit 1', async () => {
  const table: [Record<string, string>, RegExp][] = [
    [{ START_MS: 'soon' }, /START_MS is "soon"; it must be a whole number from 0 to /],
    [{ ON_TERM: 'later' }, /ON_TERM is "later"; it must be one of exit, graceful, drain, ignore/],
    [{ PORT: '70000' }, /PORT is "70000"/],
  ];
  for (const [env, message] of table) {
    const child = spawn(process.execPath, [program], { env: { ...process.env, ...env } });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    const [code] = await once(child, 'close');
    assert.is(code, 1);
    assert.match(said, message);
  }
});

test('a busy port is a sentence and exit 1', async () => {
  await using first = await start({});
  await first.listening;
  await using second = await start({ PORT: String(first.port) });
  assert.equal(await second.exit, { code: 1, signal: null });
});

test('?ms=N holds a request, WORK_MS every other', async () => {
  await using target = await start({ WORK_MS: '60' });
  await target.listening;
  for (const [path, atLeastMs] of [
    ['/', 60],
    ['/slow?ms=250', 250],
  ] as const) {
    const startedAt = performance.now();
    await ask(target.url(path));
    // Node's timers may fire a fraction of a millisecond early.
    assert.ok(performance.now() - startedAt >= atLeastMs - 2, path);
  }
});

test('odd request targets do not bring it down', async () => {
  await using target = await start({});
  await target.listening;
  for (const path of ['//', '/?ms=abc', '/?ms=-1', '/%', '/a?b?c', '*']) {
    assert.is((await ask({ port: target.port, path })).status, 200, path);
  }
});

test('admin: unready and ready turn /healthz, and nothing else', async () => {
  await using target = await start({});
  await target.listening;
  for (const [action, health] of [
    ['unready', 503],
    ['ready', 200],
  ] as const) {
    assert.is(await target.admin(action), 202);
    assert.is((await ask(target.url('/healthz'))).status, health);
    assert.is((await ask(target.url('/'))).status, 200);
  }
  assert.is(await target.admin('reboot'), 404);
  assert.is((await ask({ port: target.adminPort, path: '/crash' })).status, 405);
});

test('admin: crash ends the process with 1 and cuts what is in flight', async () => {
  await using target = await start({});
  await target.listening;
  const inFlight = await target.inFlight('/?ms=5000');
  assert.is(await target.admin('crash'), 202);
  assert.equal(await target.exit, { code: 1, signal: null });
  assert.is(await inFlight.outcome, 'ECONNRESET');
});

test('CRASH_AFTER_MS: serves that long and exits with 1', async () => {
  await using target = await start({ CRASH_AFTER_MS: '400' });
  await target.listening;
  const listeningAt = performance.now();
  assert.is((await ask(target.url('/'))).status, 200);
  assert.equal(await target.exit, { code: 1, signal: null });
  assert.ok(performance.now() - listeningAt > 300);
});

test('admin: hang: connections are accepted, nothing is answered, SIGTERM does nothing', async () => {
  await using target = await start({ ON_TERM: 'exit' });
  await target.listening;
  assert.is(await target.admin('hang'), 202);
  await delay(100);
  assert.is(await outcome({ ...target.url('/'), timeout: 400 }), 'timeout');
  target.process.kill('SIGTERM');
  assert.is(await Promise.race([target.exit, delay(400, 'alive')]), 'alive');
});

test('exit: gone at once, requests in flight are cut, exit code 0', async () => {
  await using target = await start({ ON_TERM: 'exit' });
  await target.listening;
  const inFlight = await target.inFlight('/?ms=5000');
  const askedAt = performance.now();
  target.process.kill('SIGTERM');
  assert.equal(await target.exit, { code: 0, signal: null });
  assert.ok(performance.now() - askedAt < 4000);
  assert.is(await inFlight.outcome, 'ECONNRESET');
});

test('graceful: twenty kept connections in use lose nothing, and each is told to close', async () => {
  await using target = await start({ ON_TERM: 'graceful', LINGER_MS: '600' });
  await target.listening;
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const outcomes: string[] = [];
  const closes: boolean[] = [];
  let stop = false;
  const clients = Array.from({ length: 20 }, async (_, index) => {
    await delay(index * 5);
    while (!stop) {
      try {
        const { status, headers } = await ask({ ...target.url('/'), agent });
        outcomes.push(String(status));
        closes.push(headers.connection === 'close');
      } catch (error) {
        outcomes.push(codeOf(error));
      }
      await delay(80);
    }
  });
  await delay(400);
  const before = outcomes.length;
  assert.equal([...new Set(closes)], [false]);
  target.process.kill('SIGTERM');
  const killedAt = performance.now();
  // Routing sends nobody here any more a little later; each kept connection has come by by then.
  await delay(300);
  stop = true;
  await Promise.all(clients);
  agent.destroy();
  assert.equal([...new Set(outcomes)], ['200']);
  assert.ok(closes.slice(before + 20).every(Boolean), 'every answer after SIGTERM closes its connection');
  assert.equal(await target.exit, { code: 0, signal: null });
  assert.ok(performance.now() - killedAt >= 600, 'lingers for LINGER_MS at least');
});

test('graceful: a request longer than the linger is answered before the end', async () => {
  await using target = await start({ ON_TERM: 'graceful', LINGER_MS: '200' });
  await target.listening;
  const slow = await target.inFlight('/slow?ms=1200');
  target.process.kill('SIGTERM');
  const answer = await slow.answer;
  assert.is(answer.status, 200);
  assert.is(answer.headers.connection, 'close');
  assert.equal(await target.exit, { code: 0, signal: null });
});

test('KEEP_ALIVE_MS: an idle connection is closed after that time; Node.js alone would wait a second longer', async () => {
  await using target = await start({ KEEP_ALIVE_MS: '300' });
  await target.listening;
  const socket = connect(target.port, '127.0.0.1');
  for (const _ of [1, 2]) {
    socket.write('GET / HTTP/1.1\r\nHost: target\r\n\r\n');
    await once(socket, 'data');
  }
  const answeredAt = performance.now();
  await once(socket, 'end');
  const idleMs = performance.now() - answeredAt;
  assert.ok(idleMs > 250 && idleMs < 1250, `closed after ${idleMs} ms`);
});

test(
  'STALL_MS: a request that comes while the app is at other work and its idle time ends is lost',
  async () => {
    const [stallMs, everyMs, keepAliveMs] = [400, 800, 300];
    await using target = await start({
      KEEP_ALIVE_MS: String(keepAliveMs),
      STALL_MS: String(stallMs),
      STALL_EVERY_MS: String(everyMs),
    });
    await target.listening;
    const connected = () => {
      const socket = connect(target.port, '127.0.0.1').on('error', () => undefined);
      // A reset is an end, too: `once` would throw it.
      const ask = () =>
        new Promise<'answer' | 'close'>((resolve) => {
          socket.once('data', () => resolve('answer')).once('close', () => resolve('close'));
          socket.write('POST / HTTP/1.1\r\nHost: target\r\nContent-Length: 0\r\n\r\n');
        });
      return { socket, ask };
    };
    /** An answer that took long came at the end of the other work. */
    const endOfStall = async () => {
      for (;;) {
        const { socket, ask } = connected();
        const askedAt = performance.now();
        await ask();
        const now = performance.now();
        socket.destroy();
        if (now - askedAt > stallMs / 2) return now;
        await delay(20);
      }
    };
    let lost = false;
    for (let tries = 0; tries < 30 && !lost; tries++) {
      const begins = (await endOfStall()) + everyMs - stallMs;
      // Answered before the app turns to its other work; while it is at it, the next request comes and the idle time ends.
      await delay(begins - keepAliveMs / 2 - performance.now());
      const { socket, ask } = connected();
      assert.is(await ask(), 'answer');
      await delay(begins + 50 - performance.now());
      // Closed before it was used again: this machine was late.
      if (socket.readableEnded || socket.destroyed) continue;
      lost = (await ask()) === 'close';
      socket.destroy();
    }
    assert.ok(lost);
  },
  { timeoutMs: 60_000 },
);

test('graceful: waits for a kept connection that is used seldom', async () => {
  await using target = await start({ ON_TERM: 'graceful', LINGER_MS: '200' });
  await target.listening;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = () => ask({ ...target.url('/'), agent });
  await client();
  await delay(700);
  await client();
  target.process.kill('SIGTERM');
  await delay(700);
  const answer = await client();
  agent.destroy();
  assert.is(answer.status, 200);
  assert.is(answer.headers.connection, 'close');
  assert.equal(await target.exit, { code: 0, signal: null });
});

test('graceful: LINGER_LIMIT_MS ends the wait for a connection that does not come', async () => {
  await using target = await start({ ON_TERM: 'graceful', LINGER_MS: '100', LINGER_LIMIT_MS: '400' });
  await target.listening;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await ask({ ...target.url('/'), agent });
  await delay(1500);
  await ask({ ...target.url('/'), agent });
  const killedAt = performance.now();
  target.process.kill('SIGTERM');
  assert.equal(await target.exit, { code: 0, signal: null });
  agent.destroy();
  assert.ok(performance.now() - killedAt < 2900, 'does not wait for 2 × 1.5 s');
});

test('drain: refuses new and closes idle connections at once, finishes what is in flight', async () => {
  await using target = await start({ ON_TERM: 'drain' });
  await target.listening;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await ask({ ...target.url('/'), agent });
  const idle = Object.values(agent.freeSockets).flat()[0] as Socket;
  const closed = once(idle, 'close');
  const slow = await target.inFlight('/slow?ms=1500');
  target.process.kill('SIGTERM');
  await closed;
  assert.is(await outcome(target.url('/')), 'ECONNREFUSED');
  assert.is((await slow.answer).status, 200);
  assert.equal(await target.exit, { code: 0, signal: null });
  agent.destroy();
});

test('ignore: goes on serving until SIGKILL', async () => {
  await using target = await start({ ON_TERM: 'ignore' });
  await target.listening;
  target.process.kill('SIGTERM');
  await delay(300);
  assert.is((await ask(target.url('/'))).status, 200);
  target.process.kill('SIGKILL');
  assert.equal(await target.exit, { code: null, signal: 'SIGKILL' });
});

test('SIGTERM before it listens ends it in every mode but ignore', async () => {
  for (const mode of ['exit', 'graceful', 'drain']) {
    await using target = await start({ ON_TERM: mode, START_MS: '60000' });
    // The admin port is there from the start, after the handler of SIGTERM.
    while ((await outcome({ port: target.adminPort, path: '/' })) !== '404') await delay(20);
    target.process.kill('SIGTERM');
    assert.equal(await target.exit, { code: 0, signal: null }, mode);
  }
});

test('phases: each is told in order, the last ones before the process is gone', async () => {
  const table: [mode: string, expected: string[]][] = [
    ['exit', ['starting', 'listening', 'unready', 'listening', 'sigterm', 'closed']],
    ['graceful', ['starting', 'listening', 'unready', 'listening', 'sigterm', 'closed']],
  ];
  for (const [mode, expected] of table) {
    await using agent = await phaseReceiver();
    await using target = await start({
      ON_TERM: mode,
      LINGER_MS: '100',
      VERSION: '3',
      POD_NAME: 'web-2',
      ROLLPROOF_PHASES: agent.address,
    });
    await target.listening;
    await target.admin('unready');
    await target.admin('ready');
    target.process.kill('SIGTERM');
    await target.exit;
    await agent.linkEnded;
    assert.equal(
      agent.lines.map((line) => line.phase),
      expected,
      mode,
    );
    assert.ok(agent.lines.every((line) => line.pod === 'web-2' && line.version === '3'));
  }
});

test('phases: a killed process ends its link without "closed"', async () => {
  await using agent = await phaseReceiver();
  await using target = await start({ ROLLPROOF_PHASES: agent.address });
  await target.listening;
  while (agent.lines.length < 2) await delay(10);
  target.process.kill('SIGKILL');
  await agent.linkEnded;
  assert.equal(
    agent.lines.map((line) => line.phase),
    ['starting', 'listening'],
  );
});

test('phases: an agent that comes late hears how long ago it was', async () => {
  const port = await freePort();
  await using target = await start({ ROLLPROOF_PHASES: `127.0.0.1:${port}` });
  await target.listening;
  await delay(600);
  await using agent = await phaseReceiver(port);
  while (agent.lines.length < 2) await delay(10);
  assert.ok(agent.lines.every((line) => line.agoMs >= 500));
});

test('phases: without an agent it serves and stops as ever', async () => {
  await using target = await start({ ON_TERM: 'exit', ROLLPROOF_PHASES: `127.0.0.1:${await freePort()}` });
  await target.listening;
  assert.is((await ask(target.url('/'))).status, 200);
  const killedAt = performance.now();
  target.process.kill('SIGTERM');
  assert.equal(await target.exit, { code: 0, signal: null });
  assert.ok(performance.now() - killedAt < 5000);
});

test('ends when the process that it must not outlive has ended, also while it hangs', async () => {
  for (const hanging of [false, true]) {
    const parent = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    await using target = await start({ ROLLPROOF_PARENT_PID: String(parent.pid) });
    await target.listening;
    if (hanging) await target.admin('hang');
    parent.kill('SIGKILL');
    assert.equal(await target.exit, { code: 1, signal: null }, hanging ? 'hanging' : 'serving');
  }
});

test.run();

interface Target extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly listening: Promise<void>;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  ageMs(): number;
  url(path: string): { port: number; path: string };
  admin(action: string): Promise<number>;
  /** A request that the target has begun to work on. */
  inFlight(path: string): Promise<{ readonly answer: Promise<Answer>; readonly outcome: Promise<string> }>;
}

async function start(env: Record<string, string>): Promise<Target> {
  const port = Number(env.PORT ?? (await freePort()));
  const adminPort = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
      ROLLPROOF_PARENT_PID: String(process.pid),
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const listening = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'listening') resolve();
    });
  });
  return {
    process: child,
    port,
    adminPort,
    listening,
    exit,
    ageMs: () => performance.now() - startedAt,
    url: (path) => ({ port, path }),
    admin: (action) => post(adminPort, `/${action}`),
    async inFlight(path) {
      let sent = () => {};
      const onItsWay = new Promise<void>((resolve) => {
        sent = resolve;
      });
      const answer = ask({ port, path, sent });
      const outcome = answer.then(({ status }) => String(status), codeOf);
      await onItsWay;
      // Connections are accepted in turn: what was asked later and is answered shows that this one is in.
      for (let round = 0; round < 2; round++) await ask({ port, path: '/healthz' });
      return { answer, outcome };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

interface Ask {
  readonly port: number;
  readonly path: string;
  readonly agent?: Agent;
  readonly timeout?: number;
  /** Called when the request has been handed to the kernel. */
  readonly sent?: () => void;
}
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function ask({ port, path, agent, timeout, sent }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent: agent ?? false, timeout };
    const asked = get(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asked.on('timeout', () => asked.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
    if (sent) asked.on('socket', (socket) => socket.on('connect', () => setImmediate(sent)));
    asked.on('error', reject);
  });
}

/** "200" or the error's code. */
async function outcome(options: Ask): Promise<string> {
  try {
    return String((await ask(options)).status);
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'error';
}

function post(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject);
    asked.end();
  });
}

interface PhaseReceiver extends AsyncDisposable {
  readonly address: string;
  readonly lines: { pod: string; phase: string; version: string; agoMs: number }[];
  readonly linkEnded: Promise<void>;
}

/** What the load agent does: one server, a JSON object per line. */
async function phaseReceiver(port = 0): Promise<PhaseReceiver> {
  const lines: PhaseReceiver['lines'] = [];
  const server: Server = createServer();
  const linkEnded = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      createInterface({ input: socket }).on('line', (line) => lines.push(JSON.parse(line)));
      socket.on('close', () => resolve());
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    linkEnded,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
