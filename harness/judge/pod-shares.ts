// Which pod answers how much of a line whose clients keep their connections: pods that come get nothing until connections
// move to them.
import type { Stream } from '../journal/streams.ts';
import type { PodSharesResult } from '../model/results.ts';

/** Of the last seconds of the load. */
const END_SECONDS = 3;
/** In one second the luck of a few connections decides. */
const WINDOW_SECONDS = 2;
/** Of an even share. */
const ENOUGH = 0.5;

/** `fromMs`: when the change began. Undefined: answers do not say which pod they are from, or no pod came. */
export function judgePodShares(streams: readonly Stream[], fromMs: number): PodSharesResult | undefined {
  const pods = new Map<string, { firstMs: number; answers: number; perSecond: Map<number, number> }>();
  for (const { pod, span } of streams.flatMap(({ answers }) =>
    [...answers].map(([pod, span]) => ({ pod, span })),
  )) {
    const known = pods.get(pod) ?? { firstMs: span.firstMs, answers: 0, perSecond: new Map() };
    known.firstMs = Math.min(known.firstMs, span.firstMs);
    known.answers += span.answers;
    for (const [second, count] of span.perSecond)
      known.perSecond.set(second, (known.perSecond.get(second) ?? 0) + count);
    pods.set(pod, known);
  }
  if (pods.size === 0) return undefined;
  const last = Math.max(...[...pods.values()].flatMap(({ perSecond }) => [...perSecond.keys()]));
  const within = ({ perSecond }: { perSecond: ReadonlyMap<number, number> }, from: number, to: number) => {
    let sum = 0;
    for (let second = from; second <= to; second++) sum += perSecond.get(second) ?? 0;
    return sum;
  };
  const all = [...pods].sort(([, a], [, b]) => a.firstMs - b.firstMs);
  const sum = (from: number, to: number, of = all) =>
    of.reduce((total, [, pod]) => total + within(pod, from, to), 0);
  // The last second is seldom a whole one.
  const endFrom = Math.max(0, last - END_SECONDS);
  const atEnd = sum(endFrom, last);
  const came = all.filter(([, { firstMs }]) => firstMs >= fromMs);
  const there = all.filter(([, pod]) => within(pod, endFrom, last) > 0);
  return {
    pods: all.map(([pod, found]) => ({
      pod,
      answers: found.answers,
      came: found.firstMs >= fromMs,
      endShare: atEnd > 0 ? within(found, endFrom, last) / atEnd : 0,
    })),
    cameEndShare: atEnd > 0 ? sum(endFrom, last, came) / atEnd : 0,
    cameEnoughMs: enoughFrom(),
  };

  function enoughFrom(): number | null {
    const stay = came.filter((one) => there.includes(one));
    if (stay.length === 0) return null;
    const enough = (stay.length / there.length) * ENOUGH;
    for (let second = Math.ceil(fromMs / 1000); second < last; second++) {
      const total = sum(second, second + WINDOW_SECONDS - 1);
      if (total > 0 && sum(second, second + WINDOW_SECONDS - 1, came) / total >= enough)
        return Math.max(0, second * 1000 - fromMs);
    }
    return null;
  }
}
