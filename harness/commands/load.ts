// `rollproof load URL`: the metered load alone, for people and for tests.
import { type Command, InvalidArgumentError } from 'commander';
import { grpcMessage } from '../config/grpc-message.ts';
import { token } from '../config/texts.ts';
import { healthCheck } from '../load/protocols/grpc.ts';
import { type Address, addressOf, isProtocol, knownSchemes } from '../load/protocols/url.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import {
  type Lane,
  lanes,
  type Protocol,
  protocols,
  type StreamPlan,
  streamPlanSchema,
  tlsOptionsSchema,
} from '../model/load.ts';
import { readNamedText } from '../model/named-file.ts';
import { pemProblem } from '../model/pem.ts';
import { loadAlone } from '../run/load/index.ts';
import { summaries } from './summaries.ts';

interface LoadFlags {
  readonly rate: number;
  readonly duration: number;
  readonly lane?: Lane;
  readonly slots?: number;
  readonly connections: number;
  readonly timeout: number;
  readonly method: string;
  readonly header: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expectStatus: readonly number[];
  readonly insecure: boolean;
  readonly protocol?: Protocol;
  readonly streams: number;
  readonly interval?: number;
  readonly late: number;
  readonly expect?: 'echo' | 'push' | 'open';
  readonly message?: string;
  readonly grpcMethod?: string;
  readonly grpcBytes?: string;
  readonly descriptor?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly podHeader: string;
  readonly json?: string;
}

export function registerLoad(program: Command): void {
  program
    .command('load <url>')
    .description(summaries.load)
    .option(
      '--rate <perSecond>',
      'requests per second, evenly spaced; 0: closed loop',
      number(0, 100_000),
      100,
    )
    .option(
      '--duration <time>',
      'how long requests become due: 3s, 500ms, 10m',
      time(1, 24 * 3_600_000),
      10_000,
    )
    .option(
      '--protocol <protocol>',
      `${protocols.join(' | ')} (default: as the URL's scheme says: http, http2, grpc, ws, sse+http, tcp, with TLS https, https2, grpcs, wss, sse+https, tls)`,
      protocol,
    )
    .option('--lane <lane>', `client: ${lanes.join(' | ')} (default: new; sse: long)`, lane)
    .option(
      '--slots <count>',
      'lanes new and long: requests in flight at most (default: rate × timeout, at least 100)',
      whole(1, 100_000),
    )
    .option(
      '--connections <count>',
      'lane kept: connections, used in turn; lane stream: streams',
      whole(1, 10_000),
      20,
    )
    .option(
      '--streams <count>',
      'http2 and grpc, lanes kept and stream: streams at a time on one connection',
      whole(1, 1000),
      1,
    )
    .option(
      '--interval <time>',
      'lane stream: a message of each stream every so often, instead of --rate',
      time(1, 3_600_000),
    )
    .option(
      '--late <time>',
      'lane stream: a message that comes later than this is late',
      time(1, 600_000),
      1000,
    )
    .option(
      '--expect <what>',
      'lane stream: echo (what we send comes back), push (the server sends one per interval), open (it must be there)',
      expectation,
    )
    .option('--message <text>', 'websocket, tcp: what is sent; grpc: the message as JSON, with --descriptor')
    .option('--grpc-method <method>', 'package.Service/Method (default: the standard health check)')
    .option('--grpc-bytes <base64>', "the gRPC message's bytes")
    .option('--descriptor <file>', 'a .proto file or a descriptor set that knows the gRPC method')
    .option('--ca <file>', 'TLS: the authority that certificates must be of (PEM)')
    .option('--cert <file>', 'TLS: client certificate (PEM)')
    .option('--key <file>', 'TLS: its key (PEM)')
    .option(
      '--server-name <name>',
      'TLS: the name that is asked for and must be in the certificate',
      hostName,
    )
    .option('--timeout <time>', 'limit of one request: 300ms, 3s', time(1, 600_000), 3000)
    .option('--method <method>', 'HTTP method', 'GET')
    .option('--header <name: value>', 'request header (may be repeated)', header, {})
    .option('--body <text>', 'request body')
    .option(
      '--expect-status <codes>',
      'statuses that count as ok, as 200,404 (default: 200 to 299)',
      statuses,
      [],
    )
    .option('--insecure', 'accept any certificate', false)
    .option(
      '--pod-header <name>',
      'response header that says which pod answered',
      headerName,
      'x-rollproof-pod',
    )
    .option(
      '--json <file>',
      'write the counts as JSON; "-": to standard output, everything else to standard error',
    )
    .action(async (url: string, flags: LoadFlags) => {
      const { podHeader, json } = flags;
      process.exitCode = await loadAlone({ url, plan: planOf(url, flags), podHeader, json });
    });
}

