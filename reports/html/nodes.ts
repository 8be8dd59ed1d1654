// Pods per node over time, by version: the picture of a placement.
import type { HeaderRecord } from '../../harness/model/journal.ts';
import { limits, type NodeCount, type NodeLane, type PodLane } from './types.ts';

/** Nodes that are there for pods, whether they got one or not. */
export function workersOf(header: HeaderRecord | undefined): readonly string[] {
  const nodes = header?.cluster.nodes ?? [];
  const workers = nodes.filter(({ role }) => role !== 'control-plane');
  return (workers.length > 0 ? workers : nodes).map(({ name }) => name);
}

/** Nodes that carried pods first when there are too many; then in order of their names. */
export function nodeLanes(
  pods: readonly PodLane[],
  workers: readonly string[],
  toMs: number,
): readonly NodeLane[] {
  const used = new Set(pods.flatMap(({ node }) => (node === undefined ? [] : [node])));
  const empty = workers.filter((name) => !used.has(name));
  return [...used, ...empty]
    .slice(0, limits.nodes)
    .toSorted()
    .map((name) => ({
      name,
      counts: countsOn(
        pods.filter(({ node }) => node === name),
        toMs,
      ),
    }));
}

/** One entry per stretch in which nothing changes. Too many: the rest is one entry, as it was at the end. */
function countsOn(pods: readonly PodLane[], toMs: number): readonly NodeCount[] {
  const versions = Math.max(0, ...pods.map(({ generation }) => generation + 1));
  const staying = Array.from({ length: versions }, () => 0);
  let terminating = 0;
  const counts: NodeCount[] = [];
  const changes = changesOf(pods);
  for (const [index, { atMs, version, by }] of changes.entries()) {
    if (version === undefined) terminating += by;
    else staying[version] = (staying[version] ?? 0) + by;
    const untilMs = Math.min(toMs, changes[index + 1]?.atMs ?? toMs);
    if (untilMs <= atMs) continue;
    const count = { fromMs: atMs, toMs: untilMs, staying: [...staying], terminating };
    const last = counts.at(-1);
    if (last && counts.length >= limits.countsPerNode)
      counts[counts.length - 1] = { ...count, fromMs: last.fromMs };
    else counts.push(count);
  }
  return counts;
}

/** In order of time. `version` undefined: a pod that terminates. Without a node (pending) there is no place to count it. */
function changesOf(pods: readonly PodLane[]): { atMs: number; version: number | undefined; by: 1 | -1 }[] {
  return pods
    .flatMap(({ states, generation }) =>
      states
        .filter(({ state }) => state !== 'pending')
        .flatMap(({ state, fromMs, toMs }) => {
          const version = state === 'terminating' ? undefined : generation;
          return [
            { atMs: Math.max(0, fromMs), version, by: 1 as const },
            { atMs: Math.max(0, toMs), version, by: -1 as const },
          ];
        }),
    )
    .toSorted((a, b) => a.atMs - b.atMs || a.by - b.by);
}
