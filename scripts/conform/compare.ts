// Compares a replay with a recording, as the recordings' README says: what must be equal, what may differ within a
// tolerance, what is free. Pure.
import type { Digest, PodHistory, Timed } from './digest.ts';

export interface Check {
  readonly what: string;
  readonly matched: boolean;
  /** Where it did not match: what was recorded and what came instead. */
  readonly difference?: string;
}

export interface Comparison {
  readonly checks: readonly Check[];
  /** What differed and is free to, with the reason. */
  readonly free: readonly string[];
}

export interface CompareOptions {
  /** Other recordings of the same scenario: what they do not agree on is chance. */
  readonly repeats: readonly Digest[];
  /** Recorded on a busy machine: order only. */
  readonly compareTimes: boolean;
  /** Where pods end up is decided by the manifests. */
  readonly comparePlacement: boolean;
}

const TOLERANCE_MS = 1000;
const TOLERANCE_SHARE = 0.25;

export function compare(recorded: Digest, replayed: Digest, options: CompareOptions): Comparison {
  const checks: Check[] = [];
  const free = new Set<string>();
  const check = (what: string, expected: string, actual: string) => {
    checks.push(
      expected === actual
        ? { what, matched: true }
        : {
            what,
            matched: false,
            difference: `recorded ${expected || 'nothing'}, replayed ${actual || 'nothing'}`,
          },
    );
  };
  const coalesced = compareSizes(recorded, replayed, options.repeats, check, free);
  comparePods(recorded, replayed, options.repeats, check, free);
  compareEndpoints(recorded, replayed, options.repeats, check, free);
  compareConditions(recorded, replayed, options.repeats, check, free);
  compareEvents(recorded, replayed, options.repeats, coalesced, check, free);
  const known = [recorded, ...options.repeats];
  const oneOf = (what: string, pick: (digest: Digest) => number) => {
    const values = [...new Set(known.map(pick))];
    const actual = pick(replayed);
    check(what, String(values.includes(actual) ? actual : values.join(' or ')), String(actual));
  };
  oneOf('fewest Ready pods', ({ minReady }) => minReady);
  oneOf('most pods', ({ maxPods }) => maxPods);
  if (options.comparePlacement) {
    check('placement at the end', placement(recorded.pods), placement(replayed.pods));
  } else free.add('placement: the manifests do not decide it');
  if (options.compareTimes) compareTimes(recorded, replayed, check, free);
  else free.add('times: recorded on a busy machine, which says order alone');
  return { checks, free: [...free] };
}

type CheckFunction = (what: string, expected: string, actual: string) => void;

/** Returns true when steps were coalesced differently, so that sizes inside messages are free too. */
function compareSizes(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  check: CheckFunction,
  free: Set<string>,
): boolean {
  let coalesced = false;
  for (const name of union(recorded.sizes, replayed.sizes)) {
    const show = (digest: Digest) => (digest.sizes.get(name) ?? []).join(' → ');
    const actual = show(replayed);
    const alike = [recorded, ...repeats].some((digest) => show(digest) === actual);
    const turns = turningPoints(replayed.sizes.get(name) ?? []);
    const sameTurns = [recorded, ...repeats].some(
      (digest) => turningPoints(digest.sizes.get(name) ?? []) === turns,
    );
    if (!alike && sameTurns) {
      coalesced = true;
      free.add('size steps: pods that become Ready at about the same time are one step or two');
    }
    check(`sizes of ${name}`, alike || sameTurns ? actual : show(recorded), actual);
  }
  return coalesced;
}

/** The sizes where growing turns into shrinking, with both ends: what coalescing of steps cannot change. */
export function turningPoints(sizes: readonly number[]): string {
  return sizes
    .filter((size, index) => {
      const before = sizes[index - 1];
      const after = sizes[index + 1];
      return (
        before === undefined || after === undefined || Math.sign(size - before) !== Math.sign(after - size)
      );
    })
    .join(' → ');
}

function comparePods(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  check: CheckFunction,
  free: Set<string>,
): void {
  const groups = new Set([...recorded.pods, ...replayed.pods].map(({ group }) => group));
  for (const group of groups) {
    const show = (digest: Digest) => {
      const own = digest.pods.filter((pod) => pod.group === group);
      // How often a rejected pod is replaced depends on how fast the kubelet's rejections are written.
      if (own.some(({ rejected }) => rejected)) {
        free.add('number of rejected pods: paced by the writes of their status');
        return [...new Set(own.map(({ states }) => states.join(' → ')))].sort().join('; ');
      }
      return multiset(own.map(({ states }) => states.join(' → ')));
    };
    const known = [recorded, ...repeats].map(show);
    const actual = show(replayed);
    check(`states of ${group}'s pods`, known.includes(actual) ? actual : (known[0] ?? ''), actual);
    const restarts = (digest: Digest) =>
      multiset(digest.pods.filter((pod) => pod.group === group).map((pod) => String(pod.restarts)));
    if (known.includes(actual)) check(`restarts of ${group}'s pods`, restarts(recorded), restarts(replayed));
  }
}

