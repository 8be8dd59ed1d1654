// Compares a replay with a recording, as the recordings' README says: what must be equal, what may differ within a
// tolerance, what is free. Pure.
import { type Digest, fold, type PodHistory, type Timed } from './digest.ts';

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
  /** Those of them whose times count: not recorded on a busy machine. */
  readonly timedRepeats: readonly Digest[];
  /** False for a recording on a busy machine: order only. */
  readonly compareTimes: boolean;
  /** Where pods end up is decided by the manifests. */
  readonly comparePlacement: boolean;
  /** A step came in the middle of a rollout: how far each pod had got then is chance. */
  readonly inFlight: boolean;
  /** The target was created and had settled before the first step. */
  readonly createdBefore: boolean;
}

const TOLERANCE_MS = 1000;
const TOLERANCE_SHARE = 0.25;
/** workerBackOffPeriodJitterFactor: half of 10 s. */
const RETRY_JITTER_MS = 5000;
/** horizontal-pod-autoscaler-sync-period. */
const AUTOSCALER_LOOK_MS = 15_000;

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
  if (options.inFlight) {
    free.add('sizes and pods in flight when a step came in the middle of a rollout: both ends are compared');
  }
  const coalesced = compareSizes(recorded, replayed, options, check, free);
  comparePods(recorded, replayed, options, check, free);
  compareEndpoints(recorded, replayed, options, check, free);
  compareConditions(recorded, replayed, options.repeats, coalesced, check, free);
  compareEvents(recorded, replayed, options, coalesced, check, free);
  const known = [recorded, ...options.repeats];
  const oneOf = (what: string, pick: (digest: Digest) => number) => {
    const values = [...new Set(known.map(pick))];
    const actual = pick(replayed);
    check(what, String(values.includes(actual) ? actual : values.join(' or ')), String(actual));
  };
  oneOf('fewest Ready pods', ({ minReady }) => minReady);
  const excess = replayed.maxPods - Math.max(...known.map(({ maxPods }) => maxPods));
  if (options.inFlight && excess === 1) {
    free.add('one pod more for a moment: one ReplicaSet grows while the pods of another are being marked');
  } else oneOf('most pods', ({ maxPods }) => maxPods);
  if (options.comparePlacement) {
    check('placement at the end', placement(recorded.pods), placement(replayed.pods));
  } else free.add('placement: the manifests do not decide it');
  if (options.compareTimes) compareTimes(recorded, replayed, options, check, free);
  else free.add('times: recorded on a busy machine, which says order alone');
  return { checks, free: [...free] };
}

type CheckFunction = (what: string, expected: string, actual: string) => void;

/** Returns true when steps were coalesced differently, so that sizes inside messages are free too. */
function compareSizes(
  recorded: Digest,
  replayed: Digest,
  { repeats, inFlight }: CompareOptions,
  check: CheckFunction,
  free: Set<string>,
): boolean {
  let coalesced = false;
  const known = [recorded, ...repeats];
  for (const name of union(recorded.sizes, replayed.sizes)) {
    const sizes = (digest: Digest) => digest.sizes.get(name) ?? [];
    const show = (digest: Digest) => sizes(digest).join(' → ');
    const actual = show(replayed);
    const alike = known.some((digest) => show(digest) === actual);
    const essence = inFlight ? lastSize : turningPoints;
    const enough = known.some((digest) => essence(sizes(digest)) === essence(sizes(replayed)));
    if (!alike && enough) {
      coalesced = true;
      if (!inFlight)
        free.add('size steps: pods that become Ready at about the same time are one step or two');
    }
    check(`sizes of ${name}`, alike || enough ? actual : show(recorded), actual);
  }
  return coalesced;
}

const lastSize = (sizes: readonly number[]): string => String(sizes.at(-1));

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
  { repeats, inFlight }: CompareOptions,
  check: CheckFunction,
  free: Set<string>,
): void {
  const groups = new Set([...recorded.pods, ...replayed.pods].map(({ group }) => group));
  for (const group of groups) {
    const own = (digest: Digest) => digest.pods.filter((pod) => pod.group === group);
    const rejecting = own(recorded).some(({ rejected }) => rejected);
    // How often a rejected pod is replaced depends on how fast the kubelet's rejections are written.
    if (rejecting) free.add('number of rejected pods: paced by the writes of their status');
    const histories = (digest: Digest) => own(digest).map(({ states }) => states.join(' → '));
    compareHistories(
      `states of ${group}'s pods`,
      [recorded, ...repeats].map(histories),
      histories(replayed),
      {
        asSet: rejecting || inFlight,
        // A pod that ended before it was ever Ready: how far it got is chance when a step came in between.
        leaveOut: inFlight
          ? (history) => !/Running, Ready, running(?!, terminating)/.test(history)
          : () => false,
        passing: 'Running, not Ready, running → Running, Ready',
        unfold: (history) =>
          history.replace('Running, not Ready, running → Running, Ready', 'Running, Ready'),
        check,
        free,
      },
    );
    if (rejecting || inFlight) continue;
    const restarts = (digest: Digest) => multiset(own(digest).map((pod) => String(pod.restarts)));
    check(`restarts of ${group}'s pods`, restarts(recorded), restarts(replayed));
  }
}