function planOf(address: string, flags: LoadFlags): StreamPlan {
  const { url, protocol: spoken } = target(address, flags.protocol);
  const kind = flags.lane ?? (spoken === 'sse' ? 'long' : 'new');
  const pinned = kind === 'kept' || kind === 'stream';
  const ratePerSecond =
    kind === 'stream' && flags.interval !== undefined
      ? (flags.connections * 1000) / flags.interval
      : flags.rate;
  const inFlight = Math.max(100, Math.ceil((ratePerSecond * flags.timeout) / 1000) + 20);
  const tls = tlsOf(flags);
  if (tls && spoken === 'http1' && url.startsWith('http:'))
    throw new UsageError(
      `load: --ca, --cert, --key and --server-name are for TLS, and "${address}" goes without it. Write https:// in place of http://.`,
    );
  return streamPlanSchema.parse({
    id: kind,
    lane: kind,
    url,
    method: flags.method.toUpperCase(),
    headers: flags.header,
    ...(flags.body !== undefined && { body: flags.body }),
    expectStatus: flags.expectStatus,
    insecure: flags.insecure,
    ...(spoken !== 'http1' && { protocol: spoken }),
    ...(tls && { tls }),
    ...(spoken === 'grpc' && { grpc: grpcOf(flags, kind) }),
    ...(spoken !== 'grpc' && flags.message !== undefined && { message: flags.message }),
    ...(kind === 'stream' && {
      stream: { lateMs: flags.late, ...streamExpectation(spoken, flags) },
    }),
    ...(flags.streams > 1 && { streamsPerConnection: flags.streams }),
    rate: { shape: 'constant', ratePerSecond },
    connections: pinned ? flags.connections : (flags.slots ?? Math.min(inFlight, 100_000)),
    timeoutMs: flags.timeout,
    maxDurationMs: flags.duration,
  });
}

const streamExpectation = (spoken: Protocol, flags: LoadFlags) => ({
  expect: flags.expect ?? (spoken === 'websocket' ? ('echo' as const) : ('push' as const)),
});

function grpcOf(flags: LoadFlags, kind: Lane): NonNullable<StreamPlan['grpc']> {
  const method = flags.grpcMethod ?? (kind === 'stream' ? undefined : healthCheck);
  if (method === undefined)
    throw new UsageError('load: lane stream of grpc needs --grpc-method, a method whose answer is a stream.');
  const message = grpcMessage(
    { method, descriptor: flags.descriptor, json: flags.message, bytes: flags.grpcBytes },
    'load',
  );
  return { method, message };
}

function tlsOf({ ca, cert, key, serverName, insecure }: LoadFlags): StreamPlan['tls'] {
  if ([ca, cert, key, serverName].every((one) => one === undefined)) return undefined;
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('load: --cert and --key go together; one of them is missing.');
  const read = {
    ...(ca !== undefined && { ca: pem('--ca', ca) }),
    ...(cert !== undefined && { cert: pem('--cert', cert) }),
    ...(key !== undefined && { key: pem('--key', key) }),
  };
  const problem = pemProblem(read);
  if (problem) {
    const file = { ca, cert, key }[problem.field];
    throw new UsageError(`load: --${problem.field}: ${String(file)} ${problem.why}.`);
  }
  return { insecure, ...read, ...(serverName !== undefined && { serverName }) };
}

function pem(flag: string, file: string): string {
  try {
    return readNamedText(file);
  } catch (error) {
    throw new UsageError(`load: ${flag}: ${file}: ${messageOf(error)}.`, { cause: error });
  }
}

function target(address: string, wanted: Protocol | undefined): Address {
  const known = addressOf(address, wanted);
  if (known) return known;
  throw new UsageError(
    wanted === undefined
      ? `load: "${address}" is not a URL that a load can go to. Write it as http://127.0.0.1:8080/path; the schemes are ${knownSchemes.join(', ')}.`
      : `load: "${address}" is not a URL of protocol ${wanted}. Write it as http://127.0.0.1:8080/path, with https for TLS.`,
  );
}

// --- flags ------------------------------------------------------------------------------------------------------------

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "300ms", "3s", "1.5m"; bounds in ms. */
function time(leastMs: number, mostMs: number): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim()) ?? [];
    const ms = Number(digits) * (unitMs[unit ?? ''] ?? Number.NaN);
    if (ms >= leastMs && ms <= mostMs) return ms;
    throw new InvalidArgumentError(
      `It must be a time with its unit, as 300ms, 3s or 10m, from ${leastMs} ms to ${mostMs / 1000} s.`,
    );
  };
}

function lane(text: string): Lane {
  const known = lanes.find((one) => one === text);
  if (known) return known;
  throw new InvalidArgumentError(`It must be one of ${lanes.join(', ')}.`);
}

function protocol(text: string): Protocol {
  if (isProtocol(text)) return text;
  throw new InvalidArgumentError(`It must be one of ${protocols.join(', ')}.`);
}

function expectation(text: string): 'echo' | 'push' | 'open' {
  if (text === 'echo' || text === 'push' || text === 'open') return text;
  throw new InvalidArgumentError('It must be echo, push or open.');
}

function header(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be "Name: value".');
  return { ...before, [name]: value.trim() };
}

function headerName(text: string): string {
  if (token.safeParse(text).success) return text;
  throw new InvalidArgumentError('It must be the name of a header: letters, digits and -.');
}

function hostName(text: string): string {
  if (tlsOptionsSchema.safeParse({ serverName: text }).success) return text;
  throw new InvalidArgumentError('It must be a host name.');
}

function statuses(text: string, before: readonly number[]): number[] {
  const codes = text.split(',').map((one) => Number(one.trim()));
  if (codes.every((code) => Number.isInteger(code) && code >= 100 && code <= 999))
    return [...before, ...codes];
  throw new InvalidArgumentError('It must be statuses, as 200 or 200,404.');
}
