// WebSocket, event streams and TCP, fast: each fault is counted as what it is; open streams: cut, ended, silent, late.
import { once } from 'node:events';
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import * as assert from 'uvu/assert';
import { Meter } from '../../harness/load/meter.ts';
import { SourcePorts } from '../../harness/load/source-ports.ts';
import {
  type Failure,
  type StreamEnd,
  type StreamLife,
  type StreamPlan,
  streamPlanSchema,
} from '../../harness/model/load.ts';
import { grpcFaults, h2Service } from '../faults/h2-faults.ts';
import {
  eventFaults,
  type LineFault,
  lineService,
  tcpFaults,
  webSocketFaults,
  wsClose,
  wsFrame,
} from '../faults/stream-faults.ts';
import { type Peer, startWireServer } from '../faults/wire-server.ts';
import { suite } from '../suite.ts';

const test = suite('load: streams');

interface Fired {
  readonly end: StreamEnd;
  readonly codes: string[];
  readonly failures: readonly Failure[];
  readonly lives: readonly StreamLife[];
}

async function fired(port: number, plan: Partial<StreamPlan>, sourcePorts?: SourcePorts): Promise<Fired> {
  const meter = new Meter({
    sourcePorts,
    plan: streamPlanSchema.parse({
      id: 'x',
      lane: 'new',
      url: `http://127.0.0.1:${port}/`,
      rate: { shape: 'constant', ratePerSecond: 500 },
      connections: 50,
      timeoutMs: 200,
      maxDurationMs: 10,
      ...plan,
    }),
  });
  meter.start();
  const end = await meter.ended;
  const { failures, lives = [] } = meter.drain();
  return { end, codes: failures.map(({ code }) => code), lives, failures };
}

for (const [protocol, lanes, faults, headEnd] of [
  ['websocket', ['new'], webSocketFaults, '\r\n\r\n'],
  ['sse', ['long'], eventFaults, '\r\n\r\n'],
  ['tcp', ['new', 'kept'], tcpFaults, '\n'],
] as const) {
  test(`${protocol}: each of ${Object.keys(faults).length} answers is counted as what it is`, async () => {
    const wrong: string[] = [];
    for (const [name, fault] of Object.entries(faults) as [string, LineFault][]) {
      const server = await startWireServer(lineService(faults, () => name, headEnd));
      try {
        for (const lane of lanes) {
          const { end, codes } = await fired(server.port, {
            protocol,
            lane,
            timeoutMs: fault.outcome === 'timeout' ? 200 : 20_000,
          });
          const count = end.outcomes[fault.outcome] ?? 0;
          if (count !== 5 || end.attempts !== 5 || end.brokenIdentities.length > 0)
            wrong.push(
              `${name}, ${lane}: ${JSON.stringify(end.outcomes)} ${codes.join()} ${end.brokenIdentities}`,
            );
          if (fault.code !== undefined && codes.some((code) => code !== fault.code))
            wrong.push(`${name}, ${lane}: ${codes.join()}, not ${fault.code}`);
        }
      } finally {
        await server.close();
      }
    }
    assert.equal(wrong, []);
  });
}

/** Fifty messages of one stream, one every 20 ms. */
async function streamed(
  act: (peer: Peer, head: string, connection: number) => void,
  plan: Partial<StreamPlan> = {},
) {
  let connections = 0;
  const faults: Record<string, LineFault> = {
    one: { outcome: 'ok', act: (peer, head) => act(peer, head, connections++) },
  };
  const server = await startWireServer(lineService(faults, () => 'one', '\r\n\r\n'));
  try {
    const found = await fired(server.port, {
      protocol: 'sse',
      lane: 'stream',
      connections: 1,
      rate: { shape: 'constant', ratePerSecond: 50 },
      maxDurationMs: 1000,
      timeoutMs: 20_000,
      stream: { expect: 'push', lateMs: 20_000 },
      ...plan,
    });
    return { ...found, connections };
  } finally {
    await server.close();
  }
}

const sseHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';
const lastOf = (head: string): number => Number(/last-event-id: *(\d+)/i.exec(head)?.[1] ?? 0);
const every20Ms = (peer: Peer, from: number, most: number, then: () => void = () => undefined): void => {
  let id = from;
  const send = (): void => {
    if (!peer.open) return;
    if (id - from >= most) {
      then();
      return;
    }
    peer.write(`id: ${++id}\ndata: x\n\n`);
    setTimeout(send, 20);
  };
  send();
};

test('a stream that stays: every message in time, one life that the end of the load closes', async () => {
  const { end, lives } = await streamed((peer, head) => {
    peer.write(sseHead);
    every20Ms(peer, lastOf(head), 1000);
  });
  assert.equal(end.outcomes, { ok: 50 });
  assert.equal(
    lives.map(({ end: how }) => how),
    ['held'],
  );
  assert.equal(end.brokenIdentities, []);
});

test('a stream that is cut costs the message that is due next, and is opened again at once', async () => {
  const { end, lives, connections } = await streamed((peer, head, connection) => {
    peer.write(sseHead);
    every20Ms(peer, lastOf(head), connection === 0 ? 2 : 1000, () => peer.rst());
  });
  // One; on a machine that stands still for a moment what had become due meanwhile is lost with it.
  const { ok = 0, 'stream-cut': cut = 0 } = end.outcomes;
  assert.is(ok + cut, 50);
  assert.ok(cut >= 1 && cut < 40, `${cut}`);
  assert.is(connections, 2);
  assert.equal(
    lives.map(({ end: how, code }) => `${how} ${code}`),
    ['cut ECONNRESET', 'held END_OF_LOAD'],
  );
  assert.ok((lives[0]?.backMs ?? 1e9) < 5000);
  assert.is(end.counters?.streamsOpened, 2);
});

test('a stream that ends in order loses nothing; the next one goes on counting', async () => {
  const { end, lives } = await streamed((peer, head, connection) => {
    peer.write(sseHead);
    every20Ms(peer, lastOf(head), connection === 0 ? 2 : 1000, () => peer.fin());
  });
  assert.equal(end.outcomes, { ok: 50 });
  assert.equal(
    lives.map(({ end: how }) => how),
    ['ended', 'held'],
  );
  assert.is(end.counters?.messagesRepeated, 0);
});

test('silence on an open stream is told from a cut, and the stream is opened again', async () => {
  const { end, lives } = await streamed(
    (peer, head, connection) => {
      peer.write(sseHead);
      every20Ms(peer, lastOf(head), connection === 0 ? 1 : 1000);
    },
    { timeoutMs: 100 },
  );
  // One; a machine that stands still for longer than the limit makes a silence of its own.
  assert.ok((end.outcomes.timeout ?? 0) >= 1);
  assert.is(lives[0]?.end, 'silent');
  assert.ok((end.counters?.streamsSilent ?? 0) >= 1);
});

test('messages left out, repeated and late', async () => {
  const { end } = await streamed(
    (peer) => {
      peer.write(sseHead);
      // The first in time; the second twice; 3 and 4 not; the fifth late and for three.
      peer.write('id: 1\ndata: x\n\n');
      setTimeout(() => peer.write('id: 2\ndata: x\n\nid: 2\ndata: x\n\n'), 220);
      setTimeout(() => peer.write('id: 5\ndata: x\n\n'), 2500);
    },
    // One every 200 ms: the fifth is due after 800.
    {
      stream: { expect: 'push', lateMs: 1000 },
      rate: { shape: 'constant', ratePerSecond: 5 },
      maxDurationMs: 1000,
    },
  );
  assert.equal(end.outcomes, { ok: 2, 'message-missing': 2, 'message-late': 1 });
  assert.is(end.counters?.messagesRepeated, 1);
});

