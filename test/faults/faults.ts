// Every way in which the fault server answers, or does not, with how an exact client must count it. Docs: docs/load.md.
import type { Outcome, Phase } from '../../harness/model/load.ts';
import type { Exchange } from './fault-server.ts';

export interface Fault {
  readonly outcome: Outcome;
  /** Where it ends, for everything but `ok`. */
  readonly phase?: Phase;
  /** Chosen when a connection is accepted, not when a request has come. */
  readonly onAccept?: boolean;
  /** The server closes a connection that the client takes for idle: the next request may cross the FIN or RST. */
  readonly closesIdle?: boolean;
  /** Ends by the client's time limit. */
  readonly stalls?: boolean;
  /** Over TLS it cannot be told from a clean end, or cannot be done. */
  readonly plainOnly?: boolean;
  act(exchange: Exchange): void | Promise<void>;
}

const body = 'hello, this is the body\n';
const length = body.length;
const head = (...lines: string[]) => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`;
const whole = `${head(`Content-Length: ${length}`)}${body}`;
const chunked = (...chunks: string[]) =>
  chunks.map((one) => `${one.length.toString(16)}\r\n${one}\r\n`).join('');
const answer =
  (text: string) =>
  async (exchange: Exchange): Promise<void> =>
    exchange.write(text);
const thenFin =
  (text: string) =>
  async (exchange: Exchange): Promise<void> => {
    await exchange.write(text);
    exchange.fin();
  };
const thenRst =
  (text: string) =>
  async (exchange: Exchange): Promise<void> => {
    await exchange.write(text);
    exchange.rst();
  };

export const faults = {
  // --- complete responses ---
  length: { outcome: 'ok', act: answer(whole) },
  'no body': { outcome: 'ok', act: answer(head('Content-Length: 0')) },
  'large body': {
    outcome: 'ok',
    act: answer(`${head('Content-Length: 300000')}${'x'.repeat(300_000)}`),
  },
  'byte by byte': {
    outcome: 'ok',
    async act(exchange) {
      for (const byte of `${head('Content-Length: 2')}ab`) {
        await exchange.write(byte);
        await exchange.pause(0);
      }
    },
  },
  chunked: {
    outcome: 'ok',
    act: answer(`${head('Transfer-Encoding: chunked')}${chunked('hello ', 'body')}0\r\n\r\n`),
  },
  'chunked in pieces': {
    outcome: 'ok',
    async act(exchange) {
      for (const piece of [
        head('Transfer-Encoding: chunked'),
        '6',
        '\r',
        '\nhel',
        'lo \r',
        '\n0\r\n',
        '\r',
        '\n',
      ]) {
        await exchange.write(piece);
        await exchange.pause(1);
      }
    },
  },
  trailers: {
    outcome: 'ok',
    act: answer(
      `${head('Transfer-Encoding: chunked', 'Trailer: X-Sum')}${chunked(body)}0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n`,
    ),
  },
  'chunk extensions': {
    outcome: 'ok',
    act: answer(`${head('Transfer-Encoding: chunked')}5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n`),
  },
  'huge chunk extension': {
    outcome: 'ok',
    act: answer(`${head('Transfer-Encoding: chunked')}5;${'e'.repeat(200_000)}\r\nhello\r\n0\r\n\r\n`),
  },
  'body ended by FIN': { outcome: 'ok', act: thenFin(`${head()}${body}`) },
  'empty body ended by FIN': { outcome: 'ok', act: thenFin(head()) },
  'connection: close': {
    outcome: 'ok',
    act: thenFin(`${head('Connection: close', `Content-Length: ${length}`)}${body}`),
  },
  'connection: close, left open': {
    outcome: 'ok',
    act: answer(`${head('Connection: close', `Content-Length: ${length}`)}${body}`),
  },
  'HTTP/1.0': { outcome: 'ok', act: thenFin(`HTTP/1.0 200 OK\r\nContent-Length: ${length}\r\n\r\n${body}`) },
  'HTTP/1.0 keep-alive': {
    outcome: 'ok',
    act: answer(`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: ${length}\r\n\r\n${body}`),
  },
  '100 and 103 before': {
    outcome: 'ok',
    async act(exchange) {
      await exchange.write('HTTP/1.1 100 Continue\r\n\r\n');
      await exchange.pause(1);
      await exchange.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${whole}`);
    },
  },
  '204': { outcome: 'ok', act: answer('HTTP/1.1 204 No Content\r\n\r\n') },
  '204 that states a length': {
    outcome: 'ok',
    act: answer('HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n'),
  },
  'line ends of LF alone': {
    outcome: 'ok',
    act: answer(`HTTP/1.1 200 OK\nContent-Length: ${length}\n\n${body}`),
  },
  'no reason phrase': {
    outcome: 'ok',
    act: answer(`HTTP/1.1 200\r\nContent-Length: ${length}\r\n\r\n${body}`),
  },
  'folded header': {
    outcome: 'ok',
    act: answer(`${head('X-Long: a', ' b', '\tc', `Content-Length: ${length}`)}${body}`),
  },
  'same length twice': {
    outcome: 'ok',
    act: answer(`${head(`Content-Length: ${length}`, `Content-Length: ${length}`)}${body}`),
  },
  'length and chunked': {
    outcome: 'ok',
    act: answer(`${head('Content-Length: 3', 'Transfer-Encoding: chunked')}${chunked(body)}0\r\n\r\n`),
  },
  'large head': {
    outcome: 'ok',
    act: answer(`${head(`X-Large: ${'x'.repeat(60_000)}`, 'Content-Length: 0')}`),
  },
  'length too short': { outcome: 'ok', act: answer(`${head('Content-Length: 5')}${body}`) },
  'second response behind it': { outcome: 'ok', act: answer(`${whole}${whole}`) },
  'second response a little later': {
    outcome: 'ok',
    closesIdle: true,
    async act(exchange) {
      await exchange.write(whole);
      await exchange.pause(2);
      await exchange.write(whole);
    },
  },
  'RST behind the response': { outcome: 'ok', closesIdle: true, act: thenRst(whole) },
  'FIN behind the response': { outcome: 'ok', closesIdle: true, act: thenFin(whole) },
  'FIN a little later': {
    outcome: 'ok',
    closesIdle: true,
    async act(exchange) {
      await exchange.write(whole);
      const before = exchange.requests;
      await exchange.pause(3);
      if (exchange.requests === before) exchange.fin();
    },
  },
  late: {
    outcome: 'ok',
    async act(exchange) {
      await exchange.pause(30);
      await exchange.write(whole);
    },
  },
  'before the request': { outcome: 'ok', onAccept: true, plainOnly: true, act: answer(whole) },
  // --- complete responses of another status ---
  '301': {
    outcome: 'http3xx',
    phase: 'body',
    act: answer('HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n'),
  },
  '304': {
    outcome: 'http3xx',
    phase: 'body',
    act: answer('HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n'),
  },
  '404': {
    outcome: 'http4xx',
    phase: 'body',
    act: answer(`HTTP/1.1 404 Not Found\r\nContent-Length: ${length}\r\n\r\n${body}`),
  },
  '500': { outcome: 'http5xx', phase: 'body', act: answer('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n') },
  '503 and close': {
    outcome: 'http5xx',
    phase: 'body',
    act: thenFin('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
  },
  '101': {
    outcome: 'other',
    phase: 'body',
    act: answer(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nnot HTTP any more',
    ),
  },
  '799': { outcome: 'other', phase: 'body', act: answer('HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n') },
  // --- FIN ---
  'FIN on accept': {
    outcome: 'closed',
    phase: 'first-byte',
    onAccept: true,
    plainOnly: true,
    act: (exchange) => exchange.fin(),
  },
  'FIN instead of a response': { outcome: 'closed', phase: 'first-byte', act: (exchange) => exchange.fin() },
  'FIN later, instead of a response': {
    outcome: 'closed',
    phase: 'first-byte',
    async act(exchange) {
      await exchange.pause(5);
      exchange.fin();
    },
  },
  'FIN in the status line': { outcome: 'closed', phase: 'headers', act: thenFin('HTTP/1.1 2') },
  'FIN in the headers': {
    outcome: 'closed',
    phase: 'headers',
    act: thenFin('HTTP/1.1 200 OK\r\nContent-Le'),
  },
  'FIN before the end of the head': {
    outcome: 'closed',
    phase: 'headers',
    act: thenFin('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'),
  },
  'FIN in the body': {
    outcome: 'closed',
    phase: 'body',
    act: thenFin(`${head('Content-Length: 500')}${body}`),
  },
  'FIN in place of the body': { outcome: 'closed', phase: 'body', act: thenFin(head('Content-Length: 500')) },
  'FIN in a chunk': {
    outcome: 'closed',
    phase: 'body',
    act: thenFin(`${head('Transfer-Encoding: chunked')}10\r\nhello`),
  },
  'FIN before the last chunk': {
    outcome: 'closed',
    phase: 'body',
    act: thenFin(`${head('Transfer-Encoding: chunked')}${chunked(body)}`),
  },
  'FIN in the trailers': {
    outcome: 'closed',
    phase: 'body',
    act: thenFin(`${head('Transfer-Encoding: chunked')}${chunked(body)}0\r\nX-S`),
  },
  'FIN after 100': { outcome: 'closed', phase: 'headers', act: thenFin('HTTP/1.1 100 Continue\r\n\r\n') },
  // --- RST ---
  'RST on accept': {
    outcome: 'reset',
    phase: 'first-byte',
    onAccept: true,
    plainOnly: true,
    act: (exchange) => exchange.rst(),
  },
  'RST instead of a response': { outcome: 'reset', phase: 'first-byte', act: (exchange) => exchange.rst() },
  'RST in the status line': { outcome: 'reset', phase: 'headers', act: thenRst('HTTP/1.1 2') },
  'RST in the headers': { outcome: 'reset', phase: 'headers', act: thenRst('HTTP/1.1 200 OK\r\nContent-Le') },
  'RST in the body': {
    outcome: 'reset',
    phase: 'body',
    act: thenRst(`${head('Content-Length: 500')}${body}`),
  },
  'RST later in the body': {
    outcome: 'reset',
    phase: 'body',
    async act(exchange) {
      await exchange.write(`${head('Content-Length: 500')}${body}`);
      await exchange.pause(5);
      exchange.rst();
    },
  },
  'RST in a large body': {
    outcome: 'reset',
    phase: 'body',
    act: thenRst(`${head('Content-Length: 500000')}${'x'.repeat(100_000)}`),
  },
  'RST in a chunk': {
    outcome: 'reset',
    phase: 'body',
    act: thenRst(`${head('Transfer-Encoding: chunked')}10\r\nhello`),
  },
  'RST in a body that a FIN should end': {
    outcome: 'reset',
    phase: 'body',
    act: thenRst(`${head()}${body}`),
  },
  // --- stalls ---
  'no response': { outcome: 'timeout', phase: 'first-byte', stalls: true, act: () => undefined },
  'stall in the headers': {
    outcome: 'timeout',
    phase: 'headers',
    stalls: true,
    act: answer('HTTP/1.1 200 OK\r\nX: '),
  },
  'stall in the body': {
    outcome: 'timeout',
    phase: 'body',
    stalls: true,
    act: answer(`${head('Content-Length: 500')}${body}`),
  },
  'stall in a chunk': {
    outcome: 'timeout',
    phase: 'body',
    stalls: true,
    act: answer(`${head('Transfer-Encoding: chunked')}10\r\nhello`),
  },
  'stall after 100': {
    outcome: 'timeout',
    phase: 'headers',
    stalls: true,
    act: answer('HTTP/1.1 100 Continue\r\n\r\n'),
  },
  'no FIN for a body without length': {
    outcome: 'timeout',
    phase: 'body',
    stalls: true,
    act: answer(`${head()}${body}`),
  },
  'endless headers, slowly': {
    outcome: 'timeout',
    phase: 'headers',
    stalls: true,
    async act(exchange) {
      await exchange.write('HTTP/1.1 200 OK\r\n');
      for (let line = 0; exchange.open; line++) {
        await exchange.write(`X-${line}: y\r\n`);
        await exchange.pause(5);
      }
    },
  },
  'endless body, slowly': {
    outcome: 'timeout',
    phase: 'body',
    stalls: true,
    async act(exchange) {
      await exchange.write(head('Transfer-Encoding: chunked'));
      while (exchange.open) {
        await exchange.write(chunked('more'));
        await exchange.pause(5);
      }
    },
  },
  'endless 1xx, slowly': {
    outcome: 'timeout',
    phase: 'headers',
    stalls: true,
    async act(exchange) {
      while (exchange.open) {
        await exchange.write('HTTP/1.1 102 Processing\r\n\r\n');
        await exchange.pause(5);
      }
    },
  },
  // --- not HTTP ---
  garbage: { outcome: 'protocol', phase: 'headers', act: answer('what is this?\r\n\r\n') },
  'binary garbage': { outcome: 'protocol', phase: 'headers', act: answer('\x00\x01\x02\xff\xfe') },
  'garbage, then FIN': { outcome: 'protocol', phase: 'headers', act: thenFin('SSH-2.0-OpenSSH_9.0\r\n') },
  'empty line first': { outcome: 'protocol', phase: 'headers', act: answer(`\r\n${whole}`) },
  'HTTP/2 status line': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(`HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n`),
  },
  'status of two digits': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
  },
  'header without colon': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(`${head('nonsense', 'Content-Length: 0')}`),
  },
  'space before the colon': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(head('Content-Length : 0')),
  },
  'length of no number': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(`${head('Content-Length: five')}hello`),
  },
  'negative length': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(`${head('Content-Length: -5')}hello`),
  },
  'two lengths': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(`${head('Content-Length: 5', 'Content-Length: 6')}hello`),
  },
  'chunk size of no number': {
    outcome: 'protocol',
    phase: 'body',
    act: answer(`${head('Transfer-Encoding: chunked')}xyz\r\nhello\r\n`),
  },
  'chunk longer than its size': {
    outcome: 'protocol',
    phase: 'body',
    act: answer(`${head('Transfer-Encoding: chunked')}3\r\nhello\r\n0\r\n\r\n`),
  },
  'header bomb': {
    outcome: 'protocol',
    phase: 'headers',
    act: answer(head(`X-Bomb: ${'b'.repeat(200_000)}`, 'Content-Length: 0')),
  },
  'endless headers, fast': {
    outcome: 'protocol',
    phase: 'headers',
    async act(exchange) {
      await exchange.write('HTTP/1.1 200 OK\r\n');
      while (exchange.open) {
        await exchange.write(`X-Many: ${'m'.repeat(1000)}\r\n`.repeat(20));
        await exchange.pause(0);
      }
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];
export const faultOf = (name: FaultName): Fault => faults[name];
