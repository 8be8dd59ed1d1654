// The decision table (docs/causes.md): why one attempt was lost, by what pods and endpoints were doing. The shares of
// an attempt add up to 1; what the facts do not carry is `unknown`.
import type { Outcome, Phase } from '../../model/load.ts';
import type { Cause, Confidence, Fact } from '../../model/results.ts';
import { LAG_BOUND_MS, type RoutingState, SYNC_MS } from '../endpoints.ts';
import type { PodLife } from '../pods.ts';
import { type Acceptance, acceptanceAt, exitWords, type Stop, seconds, stopsOf } from './acceptance.ts';
import type { Scene } from './scene.ts';

/** What is known of a lost attempt. Times in ms since the load's start. */
export interface LostAttempt {
  readonly dueMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  readonly phase: Phase;
  readonly reused: boolean;
  readonly race: boolean;
  readonly bytes: number;
  readonly status?: number | undefined;
  readonly pod?: string | undefined;
  readonly podKnownBy?: 'answer' | 'previous-answer' | 'route' | undefined;
  readonly code?: string;
}

export interface Share {
  readonly cause: Cause;
  readonly weight: number;
  readonly pods: readonly string[];
  readonly facts: readonly Fact[];
  readonly confidence: Confidence;
}

export function decideCause(attempt: LostAttempt, scene: Scene): readonly Share[] {
  const noise = harnessNoise(attempt, scene);
  if (noise) return [noise];
  const pod = knownPod(attempt, scene);
  switch (attempt.outcome) {
    case 'http3xx':
    case 'http4xx':
    case 'http5xx':
      return [appError(attempt, pod, scene, `answered ${attempt.status ?? attempt.outcome}`)];
    case 'refused':
    case 'unreachable':
      return notAccepted(attempt, pod, scene);
    case 'timeout':
    case 'reset':
    case 'closed':
      if (attempt.reused) return keptConnection(attempt, pod, scene);
      return attempt.phase === 'connect' ? notAccepted(attempt, pod, scene) : cutOff(attempt, pod, scene);
    case 'tls':
    case 'protocol':
    case 'other':
    case 'dns':
      return [unclear(attempt, pod, scene)];
    case 'ok':
    case 'local':
    case 'aborted':
      return [unknown(`an attempt with outcome ${attempt.outcome} is not lost`)];
  }
}

const unknown = (text: string, fact: Partial<Fact> = {}): Share => ({
  cause: 'unknown',
  weight: 1,
  pods: [],
  facts: [{ text, ...fact }],
  confidence: 'low',
});

/** Control and target losses this close are of the same moment, ms. */
const NOISE_MS = 100;

function harnessNoise(attempt: LostAttempt, scene: Scene): Share | undefined {
  const control = scene.controlFailures.find(
    (failure) => failure.startMs - NOISE_MS <= attempt.endMs && failure.endMs + NOISE_MS >= attempt.startMs,
  );
  if (!control) return undefined;
  const text = `the control target, which no step touches, lost an attempt too (${control.outcome}) at ${seconds(control.dueMs)}`;
  return {
    cause: 'harness-noise',
    weight: 1,
    pods: [],
    facts: [{ text, tMs: control.dueMs, line: control.line }],
    confidence: 'medium',
  };
}

function knownPod(attempt: LostAttempt, scene: Scene): PodLife | undefined {
  if (attempt.pod === undefined) return undefined;
  if (attempt.podKnownBy === 'route' && scene.ignoreRouteKnowledge) return undefined;
  return scene.pods.get(attempt.pod);
}

// --- A new connection that no pod accepted -------------------------------------------------------------------------

interface Candidate {
  readonly pod: PodLife;
  readonly acceptance: Acceptance;
  /** How likely the rules still (or already) pointed to it, 0 to 1. */
  readonly weight: number;
}

/**
 * The pods that the connection may have been sent to (routed to now or until less than the routing's lag ago) and that
 * could not accept it. First with the usual lag of one sync, then with the bound.
 */
