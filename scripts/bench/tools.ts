// The generators that are compared: how each is started for a case, and what its output says.
import { readFileSync } from 'node:fs';
import { runCommand } from '../../harness/exec/command.ts';
import type { GeneratorFigures } from './generator.ts';

export interface Case {
  readonly name: string;
  readonly lane: 'new' | 'kept';
  /** 0: closed loop. */
  readonly ratePerSecond: number;
  readonly connections: number;
  readonly durationMs: number;
}

export interface Figures {
  readonly requestsPerSecond: number;
  /** CPU time of the generator's process per request, µs. */
  readonly cpuMicrosPerRequest: number;
  /** Share of one core, 0 to 1 and above. */
  readonly cpuShare: number;
  readonly failed: number;
  readonly p99Ms?: number;
  readonly sendLagP99Ms?: number;
}

export interface Tool {
  readonly name: string;
  /** Undefined: it cannot do this case. */
  command(one: Case, url: string): readonly string[] | undefined;
  read(output: string, one: Case, seconds: number, cpuSeconds: number): Figures;
}

export function ownTools(generator: string): readonly Tool[] {
  const own = (name: 'autocannon' | 'meter'): Tool => ({
    name,
    command: (one, url) =>
      // autocannon's own way of a connection per request counts nothing (docs/load.md).
      name === 'autocannon' && one.lane === 'new'
        ? undefined
        : [process.execPath, generator, JSON.stringify({ generator: name, url, ...one })],
    read(output) {
      const figures = JSON.parse(output) as GeneratorFigures;
      return {
        ...perRequest(figures.requests, figures.seconds, figures.cpuSeconds),
        failed: figures.failed,
        p99Ms: figures.latencyMs.p99,
        ...(figures.sendLagMs && { sendLagP99Ms: figures.sendLagMs.p99 }),
      };
    },
  });
  return [own('autocannon'), own('meter')];
}

/** Others, where they are on the PATH. Each gets one thread, as a Node process has. */
export const otherTools: readonly Tool[] = [
  {
    name: 'wrk',
    command: (one, url) =>
      one.ratePerSecond > 0
        ? undefined
        : [
            'wrk',
            '-t1',
            `-c${one.connections}`,
            `-d${Math.round(one.durationMs / 1000)}s`,
            ...(one.lane === 'new' ? ['-H', 'Connection: close'] : []),
            url,
          ],
    read: (output, _one, seconds, cpuSeconds) =>
      counted(/(\d+) requests in/.exec(output)?.[1], failuresOfWrk(output), seconds, cpuSeconds),
  },
  {
    name: 'hey',
    command: (one, url) =>
      one.ratePerSecond > 0
        ? undefined
        : [
            'hey',
            '-cpus',
            '1',
            '-c',
            String(one.connections),
            '-z',
            `${one.durationMs}ms`,
            ...(one.lane === 'new' ? ['-disable-keepalive'] : []),
            url,
          ],
    read: (output, _one, seconds, cpuSeconds) =>
      counted(/\[200\]\s+(\d+) responses/.exec(output)?.[1], 0, seconds, cpuSeconds),
  },
  {
    name: 'k6',
    command: (one, url) => [
      'k6',
      'run',
      '--quiet',
      '--no-usage-report',
      '--address',
      '127.0.0.1:0',
      '-e',
      `CASE=${JSON.stringify({ ...one, url })}`,
      '-',
    ],
    read: (output, _one, seconds, cpuSeconds) => {
      const { requests, failed } = JSON.parse(output.slice(output.lastIndexOf('{"requests"'))) as {
        requests: number;
        failed: number;
      };
      return counted(String(requests - failed), failed, seconds, cpuSeconds);
    },
  },
];

/** k6 reads it from standard input. */
export const k6Script = `
import http from 'k6/http';
const one = JSON.parse(__ENV.CASE);
const load = one.ratePerSecond > 0
  ? { executor: 'constant-arrival-rate', rate: one.ratePerSecond, timeUnit: '1s', duration: one.durationMs + 'ms', preAllocatedVUs: one.connections }
  : { executor: 'constant-vus', vus: one.connections, duration: one.durationMs + 'ms' };
export const options = { scenarios: { load }, noConnectionReuse: one.lane === 'new', discardResponseBodies: true };
export default function () { http.get(one.url); }
export function handleSummary({ metrics }) {
  return { stdout: JSON.stringify({ requests: metrics.http_reqs.values.count, failed: metrics.http_req_failed.values.passes }) };
}
`;

export interface Ended {
  readonly output: string;
  readonly cpuSeconds: number;
}

/** Runs a command on one core and returns its output and CPU time. Killed after the limit. */
export async function runPinned(
  command: readonly string[],
  core: number | undefined,
  limitMs: number,
): Promise<Ended> {
  const [program, ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  let cpuSeconds = 0;
  let watch: NodeJS.Timeout | undefined;
  try {
    const { stdout } = await runCommand(program as string, args, {
      limitMs,
      input: command[0] === 'k6' ? k6Script : '',
      env: { GOMAXPROCS: '1' },
      onStart(pid) {
        watch = setInterval(() => {
          cpuSeconds = cpuSecondsOf(pid) ?? cpuSeconds;
        }, 50);
      },
    });
    return { output: stdout, cpuSeconds };
  } finally {
    clearInterval(watch);
  }
}

/** User and system time so far, from Linux's /proc in ticks of 10 ms. */
function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

function counted(text: string | undefined, failed: number, seconds: number, cpuSeconds: number): Figures {
  return { ...perRequest(Number(text ?? 0), seconds, cpuSeconds), failed };
}

function perRequest(requests: number, seconds: number, cpuSeconds: number) {
  return {
    requestsPerSecond: requests / seconds,
    cpuMicrosPerRequest: requests > 0 ? (cpuSeconds * 1e6) / requests : 0,
    cpuShare: cpuSeconds / seconds,
  };
}

function failuresOfWrk(output: string): number {
  const [, ...counts] = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output) ?? [];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}
