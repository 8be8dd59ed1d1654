// Figures as every report writes them: counts, shares and times with their units, the same in all formats.

/** 6000 → "6,000", 11644.88 → "11,644.9", 1.234 → "1.23". */
export function count(value: number): string {
  const digits = Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** A time in ms with the unit that a reader expects: "85 ms", "2.06 s", "27.1 s", "2 min 5 s". */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'not measured';
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms > 0 && ms < 1) return `${ms.toFixed(1)} ms`;
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 119_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A point on the time line, always in seconds, so that points compare at a glance: 2060 → "2.06 s". */
export function at(ms: number): string {
  return `${ms < 0 ? '−' : ''}${(Math.abs(ms) / 1000).toFixed(2)} s`;
}

/** What pods cost over time: "4.0 pod-seconds". */
export function podSeconds(value: number): string {
  return `${value.toFixed(1)} pod-seconds`;
}

/** A share (0 to 1) in per cent with as many digits as say something: "5.3 %", "0.05 %", "0 %". */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return '0 %';
  if (value >= 99.95 || value === Math.round(value)) return `${Math.round(value)} %`;
  if (value >= 1) return `${value.toFixed(1)} %`;
  if (value >= 0.1) return `${value.toFixed(2)} %`;
  return value >= 0.001 ? `${Number(value.toPrecision(1))} %` : '< 0.001 %';
}

/** "lost of attempts", the form in which a loss is always given. */
export function lostOf(lane: { readonly lost: number; readonly attempts: number }): string {
  return `${count(lane.lost)} of ${count(lane.attempts)}`;
}

/** "a", "a and b", "a, b and c". */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** "1 claim", "3 claims". */
export function counted(n: number, singular: string, plural = `${singular}s`): string {
  return `${count(n)} ${n === 1 ? singular : plural}`;
}

/** A start time for people, in UTC: "2026-03-01 12:00 UTC". Anything that is no date is given as it is. */
export function day(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Cuts a text to at most `limit` characters and says so with an ellipsis. */
export function clip(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

/** "4 nodes"; a cluster of somebody's may not tell. */
export const nodesOf = ({ nodes }: { readonly nodes: readonly unknown[] }): string =>
  nodes.length > 0 ? counted(nodes.length, 'node') : 'nodes not known';
