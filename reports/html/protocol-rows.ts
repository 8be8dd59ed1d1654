// What became of connections and open streams, as rows of the table of before and after: only of lines whose protocol has
// something to say beside outcomes.
import { certificateCounter } from '../../harness/model/load.ts';
import type { LaneResult, OpenStreamsResult } from '../../harness/model/results.ts';
import { at, count, duration, listed, percent } from '../../harness/words/figures.ts';
import { streamEndWords } from '../../harness/words/names.ts';
import { type Content, html, type Markup } from './markup.ts';

type Results = readonly (LaneResult | undefined)[];
type RowOf = (head: Content, ...cells: readonly Content[]) => Markup;

export function protocolRows(results: Results, row: RowOf): Content {
  const present = results.flatMap((result) => result ?? []);
  const cells = (show: (result: LaneResult) => Content) =>
    results.map((result) => (result ? show(result) : html`<span class="quiet">not measured</span>`));
  const counter = (name: string) => (result: LaneResult) => count(result.counters?.[name] ?? 0);
  const counts = (name: string) => present.some(({ counters }) => (counters?.[name] ?? 0) > 0);
  const streams = present.some(({ openStreams }) => openStreams);
  const ofStreams = (show: (streams: OpenStreamsResult, result: LaneResult) => Content) =>
    cells((result) => (result.openStreams ? show(result.openStreams, result) : '–'));
  const indent = (text: string) => html`<span class="indent">${text}</span>`;
  return html`${
    streams &&
    html`${row('Open streams', ...ofStreams(({ streams: held }) => `${count(held)} kept open`))}
${row(indent('ended meanwhile'), ...ofStreams(endsText))}
${row(indent('back after (half / 90 % / longest)'), ...ofStreams(backText))}
${row(indent('storm: most opened again in one second'), ...ofStreams(stormText))}
${row(
  indent('messages missing / late / twice'),
  ...ofStreams((_, { outcomes, counters }) =>
    [outcomes['message-missing'], outcomes['message-late'], counters?.messagesRepeated]
      .map((one) => count(one ?? 0))
      .join(' / '),
  ),
)}
${counts('messagesUnexpected') && row(indent('messages that nobody owed'), ...cells(counter('messagesUnexpected')))}
${counts('openFailures') && row(indent('openings that failed'), ...cells(counter('openFailures')))}`
  }
${counts('goaways') && row('GOAWAY came / of these without a loss', ...cells((result) => `${counter('goaways')(result)} / ${counter('goawaysHonoured')(result)}`))}
${present.some(staysBeside) && row('Share of pods that came, at the end', ...cells(shareText))}
${present.some(({ tlsReasons }) => tlsReasons) && row('Handshakes failed because of', ...cells(reasonsText))}
${present.some((result) => certificatesOf(result).length > 0) && row('Certificates shown to connections', ...cells(certificatesText))}`;
}

function endsText({ ends }: OpenStreamsResult): Content {
  if (ends.length === 0) return 'none';
  return listed(
    ends.slice(0, 4).map(({ how, code, count: n }) => `${count(n)} ${streamEndWords[how]} (${code})`),
  );
}

function backText({ back, notBack, ends }: OpenStreamsResult): Content {
  if (ends.length === 0) return '–';
  const missing = notBack > 0 ? `${count(notBack)} not before the end of the load` : '';
  if (!back) return missing;
  const times = [back.p50Ms, back.p90Ms, back.maxMs].map((ms) => duration(ms)).join(' / ');
  return missing ? `${times}; ${missing}` : times;
}

function stormText({ storm, streams }: OpenStreamsResult): Content {
  if (!storm) return '–';
  return html`${count(storm.perSecond)} <small>of ${count(streams)} streams, from ${at(storm.atMs)} on</small>`;
}

/** Where old and new pods serve side by side to the end, as after a scale-up: else all answers are of the new ones. */
const staysBeside = ({ podShares }: LaneResult): boolean =>
  (podShares?.pods ?? []).some(({ came, endShare }) => !came && endShare > 0) &&
  (podShares?.pods ?? []).some(({ came }) => came);

function shareText({ podShares }: LaneResult): Content {
  if (!podShares) return '–';
  const { pods, cameEndShare, cameEnoughMs } = podShares;
  const came = pods.filter((pod) => pod.came);
  if (came.length === 0) return html`0 % <small>no call went to a pod that came</small>`;
  const answering = pods.filter(({ endShare }) => endShare > 0).length;
  const stay = came.filter(({ endShare }) => endShare > 0).length;
  const even = answering > 0 ? stay / answering : 0;
  return html`${percent(cameEndShare)} <small>an even share of these ${stay} of ${answering} pods is ${percent(even)}${cameEnoughMs === null ? '; half of it was never reached' : `; half of it was reached after ${duration(cameEnoughMs)}`}</small>`;
}

const reasonsText = ({ tlsReasons = {} }: LaneResult): Content =>
  listed(Object.entries(tlsReasons).map(([reason, n]) => `${count(n)} ${reason}`)) || 'none';

const certificatesOf = ({ counters = {} }: LaneResult): [string, number][] =>
  Object.entries(counters).flatMap(([name, n]): [string, number][] =>
    name.startsWith(certificateCounter) ? [[name.slice(certificateCounter.length), n]] : [],
  );

const certificatesText = (result: LaneResult): Content =>
  listed(certificatesOf(result).map(([name, n]) => `${name}: ${count(n)}`)) || 'none';
