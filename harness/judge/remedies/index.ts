// Remedies that fit what the facts say: how pods ended (container by container, with exit codes), what the manifests
// say of hooks, signals and readiness, and what the endpoints said. A row yields nothing where its facts are not there;
// the order of the rows decides which one speaks for a cause.
import type { JournalFacts } from '../../journal/facts.ts';
import { isLost } from '../../model/load.ts';
import type { Cause, ExperimentResult, Remedy } from '../../model/results.ts';
import { containerEndsFirst } from './container-ends-first.ts';
import type { PodEnds } from './ending.ts';
import { hookStopsServer, hookTooShort } from './hooks.ts';
import { notReadyPublished } from './not-ready-published.ts';
import { refusesAfterSigterm } from './refuses-after-sigterm.ts';
import { signalNotReceived, stopSignal } from './signals.ts';
import { readWritten } from './written.ts';

const rows: readonly ((ends: PodEnds) => Remedy | undefined)[] = [
  hookStopsServer,
  stopSignal,
  signalNotReceived,
  containerEndsFirst,
  notReadyPublished,
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
    lost,
  };
  return rows.flatMap((row) => {
    const remedy = row(ends);
    return remedy?.explains.some((cause) => lost(cause) > 0) ? [remedy] : [];
  });
}
