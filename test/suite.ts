// Test suites on uvu with what uvu lacks: a time limit per test, skips that say why, and a tally that the runner
// (scripts/test.ts) compares with the exit code. Every file ends with `<suite>.run()`.
import { writeFileSync } from 'node:fs';
import { suite as uvuSuite } from 'uvu';

const tally = { declared: 0, passed: 0, failed: 0, skipped: [] as string[], failures: [] as string[] };

process.on('exit', () => {
  const report = process.env.ROLLPROOF_TEST_REPORT;
  if (report) writeFileSync(report, JSON.stringify(tally));
});

interface TestOptions {
  /** Limit of one test. */
  readonly timeoutMs?: number;
  /** A reason not to run it; empty or undefined: run. */
  readonly skip?: string | undefined;
}

interface Suite {
  (name: string, body: () => void | Promise<void>, options?: TestOptions): void;
  run(): void;
}

let interrupted: AbortController | undefined;

/**
 * For tests that start what outlives a process (clusters): aborted on SIGINT and SIGTERM, so that the test that runs can
 * take it down; later ones fail at once. Files that do not ask for it simply end.
 */
export function interruption(): AbortSignal {
  if (!interrupted) {
    const controller = new AbortController();
    interrupted = controller;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => controller.abort());
  }
  return interrupted.signal;
}

/** A test's limit is there for what hangs: a machine that is busy with other things is waited for. */
const patience = 3;

/** Just before the runner ends this file by force, the test that hangs is told by name. */
const fileLimitMs = Number(process.env.ROLLPROOF_TEST_LIMIT_MS ?? Number.POSITIVE_INFINITY);
const limitOf = (timeoutMs: number) =>
  Math.max(100, Math.min(timeoutMs * patience, fileLimitMs * 0.95 - performance.now()));

/** Declares a suite. Use no hooks: uvu exits 0 when one throws. */
export function suite(name: string, defaults: TestOptions = {}): Suite {
  const inner = uvuSuite(name);
  const declare = (title: string, body: () => void | Promise<void>, options: TestOptions = {}) => {
    const { timeoutMs = 20_000, skip } = { ...defaults, ...options };
    tally.declared++;
    if (skip) {
      tally.skipped.push(`${name}: ${title}: ${skip}`);
      return;
    }
    inner(title, async () => {
      try {
        interrupted?.signal.throwIfAborted();
        await withLimit(body, limitOf(timeoutMs), title);
        tally.passed++;
      } catch (error) {
        if (error instanceof Skipped) {
          tally.skipped.push(`${name}: ${title}: ${error.message}`);
          return;
        }
        tally.failed++;
        tally.failures.push(`${title}: ${firstLine(error)}`);
        // uvu takes a falsy throw for a pass, and stumbles over an error whose details are no text.
        const plain = error instanceof Error && typeof (error as { details?: unknown }).details !== 'object';
        throw plain ? error : new Error(`threw ${String(error)}`, { cause: error });
      }
    });
  };
  return Object.assign(declare, { run: () => inner.run() });
}

const firstLine = (error: unknown) =>
  String(error instanceof Error ? error.message : error)
    .split('\n', 1)[0]
    ?.slice(0, 300);

async function withLimit(body: () => void | Promise<void>, timeoutMs: number, title: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`"${title}" did not end within ${Math.round(timeoutMs)} ms`)),
      timeoutMs,
    );
  });
  try {
    await Promise.race([body(), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Thrown by a test that finds out only while it runs that this machine cannot show what it asks: a visible skip. */
export class Skipped extends Error {}