function notAccepted(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): readonly Share[] {
  const atMs = attempt.startMs;
  const delayMs = scene.routing.delayAt(atMs);
  const unsure: Candidate[] = [];
  const lags = known ? [LAG_BOUND_MS + delayMs] : [SYNC_MS + delayMs, LAG_BOUND_MS + delayMs];
  for (const [tier, lagMs] of lags.entries()) {
    const possible = scene.routing.possible(atMs, lagMs, scene.watchErrorMs);
    const empty = possible.filter((state) => state.routed.size === 0);
    if (!known && possible.length > 0 && empty.length === possible.length) {
      return [noEndpoint(attempt, empty, scene, 'high')];
    }
    const names = known ? [known.name] : [...new Set(possible.flatMap((state) => [...state.routed]))];
    const fitting: Candidate[] = [];
    for (const name of names) {
      const pod = scene.pods.get(name);
      if (!pod) continue;
      const acceptance = acceptanceAt(pod, atMs, scene);
      const weight = known ? 1 : routedChance(possible, (state) => state.routed.has(name), atMs, delayMs);
      const candidate = { pod, acceptance, weight };
      if (acceptance.sure && fits(attempt, acceptance)) fitting.push(candidate);
      else if (!acceptance.sure) unsure.push(candidate);
    }
    const rejects = {
      states: known ? [] : empty,
      weight: routedChance(possible, (state) => state.routed.size === 0, atMs, delayMs),
    };
    const shares = sharesOf(attempt, fitting, rejects, possible, scene, tier > 0, known !== undefined);
    if (shares.length > 0) return shares;
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  if (trouble) return [trouble];
  const close = unsure[0];
  if (close) {
    if (known && attempt.outcome === 'refused') return byRefusal(attempt, close, scene);
    const { moment } = close.acceptance;
    return [
      unknown(
        `${moment?.text ?? `pod ${close.pod.name} changed`}, too close to the attempt at ${seconds(atMs)} to tell which came first`,
        { tMs: moment?.atMs, line: moment?.line, pod: close.pod.name },
      ),
    ];
  }
  return [
    known
      ? unknown(`pod ${known.name} was asked, and no recorded fact says that it could not accept`, {
          pod: known.name,
        })
      : unknown('no pod that the Service may have routed to was unable to accept'),
  ];
}

/**
 * The pod that was asked is known and refused, close to a change of its state: that it refused tells on which side of
 * the change the attempt was, better than the clocks do.
 */
function byRefusal(attempt: LostAttempt, candidate: Candidate, scene: Scene): readonly Share[] {
  const { pod, acceptance } = candidate;
  const starting = acceptance.state === 'starting';
  const stopped: Candidate = {
    ...candidate,
    acceptance: { ...acceptance, state: starting ? 'starting' : 'stopped', sure: true },
  };
  const [share] = sharesOf(attempt, [stopped], { states: [], weight: 0 }, [], scene, false, true);
  if (!share) return [unknown(`pod ${pod.name} refused`, { pod: pod.name })];
  const text = `pod ${pod.name} was asked and refused, so it was not listening, although the clocks alone do not tell`;
  return [{ ...share, facts: [...share.facts, { text, pod: pod.name }], confidence: 'medium' }];
}

/**
 * The pod of which nothing is known but that it was fresh, when nothing else explains the attempt: no pod that had
 * stopped, was stopping or said itself that it was starting, and no time without endpoints. The freshest of several.
 */
export function onlyFreshPod(attempt: LostAttempt, scene: Scene): PodLife | undefined {
  if (attempt.reused || attempt.phase !== 'connect' || knownPod(attempt, scene)) return undefined;
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const possible = scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs);
  if (possible.some((state) => state.routed.size === 0)) return undefined;
  let freshest: PodLife | undefined;
  for (const name of new Set(possible.flatMap((state) => [...state.routed]))) {
    const pod = scene.pods.get(name);
    if (!pod) continue;
    const acceptance = acceptanceAt(pod, attempt.startMs, scene);
    if (acceptance.state === 'listening' && acceptance.sure) continue;
    if (acceptance.by !== 'inferred' || !fits(attempt, acceptance)) return undefined;
    if (!freshest || (pod.running?.atMs ?? 0) > (freshest.running?.atMs ?? 0)) freshest = pod;
  }
  return freshest;
}

const LEAST_CHANCE = 0.05;

/**
 * How likely the rules in force were those of a state that `holds`: a change takes effect some time within a second (on
 * top of a recorded delay), evenly spread. Two cases without delay: left the endpoints 0.2 s ago → 0.8; joined them
 * 0.2 s ago → 0.2.
 */
