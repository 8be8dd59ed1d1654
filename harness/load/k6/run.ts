// Runs k6 beside the agent with the same plan, as a process that is told to end when the load does. Where k6 is
// missing the cross-check says so; nothing fails.
import { startProgram } from '../../exec/program.ts';
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
  const program = startProgram(
    'k6',
    ['run', '--quiet', '--no-color', '--no-usage-report', '--address', '127.0.0.1:0', script],
    {
      // A closed environment: K6_* variables of the user's would change the plan.
      onlyEnv: { PATH: process.env.PATH, HOME: process.env.HOME, PLAN: JSON.stringify(stream) },
    },
  );
  return {
    async stop() {
      const { stdout, stderr, how } = await program.stop('SIGINT', stream.timeoutMs + k6GraceMs);
      return resultIn(stdout, how, stderr);
    },
    kill: () => program.kill('SIGKILL'),
  };
}