function compareEndpoints(
  recorded: Digest,
  replayed: Digest,
  { repeats, inFlight }: CompareOptions,
  check: CheckFunction,
  free: Set<string>,
): void {
  for (const group of union(recorded.endpoints, replayed.endpoints)) {
    const histories = (digest: Digest) => digest.endpoints.get(group) ?? [];
    // A forced deletion marks and removes the object within milliseconds: the slice may skip the state in between.
    const forced = recorded.pods.some(
      (pod) => pod.group === group && /Running, .*terminating → gone$/.test(pod.states.join(' → ')),
    );
    compareHistories(`endpoints of ${group}`, [recorded, ...repeats].map(histories), histories(replayed), {
      asSet: inFlight,
      leaveOut: inFlight ? (history) => !history.includes('RS-') : () => false,
      passing: forced ? '-ST of a pod whose deletion was forced' : '--- RS-',
      unfold: (history) => {
        const begun = history.replace(/^--- RS-/, 'RS-');
        return forced ? begun.replace(/ -ST out$/, ' out') : begun;
      },
      check,
      free,
    });
  }
}

interface HistoryOptions {
  /** How many have the same history is chance. */
  readonly asSet: boolean;
  readonly leaveOut: (history: string) => boolean;
  /** Removes the state that a fast start or a slow status write leaves out. */
  readonly unfold: (history: string) => string;
  readonly passing: string;
  readonly check: CheckFunction;
  readonly free: Set<string>;
}

function compareHistories(
  what: string,
  known: readonly (readonly string[])[],
  actual: readonly string[],
  { asSet, leaveOut, unfold, passing, check, free }: HistoryOptions,
): void {
  const show = (histories: readonly string[]) => {
    const kept = histories.filter((history) => !leaveOut(history));
    return asSet ? [...new Set(kept)].sort().join('; ') : multiset(kept);
  };
  const shown = show(actual);
  const wanted = known.map(show);
  if (!wanted.includes(shown)) {
    // Folding may differ for some pods; were it for all of them, it would be no folding but another behaviour.
    const common = known.some((histories) => histories.some((history) => actual.includes(history)));
    if (common && known.some((histories) => show(histories.map(unfold)) === show(actual.map(unfold)))) {
      free.add(`how status updates are folded: some pods skip a state (${passing})`);
      check(what, shown, shown);
      return;
    }
  }
  check(what, wanted.includes(shown) ? shown : (wanted[0] ?? ''), shown);
}

function compareConditions(
  recorded: Digest,
  replayed: Digest,
  repeats: readonly Digest[],
  coalesced: boolean,
  check: CheckFunction,
  free: Set<string>,
): void {
  for (const type of union(recorded.conditions, replayed.conditions)) {
    const text = (digest: Digest) =>
      (digest.conditions.get(type) ?? []).map((each) => (coalesced ? sizeless(each) : each));
    const steady = (each: string) => {
      const rule = chanceConditions.find((candidate) => candidate.text.test(each));
      if (rule) free.add(rule.why);
      return rule === undefined;
    };
    const show = (digest: Digest) => fold(text(digest).filter(steady)).join(' → ');
    const known = [recorded, ...repeats].map(show);
    const actual = show(replayed);
    check(type, known.includes(actual) ? actual : (known[0] ?? ''), actual);
  }
}

const firstMetrics =
  'what an autoscaler says until its first metrics are there: which of them it looks at is chance';

/** Reasons of conditions that come by chance: each with why. */
const chanceConditions: readonly { readonly text: RegExp; readonly why: string }[] = [
  { text: /FailedGetResourceMetric: .*did not receive metrics for any ready pods/, why: firstMetrics },
  {
    text: /^True TooManyReplicas:/,
    why: 'whether an autoscaler wants more than its maximum: how much of the load a window of its metrics holds',
  },
];

/** Events that come by chance: each with why. */
const chanceEvents: readonly { readonly text: RegExp; readonly why: string }[] = [
  { text: /FailedMount:/, why: 'FailedMount: a busy kubelet, heals itself' },
  {
    text: /Unhealthy: Readiness probe failed: Get .*(connection refused|EOF|reset by peer|deadline exceeded)/,
    why: 'readiness probes that meet a process that starts or ends: whether one falls into that moment',
  },
  { text: /did not receive metrics for any ready pods/, why: firstMetrics },
];

