// What the pods' processes use, as metrics-server has it: nodes sample, the server scrapes their newest samples a while
// later, CPU is the rate between two of them. So metrics are 12 to 27 s old with a resolution of 15 s, as recorded.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { NodeUsage, PodUsage } from '../api/hooks.ts';
import type { Clock } from './clock.ts';

/** A container that runs now: its process group is what is measured. */
export interface MeasuredContainer {
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
  readonly container: string;
  /** Changes with every run. */
  readonly runId: string;
  /** Wall clock, ms. */
  readonly startedAtMs: number;
  readonly group: number;
}

export interface Usage {
  /** CPU time used so far, ms. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

interface Sample extends Usage {
  readonly atMs: number;
  readonly wallMs: number;
}

type Samples = Map<string, { container: MeasuredContainer; before: Sample | undefined; last: Sample }>;

/** Age of the samples that a scrape finds, as a share of the resolution: recorded, the window ended 18 s before use. */
const SCRAPE_DELAY = 0.7;
/** Nothing ties the samples to the cluster's start; this is about where recordings have them. */
const FIRST_SAMPLE = 1.1;
/** 10 s of 15 s. */
const LEAST_FRESH_AGE = 2 / 3;

/** USER_HZ of Linux; it is part of its interface to user space and the same on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

interface MetricsOptions {
  readonly clock: Clock;
  readonly resolutionMs: number;
  readonly nodes: readonly string[];
  readonly containers: () => readonly MeasuredContainer[];
  /** For tests; the default reads /proc, or asks ps where there is none. */
  readonly measure?: (groups: ReadonlySet<number>) => ReadonlyMap<number, Usage>;
}

export class Metrics {
  private readonly options: MetricsOptions;
  private samples: Samples = new Map();
  private scraped: Samples = new Map();
  private readonly cancels: [() => void, () => void] = [() => {}, () => {}];

  constructor(options: MetricsOptions) {
    this.options = options;
    this.schedule(options.resolutionMs * FIRST_SAMPLE);
  }

  close(): void {
    for (const cancel of this.cancels) cancel();
  }

  /** Pods whose every container has a rate. */
  read(): { pods: PodUsage[]; nodes: NodeUsage[] } {
    const pods = new Map<string, PodUsage>();
    const incomplete = new Set<string>();
    for (const { container, before, last } of this.scraped.values()) {
      const key = `${container.namespace}/${container.pod}`;
      if (!before) {
        incomplete.add(key);
        continue;
      }
      const windowMs = last.atMs - before.atMs;
      const usage = pods.get(key) ?? {
        namespace: container.namespace,
        name: container.pod,
        timestamp: new Date(last.wallMs).toISOString(),
        windowSeconds: windowMs / 1000,
        containers: [],
      };
      usage.containers.push({
        name: container.container,
        cpuNanocores: Math.round((Math.max(0, last.cpuMs - before.cpuMs) / windowMs) * 1e9),
        memoryBytes: last.memoryBytes,
      });
      pods.set(key, usage);
    }
    for (const key of incomplete) pods.delete(key);
    return { pods: [...pods.values()], nodes: this.nodes([...pods.values()]) };
  }

  /** A node uses what its pods use: they are all that runs on it. */
  private nodes(pods: readonly PodUsage[]): NodeUsage[] {
    const places = new Map<string, string>();
    for (const { container } of this.scraped.values()) {
      places.set(`${container.namespace}/${container.pod}`, container.node);
    }
    const timestamp = new Date(this.options.clock.wall()).toISOString();
    return this.options.nodes.map((name) => {
      const own = pods
        .filter((pod) => places.get(`${pod.namespace}/${pod.name}`) === name)
        .flatMap((pod) => pod.containers);
      return {
        name,
        timestamp,
        windowSeconds: this.options.resolutionMs / 1000,
        cpuNanocores: own.reduce((sum, container) => sum + container.cpuNanocores, 0),
        memoryBytes: own.reduce((sum, container) => sum + container.memoryBytes, 0),
      };
    });
  }

