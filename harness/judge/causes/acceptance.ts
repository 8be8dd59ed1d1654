// Was a pod able to take a connection at a moment? From what its process said (exact) or, for an app that does not
// speak, from what the watches saw of its containers (late by the kubelet's and the watch's latency).
import { lastIndexAtOrBefore } from '../../journal/endpoints.ts';
import type { Moment, PodLife, ProcessPhase } from '../../journal/pods.ts';
import { at } from '../../words/figures.ts';
import { PHASE_EARLY_MS, type Scene } from './scene.ts';

export interface Acceptance {
  readonly state: 'starting' | 'listening' | 'stopping' | 'stopped';
  /**
   * The process said so; a watch showed it; the kernel's connection tracking saw its answers; or it is inferred from there
   * being no readinessProbe.
   */
  readonly by: 'phase' | 'watch' | 'kernel' | 'inferred';
  /** false: a change of the state lies closer than the facts are precise. */
  readonly sure: boolean;
  /** The moment that decides, with words for it. */
  readonly moment: (Moment & { readonly text: string }) | undefined;
}

/** Without a readinessProbe and without word from the app: for this long after its start it may not be listening yet. */
const FRESH_MS = 30_000;
/** Running and Ready in one status: no readinessProbe decided. */
const SAME_STATUS_MS = 1;

export function acceptanceAt(pod: PodLife, atMs: number, scene: Scene): Acceptance {
  return pod.phases.length > 0 ? byPhases(pod, atMs, scene) : byWatch(pod, atMs, scene);
}

function byPhases(pod: PodLife, atMs: number, scene: Scene): Acceptance {
  const index = lastIndexAtOrBefore(pod.phases, atMs);
  const last = pod.phases[index];
  const next = pod.phases[index + 1];
  const listens = pod.phases.slice(index + 1).find((phase) => phase.phase === 'listening');
  const gone = goneByWatch(pod, last?.atMs ?? Number.NEGATIVE_INFINITY, atMs, scene);
  const starting = (): Acceptance => ({
    state: 'starting',
    by: 'phase',
    sure: !listens || listens.atMs - atMs > PHASE_EARLY_MS + scene.phaseErrorMs,
    moment: listens
      ? { ...listens, text: `pod ${pod.name} listened from ${at(listens.atMs)} on` }
      : last && { ...last, text: `pod ${pod.name} started and never said that it listens` },
  });
  if (!last) {
    if (next && (next.phase === 'starting' || next.phase === 'listening')) return starting();
    return byWatch(pod, atMs, scene);
  }
  switch (last.phase) {
    case 'starting':
      return gone ?? starting();
    case 'listening':
    case 'unready': {
      if (gone) return gone;
      const stops = next && next.phase !== 'listening' && next.phase !== 'unready' ? next : undefined;
      return {
        state: 'listening',
        by: 'phase',
        sure: !stops || stops.atMs - atMs > stops.lateMs + scene.phaseErrorMs,
        moment: stops && { ...stops, text: wordsFor(pod, stops.phase, stops.atMs) },
      };
    }
    case 'sigterm':
      return (
        gone ?? {
          state: 'stopping',
          by: 'phase',
          sure: true,
          moment: { ...last, text: wordsFor(pod, 'sigterm', last.atMs) },
        }
      );
    case 'closed':
    case 'gone':
      return {
        state: 'stopped',
        by: 'phase',
        sure: atMs - last.atMs >= scene.phaseErrorMs,
        moment: { ...last, text: wordsFor(pod, last.phase, last.atMs) },
      };
  }
}

function wordsFor(pod: PodLife, phase: string, atMs: number): string {
  const moment = at(atMs);
  switch (phase) {
    case 'sigterm':
      return `pod ${pod.name} received SIGTERM at ${moment}`;
    case 'closed':
      return `pod ${pod.name} stopped listening at ${moment}`;
    case 'gone':
      return `the process of pod ${pod.name} was gone at ${moment}, without a word`;
    default:
      return `pod ${pod.name}: ${phase} at ${moment}`;
  }
}

