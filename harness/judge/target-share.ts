// Whether traffic that is moved from one Service to another has moved: how much of what an entry answers came from the
// target's own pods, while a step waits.
import type { Clocks } from '../journal/clocks.ts';
import type { Journal } from '../journal/journal.ts';
import type { Stream } from '../journal/streams.ts';
import { BUCKET_MS } from '../model/load.ts';

/** A proxy gathers changes before it takes them up: Traefik for 2 s, longer where it waits for CPU. */
const TAKEN_UP_MS = 5000;

interface Answering {
  readonly journal: Pick<Journal, 'steps'>;
  readonly clocks: Clocks;
  readonly streams: readonly Stream[];
  /** Names of the target's pods. */
  readonly pods: ReadonlySet<string>;
}

/**
 * `LINE.targetShare:N`, 0 to 1: of the answers as expected in the whole seconds of step N, a wait for a time, but its first 5 s.
 * Of lines through a proxy; none where no answer ever names a pod of the target.
 */
export function targetShares({ journal, clocks, streams, pods }: Answering): Record<string, number> {
  const found: Record<string, number> = {};
  const lines = streams.filter(({ proxied, control }) => proxied && !control);
  for (const [index, { fromMs, toMs }] of waits(journal, clocks)) {
    const first = Math.ceil((fromMs + TAKEN_UP_MS) / 1000);
    const end = Math.floor(toMs / 1000);
    for (const { id, answers, buckets } of lines) {
      const own = [...answers].filter(([pod]) => pods.has(pod));
      let [all, ours] = [0, 0];
      for (let second = first; second < end; second++) {
        for (const [, { perSecond }] of own) ours += perSecond.get(second) ?? 0;
        const from = (second * 1000) / BUCKET_MS;
        for (let bucket = from; bucket < from + 1000 / BUCKET_MS; bucket++)
          all += buckets.get(bucket)?.outcomes.ok ?? 0;
      }
      if (own.length > 0 && all > 0) found[`${id}.targetShare:${index + 1}`] = Math.min(1, ours / all);
    }
  }
  return found;
}

function waits(
  { steps }: Pick<Journal, 'steps'>,
  clocks: Clocks,
): Map<number, { readonly fromMs: number; readonly toMs: number }> {
  const found = new Map<number, { fromMs: number; toMs: number }>();
  for (const { index, event, step, t } of steps) {
    if (step.step !== 'wait' || step.for !== 'time') continue;
    const atMs = clocks.fromHarness(t);
    if (event === 'begin') found.set(index, { fromMs: atMs, toMs: atMs });
    const begun = found.get(index);
    if (event === 'end' && begun) begun.toMs = atMs;
  }
  return found;
}
