// HTTPS: the same faults inside TLS, faults within the handshake, and certificates that must not be accepted.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createAuthority } from '../../emulator/api/auth/certificates.ts';
import { AutocannonClients } from '../../harness/load/autocannon-clients.ts';
import { Meter } from '../../harness/load/meter.ts';
import { type StreamEnd, streamPlanSchema } from '../../harness/model/load.ts';
import { differences } from '../faults/compare.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import { type Fault, type FaultName, faultNames, faultOf } from '../faults/faults.ts';
import { startWireServer } from '../faults/wire-server.ts';
import { suite } from '../suite.ts';

const test = suite('load tls', { timeoutMs: 110_000 });
const authority = createAuthority();
const valid = authority.issue({
  hosts: ['localhost'],
  addresses: ['127.0.0.1'],
  validToMs: Date.now() + 86_400_000,
});

async function run(
  url: string,
  options: { lane?: 'new' | 'kept'; timeoutMs?: number; insecure?: boolean } = {},
): Promise<StreamEnd> {
  const { lane = 'new', timeoutMs = 20_000, insecure = true } = options;
  const meter = new Meter({
    plan: streamPlanSchema.parse({
      id: lane,
      lane,
      url,
      insecure,
      rate: { shape: 'constant', ratePerSecond: 20 },
      connections: lane === 'kept' ? 4 : 60,
      timeoutMs,
      maxDurationMs: 300,
    }),
  });
  meter.start();
  return meter.ended;
}

const tlsFaults = faultNames.filter((name) => !(faultOf(name) as Fault).plainOnly);

for (const lane of ['new', 'kept'] as const) {
  test(`lane ${lane}: each of ${tlsFaults.length} faults inside TLS`, async () => {
    const failures: string[] = [];
    const queue: FaultName[] = [...tlsFaults];
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let name = queue.shift(); name; name = queue.shift()) {
          const fault = name;
          const server = await startFaultServer({ plan: () => fault, tls: valid });
          const end = await run(`https://127.0.0.1:${server.port}/`, {
            lane,
            // Server and meter share this process: what is waited for must outlast its own standstills.
            timeoutMs: faultOf(fault).stalls ? 4000 : 20_000,
          });
          failures.push(...differences(end, server).map((sentence) => `${fault}: ${sentence}`));
          await server.close();
        }
      }),
    );
    assert.equal(failures, []);
  });
}

test('faults within the handshake are told by phase tls', async () => {
  const table: [string, (socket: Socket) => void, string][] = [
    ['FIN on accept', (socket) => socket.end(), 'closed/tls/new'],
    ['FIN after the hello', (socket) => socket.once('data', () => socket.end()), 'closed/tls/new'],
    ['RST on accept', (socket) => socket.resetAndDestroy(), 'reset/tls/new'],
    ['RST after the hello', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'reset/tls/new'],
    ['silence', (socket) => socket.resume(), 'timeout/tls/new'],
    [
      'plain HTTP',
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
      'tls/tls/new',
    ],
    ['garbage', (socket) => socket.once('data', () => socket.write('what is this?')), 'tls/tls/new'],
  ];
  for (const [name, act, expected] of table) {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      act(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const end = await run(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      timeoutMs: name === 'silence' ? 1000 : 20_000,
    });
    for (const socket of sockets) socket.destroy();
    server.close();
    assert.equal(end.phases, { [expected]: end.attempts }, name);
    assert.equal(end.brokenIdentities, [], name);
  }
});

test('certificates: only a valid one of a known authority and the right name is accepted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-tls-'));
  const authorityFile = join(folder, 'ca.pem');
  writeFileSync(authorityFile, authority.cert);
  const expired = authority.issue({
    hosts: ['localhost'],
    addresses: ['127.0.0.1'],
    validToMs: Date.now() - 3_600_000,
  });
  const otherName = authority.issue({ hosts: ['example.org'], validToMs: Date.now() + 86_400_000 });
  const table: [string, typeof valid, string, string | undefined][] = [
    ['valid', valid, 'ok', undefined],
    ['expired', expired, 'tls', 'CERT_HAS_EXPIRED'],
    ['other name', otherName, 'tls', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ];
  try {
    for (const [name, certificate, outcome, code] of table) {
      const server = await startFaultServer({ plan: () => 'length', tls: certificate });
      const result = await loadCommand(
        [`https://127.0.0.1:${server.port}/`, '--rate', '40', '--duration', '500ms'],
        {
          NODE_EXTRA_CA_CERTS: authorityFile,
        },
      ).finally(() => server.close());
      assert.is(result.outcomes[outcome], 20, name);
      assert.is(result.failures[0]?.code, code, name);
      if (outcome === 'tls') assert.equal(result.phases, { 'tls/tls/new': 20 }, name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an unknown authority is refused, and accepted where anything is', async () => {
  const server = await startFaultServer({ plan: () => 'length', tls: valid });
  try {
    const refused = await run(`https://127.0.0.1:${server.port}/`, { insecure: false });
    assert.equal(refused.phases, { 'tls/tls/new': refused.attempts });
    const accepted = await run(`https://127.0.0.1:${server.port}/`, { insecure: true });
    assert.equal(accepted.outcomes, { ok: accepted.attempts });
  } finally {
    await server.close();
  }
});

interface LoadResult {
  readonly outcomes: Record<string, number>;
  readonly phases: Record<string, number>;
  readonly failures: { code: string }[];
}

function loadCommand(args: readonly string[], env: Record<string, string>): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/rollproof.mjs', 'load', ...args, '--json', '-'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (exit) => {
      if (exit === 0) resolve(JSON.parse(text) as LoadResult);
      else reject(new Error(`rollproof load ended with ${exit}: ${text}`));
    });
  });
}

test('half a server hello, then a RST or a FIN: told apart', async () => {
  // Behind bytes Node tells both as a clean end.
  const halfHello = Buffer.from('160303007a020000760303', 'hex');
  for (const [how, outcome] of [
    ['rst', 'reset'],
    ['fin', 'closed'],
  ] as const) {
    const server = await startWireServer((peer) => () => {
      peer.write(halfHello);
      peer[how]();
    });
    for (const protocol of ['http1', 'http2'] as const) {
      const meter = new Meter({
        plan: streamPlanSchema.parse({
          id: 'x',
          lane: 'new',
          protocol,
          url: `https://127.0.0.1:${server.port}/`,
          rate: { shape: 'constant', ratePerSecond: 100 },
          connections: 20,
          timeoutMs: 20_000,
          maxDurationMs: 100,
        }),
      });
      meter.start();
      const end = await meter.ended;
      assert.equal(end.outcomes, { [outcome]: 10 }, `${how}, ${protocol}`);
      assert.equal(end.phases, { [`${outcome}/tls/new`]: 10 });
    }
    await server.close();
  }
});

test('a port that is said is the one that is asked, also 80', async () => {
  const plan = (url: string) =>
    streamPlanSchema.parse({
      id: 'x',
      lane: 'new',
      url,
      rate: { shape: 'constant', ratePerSecond: 1 },
      connections: 1,
      timeoutMs: 1000,
      maxDurationMs: 1,
    });
  const ports: number[] = [];
  for (const url of ['https://a.test:80/', 'https://a.test/', 'http://a.test/', 'http://a.test:443/']) {
    const clients = new AutocannonClients(plan(url), 1);
    ports.push(clients.port);
    await clients.totals();
  }
  assert.equal(ports, [80, 443, 80, 443]);
});

test.run();
