// What this machine allows, looked at before anything starts: without it a pod's start ends in a crash somewhere else.
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

/** A cluster without pods holds about 60 descriptors; a pod needs four, and connections come on top. */
const LEAST_OPEN_FILES = 512;
/** The harness itself and a handful of pods that are small programs. */
const LEAST_MEMORY_BYTES = 256 * 1024 * 1024;

interface MachineLimits {
  /** Undefined where the system does not say. */
  readonly openFiles: number | undefined;
  readonly freeMemoryBytes: number;
}

/** A sentence about what is too little; undefined when all is well. */
export function tooLittle({ openFiles, freeMemoryBytes }: MachineLimits): string | undefined {
  if (openFiles !== undefined && openFiles < LEAST_OPEN_FILES) {
    return `embedded: this shell allows ${openFiles} open files, and a cluster needs at least ${LEAST_OPEN_FILES}. Raise the limit (ulimit -n 4096) and start again.`;
  }
  if (freeMemoryBytes < LEAST_MEMORY_BYTES) {
    const mebibytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`;
    return `embedded: ${mebibytes(freeMemoryBytes)} of memory are free, and a cluster needs at least ${mebibytes(LEAST_MEMORY_BYTES)}. End other programs or raise the container's memory limit.`;
  }
  return undefined;
}

export function machineLimits(): MachineLimits {
  return { openFiles: openFiles(), freeMemoryBytes: freeMemoryBytes() };
}

function openFiles(): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** The least of what the machine and the control groups say (v2, then v1). */
function freeMemoryBytes(): number {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo'))?.[1];
  const machine = available === undefined ? freemem() : Number(available) * 1024;
  const number = (file: string) => Number.parseInt(read(file), 10);
  const groups = [
    number('/sys/fs/cgroup/memory.max') - number('/sys/fs/cgroup/memory.current'),
    number('/sys/fs/cgroup/memory/memory.limit_in_bytes') -
      number('/sys/fs/cgroup/memory/memory.usage_in_bytes'),
  ].filter((bytes) => Number.isFinite(bytes));
  return Math.min(machine, ...groups);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
