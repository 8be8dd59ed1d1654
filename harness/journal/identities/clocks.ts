// Clocks: an agent's load begins before the harness knows of it, and no frame is received before it was made.
import type { Journal } from '../journal.ts';
import type { Broken } from './broken.ts';

/** A frame waits for the next pull, and a pull may be tried again: later than this after its making none comes, ms. */
const LATEST_FRAME_MS = 60_000;

export function* brokenClocks(journal: Journal): Generator<Broken> {
  yield* unasked(journal);
  const ranges = new Map<string, { earliest: number; latest: number }>();
  for (const { agent, offsetMs, errorMs, t, line } of journal.clocks) {
    const broken = (identity: string): Broken => ({ line, record: `clock of ${agent}`, identity });
    if (offsetMs > t + errorMs) yield broken('the load began before its clock was asked');
    const range = ranges.get(agent) ?? { earliest: Number.POSITIVE_INFINITY, latest: 0 };
    ranges.set(agent, {
      earliest: Math.min(range.earliest, offsetMs - errorMs),
      latest: Math.max(range.latest, offsetMs + errorMs),
    });
  }
  let worst: { line: number; agent: string } | undefined;
  const soonest = new Map<string, { ms: number; line: number }>();
  for (const { agent, frame, t, line } of journal.frames) {
    const range = ranges.get(agent);
    if (!range) continue;
    if (frame.atMs + range.earliest > t) worst ??= { line, agent };
    const lateMs = t - (frame.atMs + range.latest);
    const known = soonest.get(agent);
    if (!known || lateMs < known.ms) soonest.set(agent, { ms: lateMs, line });
  }
  if (worst) {
    yield {
      line: worst.line,
      record: `frame of ${worst.agent}`,
      identity: 'a frame is received after it was made, by the agent’s clock',
    };
  }
  for (const { agent, event, t, line } of journal.loads) {
    const range = ranges.get(agent);
    if (event === 'started' && range && range.earliest > t) {
      yield {
        line,
        record: `load of ${agent}`,
        identity: 'a load has begun, by the agent’s clock, when this is written',
      };
    }
  }
  for (const [agent, { ms, line }] of soonest) {
    if (ms > LATEST_FRAME_MS) {
      yield { line, record: `frame of ${agent}`, identity: 'frames are received soon after they were made' };
    }
  }
}

/** Each agent's clock is asked when its load has begun and again when it has stopped: between the two its drift is known. */
function* unasked({ header, milestones, loads, clocks, end }: Journal): Generator<Broken> {
  const driven = milestones.some(({ name }) => name === 'ready-for-load') && !header.episode;
  if (!driven || end.status !== 'complete') return;
  for (const agent of new Set(loads.map((load) => load.agent))) {
    const lineOf = (event: string) =>
      loads.find((load) => load.agent === agent && load.event === event)?.line ?? 0;
    const asked = clocks.filter((clock) => clock.agent === agent).map(({ line }) => line);
    const [from, to] = [lineOf('started'), lineOf('stopping')];
    if (asked.some((line) => line > from && line < to) && asked.some((line) => line > to)) continue;
    yield {
      line: end.line,
      record: 'end',
      identity: `the clock of ${agent} was asked at the begin and at the end of its load`,
    };
  }
}