function routedChance(
  possible: readonly RoutingState[],
  holds: (state: RoutingState) => boolean,
  atMs: number,
  delayMs: number,
): number {
  let chance = 0;
  for (const [index, state] of possible.entries()) {
    if (!holds(state)) continue;
    const inForce = (since: number) => Math.min(1, Math.max(0, (atMs - since - delayMs) / SYNC_MS));
    const next = possible[index + 1];
    chance += (index === 0 ? 1 : inForce(state.atMs)) - (next ? inForce(next.atMs) : 0);
  }
  // Possible, however unlikely: what nothing else explains must not be divided by zero.
  return Math.max(LEAST_CHANCE, chance);
}

/** An outcome rules states out: a pod that is still starting has a network, so it refuses; it neither hangs nor is unreachable. */
function fits(attempt: LostAttempt, acceptance: Acceptance): boolean {
  const silent = attempt.outcome === 'timeout' || attempt.outcome === 'unreachable';
  switch (acceptance.state) {
    case 'listening':
      return false;
    case 'starting':
      return !silent;
    case 'stopping':
      return !silent || acceptance.by === 'watch';
    case 'stopped':
      return true;
  }
}

function sharesOf(
  attempt: LostAttempt,
  fitting: readonly Candidate[],
  {
    states: empty,
    weight: emptyWeight,
  }: { readonly states: readonly RoutingState[]; readonly weight: number },
  possible: readonly RoutingState[],
  scene: Scene,
  late: boolean,
  known: boolean,
): Share[] {
  const starting = fitting.filter(({ acceptance }) => acceptance.state === 'starting');
  const likely = fitting.filter(
    (candidate) => candidate.acceptance.state === 'stopped' && !isSilent(attempt, candidate, scene),
  );
  const rejects = attempt.outcome === 'timeout' ? [] : empty;
  // A pod that is stopping may still be serving, and one whose network is gone does not refuse: they count only when
  // nothing else explains the loss.
  const unlikely = fitting.filter(
    (candidate) => candidate.acceptance.state !== 'starting' && !likely.includes(candidate),
  );
  const inferred = starting.length > 0 && starting.every(({ acceptance }) => acceptance.by === 'inferred');
  const explained = likely.length > 0 || rejects.length > 0 || (starting.length > 0 && !inferred);
  const ended = explained ? likely : unlikely;
  const kinds = [starting, ended, rejects].filter((kind) => kind.length > 0).length;
  const total = sumOfWeights(starting) + sumOfWeights(ended) + (rejects.length > 0 ? emptyWeight : 0);
  if (kinds === 0) {
    // Dropped instead of rejected: what a Service does whose traffic policy is Local.
    return empty.length > 0 && attempt.outcome === 'timeout'
      ? [noEndpoint(attempt, empty, scene, 'low')]
      : [];
  }
  const confidence = (candidates: readonly Candidate[]): Confidence => {
    if (kinds > 1 || candidates.some(({ acceptance }) => acceptance.by === 'inferred')) return 'low';
    if (known && candidates.every(({ acceptance }) => acceptance.by === 'phase')) return 'high';
    const solid = candidates.every(
      ({ acceptance }) =>
        acceptance.by === 'phase' || (acceptance.state === 'stopped' && acceptance.by === 'watch'),
    );
    if (!solid || candidates === unlikely) return late ? 'low' : 'medium';
    return late ? 'medium' : 'high';
  };
  const split: Fact[] =
    kinds > 1
      ? [
          {
            text: 'which pod was asked is not known: split by the number of pods that may have been, and how likely rules pointed to them',
          },
        ]
      : [];
  const shares: Share[] = [];
  if (starting.length > 0) {
    shares.push({
      cause: 'routed-before-listening',
      weight: sumOfWeights(starting) / total,
      pods: starting.map(({ pod }) => pod.name),
      facts: [
        ...starting.flatMap((one) => [routedFact(one.pod, attempt.startMs, scene), stateFact(one)]),
        ...split,
      ].filter((fact) => fact !== undefined),
      confidence: confidence(starting),
    });
  }
  for (const group of groupByEnding(ended)) {
    shares.push({
      cause: group.cause,
      weight: sumOfWeights(group.members) / total,
      pods: group.members.map(({ pod }) => pod.name),
      facts: [
        ...group.members.flatMap((one) => [
          stateFact(one),
          ...(group.fact(one.pod) ?? []),
          unroutedFact(one.pod, attempt.startMs, possible, scene),
        ]),
        ...split,
      ].filter((fact) => fact !== undefined),
      confidence: confidence(ended),
    });
  }
  if (rejects.length > 0) {
    const share = noEndpoint(attempt, rejects, scene, kinds > 1 ? 'low' : 'medium');
    shares.push({ ...share, weight: emptyWeight / total, facts: [...share.facts, ...split] });
  }
  return shares;
}

