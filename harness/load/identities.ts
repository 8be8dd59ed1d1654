// What must be true of the counts at the end of every run, whatever was lost. A broken one means that the harness
// miscounted: the experiment is faulted.
import { isLost, type Outcome, outcomes, type StreamEnd } from '../model/load.ts';
import type { Identity } from './engine.ts';

interface Counted {
  readonly end: StreamEnd;
  /** Sums over everything that frames carried. */
  readonly carried: {
    readonly sent: number;
    readonly shed: number;
    readonly outcomes: number;
    readonly lostInIntervals: number;
  };
  /** What the protocol's engine counted by itself. */
  readonly own: readonly Identity[];
}

/** The identities that do not hold, as sentences; empty when all do. */
export function brokenIdentities({ end, carried, own }: Counted): string[] {
  const count = (outcome: Outcome) => end.outcomes[outcome] ?? 0;
  const sum = (pick: (outcome: Outcome) => boolean) =>
    outcomes.filter(pick).reduce((total, outcome) => total + count(outcome), 0);
  const all = sum(() => true);
  const identities: Identity[] = [
    ['scheduled = attempts + shed', end.scheduled, end.attempts + end.shed],
    ['attempts = sum of outcomes + in flight', end.attempts, all + end.inFlight],
    ['outcomes in buckets = outcomes', carried.outcomes, all],
    ['sent in buckets = attempts', carried.sent, end.attempts],
    ['shed in buckets = shed', carried.shed, end.shed],
    ['lost in intervals = lost', carried.lostInIntervals, sum(isLost)],
    [
      'listed + dropped failures = outcomes but ok',
      end.failuresListed + end.failuresDropped,
      all - count('ok'),
    ],
    ...own,
  ];
  return identities
    .filter(([, left, right]) => left !== right)
    .map(([identity, left, right]) => `${identity}: ${left} is not ${right}`);
}
