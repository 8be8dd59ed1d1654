// A window of losses as one sentence that can be pasted into an incident.
import type { LineId } from '../model/line.ts';
import { lostOutcomes } from '../model/load.ts';
import type { LossWindow } from '../model/results.ts';
import { count, listed } from './figures.ts';
import { because, lineWords, outcomeVerbs, outcomeWords } from './names.ts';

/**
 * "Between 12.1 and 14.3 s 98 new connections timed out because they were routed to pods that had stopped." Times count
 * from the start of the load.
 */
export function windowSentence(window: LossWindow, line: LineId): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const [from, to] = [seconds(window.startMs), seconds(window.endMs)];
  const when = from === to ? `At ${from} s` : `Between ${from} and ${to} s`;
  const outcomes = lostOutcomes.filter((outcome) => window.outcomes[outcome]);
  const [only, another] = outcomes;
  const { title } = lineWords(line);
  const what = window.lost === 1 ? `1 of the ${title}` : `${count(window.lost)} ${title}`;
  const how =
    only && !another && outcomeVerbs[only]
      ? outcomeVerbs[only].replace(/^were /, window.lost === 1 ? 'was ' : 'were ')
      : `${window.lost === 1 ? 'was' : 'were'} lost (${outcomes.map((outcome) => `${count(window.outcomes[outcome]!)} ${outcomeWords[outcome]}`).join(', ')})`;
  const shares = window.causes.toSorted((a, b) => b.lost - a.lost);
  const [main] = shares;
  if (!main) return `${when} ${what} ${how}; the cause was not decided.`;
  const why =
    shares.length === 1
      ? because[main.cause]
      : listed(shares.map(({ cause, lost }) => `${because[cause]} (${count(lost)})`));
  const unsure = shares.some(({ confidence }) => confidence === 'low') ? ' (low confidence)' : '';
  return `${when} ${what} ${how} because ${why}${unsure}.`;
}
