// Where two JSON values differ, path by path, as sentences. Pure.

export interface Comparison {
  /** Plain values that were looked at: 0 would prove nothing. */
  readonly compared: number;
  /** "metadata.annotations.owner: ours "a", kubectl's missing". */
  readonly differences: readonly string[];
}

const SHOWN_CHARS = 120;

export function compareValues(ours: unknown, kubectls: unknown, path = ''): Comparison {
  if (isObject(ours) && isObject(kubectls)) {
    const names = [...new Set([...Object.keys(ours), ...Object.keys(kubectls)])].sort();
    return sum(names.map((name) => compareValues(ours[name], kubectls[name], join(path, name))));
  }
  if (Array.isArray(ours) && Array.isArray(kubectls)) {
    const indexes = Array.from({ length: Math.max(ours.length, kubectls.length) }, (_, index) => index);
    return sum(indexes.map((index) => compareValues(ours[index], kubectls[index], `${path}[${index}]`)));
  }
  const same = ours === kubectls;
  const shown = (value: unknown) => (isPrivate(path) ? hidden(value) : inWords(value));
  return {
    compared: 1,
    differences: same ? [] : [`${path}: ours ${shown(ours)}, kubectl's ${shown(kubectls)}`],
  };
}

export const sum = (parts: readonly Comparison[]): Comparison => ({
  compared: parts.reduce((total, part) => total + part.compared, 0),
  differences: parts.flatMap((part) => part.differences),
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const join = (path: string, name: string): string => {
  const plain = /^[\w-]+$/.test(name) ? `${path && '.'}${name}` : `[${JSON.stringify(name)}]`;
  return path + plain;
};

/** Values of environment variables reach no journal. */
const isPrivate = (path: string): boolean =>
  /\benv\[\d+\]\.value$/.test(path) || /\benv$|\benv\[\d+\]$/.test(path);

const hidden = (value: unknown): string => (value === undefined ? 'missing' : '(not shown)');

function inWords(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
