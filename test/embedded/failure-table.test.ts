// What dies while an experiment runs, by phase: how it ends, what is said, and that nothing is left. Each row is a run of
// the command, as a user sees it. Nothing is measured here, so several run at once.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { needsLinux, podProcesses, until } from '../embedded-pods.ts';
import { type Ended, inTemporaryFolder, type Running, startRollproof } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const AT_ONCE = 4;
const test = suite('failure table', { timeoutMs: 300_000, skip: needsLinux });

/** What stderr shows when the phase has begun. */
const phases = {
  deploy: 'deploying target',
  'warm-up': 'under load',
  step: 'wait for rollout',
  tail: 'quiet tail',
} as const;

interface Row {
  readonly dies: string;
  readonly phase: keyof typeof phases;
  readonly kill: (run: Running, out: string) => Promise<void> | void;
  readonly code: number;
  readonly sentence: RegExp;
  /** From the death to the end of the command, on a machine that is busy with the other rows. */
  readonly withinMs: number;
  /** The output folder is a disk of its own, of this many MB. */
  readonly diskMb?: number;
}

/** Those of a pod's own programs: what prepares its namespaces is no container yet. */
const processesOf = (run: Running, pod: RegExp): number[] =>
  podProcesses(run.child.pid as number).filter(
    (pid) =>
      pod.test(environmentOf(pid).get('HOSTNAME') ?? '') && programOf(pid) === basename(process.execPath),
  );

/** The file's name: a pod with a root of its own sees the program at another path. */
function programOf(pid: number): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return '';
  }
}

function environmentOf(pid: number): ReadonlyMap<string, string> {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return new Map(entries.map((one) => [one.split('=', 1)[0] ?? '', one.slice(one.indexOf('=') + 1)]));
  } catch {
    return new Map();
  }
}

const signalTo = (pod: RegExp, signal: NodeJS.Signals) => async (run: Running) => {
  const pids = await until(
    `processes of ${pod}`,
    () => {
      const found = processesOf(run, pod);
      return found.length > 0 && found;
    },
    20_000,
  );
  for (const pid of pids) process.kill(pid, signal);
};
const agent = /^rollproof-agent/;
const interrupt = (run: Running) => void run.child.kill('SIGINT');
const removeFolder = (_: Running, out: string) =>
  rmSync(join(out, 'journals'), { recursive: true, force: true });
function fill(_: Running, out: string): void {
  const file = openSync(join(out, 'somebody-elses'), 'w');
  try {
    for (const block = Buffer.alloc(4096); ; ) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** A disk that is small, for as long as `act` takes; only root may have one. */
async function onDisk<T>(megabytes: number | undefined, folder: string, act: () => Promise<T>): Promise<T> {
  if (megabytes === undefined) return act();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  try {
    return await act();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
}

const rows: readonly Row[] = [
  {
    dies: 'agent killed',
    phase: 'deploy',
    kill: signalTo(agent, 'SIGKILL'),
    code: 3,
    sentence: /the load agent ended \(exit code 137/,
    withinMs: 40_000,
  },
  {
    dies: 'output folder removed',
    phase: 'deploy',
    kill: removeFolder,
    code: 3,
    sentence: /journals\/.*: it is not there/,
    withinMs: 40_000,
  },
  ...(['warm-up', 'step', 'tail'] as const).map(
    (phase): Row => ({
      dies: 'agent killed',
      phase,
      kill: signalTo(agent, 'SIGKILL'),
      code: 3,
      sentence: /the load agent ended \(exit code 137/,
      withinMs: 40_000,
    }),
  ),
  // The open file takes what is written; that nobody can find it any more is seen when it is closed.
  {
    dies: 'output folder removed',
    phase: 'step',
    kill: removeFolder,
    code: 3,
    sentence: /left no journal: .*it is gone: somebody else removed/,
    withinMs: 100_000,
  },
  // It lives and does not answer: whoever asks it gives up and says so.
  ...(['deploy', 'step', 'tail'] as const).map(
    (phase): Row => ({
      dies: 'agent stopped',
      phase,
      kill: signalTo(agent, 'SIGSTOP'),
      code: 3,
      sentence: /the load agent runs but does not answer/,
      withinMs: 60_000,
    }),
  ),
  // What is under test may die: that is what is measured.
  {
    dies: 'target killed',
    phase: 'step',
    kill: signalTo(/^target/, 'SIGKILL'),
    code: 1,
    sentence: /refuted +image-change/,
    withinMs: 100_000,
  },
  {
    dies: 'disk full',
    phase: 'step',
    kill: fill,
    code: 3,
    sentence: /journals\/.*: the disk is full/,
    withinMs: 100_000,
    diskMb: 24,
  },
  ...(['deploy', 'warm-up', 'step', 'tail'] as const).map(
    (phase): Row => ({
      dies: 'Ctrl-C',
      phase,
      kill: interrupt,
      code: 130,
      sentence: /Interrupted/,
      withinMs: 10_000,
    }),
  ),
];

/** A row at a time for each of a few lanes; a test awaits its own. */
const waiting: (() => void)[] = [];
let running = 0;
async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    return await act();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

interface Outcome extends Ended {
  readonly tookMs: number;
  readonly processesLeft: readonly number[];
  readonly foldersLeft: readonly string[];
}

async function play({ phase, kill, diskMb }: Row, folder: string): Promise<Outcome> {
  const out = join(folder, 'run');
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  // Compiled sources are those of everybody; all else is the run's own.
  const compiled = `tsx-${process.geteuid?.()}`;
  symlinkSync(join(tmpdir(), compiled), join(temporary, compiled));
  mkdirSync(out);
  return onDisk(diskMb, out, async () => {
    let run: Running | undefined;
    try {
      run = startRollproof(
        [
          ...['verify', '--cluster', 'embedded', '--scenario', 'image-change', '--variants', 'hardened'],
          ...['--rate', '20', '--measure-again', '0', '--out', out],
        ],
        { TMPDIR: temporary },
      );
      await run.shows(phases[phase], 120_000);
      const pid = run.child.pid as number;
      const pids = podProcesses(pid);
      await kill(run, out);
      const from = performance.now();
      const ended = await run.ended;
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
      await run?.ended;
    }
  });
}

for (const row of rows) {
  const { dies, phase, code, sentence, withinMs, diskMb } = row;
  const needsRoot = diskMb !== undefined && process.geteuid?.() !== 0;
  const played =
    needsLinux || needsRoot ? undefined : inTurn(() => inTemporaryFolder((folder) => play(row, folder)));
  played?.catch(() => {});
  test(`${dies} in ${phase}`, async () => {
    if (needsRoot) throw new Skipped('only root may mount a small disk');
    const outcome = (await played) as Outcome;
    process.stdout.write(`${dies} in ${phase}: ${(outcome.tookMs / 1000).toFixed(1)} s\n`);
    assert.is(outcome.code, code, outcome.stderr);
    const said = outcome.stderr + outcome.stdout;
    assert.ok(sentence.test(said), `${sentence} is not in:\n${said}`);
    assert.not.match(outcome.stderr, /fault of rollproof|\n {4}at /);
    assert.ok(outcome.tookMs < withinMs, `took ${Math.round(outcome.tookMs)} ms`);
    assert.equal(outcome.processesLeft, [], 'no process is left');
    assert.equal(outcome.foldersLeft, [], 'no temporary folder is left');
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.run();
