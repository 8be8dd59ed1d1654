// Was the measurement good enough for a verdict? Each reason says what was seen, the limit, and what to change.

import type { Clocks } from '../journal/clocks.ts';
import type { Journal } from '../journal/journal.ts';
import type { Rollout } from '../journal/rollout.ts';
import type { Stream } from '../journal/streams.ts';
import type { LaneResult } from '../model/results.ts';
import { at } from '../words/figures.ts';

/** A quarter of the gap between two windows: sent later than that, load comes in bursts that hide short outages; ms. */
const SEND_LAG_P99_LIMIT_MS = 250;
/** The agent was stalled for as long as a gap between two windows, ms. */
const SEND_LAG_MAX_LIMIT_MS = 1000;
/** Share of the schedule that may be shed (outside loss windows) or stopped by this machine's own limits. */
const SHED_LIMIT = 0.001;
/** Order of facts and attempts is not told apart any more above this, ms. */
const CLOCK_ERROR_LIMIT_MS = 100;
/** Share of the control target's attempts that may be lost by the harness's own noise. */
const NOISE_LIMIT = 0.005;
/** Control losses this close to a window are inside it, ms. */
const NOISE_MS = 100;

interface Validity {
  readonly status: 'complete' | 'faulted' | 'interrupted';
  readonly invalid: readonly string[];
  /** Complete, not valid, and only for reasons that another run need not have. */
  readonly disturbed: boolean;
}

