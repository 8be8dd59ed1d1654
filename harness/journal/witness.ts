// What the kernel of a node said of the agents' connections: to which pod each was sent and how it was answered, found
// by the connection's own port, the address that was asked and the time. On the load's clock.
import { type KernelAnswer, kernelAnswers } from '../model/journal.ts';
import type { Clocks } from './clocks.ts';
import type { Journal } from './journal.ts';

export interface Tracked {
  readonly port: number;
  readonly from: string;
  readonly to: string;
  readonly atMs: number;
  readonly node: string;
  /** Name of the pod that has the address; the address itself where none was seen with it. */
  readonly pod: string;
  /** False: the node passed it on to the address that was asked, which is no pod's: another node chooses (a node port). */
  readonly chosen: boolean;
  readonly answer: KernelAnswer;
  /** ms; meaningless without an answer. */
  readonly answeredMs: number;
  readonly line: number;
}

/** What is known of an attempt's connection: its entry, or that it was sent to nobody (the node rejected it). */
export type Asked = Tracked | 'nobody';

export interface Witness {
  /** All connections, in order of their beginning; empty where nothing was read. */
  readonly connections: readonly Tracked[];
  /** Error of its times against the load's clock, ms. */
  readonly errorMs: number;
  /** Without an interruption from `fromMs` to `toMs`. */
  covers(fromMs: number, toMs: number): boolean;
  /** undefined: the kernel's word is missing, or it fits several connections that went to different pods. */
  asked(connection: {
    readonly port: number;
    readonly openedMs: number;
    readonly endMs: number;
    readonly address: string;
    /** Several agents have the same ports. */
    readonly agent: string;
    /** It never came about (refused, unreachable): without an entry it was sent to nobody. */
    readonly failed: boolean;
  }): Asked | undefined;
}

/** Between the agent's decision to connect and the kernel's entry, beyond the errors of the clocks, ms. */
const EARLY_MS = 50;
const LATE_MS = 1000;
/** Of ports that the agents choose: none comes again sooner than after 60 s, and a reader may be late by seconds. */
const OWN_LATE_MS = 30_000;
/** No port is used again as soon as this, ms. */
const SAME_MS = 5;
/** Where no mark says how far a node was read: its word may come this much later than what it tells of, ms. */
const WORD_MS = 600;

export function witnessOf(journal: Journal, clocks: Clocks): Witness {
  const connections = trackedConnections(journal, clocks);
  const spans = coverage(journal, clocks);
  const byPort = new Map<string, Tracked[]>();
  const addresses = new Set<string>();
  for (const one of connections) {
    const key = `${one.port} ${one.to}`;
    addresses.add(one.to);
    const list = byPort.get(key);
    if (list) list.push(one);
    else byPort.set(key, [one]);
  }
  const clockErrorMs = Number.isFinite(clocks.errorMs) ? clocks.errorMs : LATE_MS;
  const errorMs = Math.max(0, ...journal.witness.map((record) => record.errorMs)) + clockErrorMs;
  const lateMs = journal.header.plan.sourcePorts ? OWN_LATE_MS : LATE_MS;
  const covers = (fromMs: number, toMs: number) =>
    spans.some((span) => span.fromMs <= fromMs && toMs <= span.toMs);
  const nodes = new Set(journal.witness.map(({ node }) => node));
  const agents = agentPlaces(journal);
  const agentIps = new Set([...agents.values()].map(({ ip }) => ip));
  return {
    connections,
    errorMs,
    covers,
    asked({ port, openedMs, endMs, address, agent, failed }) {
      const place = agents.get(agent);
      const near = (byPort.get(`${port} ${address}`) ?? []).filter(
        ({ atMs }) => atMs >= openedMs - EARLY_MS - errorMs && atMs <= openedMs + lateMs + errorMs,
      );
      const mine = near.filter(({ from }) => place === undefined || from === place.ip);
      // On another node it may come from the agent's node (masqueraded).
      const passedOn = near.filter(
        ({ node, from }) => place !== undefined && node !== place.node && !agentIps.has(from),
      );
      const chosen = mine.filter((one) => one.chosen);
      const fitting = chosen.length > 0 ? chosen : passedOn.filter((one) => one.chosen);
      const [first] = fitting;
      if (first) return fitting.every(({ pod }) => pod === first.pod) ? first : undefined;
      if (!failed || !addresses.has(address) || mine.some(({ answer }) => answer !== 'none'))
        return undefined;
      // Who would have chosen has to be among those that were read.
      const isRead = mine.length > 0 ? nodes.size > 1 : place === undefined || nodes.has(place.node);
      return isRead && covers(openedMs - EARLY_MS - errorMs, endMs + errorMs) ? 'nobody' : undefined;
    },
  };
}

