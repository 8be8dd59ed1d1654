// The generators that are compared: how each is started for a case, and what its output says.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../harness/exec/command.ts';
import type { GeneratorFigures } from './generator.ts';

export interface Case {
  readonly name: string;
  readonly lane: 'new' | 'kept' | 'stream';
  /** Absent: HTTP/1.1. */
  readonly protocol?: 'http2' | 'grpc' | 'websocket';
  /** HTTP/2 and gRPC: requests at a time on a connection. */
  readonly streamsPerConnection?: number;
  /** Certificate of the authority, for https. */
  readonly ca?: string;
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
  readonly rssMb?: number;
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
      name === 'autocannon' && (one.lane === 'new' || one.protocol)
        ? undefined
        : [process.execPath, generator, JSON.stringify({ generator: name, url, ...one })],
    read(output) {
      const figures = JSON.parse(output) as GeneratorFigures;
      return {
        ...perRequest(figures.requests, figures.seconds, figures.cpuSeconds),
        failed: figures.failed,
        p99Ms: figures.latencyMs.p99,
        rssMb: figures.rssMb,
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
      one.ratePerSecond > 0 || one.protocol
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
      one.ratePerSecond > 0 || one.protocol
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
    name: 'h2load',
    command: (one, url) =>
      one.protocol === 'http2'
        ? [
            'h2load',
            '-t1',
            `-c${one.connections}`,
            `-m${one.streamsPerConnection ?? 1}`,
            `-D${Math.round(one.durationMs / 1000)}s`,
            url,
          ]
        : undefined,
    read: (output, _one, seconds, cpuSeconds) =>
      counted(
        /(\d+) succeeded/.exec(output)?.[1],
        Number(/(\d+) failed/.exec(output)?.[1] ?? 0),
        seconds,
        cpuSeconds,
      ),
  },
  {
    name: 'k6',
    // It speaks HTTP/2 through TLS only, and of WebSocket nothing is compared.
    command: (one, url) =>
      one.protocol === 'websocket' || (one.protocol === 'http2' && !one.ca)
        ? undefined
        : [
            'k6',
            'run',
            '--quiet',
            '--no-usage-report',
            '--address',
            '127.0.0.1:0',
            '-e',
            `CASE=${JSON.stringify({ ...one, url, ...(one.protocol === 'grpc' && protoOf()) })}`,
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

/** k6 loads descriptors from files only. */
function protoOf(): { readonly protoFolder: string; readonly proto: string } {
  const protoFolder = mkdtempSync(join(tmpdir(), 'rollproof-bench-'));
  process.once('exit', () => rmSync(protoFolder, { recursive: true, force: true }));
  const proto = 'health.proto';
  writeFileSync(
    join(protoFolder, proto),
    'syntax = "proto3"; package grpc.health.v1; message HealthCheckRequest { string service = 1; } ' +
      'message HealthCheckResponse { int32 status = 1; } ' +
      'service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }',
  );
  return { protoFolder, proto };
}

/** k6 reads it from standard input. */
export const k6Script = `
import http from 'k6/http';
import grpc from 'k6/net/grpc';
import { Counter } from 'k6/metrics';
const one = JSON.parse(__ENV.CASE);
const load = one.ratePerSecond > 0
  ? { executor: 'constant-arrival-rate', rate: one.ratePerSecond, timeUnit: '1s', duration: one.durationMs + 'ms', preAllocatedVUs: one.connections }
  : { executor: 'constant-vus', vus: one.connections, duration: one.durationMs + 'ms' };
const at = one.streamsPerConnection || 1;
export const options = { scenarios: { load }, noConnectionReuse: one.lane === 'new', discardResponseBodies: true, insecureSkipTLSVerify: true, batch: at, batchPerHost: at };
const calls = new Counter('calls');
const bad = new Counter('bad');
const client = new grpc.Client();
if (one.proto) client.load([one.protoFolder], one.proto);
let connected = false;
async function call() {
  const { status } = await client.asyncInvoke('grpc.health.v1.Health/Check', {});
  calls.add(1);
  if (status !== grpc.StatusOK) bad.add(1);
}
export default async function () {
  if (one.protocol !== 'grpc') {
    if (at === 1) http.get(one.url);
    else http.batch(Array.from({ length: at }, () => one.url));
    return;
  }
  if (!connected) client.connect(one.url.split('/')[2], { plaintext: true });
  connected = true;
  await Promise.all(Array.from({ length: at }, call));
}
export function handleSummary({ metrics }) {
  const count = (name) => (metrics[name] ? metrics[name].values.count : 0);
  const requests = one.protocol === 'grpc' ? count('calls') : metrics.http_reqs.values.count;
  const failed = one.protocol === 'grpc' ? count('bad') : metrics.http_req_failed.values.passes;
  return { stdout: JSON.stringify({ requests, failed }) };
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
