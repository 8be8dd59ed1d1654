// What a count of losses says about the rate of losses.

interface LossRate {
  readonly share: number;
  readonly low95: number;
  readonly high95: number;
}

const Z95 = 1.959964;

/**
 * The share lost and its 95 % interval: Wilson's score interval, which stays inside 0 to 1 and is right for few losses.
 * Nothing lost in n attempts: at most 3/n (the rule of three: 0.95 = (1 − p)^n for p ≈ 3/n). No attempt: nothing is
 * known, 0 to 1. Two cases: 0 of 6,000 → at most 0.05 %; 10 of 100 → 5.5 % to 17.4 %.
 */
export function lossRate(lost: number, attempts: number): LossRate {
  if (attempts <= 0) return { share: 0, low95: 0, high95: 1 };
  const share = lost / attempts;
  if (lost === 0) return { share: 0, low95: 0, high95: Math.min(1, 3 / attempts) };
  const z2 = Z95 * Z95;
  const centre = (share + z2 / (2 * attempts)) / (1 + z2 / attempts);
  const half =
    (Z95 / (1 + z2 / attempts)) *
    Math.sqrt((share * (1 - share)) / attempts + z2 / (4 * attempts * attempts));
  return {
    share,
    low95: Math.max(0, centre - half),
    high95: lost === attempts ? 1 : Math.min(1, centre + half),
  };
}

interface Lost {
  readonly lost: number;
  readonly attempts: number;
}

/** More is lost: some against none, or a higher rate whose 95 % interval does not overlap the other's. */
export function isMoreLost(a: Lost, b: Lost): boolean {
  return (a.lost > 0 && b.lost === 0) || isSurelyMoreLost(a, b);
}

/** The same beyond chance: the 95 % intervals do not overlap. */
export function isSurelyMoreLost(a: Lost, b: Lost): boolean {
  return lossRate(a.lost, a.attempts).low95 > lossRate(b.lost, b.attempts).high95;
}

/** Splits `total` into whole parts in proportion to `weights` (largest remainder), so that they add up exactly. */
export function apportion(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum <= 0) return weights.map(() => 0);
  const exact = weights.map((weight) => (total * weight) / sum);
  // Sums of fractions are off by rounding errors; 1e-9 of an attempt is nobody.
  const parts = exact.map((value) => Math.floor(value + 1e-9));
  let left = total - parts.reduce((a, b) => a + b, 0);
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - (parts[index] ?? 0) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const { index } of byRemainder) {
    if (left <= 0) break;
    parts[index] = (parts[index] ?? 0) + 1;
    left--;
  }
  return parts;
}