const sumOfWeights = (candidates: readonly Candidate[]) =>
  candidates.reduce((sum, candidate) => sum + candidate.weight, 0);

/**
 * The kubelet takes a deleted pod's network down right after its containers have ended, before it says so: what was
 * seen ended does not refuse any more, it is silent.
 */
function isSilent(attempt: LostAttempt, { pod }: Candidate, scene: Scene): boolean {
  if (attempt.outcome === 'timeout' || attempt.outcome === 'unreachable' || !pod.terminating) return false;
  const { atMs } = pod.terminating;
  const ended = pod.endings.find((ending) => ending.atMs >= atMs) ?? pod.deleted;
  return ended !== undefined && attempt.startMs > ended.atMs + scene.watchErrorMs;
}

function stateFact({ pod, acceptance }: Candidate): Fact | undefined {
  const { moment } = acceptance;
  return moment && { text: moment.text, tMs: moment.atMs, pod: pod.name, line: moment.line };
}

/** Since when the Service routed to the pod. */
function routedFact(pod: PodLife, atMs: number, scene: Scene): Fact | undefined {
  let since: RoutingState | undefined;
  for (const state of scene.routing.states) {
    if (state.atMs > atMs + scene.watchErrorMs) break;
    if (!state.routed.has(pod.name)) since = undefined;
    else since ??= state;
  }
  return (
    since && {
      text: `pod ${pod.name} was ready in the EndpointSlice from ${seconds(since.atMs)} on`,
      tMs: since.atMs,
      pod: pod.name,
      line: since.line,
    }
  );
}

/** When the Service stopped routing to the pod, as far as it did. */
function unroutedFact(
  pod: PodLife,
  atMs: number,
  possible: readonly RoutingState[],
  scene: Scene,
): Fact | undefined {
  const left = scene.routing.states.find(
    (state, index) =>
      index > 0 && !state.routed.has(pod.name) && scene.routing.states[index - 1]?.routed.has(pod.name),
  );
  if (left && left.atMs <= atMs) {
    return {
      text: `pod ${pod.name} left the routed endpoints at ${seconds(left.atMs)}; rules follow up to a second or more later`,
      tMs: left.atMs,
      pod: pod.name,
      line: left.line,
    };
  }
  const state = possible.at(-1);
  return (
    state && {
      text: `pod ${pod.name} was still among the routed endpoints${left ? ` until ${seconds(left.atMs)}` : ''}`,
      tMs: left?.atMs ?? state.atMs,
      pod: pod.name,
      line: left?.line ?? state.line,
    }
  );
}

function noEndpoint(
  attempt: LostAttempt,
  empty: readonly RoutingState[],
  scene: Scene,
  confidence: Confidence,
): Share {
  const state = empty[0] as RoutingState;
  const next = scene.routing.states.find((other) => other.atMs > state.atMs && other.routed.size > 0);
  const text = `no endpoint was ready or serving from ${seconds(state.atMs)} ${next ? `to ${seconds(next.atMs)}` : 'on'}`;
  return {
    cause: 'no-endpoint',
    weight: 1,
    pods: [],
    facts: [{ text, tMs: state.atMs, line: state.line }],
    confidence: attempt.outcome === 'timeout' ? 'low' : confidence,
  };
}

// --- Overrides: why the pod ended ----------------------------------------------------------------------------------

interface EndingGroup {
  readonly cause: Cause;
  readonly members: readonly Candidate[];
  fact(pod: PodLife): readonly Fact[] | undefined;
}

