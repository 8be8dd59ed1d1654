// `rollproof load URL`: the metered load alone, for people and for tests.
import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { grpcMessage } from '../config/grpc-message.ts';
import { Meter } from '../load/meter.ts';
import { healthCheck } from '../load/protocols/grpc.ts';
import { type Address, addressOf, isProtocol, knownSchemes } from '../load/protocols/url.ts';
import { exitCode, FaultError, UsageError } from '../model/errors.ts';
import {
  type Bucket,
  type Failure,
  isLost,
  type Lane,
  type LostInterval,
  lanes,
  outcomes,
  type Protocol,
  protocols,
  type StreamDelta,
  type StreamEnd,
  type StreamLife,
  type StreamPlan,
  streamPlanSchema,
} from '../model/load.ts';
import { addBuckets } from '../model/merge-load.ts';
import { counterWords, tlsReason } from '../words/names.ts';
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
    .option('--server-name <name>', 'TLS: the name that is asked for and must be in the certificate')
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
    .option('--pod-header <name>', 'response header that says which pod answered', 'x-rollproof-pod')
    .option(
      '--json <file>',
      'write the counts as JSON; "-": to standard output, everything else to standard error',
    )
    .action(async (url: string, flags: LoadFlags) => {
      process.exitCode = await load(url, flags);
    });
}

async function load(url: string, flags: LoadFlags): Promise<number> {
  const plan = planOf(url, flags);
  const meter = new Meter({
    plan,
    podHeader: flags.podHeader,
    failuresLimit: failuresListed,
  });
  const record = new Told();
  const interrupt = new Interrupt(() => meter.abort());
  const live = new LiveLine(meter);
  meter.start();
  const collect = setInterval(() => record.add(meter.drain()), collectMs);
  let end: StreamEnd;
  try {
    end = await meter.ended;
  } finally {
    clearInterval(collect);
    live.end();
    interrupt.end();
  }
  record.add(meter.drain());
  const say = flags.json === '-' ? process.stderr : process.stdout;
  say.write(table(end, record));
  if (flags.json !== undefined)
    writeJson(flags.json, `${JSON.stringify(jsonOf(url, flags, plan, end, record))}\n`);
  if (interrupt.received) return exitCode.interrupted;
  if (end.brokenIdentities.length > 0) {
    throw new FaultError(
      `load: the counts do not agree with each other: ${end.brokenIdentities.join('; ')}.`,
    );
  }
  return exitCode.ok;
}

/** Failures and intervals listed one by one; longer lists would not be read, and the totals are exact without them. */
const failuresListed = 10_000;
const intervalsListed = 100_000;
const collectMs = 200;

/** Everything that the meter has told so far. */
class Told {
  readonly buckets = new Map<number, Bucket>();
  readonly failures: Failure[] = [];
  readonly intervals: LostInterval[] = [];
  readonly lives: StreamLife[] = [];
  /** Of the listed failures. */
  readonly tlsReasons = new Map<string, number>();
  intervalsDropped = 0;
  longest: LostInterval | undefined;

  add({ buckets, failures, intervals, lives = [] }: StreamDelta): void {
    addBuckets(this.buckets, buckets);
    this.failures.push(...failures);
    for (const { outcome, code } of failures) {
      if (outcome !== 'tls') continue;
      const reason = tlsReason(code) ?? code;
      this.tlsReasons.set(reason, (this.tlsReasons.get(reason) ?? 0) + 1);
    }
    for (const life of lives) if (this.lives.length < intervalsListed) this.lives.push(life);
    for (const interval of intervals) {
      if (lengthMs(interval) > (this.longest ? lengthMs(this.longest) : -1)) this.longest = interval;
      if (this.intervals.length < intervalsListed) this.intervals.push(interval);
      else this.intervalsDropped++;
    }
  }
}

/** An interval that no success ended is as long as is known: from its start on. */
const lengthMs = ({ startMs, endMs }: LostInterval): number => (endMs ?? Number.POSITIVE_INFINITY) - startMs;

/** The first Ctrl-C ends the load in order, the second at once. */
class Interrupt {
  received = false;
  readonly #listener: () => void;

