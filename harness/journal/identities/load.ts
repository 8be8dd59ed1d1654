// What agents counted: numbered frames against each other and, where an agent's totals came, against these. An agent
// counts everything at least twice (buckets and totals, failures and intervals, percentiles and histograms).
import type { Journal, Lined } from '../journal.ts';
import { type Broken, ROUNDING_MS } from './broken.ts';
import { brokenClocks } from './clocks.ts';
import { brokenDelta, type Counting, startCounting } from './frames.ts';
import { brokenTotals } from './totals.ts';

export function* brokenLoad(journal: Journal): Generator<Broken> {
  yield* brokenClocks(journal);
  const { counted, whole, broken } = readFrames(journal);
  yield* broken;
  const totals = new Set<string>();
  const lagMs = new Map<string, number>();
  for (const record of journal.streamEnds) {
    const { agent, end, line } = record;
    const key = keyOf(agent, end.stream);
    const plan = journal.header.plan.streams.find((stream) => stream.id === end.stream);
    const wrong = (identity: string): Broken => ({ line, record: `stream-end of ${end.stream}`, identity });
    if (totals.has(key)) yield wrong(`agent ${agent} tells the totals of a stream once`);
    totals.add(key);
    if (plan && plan.lane !== end.lane) yield wrong(`the stream is of lane ${plan.lane}`);
    lagMs.set(agent, Math.max(lagMs.get(agent) ?? 0, end.sendLagMs.max));
    // Where frames are missing, so are counts: the judge says that, and no sum can hold.
    const counting = whole.has(agent) ? (counted.get(key) ?? startCounting()) : undefined;
    for (const identity of brokenTotals(journal, record, plan, counting)) yield wrong(identity);
  }
  yield* brokenHealth(journal, whole, lagMs, totals);
}

const keyOf = (agent: string, stream: string) => `${agent}/${stream}`;

interface ReadFrames {
  readonly counted: ReadonlyMap<string, Counting>;
  /** Agents of which no frame is missing, as far as frames tell. */
  readonly whole: ReadonlySet<string>;
  readonly broken: readonly Broken[];
}

function readFrames(journal: Journal): ReadFrames {
  const counted = new Map<string, Counting>();
  const last = new Map<string, { seq: number; atMs: number }>();
  const gappy = new Set(journal.frameGaps.map((gap) => gap.agent));
  const broken: Broken[] = [];
  const pods = podsKnown(journal);
  for (const { agent, frame, line } of journal.frames) {
    const wrong = (identity: string) => {
      broken.push({ line, record: `frame ${frame.seq} of ${agent}`, identity });
    };
    const before = last.get(agent) ?? { seq: 0, atMs: 0 };
    last.set(agent, frame);
    if (frame.seq !== before.seq + 1) gappy.add(agent);
    if (frame.atMs < before.atMs) wrong('atMs does not go back from frame to frame');
    for (const { tMs } of frame.phases) {
      if (tMs > frame.atMs + ROUNDING_MS) wrong('phases happened before the frame that carries them');
    }
    for (const id in frame.streams) {
      const key = keyOf(agent, id);
      let counting = counted.get(key);
      if (!counting) {
        counting = startCounting();
        counted.set(key, counting);
      }
      const delta = frame.streams[id];
      if (delta)
        for (const identity of brokenDelta(counting, delta, before.atMs, frame.atMs, pods)) wrong(identity);
    }
  }
  for (const { agent, fromSeq, toSeq, line } of journal.frameGaps) {
    const there = journal.frames.some(
      ({ agent: other, frame }) => other === agent && frame.seq >= fromSeq && frame.seq <= toSeq,
    );
    if (fromSeq > toSeq || there) {
      broken.push({ line, record: 'frame-gap', identity: 'a gap is of frames that are not there' });
    }
  }
  return { counted, whole: new Set([...last.keys()].filter((agent) => !gappy.has(agent))), broken };
}

/** Pods that a watch has shown, that spoke for themselves, or that answered. */
function podsKnown(journal: Journal): ReadonlySet<string> {
  const known = new Set<string>();
  for (const { facts, name } of journal.watches) if (facts.kind === 'Pod') known.add(name);
  for (const { frame } of journal.frames) {
    for (const { pod } of frame.phases) known.add(pod);
    for (const id in frame.streams) {
      for (const { pods } of frame.streams[id]?.buckets ?? []) for (const pod in pods) known.add(pod);
    }
  }
  return known;
}

/** The largest lag that the agent's frames tell is the largest of its streams' totals: both saw every send. */
function* brokenHealth(
  journal: Journal,
  whole: ReadonlySet<string>,
  lagMs: ReadonlyMap<string, number>,
  totals: ReadonlySet<string>,
): Generator<Broken> {
  const told = new Map<string, number>();
  const firing = new Map<string, Set<string>>();
  const silent = new Set<string>();
  for (const { agent, frame } of journal.frames) {
    const streams = firing.get(agent) ?? new Set();
    firing.set(agent, streams);
    for (const id in frame.streams) streams.add(id);
    if (frame.health) told.set(agent, Math.max(told.get(agent) ?? 0, frame.health.sendLagMaxMs));
    else if (Object.keys(frame.streams).length > 0) silent.add(agent);
  }
  const last = new Map<string, Lined<'stream-end'>>();
  for (const record of journal.streamEnds as Lined<'stream-end'>[]) last.set(record.agent, record);
  for (const [agent, record] of last) {
    const all = [...(firing.get(agent) ?? [])].every((id) => totals.has(keyOf(agent, id)));
    if (!whole.has(agent) || silent.has(agent) || !all) continue;
    const [a, b] = [told.get(agent) ?? 0, lagMs.get(agent) ?? 0];
    if (Math.abs(a - b) <= ROUNDING_MS) continue;
    yield {
      line: record.line,
      record: `stream-end of ${record.end.stream}`,
      identity: `the largest send lag of the totals (${b} ms) is the largest of the frames (${a} ms)`,
    };
  }
}