/** Pods that a node or kubelet took down are `node-event`; the others had stopped by themselves or were deleted. */
function groupByEnding(candidates: readonly Candidate[]): readonly EndingGroup[] {
  const byNode = candidates.filter(({ pod }) => pod.nodeEvents.length > 0 && !pod.terminating);
  const others = candidates.filter((candidate) => !byNode.includes(candidate));
  const groups: EndingGroup[] = [];
  if (others.length > 0) groups.push({ cause: 'routed-after-stop', members: others, fact: () => undefined });
  if (byNode.length > 0) groups.push({ cause: 'node-event', members: byNode, fact: nodeFacts });
  return groups;
}

const nodeFacts = (pod: PodLife): readonly Fact[] =>
  pod.nodeEvents
    .slice(0, 2)
    .map(({ atMs, line, text }) => ({ text: `pod ${pod.name}: ${text}`, tMs: atMs, pod: pod.name, line }));

function nodeTrouble(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): Share | undefined {
  const trouble = scene.nodeTroubles.find(
    (one) =>
      one.fromMs <= attempt.endMs &&
      one.toMs >= attempt.startMs &&
      (known === undefined || known.node === one.node),
  );
  if (!trouble) return undefined;
  const pods = [...scene.pods.values()].filter((pod) => pod.node === trouble.node).map((pod) => pod.name);
  return {
    cause: 'node-event',
    weight: 1,
    pods: known ? [known.name] : pods,
    facts: [{ text: trouble.text, tMs: trouble.fromMs, line: trouble.line }],
    confidence: known ? 'medium' : 'low',
  };
}

/** An app that was made to hang accepts (the kernel does) and does not answer. */
function hang(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): Share | undefined {
  if (attempt.outcome !== 'timeout') return undefined;
  const chaos = scene.chaos.find(
    (one) =>
      one.action === 'hang' &&
      one.atMs <= attempt.endMs &&
      (known === undefined || one.pods.length === 0 || one.pods.includes(known.name)),
  );
  if (!chaos) return undefined;
  return {
    cause: 'app-error',
    weight: 1,
    pods: known ? [known.name] : chaos.pods,
    facts: [
      {
        text: `a step made ${chaos.pods.length > 0 ? `pod ${chaos.pods.join(', ')}` : 'a pod'} hang at ${seconds(chaos.atMs)}`,
        tMs: chaos.atMs,
        line: chaos.line,
      },
    ],
    confidence: 'medium',
  };
}

// --- A new connection that was accepted and cut --------------------------------------------------------------------

interface Cut {
  readonly pod: PodLife;
  readonly stop: Stop;
}

function cutOff(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): readonly Share[] {
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const names = known
    ? [known.name]
    : [
        ...new Set(
          scene.routing
            .possible(attempt.startMs, lagMs, scene.watchErrorMs)
            .flatMap((state) => [...state.routed]),
        ),
      ];
  const after: Candidate[] = [];
  const cuts: Cut[] = [];
  for (const name of names) {
    const pod = scene.pods.get(name);
    if (!pod) continue;
    const acceptance = acceptanceAt(pod, attempt.startMs, scene);
    const stop = stopAround(attempt, pod, scene);
    // The kernel took the connection, so the process was there; unless the pod had surely ended before.
    if (acceptance.state === 'stopped' && acceptance.sure && !(stop && stop.endMs >= attempt.startMs)) {
      after.push({ pod, acceptance, weight: 1 });
    } else if (stop) cuts.push({ pod, stop });
  }
  // A cut is the closer explanation: it happened while the request was under way.
  if (cuts.length > 0) return killed(cuts, 'killed-in-flight', known !== undefined);
  if (after.length > 0) {
    const possible = scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs);
    return sharesOf(attempt, after, { states: [], weight: 0 }, possible, scene, true, known !== undefined);
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  return [trouble ?? unknown('no pod that may have been asked was stopping at that time')];
}

/** The stop during which this attempt was cut: a FIN or RST arrives at once, silence may have begun at any time. */
function stopAround(attempt: LostAttempt, pod: PodLife, scene: Scene): Stop | undefined {
  return stopsOf(pod, scene).find((stop) =>
    attempt.outcome === 'timeout'
      ? stop.earliestMs <= attempt.endMs && stop.latestMs >= attempt.startMs
      : stop.earliestMs <= attempt.endMs && attempt.endMs <= stop.latestMs,
  );
}

