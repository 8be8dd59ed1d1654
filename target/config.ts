// The target's environment variables, checked. Without zod: the target is started hundreds of times in a test run, and
// its own start-up time is part of what is measured.

export const onTermModes = ['exit', 'graceful', 'drain', 'ignore'] as const;
export type OnTerm = (typeof onTermModes)[number];

export interface TargetConfig {
  readonly port: number;
  readonly adminPort: number;
  /** Address to listen on; undefined: all. */
  readonly bindAddress: string | undefined;
  /** From the start of the process to listening, ms. */
  readonly startMs: number;
  /** Per request: waiting, then busy, ms. */
  readonly workMs: number;
  readonly cpuMs: number;
  /** Exit with code 1 this long after it began to listen; 0: never. */
  readonly crashAfterMs: number;
  readonly version: string;
  readonly podName: string;
  readonly onTerm: OnTerm;
  /** Mode `graceful`: serve at least this long after SIGTERM, ms. */
  readonly lingerMs: number;
  /** Mode `graceful`: stop listening after this at the latest, ms. It must fit into the pod's grace period. */
  readonly lingerLimitMs: number;
  /** Written when the server listens, for exec probes. */
  readonly readyFile: string | undefined;
  /** host:port that is told the phases. */
  readonly phases: string | undefined;
  /** The process ends when this one has. */
  readonly parentPid: number | undefined;
}

/** Throws a sentence that names the variable. */
export function readTargetConfig(env: NodeJS.ProcessEnv): TargetConfig {
  const lingerMs = wholeNumber(env, 'LINGER_MS', 2000, 0, 600_000);
  return {
    port: wholeNumber(env, 'PORT', 8080, 0, 65_535),
    adminPort: wholeNumber(env, 'ADMIN_PORT', 8081, 0, 65_535),
    bindAddress: env.ROLLPROOF_BIND_ADDRESS || undefined,
    startMs: wholeNumber(env, 'START_MS', 0, 0, 3_600_000),
    workMs: wholeNumber(env, 'WORK_MS', 5, 0, 600_000),
    cpuMs: wholeNumber(env, 'CPU_MS', 0, 0, 600_000),
    crashAfterMs: wholeNumber(env, 'CRASH_AFTER_MS', 0, 0, 3_600_000),
    version: env.VERSION || 'unknown',
    podName: env.POD_NAME || env.HOSTNAME || 'unknown',
    onTerm: oneOf(env, 'ON_TERM', onTermModes, 'exit'),
    lingerMs,
    lingerLimitMs: Math.max(lingerMs, wholeNumber(env, 'LINGER_LIMIT_MS', 15_000, 0, 600_000)),
    readyFile: env.READY_FILE || undefined,
    phases: env.ROLLPROOF_PHASES || undefined,
    parentPid: env.ROLLPROOF_PARENT_PID ? wholeNumber(env, 'ROLLPROOF_PARENT_PID', 0, 1, 2 ** 31) : undefined,
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
