// Figures in words, the same everywhere the judge writes a sentence.

/** 6000 → "6,000". */
export const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 3 });

export const share = (value: number): string => {
  const percent = value * 100;
  return `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toFixed(percent >= 0.1 ? 1 : 2)} %`;
};

export const duration = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

/** ["a", "b", "c"] → "a, b and c". */
export const list = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;
