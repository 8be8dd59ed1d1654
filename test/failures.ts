// A table of failures: what dies while an experiment runs, by phase; how it ends, what is said, and that nothing is left.
// A row is a run of the command, as a user sees it. Nothing is measured here, so several run at once.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, symlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { podProcesses } from './embedded-pods.ts';
import { type Ended, type Running, startRollproof } from './rollproof.ts';

/** What stderr shows when the phase has begun. */
export const phases = {
  bundle: 'Bundle target and load agent ...',
  deploy: 'deploying target',
  'warm-up': 'under load',
  step: 'wait for rollout',
  tail: 'quiet tail',
} as const;

export interface Row {
  readonly dies: string;
  readonly phase: keyof typeof phases;
  /** Several: which one the moment decides. */
  readonly code: number | readonly number[];
  readonly sentence: RegExp;
  /** From the death to the end of the command, on a machine that is busy with the other rows. */
  readonly withinMs: number;
  /** The same when the row is asked for by its name: nothing else runs then. */
  readonly aloneMs?: number;
  /** It takes long and says little that another row does not: only where it is asked for. */
  readonly onRequest?: true;
}

/**
 * Rows that are asked for: `all`; or what dies, in every phase, or "what dies in phase", separated by commas: those alone.
 * undefined: all but those on request.
 */
const asked = process.env.ROLLPROOF_FAILURE_TABLE || undefined;
const names = asked?.split(',') ?? [];
export const isAskedByName = asked !== undefined && asked !== 'all';

/** Why the row is not played; undefined: it is. */
export function leftOut({
  dies,
  phase,
  onRequest,
}: Pick<Row, 'dies' | 'phase' | 'onRequest'>): string | undefined {
  const isNamed = names.includes(dies) || names.includes(`${dies} in ${phase}`);
  if (asked === 'all' || (asked ? isNamed : !onRequest)) return undefined;
  return asked ? `ROLLPROOF_FAILURE_TABLE is ${asked}` : 'on request: ROLLPROOF_FAILURE_TABLE=all';
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

export function checkOutcome(row: Row, outcome: Outcome): void {
  const { dies, phase, code, sentence, withinMs, aloneMs } = row;
  const said = outcome.stderr + outcome.stdout;
  const left = `${outcome.processesLeft.length} processes, ${outcome.foldersLeft.length} folders`;
  process.stdout.write(
    `${dies} in ${phase}: exit code ${outcome.code} after ${(outcome.tookMs / 1000).toFixed(1)} s; left: ${left}; ${JSON.stringify(sentence.exec(said)?.[0])}\n`,
  );
  const codes: readonly number[] = typeof code === 'number' ? [code] : code;
  assert.ok(codes.includes(outcome.code ?? -1), `exit code ${outcome.code}\n${outcome.stderr}`);
  assert.ok(sentence.test(said), `${sentence} is not in:\n${said}`);
  assert.not.match(outcome.stderr, /fault of rollproof|\n {4}at /);
  const limitMs = isAskedByName ? (aloneMs ?? withinMs) : withinMs;
  assert.ok(outcome.tookMs < limitMs, `took ${Math.round(outcome.tookMs)} ms`);
  assert.equal(outcome.processesLeft, [], 'no process is left');
  assert.equal(outcome.foldersLeft, [], 'no temporary folder is left');
}

/** Takes what is left of the disk that the output is on, as somebody else's file. */
export function fillDisk(out: string): void {
  const file = openSync(join(out, 'somebody-elses'), 'w');
  try {
    for (const block = Buffer.alloc(4096); ; ) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** A disk of so many MB at the folder, for as long as `act` takes; only root may have one. undefined: none. */
export async function onDisk<T>(
  megabytes: number | undefined,
  folder: string,
  act: () => Promise<T>,
): Promise<T> {
  if (megabytes === undefined) return act();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  try {
    return await act();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
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
