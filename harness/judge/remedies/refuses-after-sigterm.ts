// An app that answers with an error from SIGTERM on, while it is still routed to.
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

export function refusesAfterSigterm({ going, failures }: PodEnds): Remedy | undefined {
  const answers = failures.filter(({ status = 0 }) => status >= 500);
  const stopping = answers.filter(({ pod, endMs }) =>
    going.some(
      ({ name, terminating, deleted }) =>
        (pod === undefined || pod === name) &&
        terminating !== undefined &&
        terminating.atMs <= endMs &&
        endMs <= (deleted?.atMs ?? Number.POSITIVE_INFINITY),
    ),
  );
  const [first] = stopping;
  // Errors at other times, too, are not those of the shutdown.
  if (!first || stopping.length * 2 < answers.length) return undefined;
  const statuses = [...new Set(stopping.map(({ status }) => status))].join(', ');
  const facts: Fact[] = [
    {
      text: `${counted(stopping.length, 'request')} were answered ${statuses} by pods that were being deleted, the first at ${at(first.endMs)}`,
      tMs: first.endMs,
      line: first.line,
      ...(first.pod !== undefined && { pod: first.pod }),
    },
  ];
  return {
    id: 'refuses-after-sigterm',
    explains: ['app-error'],
    found: `the app answers ${statuses} from SIGTERM on, while it is still routed to`,
    todo: `Let it go on answering after SIGTERM as before (with Connection: close, so that clients leave) and say ${statuses} on the readiness path only. Settings do not change what it answers: a preStop sleep only has it come later, when no new connection is sent any more, and kept ones still get it.`,
    facts,
  };
}