export function judgeValidity(
  journal: Journal,
  clocks: Clocks,
  streams: readonly Stream[],
  lanes: Readonly<Partial<Record<string, LaneResult>>>,
  rollout: Rollout,
): Validity {
  const { end } = journal;
  const faults = [
    ...(end.status === 'faulted'
      ? [sentence(`The experiment failed: ${end.reason ?? 'the journal does not say why'}`)]
      : []),
    ...journal.notes.filter((note) => note.level === 'fault').map((note) => sentence(note.text)),
    ...gaps(journal),
    ...(end.status === 'complete' ? identities(streams) : []),
  ];
  if (end.status === 'interrupted') {
    return {
      status: 'interrupted',
      invalid: [
        sentence(`Interrupted before its end${end.reason ? ` (${end.reason})` : ''}; run it again`),
        ...faults,
      ],
      disturbed: false,
    };
  }
  if (faults.length > 0) return { status: 'faulted', invalid: [...new Set(faults)], disturbed: false };
  const lasting = [
    ...truncation(journal),
    ...wrongQuestion(streams),
    ...coverage(journal, streams, clocks, rollout),
  ];
  const passing = [
    ...watchGaps(journal, clocks),
    ...alignment(clocks),
    ...load(streams, lanes),
    ...noise(streams, lanes),
  ];
  return {
    status: 'complete',
    invalid: [...lasting, ...passing],
    disturbed: lasting.length === 0 && passing.length > 0,
  };
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

/** A gap in the frames is losses that nobody counted. */
function gaps(journal: Journal): string[] {
  const faults = journal.frameGaps.map(
    (gap) =>
      `Frames ${gap.fromSeq} to ${gap.toSeq} of agent ${gap.agent} are missing, so attempts are missing from the counts. ` +
      'Run it again; if it recurs, lower the rate or give the harness more CPU.',
  );
  const last = new Map<string, number>();
  for (const { agent, frame, line } of journal.frames) {
    const previous = last.get(agent) ?? 0;
    const recorded = journal.frameGaps.some(
      (gap) => gap.agent === agent && gap.fromSeq <= previous + 1 && gap.toSeq >= frame.seq - 1,
    );
    if (frame.seq !== previous + 1 && !recorded) {
      faults.push(
        `Line ${line} has frame ${frame.seq} of agent ${agent} after frame ${previous}: frames are missing. Run it again.`,
      );
    }
    last.set(agent, frame.seq);
  }
  return faults;
}

function identities(streams: readonly Stream[]): string[] {
  return streams.flatMap((stream) =>
    stream.broken.map(
      (identity) =>
        `The counts do not add up (${identity}). This is a defect of the harness: please report it with the journal.`,
    ),
  );
}

function truncation(journal: Journal): string[] {
  if (!journal.end.truncated) return [];
  return [
    'The journal reached its size bound, so its end is missing. Shorten the experiment or lower the rate.',
  ];
}

/** Refused as a request from the first one to the last, whatever was changed: no loss, but not what the app answers to. */
function wrongQuestion(streams: readonly Stream[]): string[] {
  return streams.flatMap(({ id, control, attempts, outcomes }) => {
    const { ok = 0, http3xx = 0, http4xx = 0 } = outcomes;
    const told = http3xx + http4xx;
    if (control || ok > 0 || told <= attempts / 2) return [];
    return [
      `Not one of ${attempts} requests of stream ${id} was answered as expected, before any change either: ${told} got a status ` +
        'from 300 to 499. Name a path that answers (target.path), the headers that it needs (target.headers), or its statuses (target.expectStatus).',
    ];
  });
}

function watchGaps(journal: Journal, clocks: Clocks): string[] {
  return journal.watchGaps
    .filter((gap) => gap.lost)
    .map(
      (gap) =>
        `The watch on ${gap.kind} missed events between ${at(clocks.fromHarness(gap.fromT))} and ` +
        `${at(clocks.fromHarness(gap.t))} (${gap.reason}). Run it again on a less busy cluster.`,
    );
}

function alignment(clocks: Clocks): string[] {
  const reasons = clocks.unmeasured.map(
    (agent) =>
      `The clock of agent ${agent} was never compared with the harness's, so its losses have no order. Run it again.`,
  );
  if (Number.isFinite(clocks.errorMs) && clocks.errorMs > CLOCK_ERROR_LIMIT_MS) {
    reasons.push(
      `The clocks are known to ±${clocks.errorMs.toFixed(0)} ms only (limit ${CLOCK_ERROR_LIMIT_MS} ms). ` +
        'Run it again with a quicker way to the cluster or on a less busy machine.',
    );
  }
  for (const { agent, driftMs } of clocks.drifted) {
    if (driftMs <= CLOCK_ERROR_LIMIT_MS) continue;
    reasons.push(
      `The clock of agent ${agent} moved by ${driftMs.toFixed(0)} ms more than its error (limit ${CLOCK_ERROR_LIMIT_MS} ms). ` +
        'Run it again; keep the machine from sleeping.',
    );
  }
  return reasons;
}

/** Load must run before the first step and until nothing of the target is terminating. */
function coverage(journal: Journal, streams: readonly Stream[], clocks: Clocks, rollout: Rollout): string[] {
  const reasons: string[] = [];
  for (const stream of streams) {
    if (stream.attempts === 0) {
      reasons.push(
        `Stream ${stream.id} made no attempt, so nothing was measured. Raise its rate or the experiment's length.`,
      );
    }
  }
  if (rollout.firstStepMs !== undefined && rollout.firstStepMs < 0) {
    reasons.push(`The first step began ${at(-rollout.firstStepMs)} before the load. Raise warmUpMs.`);
  }
  const steps = journal.steps.filter((step) => step.event === 'failed');
  for (const step of steps) {
    const detail = typeof step.detail?.error === 'string' ? `: ${step.detail.error}` : '';
    const when = at(clocks.fromHarness(step.t));
    reasons.push(
      `${sentence(`Step ${step.index + 1} (${step.step.step}) failed at ${when}${detail}`)} Repair what it names and run it again.`,
    );
  }
  // An episode says itself what had not settled.
  if (rollout.terminatingAtEnd.length > 0 && !journal.header.episode) {
    reasons.push(
      `The load ended while ${rollout.terminatingAtEnd.length} pod(s) were still terminating ` +
        `(${rollout.terminatingAtEnd.slice(0, 3).join(', ')}), so later losses were not seen. Raise limitMs or tailMs.`,
    );
  }
  return reasons;
}

function load(streams: readonly Stream[], lanes: Readonly<Partial<Record<string, LaneResult>>>): string[] {
  const reasons: string[] = [];
  for (const stream of streams) {
    if (stream.inFlight > 0) {
      reasons.push(
        `Stream ${stream.id} ended with ${stream.inFlight} attempts in flight: their outcomes are not known. Run it again.`,
      );
    }
    const { p99, max } = stream.sendLagMs;
    if (p99 > SEND_LAG_P99_LIMIT_MS) {
      reasons.push(
        `Stream ${stream.id} sent its requests late: p99 ${p99.toFixed(0)} ms (limit ${SEND_LAG_P99_LIMIT_MS} ms). ` +
          'Lower the rate, use more agents or a less busy machine.',
      );
    } else if (max > SEND_LAG_MAX_LIMIT_MS) {
      reasons.push(
        `The agent was stalled for ${at(max)} (stream ${stream.id}, limit ${at(SEND_LAG_MAX_LIMIT_MS)}): ` +
          'what the target did then was not measured. Use a less busy machine or a lower rate.',
      );
    }
    const aborted = stream.outcomes.aborted ?? 0;
    if (aborted > 0)
      reasons.push(`${aborted} attempts of stream ${stream.id} were aborted by an interrupt. Run it again.`);
    const local = stream.outcomes.local ?? 0;
    if (local > SHED_LIMIT * stream.attempts) {
      reasons.push(
        `${local} of ${stream.attempts} attempts of stream ${stream.id} failed on this machine's own limits ` +
          `(limit ${percent(SHED_LIMIT)}). Raise the limit of open files or ports, or lower the rate.`,
      );
    }
  }
  for (const [lane, result] of Object.entries(lanes)) {
    if (!result) continue;
    const outside = result.shed - result.shedInWindows;
    if (outside > SHED_LIMIT * result.scheduled) {
      reasons.push(
        `Lane ${lane} shed ${outside} of ${result.scheduled} arrivals outside loss windows (limit ${percent(SHED_LIMIT)}): ` +
          'the load was not what was planned. Give it more connections or lower the rate.',
      );
    }
  }
  return reasons;
}

function noise(streams: readonly Stream[], lanes: Readonly<Partial<Record<string, LaneResult>>>): string[] {
  const control = streams.filter((stream) => stream.control);
  const lost = control.reduce((sum, stream) => sum + stream.lost, 0);
  if (lost === 0) return [];
  const attempts = control.reduce((sum, stream) => sum + stream.attempts, 0);
  const reasons: string[] = [];
  if (lost > NOISE_LIMIT * attempts) {
    reasons.push(
      `The control target, which no step touches, lost ${lost} of ${attempts} (limit ${percent(NOISE_LIMIT)}): ` +
        'cluster or machine lose connections by themselves. Use a less busy machine or a lower rate.',
    );
  }
  for (const [lane, result] of Object.entries(lanes)) {
    const inside = result?.windows.find((window) =>
      control.some((stream) =>
        stream.runs.some(
          (run) => run.startMs <= window.endMs + NOISE_MS && run.endMs >= window.startMs - NOISE_MS,
        ),
      ),
    );
    if (inside) {
      reasons.push(
        `The control target lost attempts inside the loss window of lane ${lane} at ${at(inside.startMs)}: ` +
          'these losses cannot be told from the harness’s own noise. Run it again on a less busy machine.',
      );
    }
  }
  return reasons;
}
