// Lane `stream`: how open streams ended, after how long each was back, and the storm of all that came back at once.
import type { StreamLife } from '../model/load.ts';
import type { OpenStreamsResult } from '../model/results.ts';

const WINDOW_MS = 1000;

/** `streams`: how many the load kept open. */
export function judgeOpenStreams(streams: number, lives: readonly StreamLife[]): OpenStreamsResult {
  // What the end of the load closed had not ended.
  const ended = lives.filter(({ end }) => end !== 'held');
  const counts = new Map<string, { how: StreamLife['end']; code: string; count: number }>();
  const endedByPod: Record<string, number> = {};
  for (const { end, code, pod = '' } of ended) {
    const key = `${end} ${code}`;
    const known = counts.get(key) ?? { how: end, code, count: 0 };
    counts.set(key, { ...known, count: known.count + 1 });
    endedByPod[pod] = (endedByPod[pod] ?? 0) + 1;
  }
  const back = ended.flatMap(({ backMs }) => (backMs === null ? [] : [backMs])).sort((a, b) => a - b);
  return {
    streams,
    ends: [...counts.values()].sort((a, b) => b.count - a.count),
    back:
      back.length === 0
        ? null
        : { p50Ms: quantile(back, 0.5), p90Ms: quantile(back, 0.9), maxMs: back.at(-1) ?? 0 },
    notBack: ended.length - back.length,
    storm: densest(ended.flatMap(({ endedMs, backMs }) => (backMs === null ? [] : [endedMs + backMs]))),
    endedByPod,
  };
}

/** Of values in order: the smallest that at least this share does not exceed. */
const quantile = (values: readonly number[], share: number): number =>
  values[Math.max(0, Math.ceil(values.length * share) - 1)] ?? 0;

function densest(times: number[]): OpenStreamsResult['storm'] {
  times.sort((a, b) => a - b);
  let most: OpenStreamsResult['storm'] = null;
  let from = 0;
  for (const [index, atMs] of times.entries()) {
    while ((times[from] ?? atMs) <= atMs - WINDOW_MS) from++;
    const perSecond = index - from + 1;
    if (perSecond > (most?.perSecond ?? 0)) most = { perSecond, atMs: times[from] ?? atMs };
  }
  return most;
}