/** Where the agents' pods connect from, by name; nothing of those that were not watched. */
function agentPlaces(journal: Journal): ReadonlyMap<string, { readonly ip: string; readonly node: string }> {
  const places = new Map<string, { readonly ip: string; readonly node: string }>();
  for (const { facts, name } of journal.watches)
    if (facts.kind === 'Pod' && facts.role === 'agent' && facts.ip && facts.node)
      places.set(name, { ip: facts.ip, node: facts.node });
  return places;
}

function trackedConnections(journal: Journal, clocks: Clocks): Tracked[] {
  const podOf = podsByAddress(journal);
  const all: Tracked[] = [];
  const last = new Map<string, number>();
  for (const record of journal.witness) {
    const { node, sinceT, from, to, pods, line } = record;
    for (const [port, source, address, pod, began, answer, answeredMs] of record.connections) {
      const t = sinceT + began;
      const answers = pods[pod] ?? '';
      const owner = podOf(answers, t);
      const one: Tracked = {
        port,
        from: from[source] ?? '',
        to: to[address] ?? '',
        atMs: clocks.fromHarness(t),
        node,
        pod: owner ?? hostOf(answers),
        chosen: owner !== undefined || answers !== to[address],
        answer: kernelAnswers[answer] ?? 'none',
        answeredMs: clocks.fromHarness(t) + answeredMs,
        line,
      };
      // Written again when its answer came: the later word counts. The two say one beginning to a tenth of a ms.
      const key = `${node} ${port} ${one.from} ${one.to}`;
      const index = last.get(key) ?? -1;
      const before = all[index];
      if (!before || Math.abs(before.atMs - one.atMs) >= SAME_MS) last.set(key, all.push(one) - 1);
      // An event that was told twice takes no answer back.
      else if (one.answer !== 'none') all[index] = one;
    }
  }
  return all.sort((a, b) => a.atMs - b.atMs);
}

const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

/** An address goes from pod to pod in time: the one that had it last before `t`, or the first one after. */
function podsByAddress(journal: Journal): (address: string, t: number) => string | undefined {
  const owners = new Map<string, { readonly pod: string; readonly t: number }[]>();
  for (const { facts, name, t } of journal.watches) {
    if (facts.kind !== 'Pod' || facts.ip === undefined) continue;
    const list = owners.get(facts.ip) ?? [];
    owners.set(facts.ip, list);
    if (list.at(-1)?.pod !== name) list.push({ pod: name, t });
  }
  return (address, t) => {
    const list = owners.get(hostOf(address)) ?? [];
    return (list.findLast((one) => one.t <= t) ?? list[0])?.pod;
  };
}

/** Per node; one whose word is missing leaves a gap, also where another one's is whole. */
function coverage(journal: Journal, clocks: Clocks): { readonly fromMs: number; readonly toMs: number }[] {
  const nodes = new Set(journal.witness.map(({ node }) => node));
  if (nodes.size === 0) return [];
  const spans: { fromMs: number; toMs: number }[] = [];
  for (const node of nodes) {
    let open: { fromMs: number; toMs: number } | undefined;
    for (const record of journal.witness) {
      if (record.node !== node) continue;
      const { t, untilT = t - WORD_MS } = record;
      if (!open || record.lost) {
        // What was lost was lost before `t`; how long before is not known.
        const atMs = clocks.fromHarness(t);
        open = { fromMs: atMs, toMs: atMs };
        spans.push(open);
      } else open.toMs = Math.max(open.fromMs, clocks.fromHarness(untilT));
    }
  }
  // With several nodes a connection may have been any of theirs: only what all of them cover is covered.
  if (nodes.size === 1) return spans;
  const edges = spans.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, step: 1 },
    { atMs: toMs, step: -1 },
  ]);
  edges.sort((a, b) => a.atMs - b.atMs);
  const whole: { fromMs: number; toMs: number }[] = [];
  let depth = 0;
  for (const [index, { atMs, step }] of edges.entries()) {
    depth += step;
    const next = edges[index + 1];
    if (depth === nodes.size && next) whole.push({ fromMs: atMs, toMs: next.atMs });
  }
  return whole;
}