/** A container seen terminated or an object seen deleted after `sinceMs` and before `atMs`. */
function goneByWatch(pod: PodLife, sinceMs: number, atMs: number, scene: Scene): Acceptance | undefined {
  const ending = pod.endings.findLast((one) => one.atMs > sinceMs && one.atMs <= atMs);
  const deleted = pod.deleted && pod.deleted.atMs <= atMs ? pod.deleted : undefined;
  const moment = ending ?? deleted;
  if (!moment) return undefined;
  const text = ending
    ? `a container of pod ${pod.name} was seen terminated (${exitWords(ending.exitCode, ending.reason)}) at ${at(ending.atMs)}`
    : `pod ${pod.name} was deleted at ${at(moment.atMs)}`;
  return {
    state: 'stopped',
    by: 'watch',
    sure: atMs - moment.atMs > scene.watchErrorMs,
    moment: { ...moment, text },
  };
}

export const exitWords = (exitCode: number | undefined, reason: string) =>
  [exitCode === undefined ? '' : `exit code ${exitCode}`, reason].filter(Boolean).join(', ') ||
  'no exit code';

function byWatch(pod: PodLife, atMs: number, scene: Scene): Acceptance {
  const { watchErrorMs } = scene;
  if (pod.deleted && pod.deleted.atMs <= atMs) {
    return goneByWatch(pod, Number.NEGATIVE_INFINITY, atMs, scene) as Acceptance;
  }
  const begins = pod.runs.find((run) => run.begin.atMs <= atMs && atMs < run.endMs)?.begin;
  const ended = pod.endings.findLast((ending) => ending.atMs <= atMs);
  if (ended && !begins) return goneByWatch(pod, Number.NEGATIVE_INFINITY, atMs, scene) as Acceptance;
  if (pod.terminating && pod.terminating.atMs - watchErrorMs <= atMs) {
    return {
      state: 'stopping',
      by: 'watch',
      sure: atMs - pod.terminating.atMs > watchErrorMs,
      moment: {
        ...pod.terminating,
        text: `pod ${pod.name} was being deleted from ${at(pod.terminating.atMs)} on`,
      },
    };
  }
  const crash = pod.endings.find((ending) => ending.atMs > atMs && ending.atMs - atMs <= watchErrorMs);
  if (crash) {
    const text = `a container of pod ${pod.name} was seen terminated (${exitWords(crash.exitCode, crash.reason)}) at ${at(crash.atMs)}`;
    return { state: 'listening', by: 'watch', sure: false, moment: { ...crash, text } };
  }
  if (!begins) {
    const will = pod.running;
    return {
      state: 'starting',
      by: 'watch',
      sure: !will || will.atMs - atMs > watchErrorMs,
      moment: will && { ...will, text: `pod ${pod.name} was seen running from ${at(will.atMs)} on` },
    };
  }
  const until = mayBeStartingUntil(pod, begins, scene);
  if (atMs < until) {
    const words = `pod ${pod.name} was Ready in the same moment as running, at ${at(begins.atMs)}: no readinessProbe waited for it to listen`;
    const evidence = scene.startingUntil
      ? `; until ${at(until)} connections were lost that nothing else explains`
      : '';
    return {
      state: 'starting',
      by: 'inferred',
      sure: true,
      moment: { ...begins, text: words + evidence },
    };
  }
  return { state: 'listening', by: 'watch', sure: true, moment: undefined };
}

/**
 * An app that does not speak, without a readinessProbe (Ready in the same status as running): it may not listen yet,
 * until it answered or the losses that only it explains end. Pods that ran before the load had been seen to answer.
 */
function mayBeStartingUntil(pod: PodLife, begins: Moment, scene: Scene): number {
  const unprobed = pod.ready !== undefined && pod.ready.atMs - (pod.running?.atMs ?? 0) < SAME_STATUS_MS;
  if (!unprobed || begins.atMs < 0) return Number.NEGATIVE_INFINITY;
  if (scene.startingUntil) return scene.startingUntil.get(pod.name) ?? Number.NEGATIVE_INFINITY;
  const answered = scene.answers.get(pod.name);
  const firstMs = answered && answered.firstMs >= begins.atMs ? answered.firstMs : Number.POSITIVE_INFINITY;
  return Math.min(firstMs, begins.atMs + FRESH_MS);
}

