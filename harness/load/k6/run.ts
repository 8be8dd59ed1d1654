// Runs k6 beside the agent with the same plan, as a process that is told to end when the load does. Where k6 is
// missing the cross-check says so; nothing fails.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { StreamPlan } from '../../model/load.ts';
import { bundleForK6 } from '../bundle.ts';

const countsSchema = z.object({
  attempts: z.number().int(),
  /** Arrivals for which no virtual user was free. */
  dropped: z.number().int(),
  /** By our names where k6 has a code for them; `uncoded`: a failure that k6 gives no code of its own. */
  outcomes: z.record(z.string(), z.number().int()),
});
export type K6Counts = z.infer<typeof countsSchema>;

export interface K6Run {
  readonly version: string;
  /** No iteration starts any more; resolves when those that run have ended, with one result per stream. */
  stop(): Promise<ReadonlyMap<string, K6Counts | { readonly problem: string }>>;
  /** Ends it without waiting. */
  kill(): void;
}

/** k6 in order: its longest request, then its summary. */
const graceMs = 10_000;

/** The version, or undefined when there is no k6 on the PATH. */
export function k6Version(): string | undefined {
  const { status, stdout } = spawnSync('k6', ['version'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? (/v\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? stdout.trim()) : undefined;
}

/** Starts k6, one process per stream. Returns a sentence when there is no k6. */
export async function startK6(streams: readonly StreamPlan[]): Promise<K6Run | string> {
  const version = k6Version();
  if (version === undefined) {
    return 'Cross-check: no "k6" on the PATH, so that nothing is compared. Install it (https://grafana.com/docs/k6/latest/set-up/install-k6).';
  }
  const script = await bundleForK6(
    join(dirname(fileURLToPath(import.meta.url)), `script${extname(fileURLToPath(import.meta.url))}`),
  );
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
  const ended = new Promise<K6Counts | { readonly problem: string }>((resolve) => {
    child.on('error', (error) => resolve({ problem: `k6 could not be started: ${error.message}` }));
    child.on('close', (code) => {
      const counts = countsSchema.safeParse(jsonIn(out));
      if (counts.success) resolve(withUncoded(counts.data));
      else
        resolve({ problem: `k6 ended with ${code} and no summary: ${err.trim().split('\n').at(-1) ?? ''}` });
    });
  });
  return {
    async stop() {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), stream.timeoutMs + graceMs);
      const result = await ended;
      clearTimeout(timer);
      return result;
    },
    kill: () => child.kill('SIGKILL'),
    ended,
  };
}

/** An iteration in which k6's request threw has counted nothing: one more failure without a code. */
function withUncoded(counts: K6Counts): K6Counts {
  const told = Object.values(counts.outcomes).reduce((sum, count) => sum + count, 0);
  if (told >= counts.attempts) return counts;
  const uncoded = (counts.outcomes.uncoded ?? 0) + counts.attempts - told;
  return { ...counts, outcomes: { ...counts.outcomes, uncoded } };
}

function jsonIn(text: string): unknown {
  const start = text.lastIndexOf('{"attempts"');
  try {
    return JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}
