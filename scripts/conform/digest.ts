// What a recording says that must be the same wherever the scenario runs: sizes, states, conditions, events, counts and
// when they came. Pure.
import {
  eventSchema,
  podSchema,
  type RecordedPod,
  type Recording,
  replicaSetSchema,
  sliceSchema,
  workloadSchema,
} from './recording.ts';

/** Something that happened, with the step before it (-1: none) and the time since that step (or since the beginning). */
export interface Timed {
  readonly what: string;
  readonly step: number;
  readonly sinceMs: number;
}

export interface PodHistory {
  readonly group: string;
  /** States in order, repeats and loops folded. */
  readonly states: readonly string[];
  readonly restarts: number;
  readonly node: string | undefined;
  readonly existsAtEnd: boolean;
  readonly rejected: boolean;
}

export interface Digest {
  /** spec.replicas in order, by ReplicaSet. */
  readonly sizes: ReadonlyMap<string, readonly number[]>;
  readonly pods: readonly PodHistory[];
  /** Endpoint states in order, by group: one entry per pod. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** By "Kind type": status, reason and message in order. */
  readonly conditions: ReadonlyMap<string, readonly string[]>;
  readonly events: ReadonlySet<string>;
  readonly minReady: number;
  readonly maxPods: number;
  /** First time that the k-th pod of a group was in a state, that a condition came, and the like. */
  readonly milestones: readonly Timed[];
  /** How long the client of each step was busy, and failed mounts and slow starts held pods up after it, ms. */
  readonly heldUpMs: readonly number[];
}

export function digest(recording: Recording): Digest {
  const clock = stepClock(recording);
  return {
    sizes: sizesOf(recording),
    ...podsOf(recording, clock),
    endpoints: endpointsOf(recording),
    ...conditionsOf(recording, clock),
    events: eventsOf(recording),
    ...countsOf(recording),
    ...milestonesOf(recording, clock),
    heldUpMs: heldUp(recording, clock),
  };
}

type StepClock = (t: number) => { step: number; sinceMs: number };

function stepClock({ header, events }: Recording): StepClock {
  const begin = events[0]?.t ?? 0;
  return (t) => {
    let step = -1;
    header.steps.forEach((candidate, index) => {
      if (candidate.atMs <= t) step = index;
    });
    return { step, sinceMs: t - (step < 0 ? begin : (header.steps[step]?.atMs ?? 0)) };
  };
}

/** From a pod's scheduling to its image, as measured where nothing holds it up. */
const MOUNTED_MS = 560;
/** A start that took longer than this many times the median of its recording was held up. */
const USUAL_START = 1.5;

function heldUp({ header, events }: Recording, clock: StepClock): number[] {
  const heldUpMs = header.steps.map(({ atMs, doneMs }) => (doneMs ?? atMs) - atMs);
  const scheduled = new Map<string, number>();
  const failing = new Set<string>();
  const starts: { readonly sinceMs: number; readonly tookMs: number }[] = [];
  for (const { t, kind, object } of events) {
    if (kind !== 'Event') continue;
    const { reason, involvedObject } = eventSchema.parse(object);
    const { name } = involvedObject;
    if (reason === 'Scheduled') scheduled.set(name, t);
    if (reason === 'FailedMount') failing.add(name);
    const since = scheduled.get(name);
    if (reason === 'Started' && since !== undefined && scheduled.delete(name)) {
      starts.push({ sinceMs: since, tookMs: t - since });
    }
    if (reason !== 'Pulled' || since === undefined || !failing.delete(name)) continue;
    const { step } = clock(since);
    if (step >= 0) heldUpMs[step] = (heldUpMs[step] ?? 0) + Math.max(0, t - since - MOUNTED_MS);
    // Counted: not once more by its start.
    scheduled.delete(name);
  }
  const took = starts.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const usualMs = (took[Math.floor((took.length - 1) / 2)] ?? 0) * USUAL_START;
  for (const { sinceMs, tookMs } of starts) {
    const { step } = clock(sinceMs);
    if (step >= 0) heldUpMs[step] = (heldUpMs[step] ?? 0) + Math.max(0, tookMs - usualMs);
  }
  return heldUpMs;
}

function sizesOf({ events }: Recording): Map<string, number[]> {
  const sizes = new Map<string, number[]>();
  for (const { kind, name, object } of events) {
    if (kind !== 'ReplicaSet') continue;
    const { specReplicas } = replicaSetSchema.parse(object);
    const list = sizes.get(name) ?? [];
    if (list.at(-1) !== specReplicas) list.push(specReplicas);
    sizes.set(name, list);
  }
  return sizes;
}

