// What dies while an experiment runs on the embedded cluster: agent, target, output folder, disk, the command itself.
import { mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { needsLinux, podProcesses, until } from '../embedded-pods.ts';
import {
  checkOutcome,
  fillDisk,
  inTurns,
  isAskedByName,
  leftOut,
  onDisk,
  outOf,
  play,
  type Row,
} from '../failures.ts';
import { inTemporaryFolder, type Running } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const test = suite('failure table', { timeoutMs: 300_000, skip: needsLinux });

interface EmbeddedRow extends Row {
  readonly kill: (run: Running, out: string) => Promise<void> | void;
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
const rows: readonly EmbeddedRow[] = [
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
    (phase): EmbeddedRow => ({
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
    (phase): EmbeddedRow => ({
      dies: 'agent stopped',
      phase,
      kill: signalTo(agent, 'SIGSTOP'),
      code: 3,
      sentence: /the load agent runs but does not answer/,
      withinMs: 60_000,
    }),
  ),
  // What is under test may die: that is what is measured.
  ...(['step', 'warm-up', 'tail'] as const).map(
    (phase): EmbeddedRow => ({
      dies: 'target killed',
      phase,
      kill: signalTo(/^target/, 'SIGKILL'),
      code: 1,
      sentence: /refuted +image-change/,
      withinMs: 100_000,
      // Before and after the change nothing is claimed of it but that it is noticed.
      ...(phase !== 'step' && {
        code: [1, 2],
        sentence: /(refuted|inconclusive) +image-change/,
        onRequest: true,
      }),
    }),
  ),
  ...(['step', 'warm-up', 'tail'] as const).map(
    (phase): EmbeddedRow => ({
      dies: 'disk full',
      phase,
      kill: (_, out) => fillDisk(out),
      code: 3,
      sentence: /journals\/.*: the disk is full/,
      withinMs: 100_000,
      diskMb: 24,
      ...(phase !== 'step' && { onRequest: true }),
    }),
  ),
  ...(['bundle', 'deploy', 'warm-up', 'step', 'tail'] as const).map(
    (phase): EmbeddedRow => ({
      dies: 'Ctrl-C',
      phase,
      kill: interrupt,
      code: 130,
      sentence: /Interrupted/,
      // Less than one of the waits of 15 s that it once had; what is promised holds on a machine that is not busy.
      withinMs: 14_000,
      aloneMs: 3000,
    }),
  ),
];

const inTurn = inTurns(isAskedByName ? 1 : 4);

for (const row of rows) {
  const { dies, phase, kill, diskMb } = row;
  const needsRoot = diskMb !== undefined && process.geteuid?.() !== 0;
  const skip = leftOut(row);
  const played =
    needsLinux || needsRoot || skip
      ? undefined
      : inTurn(() =>
          inTemporaryFolder((folder) => {
            const out = outOf(folder);
            mkdirSync(out);
            return onDisk(diskMb, out, () =>
              play(row, folder, ['--cluster', 'embedded'], (run) => kill(run, out)),
            );
          }),
        );
  played?.catch(() => {});
  const body = async () => {
    if (!played) throw new Skipped('only root may mount a small disk');
    checkOutcome(row, await played);
  };
  test(`${dies} in ${phase}`, body, { skip: needsLinux ?? skip });
}

test.run();