test('numbers that leave others out are no messages that are missing', async () => {
  const { end } = await streamed((peer, head) => {
    peer.write(sseHead);
    let id = lastOf(head);
    const send = (): void => {
      if (!peer.open) return;
      id += 10;
      peer.write(`id: ${id}\ndata: x\n\n`);
      setTimeout(send, 20);
    };
    // The second comes at once: nothing was due between them, so it is seen how this server counts, however late the rest is.
    send();
    id += 10;
    peer.write(`id: ${id}\ndata: x\n\n`);
  });
  assert.equal(end.outcomes, { ok: 50 });
});

test('an echo that comes behind a later one is there, and one that never comes is missing', async () => {
  // What we send is masked and short: nine bytes each.
  const sentBytes = 9;
  const faults: Record<string, LineFault> = {
    one: webSocketFaults['silence after the upgrade'] as LineFault,
  };
  const server = await startWireServer((peer) => {
    const upgrade = lineService(faults, () => 'one', '\r\n\r\n')(peer);
    let came = -1;
    return (bytes) => {
      upgrade(bytes);
      const before = came;
      came += came < 0 ? 1 : bytes.length;
      if (before < 3 * sentBytes && came >= 3 * sentBytes)
        for (const number of ['3', '1', '1']) peer.write(wsFrame(1, `${number} x`));
    };
  });
  const { end, lives } = await fired(server.port, {
    protocol: 'websocket',
    lane: 'stream',
    message: 'x',
    connections: 1,
    rate: { shape: 'constant', ratePerSecond: 100 },
    maxDurationMs: 30,
    timeoutMs: 4000,
    stream: { expect: 'echo', lateMs: 20_000 },
  });
  await server.close();
  assert.equal(end.outcomes, { ok: 2, 'message-missing': 1 });
  assert.is(end.counters?.messagesRepeated, 1);
  // It was not taken for silence.
  assert.equal(
    lives.map(({ end: how }) => how),
    ['held'],
  );
});