const groupOf = (name: string): string => name.replace(/-p\d+$/, '');

/** A pod's state in one line. What is only how status updates were folded into writes is left out. */
export function podState(pod: RecordedPod): string {
  const ready = pod.conditions.find(({ type }) => type === 'Ready')?.status === 'True';
  const containers = pod.containerStatuses.map(({ state, started }) => {
    if (state.terminated)
      return `terminated ${state.terminated.reason ?? ''} ${state.terminated.exitCode ?? ''}`.trim();
    if (state.running) return started === false ? 'running, not started' : 'running';
    const reason = state.waiting?.reason ?? '';
    return reason === 'ContainerCreating' || reason === 'PodInitializing' ? '' : `waiting ${reason}`;
  });
  const unschedulable = pod.conditions.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  return [
    pod.phase,
    pod.phase === 'Running' ? (ready ? 'Ready' : 'not Ready') : '',
    ...containers,
    unschedulable?.reason ?? '',
    pod.reason ?? '',
    pod.deletionTimestamp ? 'terminating' : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

function podsOf({ events }: Recording, clock: StepClock) {
  const histories = new Map<string, { states: Timed[]; last: RecordedPod; existsAtEnd: boolean }>();
  for (const { t, type, kind, name, object } of events) {
    if (kind !== 'Pod') continue;
    const pod = podSchema.parse(object);
    const history = histories.get(name) ?? { states: [], last: pod, existsAtEnd: true };
    histories.set(name, history);
    history.last = pod;
    history.existsAtEnd = type !== 'DELETED';
    history.states.push({ what: type === 'DELETED' ? 'gone' : podState(pod), ...clock(t) });
  }
  const pods = [...histories].map(([name, { states, last, existsAtEnd }]): PodHistory => {
    const folded = fold(states.map(({ what }) => what));
    return {
      group: groupOf(name),
      states: folded,
      restarts: last.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
      node: last.node,
      existsAtEnd,
      rejected: last.phase === 'Failed' && last.reason !== undefined,
    };
  });
  return { pods };
}

/** Endpoint and pod states that a slow node shows for a moment, or a fast one does not: see docs/embedded.md. */
const passing: readonly { readonly state: RegExp; readonly after: RegExp }[] = [
  // Readiness goes on being probed while a pod ends: it is lost when the report of its end takes three probes.
  { state: /^Running, not Ready, .*terminating$/, after: /^Running, Ready, .*terminating$/ },
  { state: /^--T$/, after: /^-ST$/ },
];

/** Drops repeats, passing states, and every transition that came before: a loop is told once. */
export function fold(states: readonly string[]): string[] {
  const kept: string[] = [];
  for (const state of states) {
    const last = kept.at(-1);
    if (state === last) continue;
    if (passing.some((rule) => rule.state.test(state) && last !== undefined && rule.after.test(last)))
      continue;
    kept.push(state);
  }
  const seen = new Set<string>();
  const folded: string[] = [];
  kept.forEach((state, index) => {
    const transition = `${kept[index - 1] ?? ''} → ${state}`;
    if (seen.has(transition)) return;
    seen.add(transition);
    folded.push(state);
  });
  return folded;
}

function endpointsOf({ events }: Recording): Map<string, string[]> {
  const states = new Map<string, string[]>();
  const note = (pod: string, state: string) => {
    const list = states.get(pod) ?? [];
    list.push(state);
    states.set(pod, list);
  };
  const bySlice = new Map<string, Set<string>>();
  for (const { kind, name, object, type } of events) {
    if (kind !== 'EndpointSlice') continue;
    const { endpoints } = type === 'DELETED' ? { endpoints: [] } : sliceSchema.parse(object);
    const present = new Set<string>();
    for (const { pod, conditions } of endpoints ?? []) {
      if (!pod) continue;
      present.add(pod);
      const flag = (value: boolean | null | undefined, letter: string) => (value ? letter : '-');
      note(
        pod,
        flag(conditions.ready, 'R') + flag(conditions.serving, 'S') + flag(conditions.terminating, 'T'),
      );
    }
    for (const pod of bySlice.get(name) ?? []) if (!present.has(pod)) note(pod, 'out');
    bySlice.set(name, present);
  }
  const groups = new Map<string, string[]>();
  for (const [pod, list] of states) {
    const group = groupOf(pod);
    groups.set(group, [...(groups.get(group) ?? []), fold(list).join(' ')]);
  }
  return groups;
}

function conditionsOf({ events }: Recording, _clock: StepClock) {
  const conditions = new Map<string, string[]>();
  for (const { kind, object, type: change } of events) {
    if (kind !== 'Deployment' && kind !== 'HorizontalPodAutoscaler') continue;
    if (change === 'DELETED') continue;
    const { status } = workloadSchema.parse(object);
    for (const { type, status: value, reason = '', message = '' } of status.conditions ?? []) {
      const key = `${kind} ${type}`;
      const list = conditions.get(key) ?? [];
      const text = `${value} ${reason}: ${message}`;
      if (list.at(-1) !== text) list.push(text);
      conditions.set(key, list);
    }
  }
  return { conditions };
}

/** Names whose numbers are chance: which of several equal pods, which of several equal nodes. */
const anonymous = (text: string): string =>
  text
    .replace(/\b((?:rs|ds|job)\d*)-p\d+\b/g, '$1-p*')
    .replace(/\bnode\d+\b/g, 'node*')
    .replace('(combined from similar events): ', '');

function eventsOf({ events }: Recording): Set<string> {
  const texts = new Set<string>();
  for (const { kind, object } of events) {
    if (kind !== 'Event') continue;
    const { reason, type, message, involvedObject } = eventSchema.parse(object);
    texts.add(anonymous(`${involvedObject.kind} ${type} ${reason}: ${message}`).trim());
  }
  return texts;
}

/** From the first step on: fewest Ready pods, most pods that neither terminate nor have ended. */
function countsOf({ events, header }: Recording) {
  const pods = new Map<string, RecordedPod>();
  const from = header.createdAtFirstStep ? Number.POSITIVE_INFINITY : 0;
  let minReady = Number.POSITIVE_INFINITY;
  let maxPods = 0;
  const count = (t: number) => {
    const own = [...pods.values()].filter((pod) => pod.owner !== undefined);
    const alive = own.filter(
      (pod) => !pod.deletionTimestamp && pod.phase !== 'Succeeded' && pod.phase !== 'Failed',
    );
    const ready = alive.filter((pod) =>
      pod.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    );
    if (t >= from) minReady = Math.min(minReady, ready.length);
    maxPods = Math.max(maxPods, alive.length);
  };
  let begun = false;
  for (const { t, type, kind, name, object } of events) {
    if (!begun && t >= from) {
      begun = true;
      count(from);
    }
    if (kind !== 'Pod') continue;
    if (type === 'DELETED') pods.delete(name);
    else pods.set(name, podSchema.parse(object));
    count(t);
  }
  return { minReady: Number.isFinite(minReady) ? minReady : 0, maxPods };
}

/** Times of what must come at about the same time: the k-th pod of a group in a state, a restart, a condition. */
function milestonesOf({ events }: Recording, clock: StepClock) {
  const times = new Map<string, Timed[]>();
  const note = (what: string, t: number) => {
    times.set(what, [...(times.get(what) ?? []), { what, ...clock(t) }]);
  };
  const seen = new Set<string>();
  const once = (key: string, what: string, t: number) => {
    if (seen.has(key)) return;
    seen.add(key);
    note(what, t);
  };
  for (const { t, type, kind, name, object } of events) {
    if (kind === 'Pod') {
      const pod = podSchema.parse(object);
      const state = type === 'DELETED' ? 'gone' : podState(pod);
      if (!passing.some((rule) => rule.state.test(state))) {
        once(`${name} ${state}`, `${groupOf(name)} pod: ${state}`, t);
      }
      for (const { restartCount } of pod.containerStatuses) {
        if (restartCount > 0)
          once(`${name} restart ${restartCount}`, `${groupOf(name)} restart ${restartCount}`, t);
      }
    } else if (kind === 'Deployment' && type !== 'DELETED') {
      const { status } = workloadSchema.parse(object);
      for (const condition of status.conditions ?? []) {
        if (condition.type !== 'Progressing') continue;
        const text = `${condition.reason}: ${condition.message}`;
        once(`${name} ${text}`, `Deployment Progressing ${text}`, t);
      }
    }
  }
  const milestones = [...times.values()].flatMap((list) =>
    list.map((timed, index) => ({
      ...timed,
      what: list.length > 1 ? `${timed.what} (${index + 1})` : timed.what,
    })),
  );
  return { milestones };
}