  constructor(stop: () => void) {
    this.#listener = () => {
      if (this.received) process.exit(exitCode.interrupted);
      this.received = true;
      process.stderr.write('\nInterrupted: requests in flight are given up.\n');
      stop();
    };
    process.on('SIGINT', this.#listener);
    process.on('SIGTERM', this.#listener);
  }

  end(): void {
    process.off('SIGINT', this.#listener);
    process.off('SIGTERM', this.#listener);
  }
}

/** Rate, losses and latency while it runs: rewritten in place on a terminal, else a line a second. */
class LiveLine {
  readonly #meter: Meter;
  readonly #terminal = process.stderr.isTTY === true;
  readonly #timer: NodeJS.Timeout;
  #before = { attempts: 0, atMs: performance.now() };

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#timer = setInterval(() => this.#show(), this.#terminal ? 250 : 1000);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#terminal) process.stderr.write('\r\x1b[K');
  }

  #show(): void {
    const { attempts, lost, shed, inFlight, p50Ms, p99Ms } = this.#meter.live();
    const now = performance.now();
    const rate = ((attempts - this.#before.attempts) * 1000) / (now - this.#before.atMs);
    this.#before = { attempts, atMs: now };
    const line =
      `${rate.toFixed(rate < 10 ? 1 : 0)} req/s  ${attempts} sent  ${lost} lost  ${shed} shed  ${inFlight} in flight  ` +
      `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms`;
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }
}

function table(end: StreamEnd, record: Told): string {
  const percent = (count: number) =>
    end.attempts > 0 ? `${((count * 100) / end.attempts).toFixed(3)} %` : '';
  const lost = outcomes.reduce(
    (sum, outcome) => sum + (isLost(outcome) ? (end.outcomes[outcome] ?? 0) : 0),
    0,
  );
  const rows: [string, string, string][] = [
    ['scheduled', String(end.scheduled), ''],
    [
      'attempts',
      String(end.attempts),
      `${((end.attempts * 1000) / Math.max(1, end.durationMs)).toFixed(1)} per second`,
    ],
    ['shed', String(end.shed), end.shed > 0 ? 'no slot was free: raise --slots or --connections' : ''],
    ...outcomes
      .filter((outcome) => (end.outcomes[outcome] ?? 0) > 0)
      .map((outcome): [string, string, string] => [
        outcome,
        String(end.outcomes[outcome]),
        percent(end.outcomes[outcome] ?? 0),
      ]),
    ...[...record.tlsReasons].map(([reason, count]): [string, string, string] => [
      '  tls',
      String(count),
      reason,
    ]),
    ['lost', String(lost), percent(lost)],
    ...(end.races > 0
      ? [['races', String(end.races), 'of the lost, on idle kept connections'] as [string, string, string]]
      : []),
    ...(record.longest
      ? [
          ['longest outage', outageText(record.longest), `${record.longest.lost} lost`] as [
            string,
            string,
            string,
          ],
        ]
      : []),
  ];
  for (const [name, count] of Object.entries(end.counters ?? {})) {
    if (count > 0) rows.push([counterWords[name] ?? name, String(count), '']);
  }
  const { latencyMs: latency, sendLagMs: lag } = end;
  const width = Math.max(...rows.map(([, value]) => value.length));
  const lines = rows.map(([name, value, note]) =>
    `${name.padEnd(name.length > 15 ? name.length + 1 : 16)}${value.padStart(width)}  ${note}`.trimEnd(),
  );
  const times = (values: readonly [string, number][]) =>
    values.map(([name, ms]) => `${name} ${ms.toFixed(2)}`).join('  ');
  lines.push(
    `latency, ms     ${times([
      ['p50', latency.p50],
      ['p90', latency.p90],
      ['p99', latency.p99],
      ['p99.9', latency.p999],
      ['max', latency.max],
    ])}`,
    `send lag, ms    ${times([
      ['p50', lag.p50],
      ['p99', lag.p99],
      ['max', lag.max],
    ])}`,
  );
  return `${lines.join('\n')}\n`;
}

const outageText = (interval: LostInterval): string =>
  interval.endMs === null
    ? `from ${(interval.startMs / 1000).toFixed(3)} s to the end`
    : `${(interval.endMs - interval.startMs).toFixed(1)} ms`;

function jsonOf(
  url: string,
  flags: LoadFlags,
  plan: StreamPlan,
  end: StreamEnd,
  record: Told,
): Record<string, unknown> {
  return {
    schemaVersion: 1,
    url,
    lane: end.lane,
    protocol: plan.protocol ?? 'http1',
    ratePerSecond: plan.rate.shape === 'constant' ? plan.rate.ratePerSecond : flags.rate,
    timeoutMs: flags.timeout,
    scheduled: end.scheduled,
    attempts: end.attempts,
    shed: end.shed,
    inFlight: end.inFlight,
    outcomes: Object.fromEntries(outcomes.map((outcome) => [outcome, end.outcomes[outcome] ?? 0])),
    races: end.races,
    phases: end.phases,
    failures: record.failures.map((failure) => ({ tMs: failure.dueMs, ...failure })),
    failuresDropped: end.failuresDropped,
    intervals: record.intervals,
    intervalsDropped: record.intervalsDropped,
    buckets: [...record.buckets.values()]
      .sort((a, b) => a.i - b.i)
      .map((bucket) => ({ startMs: bucket.i * 100, ...bucket })),
    connectionsOpened: end.connectionsOpened,
    ...(end.counters && { counters: end.counters }),
    ...(end.lane === 'stream' && { lives: record.lives }),
    latencyMs: end.latencyMs,
    serviceMs: end.serviceMs,
    sendLagMs: end.sendLagMs,
    durationMs: end.durationMs,
    brokenIdentities: end.brokenIdentities,
  };
}

function writeJson(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`load: --json: ${file} cannot be written: ${(error as Error).message}.`);
  }
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
  return {
    insecure,
    ...(ca !== undefined && { ca: pem('--ca', ca) }),
    ...(cert !== undefined && { cert: pem('--cert', cert) }),
    ...(key !== undefined && { key: pem('--key', key) }),
    ...(serverName !== undefined && { serverName }),
  };
}

function pem(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`load: ${flag}: ${file} cannot be read: ${(error as Error).message}.`);
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

function statuses(text: string, before: readonly number[]): number[] {
  const codes = text.split(',').map((one) => Number(one.trim()));
  if (codes.every((code) => Number.isInteger(code) && code >= 100 && code <= 999))
    return [...before, ...codes];
  throw new InvalidArgumentError('It must be statuses, as 200 or 200,404.');
}