test('pings that come faster than pongs are read: the last is answered, and the answer comes', async () => {
  const pings = 200_000;
  let pongs = 0;
  let last = '';
  const numbered = (number: number) => wsFrame(9, String(number).padEnd(120, '.'));
  const server = createTcp((socket) => {
    let head = '';
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (!head.includes('\r\n\r\n')) {
        head += bytes.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        webSocketFaults['silence after the upgrade']?.act(
          {
            write: (part) => socket.write(part),
            fin: () => socket.end(),
            rst: () => socket.destroy(),
            open: true,
          },
          head,
          '',
        );
        socket.pause();
        let at = 0;
        const more = (): void => {
          while (at < pings) if (!socket.write(numbered(at++))) return;
          // All of them are with the client or on the way: now its answers are read.
          socket.off('drain', more);
          socket.resume();
        };
        socket.on('drain', more);
        more();
        return;
      }
      rest = Buffer.concat([rest, bytes]);
      let at = 0;
      for (; rest.length - at >= 6; ) {
        const size = (rest[at + 1] as number) & 127;
        if (rest.length - at < 6 + size) break;
        if (((rest[at] as number) & 15) === 10) {
          pongs++;
          last = Buffer.from(
            rest
              .subarray(at + 6, at + 12)
              .map((byte, index) => byte ^ (rest[at + 2 + (index & 3)] as number)),
          ).toString();
        }
        at += 6 + size;
      }
      rest = rest.subarray(at);
      if (last === String(pings - 1)) socket.write(wsFrame(1, '1 '));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { end } = await fired((server.address() as AddressInfo).port, {
    protocol: 'websocket',
    connections: 1,
    rate: { shape: 'constant', ratePerSecond: 1 },
    timeoutMs: 30_000,
  });
  server.close();
  assert.equal(end.outcomes, { ok: 1 });
  assert.is(last, String(pings - 1));
  // What the kernel holds, not what this process does.
  assert.ok(pongs < pings * 0.75, `${pongs} of ${pings} pongs`);
});

test('a stream that was to come back later is neither silent nor a failed opening', async () => {
  let streams = 0;
  const server = createHttp1((_request, response) => {
    const headAfterMs = streams++ > 0 ? 800 : 0;
    let events = 0;
    let every: NodeJS.Timeout | undefined;
    const head = setTimeout(() => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      every = setInterval(() => {
        if (++events <= 12) response.write('data: x\n\n');
        else {
          clearInterval(every);
          response.end('retry: 1500\n\n');
        }
      }, 100);
    }, headAfterMs);
    response.on('close', () => {
      clearTimeout(head);
      clearInterval(every);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { end, lives } = await fired((server.address() as AddressInfo).port, {
    protocol: 'sse',
    lane: 'stream',
    connections: 1,
    rate: { shape: 'constant', ratePerSecond: 10 },
    maxDurationMs: 9000,
    timeoutMs: 2000,
    stream: { expect: 'push', lateMs: 300 },
  });
  server.closeAllConnections();
  server.close();
  // The server sends one per interval without a number: what fell due while there was no stream never came.
  const kinds = lives.map(({ end: how }) => how).join();
  assert.match(kinds, /^ended(,ended)+(,held)?$/);
  assert.is(end.counters?.openFailures, 0);
  const { ok = 0, timeout = 0 } = end.outcomes;
  const { 'message-late': late = 0, 'message-missing': missing = 0 } = end.outcomes;
  assert.is(ok + late + missing + timeout, end.attempts);
  assert.is(
    ok + late + (end.counters?.messagesUnexpected ?? 0),
    lives.reduce((sum, { messages }) => sum + messages, 0),
  );
  assert.ok(missing > 0, JSON.stringify(end.outcomes));
});

test('a gRPC stream that is refused behind its headers is cut, as by any other code', async () => {
  const server = await startWireServer(h2Service(grpcFaults, () => 'stream refused behind its headers'));
  const { end, lives } = await fired(server.port, {
    protocol: 'grpc',
    lane: 'stream',
    grpc: { method: 'a.B/C', message: '' },
    connections: 1,
    rate: { shape: 'constant', ratePerSecond: 20 },
    maxDurationMs: 150,
  });
  await server.close();
  assert.equal(end.outcomes, { 'stream-cut': end.attempts });
  assert.equal([...new Set(lives.map((life) => `${life.end} ${life.code}`))], ['cut REFUSED_STREAM']);
  assert.is(end.counters?.streamsBroken, 0);
});

test('nobody listens: every message that is due is refused', async () => {
  const server = await startWireServer(() => () => undefined);
  await server.close();
  const { end, lives } = await fired(server.port, {
    protocol: 'websocket',
    lane: 'stream',
    connections: 1,
    rate: { shape: 'constant', ratePerSecond: 50 },
    maxDurationMs: 100,
  });
  assert.equal(end.outcomes, { refused: 5 });
  assert.equal(lives, []);
});

test('WebSocket: messages come back; close 1001 loses nothing, a cut what was under way', async () => {
  const sockets: string[] = [];
  const echo = (how: (peer: Peer) => void) => {
    let connections = 0;
    return startWireServer((peer) => {
      const number = connections++;
      let head = '';
      let upgraded = false;
      let rest: Buffer = Buffer.alloc(0);
      let echoed = 0;
      return (bytes) => {
        if (!upgraded) {
          head += bytes.toString('latin1');
          if (!head.includes('\r\n\r\n')) return;
          upgraded = true;
          webSocketFaults['silence after the upgrade']?.act(peer, head, '');
          return;
        }
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= 6) {
          const size = (rest[1] as number) & 127;
          const mask = rest.subarray(2, 6);
          const text = Buffer.from(
            rest.subarray(6, 6 + size).map((byte, at) => byte ^ (mask[at & 3] as number)),
          );
          const opcode = (rest[0] as number) & 15;
          rest = rest.subarray(6 + size);
          if (opcode !== 1) return;
          sockets.push(text.toString());
          if (number === 0 && ++echoed === 3) how(peer);
          else peer.write(wsFrame(1, text));
        }
      };
    });
  };
  for (const [how, life] of [
    [(peer: Peer) => peer.rst(), 'cut'],
    [
      (peer: Peer) => {
        peer.write(wsFrame(1, sockets.at(-1) ?? ''));
        peer.write(wsClose(1001));
      },
      'ended',
    ],
  ] as const) {
    const server = await echo(how);
    const { end, lives } = await fired(server.port, {
      protocol: 'websocket',
      lane: 'stream',
      connections: 1,
      rate: { shape: 'constant', ratePerSecond: 50 },
      maxDurationMs: 1000,
      timeoutMs: 20_000,
      stream: { expect: 'echo', lateMs: 20_000 },
      message: 'hello',
    });
    await server.close();
    const { ok = 0, 'stream-cut': cut = 0, 'stream-ended': crossed = 0 } = end.outcomes;
    const told = JSON.stringify(end.outcomes);
    assert.is(ok + cut + crossed, 50, told);
    // One is cut and none crosses the close; more are under way on a machine that stands still for a moment.
    if (life === 'cut') assert.ok(cut >= 1 && cut < 40 && crossed === 0, told);
    else assert.ok(cut === 0 && crossed < 40, told);
    assert.is(lives[0]?.end, life);
  }
});

test('each protocol against a server of each other one: named, within the time limit', async () => {
  const http1 = createHttp1((_request, response) => response.end('hello'));
  const http2 = createHttp2((_request, response) => response.end('hello'));
  const echo = createTcp((socket) => socket.on('error', () => undefined).pipe(socket));
  const mute = createTcp((socket) => socket.on('error', () => undefined).resume());
  const servers = { http1, http2, echo, mute };
  for (const server of Object.values(servers)) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const found: Record<string, string> = {};
  for (const [name, server] of Object.entries(servers)) {
    for (const [protocol, lane] of [
      ['http2', 'kept'],
      ['grpc', 'kept'],
      ['websocket', 'new'],
      ['sse', 'long'],
      ['tcp', 'new'],
    ] as const) {
      const { port } = server.address() as AddressInfo;
      // Who says nothing is waited for; the others answer as soon as the machine lets them.
      const timeoutMs = name === 'mute' ? 100 : 10_000;
      const { end, codes } = await fired(port, { protocol, lane, timeoutMs, maxDurationMs: 1 });
      found[`${protocol} at ${name}`] = `${Object.keys(end.outcomes).join()} ${codes.join()}`;
    }
  }
  for (const server of Object.values(servers)) server.close();
  assert.equal(found, {
    'http2 at http1': 'protocol ANSWERED_HTTP_1',
    'grpc at http1': 'protocol ANSWERED_HTTP_1',
    'websocket at http1': 'protocol NO_UPGRADE',
    'sse at http1': 'protocol NOT_EVENT_STREAM',
    'tcp at http1': 'protocol OTHER_LINE',
    'http2 at http2': 'ok ',
    'grpc at http2': 'protocol NOT_GRPC',
    'websocket at http2': 'protocol BAD_STATUS_LINE',
    'sse at http2': 'protocol BAD_STATUS_LINE',
    'tcp at http2': 'protocol OTHER_LINE',
    'http2 at echo': 'protocol NOT_HTTP_2',
    'grpc at echo': 'protocol NOT_HTTP_2',
    'websocket at echo': 'protocol BAD_STATUS_LINE',
    'sse at echo': 'protocol BAD_STATUS_LINE',
    'tcp at echo': 'ok ',
    'http2 at mute': 'timeout RESPONSE_TIMEOUT',
    'grpc at mute': 'timeout RESPONSE_TIMEOUT',
    'websocket at mute': 'timeout RESPONSE_TIMEOUT',
    'sse at mute': 'timeout RESPONSE_TIMEOUT',
    'tcp at mute': 'timeout RESPONSE_TIMEOUT',
  });
});

/** Lets the first bytes through only; `sent` says how many there would have been. */
function only(bytes: number, peer: Peer): Peer & { readonly sent: () => number } {
  let sent = 0;
  return {
    get open() {
      return peer.open;
    },
    write(data) {
      const part = Buffer.from(data).subarray(0, Math.max(0, bytes - sent));
      sent += Buffer.byteLength(data);
      if (part.length > 0) peer.write(part);
    },
    fin: () => peer.fin(),
    rst: () => peer.rst(),
    sent: () => sent,
  };
}

for (const how of ['fin', 'rst'] as const) {
  test(`${how.toUpperCase()} behind each byte of an answer: not one is counted as anything else`, async () => {
    const wrong: string[] = [];
    for (const [protocol, lane, fault, end, head] of [
      ['websocket', 'new', webSocketFaults.echo, '\r\n\r\n', 129],
      ['sse', 'long', eventFaults.whole, '\r\n\r\n', 80],
      ['tcp', 'new', tcpFaults.echo, '\n', Number.POSITIVE_INFINITY],
    ] as const) {
      let whole = 0;
      let inHead = 0;
      const server = await startWireServer((peer, number) => {
        const cut = only(number, peer);
        let first = true;
        return (bytes) => {
          if (!first || !bytes.includes(end)) return;
          first = false;
          (fault as LineFault).act(cut, bytes.toString('latin1'), '');
          whole = cut.sent();
          if (number < Math.min(head, whole)) inHead++;
          if (number < whole) cut[how]();
        };
      });
      // As many connections as the answer has bytes.
      const length = protocol === 'websocket' ? head + 4 : protocol === 'sse' ? 135 : 10;
      const { end: told } = await fired(server.port, {
        protocol,
        lane,
        connections: length,
        maxDurationMs: length * 2,
        timeoutMs: 20_000,
      });
      await server.close();
      const before = how === 'fin' ? 'closed' : 'reset';
      const counted = [told.outcomes[before] ?? 0, told.outcomes['stream-cut'] ?? 0];
      if (whole !== length || counted[0] !== inHead || counted[0] + (counted[1] ?? 0) !== length)
        wrong.push(`${protocol}: ${JSON.stringify(told.outcomes)}, ${inHead} in the head of ${whole} bytes`);
    }
    assert.equal(wrong, []);
  });
}

test('connections of every protocol come from the ports that they were given; failures name theirs', async () => {
  const table = [
    ['http2', 'new'],
    ['grpc', 'kept'],
    ['tcp', 'new'],
    ['websocket', 'new'],
    ['sse', 'long'],
    ['websocket', 'stream'],
    ['grpc', 'stream'],
  ] as const;
  for (const [protocol, lane] of table) {
    const seen: number[] = [];
    const server = createTcp((socket) => {
      seen.push(socket.remotePort ?? 0);
      socket.on('error', () => undefined);
      socket.once('data', () => socket.resetAndDestroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Somebody listens on the second one.
    const taken = createTcp();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port: second } = taken.address() as AddressInfo;
    const from = second - 1;
    const { end, failures } = await fired(
      (server.address() as AddressInfo).port,
      { protocol, lane, maxDurationMs: 20, timeoutMs: 20_000 },
      new SourcePorts({ from, to: from + 400 }),
    );
    server.close();
    taken.close();
    const what = `${protocol}, lane ${lane}`;
    assert.is(end.attempts, 10, what);
    assert.ok(seen.length > 0 && new Set(seen).size === seen.length, what);
    assert.ok(
      seen.every((one) => one >= from && one <= from + 400 && one !== second),
      `${what}: ${seen.join()}`,
    );
    assert.is(failures.length, 10, what);
    for (const { localPort, openedMs, endMs } of failures) {
      assert.ok(localPort !== undefined && seen.includes(localPort), `${what}: ${localPort}`);
      assert.ok(openedMs !== undefined && openedMs <= endMs, what);
    }
  }
});

test.run();