function compareEvents(
  recorded: Digest,
  replayed: Digest,
  { repeats, inFlight }: CompareOptions,
  coalesced: boolean,
  check: CheckFunction,
  free: Set<string>,
): void {
  const reduced = (digest: Digest) =>
    new Set([...digest.events].map((text) => (coalesced || inFlight ? sizeless(text) : text)));
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

/** Without the sizes on the way, which coalescing changes. */
const sizeless = (text: string): string =>
  text
    .replace(/(Scaled (?:up|down) replica set \S+) from \d+ to \d+/, '$1')
    .replace(/(New size:) \d+/, '$1')
    .replace(/(update the target scale to) \d+/, '$1');

function placement(pods: readonly PodHistory[]): string {
  const counts = new Map<string, number>();
  for (const { node, existsAtEnd, rejected } of pods) {
    if (node && existsAtEnd && !rejected) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return [...counts.values()].sort().join(' + ');
}

function compareTimes(
  recorded: Digest,
  replayed: Digest,
  { timedRepeats, inFlight, createdBefore }: CompareOptions,
  check: CheckFunction,
  free: Set<string>,
): void {
  const keyOf = (timed: Timed) => `${timed.step} ${timed.what}`;
  const byKey = (digest: Digest) => new Map(digest.milestones.map((timed) => [keyOf(timed), timed]));
  const actual = byKey(replayed);
  const repeats = timedRepeats.map(byKey);
  const autoscaled = [...recorded.conditions.keys()].some((type) =>
    type.startsWith('HorizontalPodAutoscaler'),
  );
  // A slow client, a failed mount, a start that the machine held up: what comes later there by that is no difference.
  const heldUpMs = (step: number) =>
    Math.max(0, (recorded.heldUpMs[step] ?? 0) - (replayed.heldUpMs[step] ?? 0));
  let compared = 0;
  let worst: { text: string; excessMs: number } | undefined;
  const rejecting = new Set(recorded.pods.filter(({ rejected }) => rejected).map(({ group }) => group));
  const retrying = recorded.pods
    .filter(({ states }) =>
      states.some((state) => /waiting (ErrImagePull|ImagePullBackOff|CrashLoopBackOff)/.test(state)),
    )
    .map(({ group }) => group);
  for (const timed of recorded.milestones) {
    if (timed.step < 0 && createdBefore) {
      free.add('times before the first step: the target settles, with all its pods at once');
      continue;
    }
    // What is in flight is free, and so are its times; the rollout's own milestones are not.
    if (inFlight && !timed.what.startsWith('Deployment')) continue;
    // Whether it shows with the first pods or when one is Ready depends on how the status before it was folded.
    if (timed.what.startsWith('Deployment Progressing ReplicaSetUpdated')) continue;
    // A status is one sync late; the next one comes with the next relist or with the retry 10 to 15 s later.
    if (timed.what.includes('waiting CrashLoopBackOff')) {
      free.add(
        'time of the status CrashLoopBackOff: it comes a second or a retry (10 to 15 s) after the crash',
      );
      continue;
    }
    if ([...rejecting].some((group) => timed.what.startsWith(`${group} `))) continue;
    const found = actual.get(keyOf(timed));
    if (!found) {
      free.add('times of states that only one of the two shows, or that fall on another side of a step');
      continue;
    }
    compared++;
    const known = [timed, ...repeats.flatMap((repeat) => repeat.get(keyOf(timed)) ?? [])];
    const retried = retrying.some((group) => timed.what.startsWith(`${group} `));
    if (autoscaled) free.add('up to 15 s under an autoscaler: it looks every 15 s at metrics of 15 s');
    if (retried) free.add('up to 5 s where a failed start is retried: the kubelet does it after 10 to 15 s');
    if (heldUpMs(timed.step) > 0) {
      free.add('later there: slow clients, mounts that failed, starts of over 1.5 times the usual');
    }
    const excessMs = Math.min(
      ...known.map(
        (candidate) =>
          distanceMs(found.sinceMs, candidate.sinceMs, heldUpMs(timed.step)) -
          toleranceMs(candidate) -
          (retried ? RETRY_JITTER_MS : 0) -
          (autoscaled ? AUTOSCALER_LOOK_MS : 0),
      ),
    );
    if (excessMs > (worst?.excessMs ?? 0)) {
      worst = {
        excessMs,
        text: `${timed.what} at ${seconds(found.sinceMs)}, recorded at ${seconds(timed.sinceMs)} (± ${seconds(toleranceMs(timed))}) after ${timed.step < 0 ? 'the beginning' : `step ${timed.step + 1}`}`,
      };
    }
  }
  checks(check, `times of ${compared} milestones`, worst?.text);
}

function distanceMs(foundMs: number, recordedMs: number, heldUpMs: number): number {
  return foundMs < recordedMs ? Math.max(0, recordedMs - foundMs - heldUpMs) : foundMs - recordedMs;
}

function checks(check: CheckFunction, what: string, difference: string | undefined): void {
  check(what, 'within tolerance', difference ?? 'within tolerance');
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
