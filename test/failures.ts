// A table of failures: what dies while an experiment runs, by phase; how it ends, what is said, and that nothing is left.
// A row is a run of the command, as a user sees it. Nothing is measured here, so several run at once.
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { podProcesses } from './embedded-pods.ts';
import { type Ended, type Running, startRollproof } from './rollproof.ts';

/** What stderr shows when the phase has begun. */
export const phases = {
  deploy: 'deploying target',
  'warm-up': 'under load',
  step: 'wait for rollout',
  tail: 'quiet tail',
} as const;

export interface Row {
  readonly dies: string;
  readonly phase: keyof typeof phases;
  readonly code: number;
  readonly sentence: RegExp;
  /** From the death to the end of the command, on a machine that is busy with the other rows. */
  readonly withinMs: number;
}

export interface Outcome extends Ended {
  readonly tookMs: number;
  readonly processesLeft: readonly number[];
  readonly foldersLeft: readonly string[];
}

/** Far beyond what any row may take: what has not ended by then hangs, and what it said last tells where. */
const END_LIMIT_MS = 240_000;

const verify = [
  ...['verify', '--scenario', 'image-change', '--variants', 'hardened'],
  ...['--rate', '20', '--measure-again', '0'],
];

/** Runs the command in a folder of its own until the phase begins, hurts what is to die, and waits for its end. */
export async function play(
  { phase }: Pick<Row, 'phase'>,
  folder: string,
  flags: readonly string[],
  kill: (run: Running) => Promise<void> | void,
): Promise<Outcome> {
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  // Compiled sources are those of everybody; all else is the run's own.
  const compiled = `tsx-${process.geteuid?.()}`;
  symlinkSync(join(tmpdir(), compiled), join(temporary, compiled));
  let run: Running | undefined;
  try {
    run = startRollproof([...verify, ...flags, '--out', outOf(folder)], { TMPDIR: temporary });
    await run.shows(phases[phase], 120_000);
    const pid = run.child.pid as number;
    const pids = podProcesses(pid);
    await kill(run);
    const from = performance.now();
    const ended = await run.within(END_LIMIT_MS);
    const tookMs = performance.now() - from;
    const left = new Set([...podProcesses(pid), ...pids.filter(isAlive)]);
    return {
      ...ended,
      tookMs,
      processesLeft: [...left],
      foldersLeft: readdirSync(temporary).filter((name) => name.startsWith('rollproof-')),
    };
  } finally {
    // A row that went wrong leaves nothing behind, either.
    run?.child.kill('SIGKILL');
    await run?.within(30_000);
  }
}

/** The output folder of a row that is played in this one. */
export const outOf = (folder: string): string => join(folder, 'run');

export function checkOutcome({ dies, phase, code, sentence, withinMs }: Row, outcome: Outcome): void {
  process.stdout.write(`${dies} in ${phase}: ${(outcome.tookMs / 1000).toFixed(1)} s\n`);
  assert.is(outcome.code, code, outcome.stderr);
  const said = outcome.stderr + outcome.stdout;
  assert.ok(sentence.test(said), `${sentence} is not in:\n${said}`);
  assert.not.match(outcome.stderr, /fault of rollproof|\n {4}at /);
  assert.ok(outcome.tookMs < withinMs, `took ${Math.round(outcome.tookMs)} ms`);
  assert.equal(outcome.processesLeft, [], 'no process is left');
  assert.equal(outcome.foldersLeft, [], 'no temporary folder is left');
}

/** A row at a time for each of a few lanes; a test awaits its own. */
export function inTurns(atOnce: number): <T>(act: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (act) => {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await act();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
