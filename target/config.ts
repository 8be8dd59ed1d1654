// The target's environment variables, checked. Without zod: the target is started hundreds of times in a test run, and
// its own start-up time is part of what is measured.

const onTermModes = ['exit', 'graceful', 'drain', 'ignore'] as const;
export type OnTerm = (typeof onTermModes)[number];

/** `server`: answers HTTP. `consumer`: that, and it pulls items from a queue. `queue`: is that queue. */
const modes = ['server', 'consumer', 'queue'] as const;
export type Mode = (typeof modes)[number];

export interface TargetConfig {
  readonly mode: Mode;
  readonly port: number;
  readonly adminPort: number;
  /** Address to listen on; undefined: all. */
  readonly bindAddress: string | undefined;
  /** From the start of the process to listening, ms. */
  readonly startMs: number;
  /** Per request: waiting, then busy, ms. */
  readonly workMs: number;
  readonly cpuMs: number;
  /** Work beside the requests, during which it does nothing else: so long, so often, ms. */
  readonly stallMs: number;
  readonly stallEveryMs: number;
  /** An idle connection is closed after this, ms. */
  readonly keepAliveMs: number;
  /** Every so many-th request is answered with 502; 0: none. */
  readonly failEvery: number;
  /** Exit with code 1 this long after it began to listen; 0: never. */
  readonly crashAfterMs: number;
  readonly version: string;
  readonly podName: string;
  readonly onTerm: OnTerm;
  /** Mode `graceful`: serve at least this long after SIGTERM, ms. */
  readonly lingerMs: number;
  /** Mode `graceful`: stop listening after this at the latest, ms. It must fit into the pod's grace period. */
  readonly lingerLimitMs: number;
  /** Everything that it speaks on its port; without it HTTP/1.1 alone. */
  readonly allProtocols: boolean;
  /** Folder of tls.crt and tls.key, as a Secret is mounted; undefined: no TLS. */
  readonly tlsFolder: string | undefined;
  /** A graceful stop waits for streams: GOAWAY and their end, close 1001, the end of events. Without it they are cut. */
  readonly streamDrain: boolean;
  /** Connections of HTTP/2 and open streams are ended in order after this, ms, and cut after the grace; 0: never. */
  readonly connectionAgeMs: number;
  readonly connectionAgeGraceMs: number;
  /** Written when the server listens, for exec probes. */
  readonly readyFile: string | undefined;
  /** host:port that is told the phases. */
  readonly phases: string | undefined;
  /** The process ends when this one has. */
  readonly parentPid: number | undefined;
  /** Mode `consumer`: host:port of the queue, and how fast it works. */
  readonly queue: string;
  readonly pace: ConsumerPace;
  /** Mode `queue`. */
  readonly queueing: QueueConfig;
}

/** Items per second of one consumer: from the cold to the warm rate in a straight line over the warm-up. */
export interface ConsumerPace {
  readonly coldPerSecond: number;
  readonly warmPerSecond: number;
  readonly warmUpMs: number;
}

export interface QueueConfig {
  /** Items that come in by themselves, from `quietMs` after the first consumer came. */
  readonly enqueuePerSecond: number;
  readonly quietMs: number;
  /** Items that wait at most; what comes on top is rejected. */
  readonly limit: number;
  /** An item that a consumer took and has not finished by then is handed out again, ms. */
  readonly leaseMs: number;
}

/** Throws a sentence that names the variable. */
export function readTargetConfig(env: NodeJS.ProcessEnv): TargetConfig {
  const lingerMs = wholeNumber(env, 'LINGER_MS', 2000, 0, 600_000);
  const mode = oneOf(env, 'MODE', modes, 'server');
  return {
    mode,
    port: wholeNumber(env, 'PORT', 8080, 0, 65_535),
    adminPort: wholeNumber(env, 'ADMIN_PORT', 8081, 0, 65_535),
    bindAddress: env.ROLLPROOF_BIND_ADDRESS || undefined,
    startMs: wholeNumber(env, 'START_MS', 0, 0, 3_600_000),
    workMs: wholeNumber(env, 'WORK_MS', 5, 0, 600_000),
    cpuMs: wholeNumber(env, 'CPU_MS', 0, 0, 600_000),
    stallMs: wholeNumber(env, 'STALL_MS', 0, 0, 60_000),
    stallEveryMs: wholeNumber(env, 'STALL_EVERY_MS', 1000, 1, 3_600_000),
    keepAliveMs: wholeNumber(env, 'KEEP_ALIVE_MS', 75_000, 1, 3_600_000),
    failEvery: wholeNumber(env, 'FAIL_EVERY', 0, 0, 1_000_000),
    crashAfterMs: wholeNumber(env, 'CRASH_AFTER_MS', 0, 0, 3_600_000),
    version: env.VERSION || 'unknown',
    podName: env.POD_NAME || env.HOSTNAME || 'unknown',
    onTerm: oneOf(env, 'ON_TERM', onTermModes, 'exit'),
    lingerMs,
    lingerLimitMs: Math.max(lingerMs, wholeNumber(env, 'LINGER_LIMIT_MS', 15_000, 0, 600_000)),
    allProtocols: oneOf(env, 'PROTOCOLS', ['http1', 'all'], 'http1') === 'all',
    tlsFolder: env.TLS_FOLDER || undefined,
    streamDrain: oneOf(env, 'STREAM_DRAIN', ['off', 'on'], 'off') === 'on',
    connectionAgeMs: wholeNumber(env, 'CONNECTION_AGE_MS', 0, 0, 86_400_000),
    connectionAgeGraceMs: wholeNumber(env, 'CONNECTION_AGE_GRACE_MS', 5000, 0, 600_000),
    readyFile: env.READY_FILE || undefined,
    phases: env.ROLLPROOF_PHASES || undefined,
    parentPid: env.ROLLPROOF_PARENT_PID ? wholeNumber(env, 'ROLLPROOF_PARENT_PID', 0, 1, 2 ** 31) : undefined,
    queue: mode === 'consumer' ? address(env, 'QUEUE') : '',
    pace: {
      coldPerSecond: wholeNumber(env, 'COLD_PER_SECOND', 1, 1, 10_000),
      warmPerSecond: wholeNumber(env, 'WARM_PER_SECOND', 10, 1, 10_000),
      warmUpMs: wholeNumber(env, 'WARM_UP_MS', 0, 0, 3_600_000),
    },
    queueing: {
      enqueuePerSecond: wholeNumber(env, 'ENQUEUE_PER_SECOND', 10, 0, 10_000),
      quietMs: wholeNumber(env, 'QUIET_MS', 0, 0, 3_600_000),
      limit: wholeNumber(env, 'QUEUE_LIMIT', 10_000, 1, 1_000_000),
      leaseMs: wholeNumber(env, 'LEASE_MS', 10_000, 1, 3_600_000),
    },
  };
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, fallback: number, least: number, most: number) {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name} is "${text}"; it must be a whole number from ${least} to ${most}.`);
  }
  return value;
}

function address(env: NodeJS.ProcessEnv, name: string): string {
  const text = env[name] ?? '';
  if (!/^.+:\d+$/.test(text)) throw new Error(`${name} is "${text}"; it must be host:port.`);
  return text;
}

function oneOf<T extends string>(
  env: NodeJS.ProcessEnv,
  name: string,
  choices: readonly T[],
  fallback: T,
): T {
  const text = env[name];
  if (!text) return fallback;
  const found = choices.find((choice) => choice === text);
  if (!found) throw new Error(`${name} is "${text}"; it must be one of ${choices.join(', ')}.`);
  return found;
}