/** Attempts cut by the end of these pods: by kubelet or node, by SIGKILL at the end of the grace period, or `otherwise`. */
function killed(cuts: readonly Cut[], otherwise: Cause, known: boolean): Share[] {
  const groups = new Map<Cause, Cut[]>();
  for (const cut of cuts) {
    const { pod } = cut;
    const cause: Cause = pod.graceExceeded
      ? 'grace-exceeded'
      : pod.nodeEvents.length > 0 && !pod.terminating
        ? 'node-event'
        : otherwise;
    groups.set(cause, [...(groups.get(cause) ?? []), cut]);
  }
  const confidence: Confidence =
    groups.size > 1
      ? 'low'
      : known || (cuts.length === 1 && cuts[0]?.stop.by === 'phase')
        ? cuts.every(({ stop }) => stop.by === 'phase')
          ? 'high'
          : 'medium'
        : 'medium';
  return [...groups].map(([cause, members]) => ({
    cause,
    weight: members.length / cuts.length,
    pods: members.map(({ pod }) => pod.name),
    facts: members.flatMap(({ pod, stop }) => [
      ...stop.texts.map(({ text, atMs, line }) => ({ text, tMs: atMs, pod: pod.name, line })),
      ...(cause === 'grace-exceeded' ? graceFacts(pod) : []),
      ...(cause === 'node-event' ? nodeFacts(pod) : []),
    ]),
    confidence,
  }));
}

function graceFacts(pod: PodLife): Fact[] {
  const { graceExceeded, preStopCut, graceMs } = pod;
  const facts: Fact[] = [];
  if (graceExceeded) {
    facts.push({
      text: `pod ${pod.name} was killed (${exitWords(graceExceeded.exitCode, graceExceeded.reason)}) when its grace period of ${seconds(graceMs ?? 0)} was over`,
      tMs: graceExceeded.atMs,
      pod: pod.name,
      line: graceExceeded.line,
    });
  }
  if (preStopCut) {
    facts.push({
      text: `the preStop hook of pod ${pod.name} was cut at ${seconds(preStopCut.atMs)}`,
      tMs: preStopCut.atMs,
      pod: pod.name,
      line: preStopCut.line,
    });
  }
  return facts;
}

// --- A kept connection ---------------------------------------------------------------------------------------------

