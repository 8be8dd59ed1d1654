// From when to when each pod accepted connections, by what the kernels' connection tracking saw of its answers: a SYN-ACK
// says that it listened, a RST that it did not.
import type { Witness } from './witness.ts';

export interface Listening {
  readonly pod: string;
  /** Journal line of its first answer. */
  readonly line: number;
  /** Sorted times of answers, ms. */
  readonly accepted: readonly number[];
  readonly refused: readonly number[];
  lastAcceptedBefore(atMs: number): number | undefined;
  firstAcceptedAfter(atMs: number): number | undefined;
}

export function listeningOf({ connections }: Witness): ReadonlyMap<string, Listening> {
  const heard = new Map<string, { accepted: number[]; refused: number[]; line: number }>();
  for (const { pod, answer, answeredMs, line } of connections) {
    if (answer === 'none') continue;
    const own = heard.get(pod) ?? { accepted: [], refused: [], line };
    heard.set(pod, own);
    own[answer].push(answeredMs);
  }
  return new Map(
    [...heard].map(([pod, { accepted, refused, line }]) => {
      accepted.sort((a, b) => a - b);
      refused.sort((a, b) => a - b);
      return [
        pod,
        {
          pod,
          line,
          accepted,
          refused,
          lastAcceptedBefore: (atMs) => accepted[countBefore(accepted, atMs) - 1],
          firstAcceptedAfter: (atMs) => accepted[countBefore(accepted, atMs)],
        } satisfies Listening,
      ];
    }),
  );
}

/** How many of the sorted times lie before `atMs`. */
function countBefore(times: readonly number[], atMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