/** A stretch of time in which a pod's process was ending, and in which it may therefore have cut connections. */
export interface Stop {
  readonly fromMs: number;
  /** The process's end, as far as known. */
  readonly endMs: number;
  /** Bounds that allow for the facts' precision. */
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly by: 'phase' | 'watch';
  readonly texts: readonly (Moment & { readonly text: string })[];
}

/** After `closed` the process may wait for its last words to be sent (50 ms) before it ends and the kernel cuts. */
const LAST_WORDS_MS = 100;
/** From a container's end to the status that shows it (measured: 212 to 579 ms, PLEG relist 1 s). */
const STATUS_LATENCY_MS = 1500;

export function stopsOf(pod: PodLife, scene: Scene): readonly Stop[] {
  const known = knownStops.get(pod);
  if (known) return known;
  const stops = findStops(pod, scene);
  knownStops.set(pod, stops);
  return stops;
}

/** A pod belongs to one scene: thousands of attempts ask the same. */
const knownStops = new WeakMap<PodLife, readonly Stop[]>();

function findStops(pod: PodLife, scene: Scene): readonly Stop[] {
  const stops: Stop[] = [];
  let begin: (ProcessPhase & { text: string }) | undefined;
  for (const phase of pod.phases) {
    if (phase.phase === 'sigterm') begin = { ...phase, text: wordsFor(pod, 'sigterm', phase.atMs) };
    else if (phase.phase === 'closed' || phase.phase === 'gone') {
      const end = { ...phase, text: wordsFor(pod, phase.phase, phase.atMs) };
      stops.push({
        fromMs: begin?.atMs ?? phase.atMs,
        endMs: phase.atMs,
        earliestMs: (begin?.atMs ?? phase.atMs) - (begin ?? phase).lateMs - scene.phaseErrorMs,
        latestMs: phase.atMs + phase.lateMs + LAST_WORDS_MS + scene.phaseErrorMs,
        by: 'phase',
        texts: begin ? [begin, end] : [end],
      });
      begin = undefined;
    }
  }
  if (begin) {
    // SIGTERM and then nothing: ends when its container does.
    const from = begin;
    const ending = pod.endings.find((one) => one.atMs >= from.atMs) ?? pod.deleted;
    stops.push({
      fromMs: from.atMs,
      endMs: ending?.atMs ?? Number.POSITIVE_INFINITY,
      earliestMs: from.atMs - from.lateMs - scene.phaseErrorMs,
      latestMs: (ending?.atMs ?? Number.POSITIVE_INFINITY) + scene.watchErrorMs,
      by: 'watch',
      texts: [from],
    });
  }
  if (stops.length > 0) return stops;
  return stopsByWatch(pod, scene);
}

function stopsByWatch(pod: PodLife, scene: Scene): Stop[] {
  const { watchErrorMs } = scene;
  const stops: Stop[] = [];
  for (const ending of pod.endings) {
    if (pod.terminating && ending.atMs >= pod.terminating.atMs) continue;
    stops.push({
      fromMs: ending.atMs - STATUS_LATENCY_MS,
      endMs: ending.atMs,
      earliestMs: ending.atMs - STATUS_LATENCY_MS - watchErrorMs,
      latestMs: ending.atMs + watchErrorMs,
      by: 'watch',
      texts: [
        {
          ...ending,
          text: `a container of pod ${pod.name} was seen terminated (${exitWords(ending.exitCode, ending.reason)}) at ${at(ending.atMs)}`,
        },
      ],
    });
  }
  if (pod.terminating) {
    const { terminating } = pod;
    const ending = pod.endings.find((one) => one.atMs >= terminating.atMs) ?? pod.deleted;
    stops.push({
      fromMs: terminating.atMs,
      endMs: ending?.atMs ?? Number.POSITIVE_INFINITY,
      earliestMs: terminating.atMs - watchErrorMs,
      latestMs: (ending?.atMs ?? Number.POSITIVE_INFINITY) + watchErrorMs,
      by: 'watch',
      texts: [
        { ...terminating, text: `pod ${pod.name} was being deleted from ${at(terminating.atMs)} on` },
        ...(ending ? [{ ...ending, text: `pod ${pod.name} was seen ended at ${at(ending.atMs)}` }] : []),
      ],
    });
  }
  return stops;
}
