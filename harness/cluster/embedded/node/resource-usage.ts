// What the pods' processes use, sampled as metrics-server does it: CPU as the rate between two scrapes, memory as it
// is; so a new pod has no metrics until its second scrape.
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

/** USER_HZ of Linux; it is part of its interface to user space and the same on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface MetricsOptions {
  readonly clock: Clock;
  readonly resolutionMs: number;
  readonly nodes: readonly string[];
  readonly containers: () => readonly MeasuredContainer[];
  /** For tests; the default reads /proc, or asks ps where there is none. */
  readonly measure?: (groups: ReadonlySet<number>) => ReadonlyMap<number, Usage>;
}

export class Metrics {
  private readonly options: MetricsOptions;
  private samples = new Map<
    string,
    { container: MeasuredContainer; before: Sample | undefined; last: Sample }
  >();
  private cancel: () => void = () => {};

  constructor(options: MetricsOptions) {
    this.options = options;
    this.schedule();
  }

  close(): void {
    this.cancel();
  }

  /** Pods whose every container was scraped twice. */
  read(): { pods: PodUsage[]; nodes: NodeUsage[] } {
    const pods = new Map<string, PodUsage>();
    const incomplete = new Set<string>();
    for (const { container, before, last } of this.samples.values()) {
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
    for (const { container } of this.samples.values()) {
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

  private schedule(): void {
    this.cancel = this.options.clock.after(this.options.resolutionMs, () => {
      this.scrape();
      this.schedule();
    });
  }

  private scrape(): void {
    const { clock, containers, measure = measureGroups } = this.options;
    const found = containers();
    const usages = found.length > 0 ? measure(new Set(found.map(({ group }) => group))) : new Map();
    const atMs = clock.now();
    const wallMs = clock.wall();
    const next: typeof this.samples = new Map();
    for (const container of found) {
      const usage = usages.get(container.group);
      if (!usage) continue;
      const before = this.samples.get(container.runId)?.last;
      next.set(container.runId, { container, before, last: { ...usage, atMs, wallMs } });
    }
    this.samples = next;
  }
}

/** CPU time and resident memory per process group; processes that have ended are counted by their parents. */
export function measureGroups(groups: ReadonlySet<number>): ReadonlyMap<number, Usage> {
  const usages = new Map<number, { cpuMs: number; memoryBytes: number }>();
  for (const { group, cpuMs, memoryBytes } of listProcesses()) {
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

function listProcesses(): ProcessUsage[] {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return askPs();
  }
  return pids.flatMap((pid) => readProcess(pid) ?? []);
}

/** proc(5): the fields of stat after the command, which may itself hold spaces and parentheses. */
function readProcess(pid: string): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const number = (index: number) => Number(fields[index]);
    // pgrp 5, utime 14, stime 15, cutime 16, cstime 17, rss 24; `fields` begins with field 3.
    const ticks = number(11) + number(12) + number(13) + number(14);
    return {
      group: number(2),
      cpuMs: (ticks / TICKS_PER_SECOND) * 1000,
      memoryBytes: number(21) * PAGE_BYTES,
    };
  } catch {
    return undefined;
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