/** A connection that carried requests before: it is pinned to its pod, wherever the Service routes new ones. */
function keptConnection(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): readonly Share[] {
  const pods = known ? [known] : [...scene.pods.values()];
  const cuts: Cut[] = [];
  const before: Candidate[] = [];
  for (const pod of pods) {
    const stop = stopAround(attempt, pod, scene);
    if (stop) cuts.push({ pod, stop });
    else if (known) {
      const acceptance = acceptanceAt(pod, attempt.startMs, scene);
      if (acceptance.sure && (acceptance.state === 'stopped' || acceptance.state === 'stopping')) {
        before.push({ pod, acceptance, weight: 1 });
      }
    }
  }
  const crossed: Fact[] = attempt.race
    ? [
        {
          text: 'a request crossed the closing of its connection (race): it was sent when no answer could come',
        },
      ]
    : [];
  if (cuts.length > 0) {
    const shares = killed(
      cuts,
      inFlight(attempt, cuts) ? 'killed-in-flight' : 'kept-connection-cut',
      known !== undefined,
    );
    return shares.map((share) =>
      share.cause === 'kept-connection-cut' ? { ...share, facts: [...share.facts, ...crossed] } : share,
    );
  }
  if (before.length > 0) {
    return [
      {
        cause: 'kept-connection-cut',
        weight: 1,
        pods: before.map(({ pod }) => pod.name),
        facts: [...before.map((one) => stateFact(one)).filter((fact) => fact !== undefined), ...crossed],
        confidence: before.every(({ acceptance }) => acceptance.by === 'phase') ? 'high' : 'medium',
      },
    ];
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  if (trouble) return [trouble];
  if (attempt.race) {
    return [
      {
        cause: 'kept-connection-cut',
        weight: 1,
        pods: known ? [known.name] : [],
        facts: [
          {
            text: 'the other side closed a kept connection although no pod was stopping: its keep-alive time may be shorter than the client’s',
            tMs: attempt.endMs,
          },
          ...crossed,
        ],
        confidence: 'low',
      },
    ];
  }
  return [unknown('a kept connection failed and no pod that may have held it was stopping')];
}

/** Was the request under way in the app, rather than crossing the close of an idle connection? */
function inFlight(attempt: LostAttempt, cuts: readonly Cut[]): boolean {
  // Sent before the pod began to stop: it cannot have crossed a close.
  if (attempt.bytes > 0 || cuts.some(({ stop }) => attempt.startMs < stop.earliestMs)) return true;
  if (attempt.race) return false;
  // Not a race, no byte: under way if the process ended with it; a stopping app that closed the connection cut it.
  return cuts.some(({ stop }) =>
    attempt.outcome === 'timeout'
      ? stop.endMs >= attempt.startMs
      : Math.abs(attempt.endMs - stop.endMs) <= stop.latestMs - stop.endMs,
  );
}

// --- Answers that say no -------------------------------------------------------------------------------------------

/** How long after it began to listen a pod's errors are those of starting, ms. */
const WARM_UP_MS = 5000;

function appError(attempt: LostAttempt, known: PodLife | undefined, scene: Scene, what: string): Share {
  const moving = (pod: PodLife) => changing(attempt, pod, scene);
  if (known) {
    const change = moving(known);
    return {
      cause: 'app-error',
      weight: 1,
      pods: [known.name],
      facts: [
        {
          text: change
            ? `pod ${known.name} ${what} while it was ${change.word}: ${change.text}`
            : `pod ${known.name} ${what} while it was neither starting nor stopping`,
          tMs: change?.tMs ?? attempt.endMs,
          pod: known.name,
          line: change?.line,
        },
      ],
      confidence: change ? 'high' : 'low',
    };
  }
  const candidates = [...scene.pods.values()].flatMap((pod) => {
    const change = moving(pod);
    return change ? [{ pod, change }] : [];
  });
  if (candidates.length === 0) {
    return unknown(`a pod ${what}; it is not known which one, and none was starting or stopping`, {
      tMs: attempt.endMs,
    });
  }
  return {
    cause: 'app-error',
    weight: 1,
    pods: candidates.map(({ pod }) => pod.name),
    facts: candidates.map(({ pod, change }) => ({
      text: `a pod ${what}; pod ${pod.name} was ${change.word}: ${change.text}`,
      tMs: change.tMs,
      pod: pod.name,
      line: change.line,
    })),
    confidence: candidates.length === 1 ? 'medium' : 'low',
  };
}

interface Change {
  readonly word: 'starting' | 'stopping';
  readonly text: string;
  readonly tMs: number;
  readonly line: number;
}

function changing(attempt: LostAttempt, pod: PodLife, scene: Scene): Change | undefined {
  const { terminating } = pod;
  if (terminating && terminating.atMs <= attempt.endMs + scene.watchErrorMs) {
    return {
      word: 'stopping',
      text: `it was being deleted from ${seconds(terminating.atMs)} on`,
      tMs: terminating.atMs,
      line: terminating.line,
    };
  }
  const stop = stopAround(attempt, pod, scene)?.texts[0];
  if (stop) return { word: 'stopping', text: stop.text, tMs: stop.atMs, line: stop.line };
  const acceptance = acceptanceAt(pod, attempt.startMs, scene);
  const began =
    pod.phases.findLast((phase) => phase.phase === 'listening' && phase.atMs <= attempt.endMs) ?? pod.running;
  if (
    began &&
    (acceptance.state === 'starting' ||
      (attempt.endMs >= began.atMs && attempt.endMs - began.atMs <= WARM_UP_MS))
  ) {
    return {
      word: 'starting',
      text: `it began at ${seconds(began.atMs)}`,
      tMs: began.atMs,
      line: began.line,
    };
  }
  return undefined;
}

/** Garbage, TLS and name errors: only a pod that is known to be starting or stopping explains them. */
function unclear(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): Share {
  const what = `failed with ${attempt.outcome}${attempt.code ? ` (${attempt.code})` : ''}`;
  if (known) {
    const stop = stopAround(attempt, known, scene);
    if (stop && attempt.bytes > 0) {
      const [share] = killed([{ pod: known, stop }], 'killed-in-flight', true);
      if (share) return share;
    }
    if (changing(attempt, known, scene)) return appError(attempt, known, scene, what);
  }
  return unknown(`an attempt ${what}, which no recorded fact explains`, { tMs: attempt.endMs });
}
