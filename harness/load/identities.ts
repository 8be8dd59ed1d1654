// What must be true of the counts at the end of every run, whatever was lost. A broken one means that the harness
// miscounted: the experiment is faulted.
import { isLost, type Outcome, outcomes, type StreamEnd } from '../model/load.ts';
import type { AutocannonTotals } from './autocannon-clients.ts';

export interface Counted {
  readonly end: StreamEnd;
  /** Sums over everything that frames carried. */
  readonly carried: {
    readonly sent: number;
    readonly shed: number;
    readonly outcomes: number;
    readonly lostInIntervals: number;
  };
  /** Attempts that ended with a complete response. */
  readonly answered: number;
  /** Answers by class of status, 1xx first. */
  readonly classes: readonly number[];
  readonly autocannon: AutocannonTotals;
}

/** The identities that do not hold, as sentences; empty when all do. */
export function brokenIdentities({ end, carried, answered, classes, autocannon }: Counted): string[] {
  const count = (outcome: Outcome) => end.outcomes[outcome] ?? 0;
  const sum = (pick: (outcome: Outcome) => boolean) =>
    outcomes.filter(pick).reduce((total, outcome) => total + count(outcome), 0);
  const all = sum(() => true);
  const unanswered = end.attempts - end.inFlight - answered - count('aborted');
  const identities: [string, number, number][] = [
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
    ['autocannon: sent = attempts', autocannon.sent, end.attempts],
    ['autocannon: timeouts = timeout', autocannon.timeouts, count('timeout')],
    ['autocannon: errors = failures without an answer', autocannon.errors, unanswered],
    ...classes.map((ours, index): [string, number, number] => [
      `autocannon: ${index + 1}xx = ours`,
      autocannon.classes[index] ?? 0,
      ours,
    ]),
  ];
  return identities
    .filter(([, left, right]) => left !== right)
    .map(([identity, left, right]) => `${identity}: ${left} is not ${right}`);
}
