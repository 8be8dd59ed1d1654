// Runs k6 beside the agent with the same plan, as a process that is told to end when the load does. Where k6 is
// missing the cross-check says so; nothing fails.
import { spawn } from 'node:child_process';
import type { CrossCheckResult } from '../../model/cross-check.ts';
import type { StreamPlan } from '../../model/load.ts';
import { k6Version, noK6 } from './binary.ts';
import { bundledScript } from './bundled-script.ts';
import { resultIn } from './summary.ts';

export interface K6Run {
  readonly version: string;
  /** No iteration starts any more; resolves when those that run have ended, with one result per stream. */
  stop(): Promise<ReadonlyMap<string, CrossCheckResult>>;
  /** Ends it without waiting. */
  kill(): void;
}

/** For k6's summary, after its longest request. */
export const k6GraceMs = 10_000;

/** Starts k6, one process per stream. Returns a sentence when there is no k6. */
export async function startK6(streams: readonly StreamPlan[]): Promise<K6Run | string> {
  const version = k6Version();
  if (version === undefined) return noK6;
  const script = await bundledScript();
  const processes = streams.map((stream) => startOne(stream, script));
  return {
    version,
    async stop() {
      const results = await Promise.all(processes.map((one) => one.stop()));
      return new Map(
        streams.map((stream, index) => [stream.id, results[index] ?? { problem: 'k6 did not run' }]),
      );
    },
    kill() {
      for (const one of processes) one.kill();
    },
  };
}

function startOne(stream: StreamPlan, script: string) {
  const child = spawn(
    'k6',
    ['run', '--quiet', '--no-color', '--no-usage-report', '--address', '127.0.0.1:0', script],
    {
      // A closed environment: K6_* variables of the user's would change the plan.
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PLAN: JSON.stringify(stream) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err = `${err}${chunk}`.slice(-2000);
  });
  const ended = new Promise<CrossCheckResult>((resolve) => {
    child.on('error', (error) => resolve({ problem: `k6 could not be started: ${error.message}` }));
    child.on('close', (code) => resolve(resultIn(out, `ended with ${code}`, err)));
  });
  return {
    async stop() {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), stream.timeoutMs + k6GraceMs);
      const result = await ended;
      clearTimeout(timer);
      return result;
    },
    kill: () => child.kill('SIGKILL'),
    ended,
  };
}
