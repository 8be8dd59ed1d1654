// The judge's word of each lost attempt beside what became of it at the other end. Pure.
import type { JournalFacts } from '../../harness/journal/facts.ts';
import type { PlacedFailure } from '../../harness/journal/streams.ts';
import { decideCause } from '../../harness/judge/causes/decide.ts';
import { inferStarts } from '../../harness/judge/causes/infer-starts.ts';
import { buildScene } from '../../harness/judge/causes/scene.ts';
import { isLost } from '../../harness/model/load.ts';
import type { Cause, Confidence } from '../../harness/model/results.ts';
import type { AppLog, Arrived, OtherEnd } from './seen.ts';
import { type Reached, truthOf } from './truth-of.ts';

export interface Compared {
  readonly outcome: string;
  readonly lane: string;
  readonly dueMs: number;
  readonly judged: {
    readonly cause: Cause;
    readonly pods: readonly string[];
    readonly confidence: Confidence;
  };
  readonly truth: { readonly cause: Cause; readonly pod: string | undefined; readonly why: string };
  readonly right: boolean;
  /** It arrived nowhere and nobody rejected it: which pod was meant, only the sending node knows. */
  readonly podUnseen: boolean;
}

/** Lost attempts of the target. Empty where connection tracking was not read or nothing of it was seen at the other end. */
export function compareWithTruth(facts: JournalFacts, { arrived, apps }: OtherEnd): Compared[] {
  const byPort = groups(arrived, ({ from, port }) => `${from}:${port}`);
  const toWall = wallOffset(facts, byPort);
  if (toWall === undefined) return [];
  const scene = inferStarts(buildScene(facts, false), facts.streams);
  const podOf = podsByAddress(facts, toWall);
  const agents = agentAddresses(facts);
  const logs = groups(apps, ({ pod }) => pod);
  const acceptedBy = groups(
    arrived.filter(({ answer }) => answer === 'accepted'),
    ({ ip, atMs }) => podOf(ip, atMs),
  );
  const reachedBy = ({ localPort, openedMs, agent }: PlacedFailure): Reached | undefined => {
    if (localPort === undefined || openedMs === undefined) return undefined;
    const one = nearest(byPort.get(`${agents.get(agent)}:${localPort}`) ?? [], openedMs + toWall);
    if (!one) return undefined;
    const pod = podOf(one.ip, one.atMs);
    return {
      pod,
      arrived: one,
      acceptedMs: (acceptedBy.get(pod) ?? []).map(({ atMs }) => atMs),
      logs: (logs.get(pod) ?? []).toSorted((a: AppLog, b: AppLog) => a.firstMs - b.firstMs),
    };
  };
  return facts.streams
    .filter((stream) => !stream.control)
    .flatMap(({ lane, failures }) =>
      failures
        .filter(({ outcome }) => isLost(outcome))
        .map((failure): Compared => {
          const { outcome, reused, startMs, endMs, dueMs } = failure;
          const there = { outcome, reused, startMs: startMs + toWall, endMs: endMs + toWall };
          const truth = truthOf(there, reachedBy(failure));
          const [judged] = [...decideCause(failure, scene)].sort((a, b) => b.weight - a.weight);
          const { cause = 'unknown', pods = [], confidence = 'low' } = judged ?? {};
          const podUnseen = truth.pod === undefined && truth.cause !== 'no-endpoint';
          const samePod = podUnseen || (pods.length <= 1 && pods[0] === truth.pod);
          return {
            lane,
            outcome,
            dueMs,
            judged: { cause, pods, confidence },
            truth,
            right: cause === truth.cause && samePod,
            podUnseen,
          };
        }),
    );
}

/** A connection is looked for this near to its opening, ms: its port is not used again for a minute. */
const NEAR_MS = 2000;

const nearest = (list: readonly Arrived[], atMs: number): Arrived | undefined =>
  list
    .filter((one) => Math.abs(one.atMs - atMs) < NEAR_MS)
    .sort((a, b) => Math.abs(a.atMs - atMs) - Math.abs(b.atMs - atMs))[0];

/** From the load's clock to that of the nodes, ms: each connection is tracked at both ends. */
function wallOffset(
  { witness, header }: JournalFacts,
  byPort: ReadonlyMap<string, readonly Arrived[]>,
): number | undefined {
  const about = Date.parse(header.startedAt);
  const offsets = witness.connections
    .flatMap(({ from, port, atMs }) =>
      (byPort.get(`${from}:${port}`) ?? []).flatMap((one) =>
        // Other runs of the same recording have other agents, but addresses come again.
        Math.abs(one.atMs - about - atMs) < WALL_MS ? [one.atMs - atMs] : [],
      ),
    )
    .sort((a, b) => a - b);
  return offsets[Math.floor(offsets.length / 2)];
}

/** From the journal's start to the load's, at most, ms. */
const WALL_MS = 120_000;

/** An address goes from pod to pod in time. */
function podsByAddress({ pods }: JournalFacts, toWall: number): (ip: string, atMs: number) => string {
  const owners = new Map<string, { readonly pod: string; readonly fromMs: number }[]>();
  for (const { name, changes } of pods.values()) {
    for (const { facts, atMs } of changes) {
      if (!facts?.ip) continue;
      const list = owners.get(facts.ip) ?? [];
      owners.set(facts.ip, list);
      if (list.every(({ pod }) => pod !== name)) list.push({ pod: name, fromMs: atMs + toWall });
    }
  }
  for (const list of owners.values()) list.sort((a, b) => a.fromMs - b.fromMs);
  return (ip, atMs) => {
    const list = owners.get(ip) ?? [];
    return (list.findLast(({ fromMs }) => fromMs <= atMs) ?? list[0])?.pod ?? ip;
  };
}

function agentAddresses({ changes }: JournalFacts): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  for (const { facts, name } of changes)
    if (facts.kind === 'Pod' && facts.role === 'agent' && facts.ip) addresses.set(name, facts.ip);
  return addresses;
}

function groups<T>(list: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const grouped = new Map<string, T[]>();
  for (const one of list) {
    const key = keyOf(one);
    const group = grouped.get(key);
    if (group) group.push(one);
    else grouped.set(key, [one]);
  }
  return grouped;
}