  private schedule(delayMs: number): void {
    const { clock, resolutionMs } = this.options;
    this.cancels[0] = clock.after(delayMs, () => {
      this.sample();
      this.cancels[1] = clock.after(resolutionMs * SCRAPE_DELAY, () => {
        this.scraped = this.samples;
      });
      this.schedule(resolutionMs);
    });
  }

  private sample(): void {
    const { clock, containers, measure = measureGroups } = this.options;
    const found = containers();
    const usages = found.length > 0 ? measure(new Set(found.map(({ group }) => group))) : new Map();
    const atMs = clock.now();
    const wallMs = clock.wall();
    const next: Samples = new Map();
    for (const container of found) {
      const usage = usages.get(container.group);
      if (!usage) continue;
      const before = this.samples.get(container.runId)?.last ?? this.beginningOf(container, atMs, wallMs);
      next.set(container.runId, { container, before, last: { ...usage, atMs, wallMs } });
    }
    this.samples = next;
  }

  /** A fresh container's first rate counts from its start (metrics-server: freshContainerMinMetricsResolution). */
  private beginningOf({ startedAtMs }: MeasuredContainer, atMs: number, wallMs: number): Sample | undefined {
    const { resolutionMs } = this.options;
    const ageMs = wallMs - startedAtMs;
    if (ageMs < resolutionMs * LEAST_FRESH_AGE || ageMs >= resolutionMs) return undefined;
    return { cpuMs: 0, memoryBytes: 0, atMs: atMs - ageMs, wallMs: startedAtMs };
  }
}

/** CPU time and resident memory per process group; processes that have ended are counted by their parents. */
function measureGroups(groups: ReadonlySet<number>): ReadonlyMap<number, Usage> {
  const usages = new Map<number, { cpuMs: number; memoryBytes: number }>();
  for (const { group, cpuMs, memoryBytes } of listProcesses(groups)) {
    if (!groups.has(group)) continue;
    const usage = usages.get(group) ?? { cpuMs: 0, memoryBytes: 0 };
    usage.cpuMs += cpuMs;
    usage.memoryBytes += memoryBytes;
    usages.set(group, usage);
  }
  return usages;
}

interface ProcessUsage extends Usage {
  readonly group: number;
}

function listProcesses(groups: ReadonlySet<number>): ProcessUsage[] {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return askPs();
  }
  return pids.flatMap((pid) => readProcess(pid, groups) ?? []);
}

/** proc(5): the fields of stat after the command, which may itself hold spaces and parentheses. */
function readProcess(pid: string, groups: ReadonlySet<number>): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const number = (index: number) => Number(fields[index]);
    if (!groups.has(number(2))) return undefined;
    // pgrp 5, utime 14, stime 15, cutime 16, cstime 17, rss 24; `fields` begins with field 3.
    const ticks = number(11) + number(12) + number(13) + number(14);
    return {
      group: number(2),
      cpuMs: Math.max((ticks / TICKS_PER_SECOND) * 1000, threadTimeMs(pid)),
      memoryBytes: number(21) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

/** Ticks are coarse for a process that does next to nothing: the scheduler knows its threads' time in ns. */
function threadTimeMs(pid: string): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const times = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return times.reduce((sum, timeNs) => sum + timeNs, 0) / 1e6;
  } catch {
    return 0;
  }
}

function askPs(): ProcessUsage[] {
  try {
    const text = execFileSync('ps', ['-A', '-o', 'pgid=,time=,rss='], { encoding: 'utf8', timeout: 2000 });
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [group = '', time = '', rss = ''] = line.trim().split(/\s+/);
        return { group: Number(group), cpuMs: parsePsTime(time), memoryBytes: Number(rss) * 1024 };
      });
  } catch {
    return [];
  }
}

/** "[[dd-]hh:]mm:ss[.cc]" in ms. */
export function parsePsTime(text: string): number {
  const [days, clock = ''] = text.includes('-') ? text.split('-') : ['0', text];
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1000);
}

/** What a node says it has: the whole machine, as kind's nodes do. */
export const machine = (): { cpus: number; memoryBytes: number } => ({
  cpus: cpus().length,
  memoryBytes: totalmem(),
});
