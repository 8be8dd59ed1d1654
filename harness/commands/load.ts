// `rollproof load URL`: the metered load alone, for people and for tests.
import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { Meter } from '../load/meter.ts';
import { exitCode, FaultError, UsageError } from '../model/errors.ts';
import {
  type Bucket,
  type Failure,
  isLost,
  type LostInterval,
  outcomes,
  plainLanes,
  type StreamDelta,
  type StreamEnd,
  type StreamPlan,
  streamPlanSchema,
} from '../model/load.ts';
import { addBuckets } from '../model/merge-load.ts';

interface LoadFlags {
  readonly rate: number;
  readonly duration: number;
  readonly lane: StreamPlan['lane'];
  readonly slots?: number;
  readonly connections: number;
  readonly timeout: number;
  readonly method: string;
  readonly header: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expectStatus: readonly number[];
  readonly insecure: boolean;
  readonly podHeader: string;
  readonly json?: string;
}

export function registerLoad(program: Command): void {
  program
    .command('load <url>')
    .description('fire metered load at a URL and count how every request ends')
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
    .option('--lane <lane>', `client: ${plainLanes.join(' | ')}`, lane, 'new')
    .option(
      '--slots <count>',
      'lanes new and long: requests in flight at most (default: rate × timeout, at least 100)',
      whole(1, 100_000),
    )
    .option('--connections <count>', 'lane kept: connections, used in turn', whole(1, 10_000), 20)
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
  const meter = new Meter({
    plan: planOf(url, flags),
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
  if (flags.json !== undefined) writeJson(flags.json, `${JSON.stringify(jsonOf(url, flags, end, record))}\n`);
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
  intervalsDropped = 0;
  longest: LostInterval | undefined;

  add({ buckets, failures, intervals }: StreamDelta): void {
    addBuckets(this.buckets, buckets);
    this.failures.push(...failures);
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
  const { latencyMs: latency, sendLagMs: lag } = end;
  const width = Math.max(...rows.map(([, value]) => value.length));
  const lines = rows.map(([name, value, note]) =>
    `${name.padEnd(16)}${value.padStart(width)}  ${note}`.trimEnd(),
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

function jsonOf(url: string, flags: LoadFlags, end: StreamEnd, record: Told): Record<string, unknown> {
  return {
    schemaVersion: 1,
    url,
    lane: end.lane,
    ratePerSecond: flags.rate,
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
  const inFlight = Math.max(100, Math.ceil((flags.rate * flags.timeout) / 1000) + 20);
  return streamPlanSchema.parse({
    id: flags.lane,
    lane: flags.lane,
    url: httpUrl(address),
    method: flags.method.toUpperCase(),
    headers: flags.header,
    ...(flags.body !== undefined && { body: flags.body }),
    expectStatus: flags.expectStatus,
    insecure: flags.insecure,
    rate: { shape: 'constant', ratePerSecond: flags.rate },
    connections: flags.lane === 'kept' ? flags.connections : (flags.slots ?? Math.min(inFlight, 100_000)),
    timeoutMs: flags.timeout,
    maxDurationMs: flags.duration,
  });
}

function httpUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname) return address;
  throw new UsageError(
    `load: "${address}" is not a URL of http or https. Write it as http://127.0.0.1:8080/path.`,
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

function lane(text: string): StreamPlan['lane'] {
  const known = plainLanes.find((one) => one === text);
  if (known) return known;
  throw new InvalidArgumentError(`It must be one of ${plainLanes.join(', ')}.`);
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
