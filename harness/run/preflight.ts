// What this machine allows, looked at before anything starts: a run that cannot end must not begin.
import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { FaultError } from '../model/errors.ts';
import { rateOfLoad, type Scenario } from '../model/scenario.ts';
import { size, systemFault } from '../model/system-error.ts';
import { connectionsOf, highestRate } from './experiment/load-plan.ts';

interface Machine {
  /** Undefined where the system does not say. */
  readonly openFiles: number | undefined;
  readonly freeMemoryBytes: number;
}

/** The harness's own: connections to the API server, watches, journals. */
const HARNESS_FILES = 256;
/** Harness, bundler and reports. */
const LEAST_MEMORY_BYTES = 192 * 1024 * 1024;
/** Some 2 MB a journal, as much for a report; bundles of the agent, logs of emulated pods. */
const LEAST_OUT_BYTES = 16 * 1024 * 1024;
const LEAST_TEMPORARY_BYTES = 32 * 1024 * 1024;

/** Throws FaultError (exit code 3). `out`: the run's folder, which need not be there. */
export function checkMachine(out: string, scenarios: readonly Scenario[], local: boolean): void {
  const lacking = tooLittle(lookAtMachine(), scenarios, local);
  if (lacking) throw new FaultError(lacking);
  checkFolder('results', out, LEAST_OUT_BYTES, 'Name another folder with --out');
  checkTemporary(tmpdir());
}

/** Unlike the run's folder it is not made. */
function checkTemporary(folder: string): void {
  const todo = 'Name another folder with the environment variable TMPDIR';
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    throw new FaultError(
      `${folder}: temporary files go there, and ${found ? 'it is a file' : 'there is no such folder'}. ${todo}.`,
    );
  }
  checkFolder('temporary files', folder, LEAST_TEMPORARY_BYTES, todo);
}

/** A sentence about what is too little; undefined when all is well. `local`: the load agent runs on this machine. */
export function tooLittle(
  { openFiles, freeMemoryBytes }: Machine,
  scenarios: readonly Pick<Scenario, 'load' | 'steps'>[],
  local: boolean,
): string | undefined {
  const files = Math.max(HARNESS_FILES, local ? agentFiles(scenarios) : 0);
  if (openFiles !== undefined && openFiles < files) {
    return `This shell allows ${openFiles} open files, and the run needs ${files}. Raise the limit (ulimit -n 4096) and start again.`;
  }
  if (freeMemoryBytes < LEAST_MEMORY_BYTES) {
    return `${size(freeMemoryBytes)} of memory are free, and a run needs at least ${size(LEAST_MEMORY_BYTES)}. End other programs, or raise the container's memory limit.`;
  }
  return undefined;
}

/** Where the agent is a process of this machine it inherits the limit: one connection of the load is one file. */
function agentFiles(scenarios: readonly Pick<Scenario, 'load' | 'steps'>[]): number {
  const ofScenario = ({ load, steps }: Pick<Scenario, 'load' | 'steps'>) =>
    load.reduce((sum, lane) => sum + connectionsOf(lane, highestRate(rateOfLoad(lane), { steps }), 1), 0);
  return 64 + Math.max(0, ...scenarios.map(ofScenario));
}

/** Throws a sentence with the path and what is free. The nearest folder that is there decides. */
function checkFolder(what: string, folder: string, leastBytes: number, todo: string): void {
  const there = nearest(resolve(folder));
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(there);
    const free = bavail * bsize;
    if (free >= leastBytes) return;
    throw new FaultError(
      `${folder}: ${size(free)} are free there, and ${what} need at least ${size(leastBytes)}. Free some space. ${todo}.`,
    );
  } catch (error) {
    throw systemFault(error, what, folder) ?? error;
  }
}

function nearest(path: string): string {
  for (let folder = path; ; folder = dirname(folder)) {
    if (statSync(folder, { throwIfNoEntry: false }) || folder === dirname(folder)) return folder;
  }
}

function lookAtMachine(): Machine {
  const soft = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo'))?.[1];
  const group = Number(read('/sys/fs/cgroup/memory.max')) - Number(read('/sys/fs/cgroup/memory.current'));
  return {
    openFiles: soft === undefined ? undefined : Number(soft),
    freeMemoryBytes: Math.min(
      available === undefined ? freemem() : Number(available) * 1024,
      // "max" is not a number: no limit.
      Number.isNaN(group) || group <= 0 ? Number.POSITIVE_INFINITY : group,
    ),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
