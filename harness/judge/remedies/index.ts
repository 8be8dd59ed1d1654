// Remedies that fit what the facts say: how pods ended (container by container, with exit codes), what the manifests
// say of hooks, signals and readiness, and what the endpoints said. A row yields nothing where its facts are not there;
// the order of the rows decides which one speaks for a cause.
import type { JournalFacts } from '../../journal/facts.ts';
import { listeningOf } from '../../journal/listening.ts';
import { isLost } from '../../model/load.ts';
import type { Cause, ExperimentResult, Remedy, RemedyId } from '../../model/results.ts';
import { containerEndsFirst } from './container-ends-first.ts';
import type { PodEnds } from './ending.ts';
import { hookFails, hookStopsServer, hookTooShort } from './hooks.ts';
import { notReadyPublished } from './not-ready-published.ts';
import { readyTooEarly } from './ready-too-early.ts';
import { refusesAfterSigterm } from './refuses-after-sigterm.ts';
import { doesNotEnd, signalNotReceived, stopSignal } from './signals.ts';
import { deletedByForce, endedUndeleted } from './without-goodbye.ts';
import { readWritten } from './written.ts';

const rows: readonly ((ends: PodEnds) => Remedy | undefined)[] = [
  deletedByForce,
  endedUndeleted,
  hookStopsServer,
  hookFails,
  stopSignal,
  signalNotReceived,
  doesNotEnd,
  containerEndsFirst,
  notReadyPublished,
  readyTooEarly,
  hookTooShort,
  refusesAfterSigterm,
];

/** Empty where nothing was lost. */
export function remediesOf(facts: JournalFacts, lanes: ExperimentResult['lanes']): Remedy[] {
  const lost = (cause: Cause) =>
    Object.values(lanes).reduce((sum, lane) => sum + (lane?.causes[cause] ?? 0), 0);
  const ends: PodEnds = {
    facts,
    written: readWritten(facts.header),
    failures: facts.streams
      .filter((stream) => !stream.control)
      .flatMap((stream) => stream.failures.filter(({ outcome }) => isLost(outcome))),
    going: [...facts.pods.values()].filter((pod) => pod.terminating),
    listening: listeningOf(facts.witness),
  };
  const found = rows.flatMap((row) => {
    const remedy = row(ends);
    const about = remedy ? [...remedy.explains, ...(beside[remedy.id] ?? [])] : [];
    return remedy && about.some((cause) => lost(cause) > 0) ? [remedy] : [];
  });
  const ids = new Set(found.map(({ id }) => id));
  return found.filter(({ id }) => !instead[id]?.some((other) => ids.has(other)));
}

/** What says the same of the same losses, and better. */
const instead: Readonly<Partial<Record<RemedyId, readonly RemedyId[]>>> = {
  'refuses-after-sigterm': ['container-ends-first'],
  'hook-too-short': ['hook-fails', 'deleted-by-force'],
  'hook-stops-server': ['deleted-by-force'],
};

/** Causes beside which it is said, too, though it would not stop them. */
const beside: Readonly<Partial<Record<RemedyId, readonly Cause[]>>> = {
  'stop-signal': ['routed-after-stop'],
  'signal-not-received': ['routed-after-stop'],
};
