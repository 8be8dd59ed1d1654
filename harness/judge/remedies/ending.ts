// What the rows of remedies look at: how pods ended, what was written of it, what was lost.
import type { JournalFacts } from '../../journal/facts.ts';
import type { Listening } from '../../journal/listening.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { PlacedFailure } from '../../journal/streams.ts';
import type { Fact } from '../../model/results.ts';
import { at, counted } from '../../words/figures.ts';
import type { Written, WrittenContainer } from './written.ts';

export interface PodEnds {
  readonly facts: JournalFacts;
  readonly written: Written;
  /** Lost attempts at the target, as far as they are listed. */
  readonly failures: readonly PlacedFailure[];
  /** Pods that were deleted while it was watched. */
  readonly going: readonly PodLife[];
  /** When each pod accepted and refused connections, where the kernel was asked. */
  readonly listening: ReadonlyMap<string, Listening>;
}

/** Of those whose end matters to clients: the one that the Service sends to, or, where that is not known, all. */
export const serving = ({ containers }: Written): readonly WrittenContainer[] =>
  containers.filter(({ serves }) => serves !== false);

interface Stop {
  readonly atMs: number;
  /** A sentence's end. */
  readonly how: string;
}

/** The first sign after a pod's deletion that it accepted no more; it may have stopped before. */
export function stoppedBy(pod: PodLife, { failures, listening }: PodEnds): Stop | undefined {
  const { name, terminating, phases, endings } = pod;
  if (!terminating) return undefined;
  const from = terminating.atMs;
  const heard = listening.get(name);
  const refusals = [
    ...failures.flatMap((one) => (one.outcome === 'refused' && one.pod === name ? [one.startMs] : [])),
    ...(heard?.refused ?? []),
  ].filter((ms) => ms >= from && heard?.firstAcceptedAfter(ms) === undefined);
  const signs: Stop[] = [
    ...refusals.map((atMs) => ({ atMs, how: 'it refused a new connection' })),
    ...phases.flatMap(({ phase, atMs }) =>
      phase === 'closed' ? [{ atMs, how: 'its listener closed' }] : [],
    ),
    ...endings.map(({ atMs, container }) => ({ atMs, how: `container ${container} was seen ended` })),
  ];
  return signs.filter(({ atMs }) => atMs >= from).sort((a, b) => a.atMs - b.atMs)[0];
}

export function deletions({ going }: Pick<PodEnds, 'going'>): Fact[] {
  const [first] = going;
  if (!first?.terminating) return [];
  return [
    {
      text: `${counted(going.length, 'pod')} were deleted, the first (${first.name}) at ${at(first.terminating.atMs)}`,
      tMs: first.terminating.atMs,
      line: first.terminating.line,
      pod: first.name,
    },
  ];
}