function compareEndpoints(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  check: CheckFunction,
  _free: Set<string>,
): void {
  for (const group of union(recorded.endpoints, replayed.endpoints)) {
    const show = (digest: Digest) => multiset(digest.endpoints.get(group) ?? []);
    const known = [recorded, ...repeats].map(show);
    const actual = show(replayed);
    check(`endpoints of ${group}`, known.includes(actual) ? actual : (known[0] ?? ''), actual);
  }
}

function compareConditions(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  check: CheckFunction,
  _free: Set<string>,
): void {
  for (const type of union(recorded.conditions, replayed.conditions)) {
    const show = (digest: Digest) => (digest.conditions.get(type) ?? []).join(' → ');
    const known = [recorded, ...repeats].map(show);
    const actual = show(replayed);
    check(type, known.includes(actual) ? actual : (known[0] ?? ''), actual);
  }
}

/** Events that come by chance: each with why. */
const chanceEvents: readonly { readonly text: RegExp; readonly why: string }[] = [
  { text: /FailedMount:/, why: 'FailedMount: a busy kubelet, heals itself' },
  {
    text: /Unhealthy: Readiness probe failed: Get .*(connection refused|EOF|reset by peer|deadline exceeded)/,
    why: 'readiness probes that meet a process that starts or ends: whether one falls into that moment',
  },
];

function compareEvents(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  coalesced: boolean,
  check: CheckFunction,
  free: Set<string>,
): void {
  const reduced = (digest: Digest) =>
    new Set(
      [...digest.events].map((text) =>
        coalesced ? text.replace(/(Scaled (?:up|down) replica set \S+) from \d+ to \d+/, '$1') : text,
      ),
    );
  const wanted = reduced(recorded);
  const actual = reduced(replayed);
  const known = repeats.map(reduced);
  const isChance = (text: string) => {
    const rule = chanceEvents.find((candidate) => candidate.text.test(text));
    if (rule) free.add(rule.why);
    return rule !== undefined;
  };
  const missing = [...wanted].filter(
    (text) => !actual.has(text) && known.every((digest) => digest.has(text)) && !isChance(text),
  );
  const extra = [...actual].filter(
    (text) => !wanted.has(text) && !known.some((digest) => digest.has(text)) && !isChance(text),
  );
  check('events', missing.sort().join('; '), extra.sort().join('; '));
  // An equal pair of differences would read as a match.
  if (missing.length > 0 && missing.sort().join('; ') === extra.sort().join('; '))
    throw new Error('unreachable');
}

function placement(pods: readonly PodHistory[]): string {
  const counts = new Map<string, number>();
  for (const { node, existsAtEnd, rejected } of pods) {
    if (node && existsAtEnd && !rejected) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return [...counts.values()].sort().join(' + ');
}

function compareTimes(recorded: Digest, replayed: Digest, check: CheckFunction, free: Set<string>): void {
  const actual = new Map(replayed.milestones.map((timed) => [`${timed.step} ${timed.what}`, timed]));
  let compared = 0;
  let worst: { text: string; excessMs: number } | undefined;
  for (const timed of recorded.milestones) {
    const found = actual.get(`${timed.step} ${timed.what}`);
    if (!found) {
      free.add('times of states that only one of the two shows, or that fall on another side of a step');
      continue;
    }
    compared++;
    const excessMs = Math.abs(found.sinceMs - timed.sinceMs) - toleranceMs(timed);
    if (excessMs > 0 && excessMs > (worst?.excessMs ?? 0)) {
      worst = {
        excessMs,
        text: `${timed.what}: recorded ${seconds(timed.sinceMs)}, replayed ${seconds(found.sinceMs)} after ${timed.step < 0 ? 'the beginning' : `step ${timed.step + 1}`}`,
      };
    }
  }
  check(`times (${compared} milestones)`, '', worst?.text ?? '');
}

export const toleranceMs = ({ sinceMs }: Timed): number =>
  Math.max(TOLERANCE_MS, Math.abs(sinceMs) * TOLERANCE_SHARE);

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function multiset(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .map(([text, count]) => `${count} × ${text}`)
    .sort()
    .join('; ');
}

const union = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] => [
  ...new Set([...a.keys(), ...b.keys()]),
];
