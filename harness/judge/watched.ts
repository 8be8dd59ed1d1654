// What somebody else changed while it was watched: what an episode was, whether it lost anything, and what all episodes of a
// Service say together. From journals alone.
import { factsOf } from '../journal/facts.ts';
import type { Journal } from '../journal/journal.ts';
import { type Facts, isWorkloadFacts, type WorkloadFacts } from '../model/facts.ts';
import { linesOf } from '../model/line.ts';
import type { EpisodeResult, ExperimentResult, WatchVerdict } from '../model/results.ts';
import type { WatchedServiceFacts } from '../model/run.ts';
import { count, counted, duration, listed, percent } from '../words/figures.ts';
import { causeWords } from '../words/names.ts';

type Measured = Pick<ExperimentResult, 'lanes' | 'status' | 'invalid' | 'rollout'>;

/** Undefined: no episode of a watch. `measured`: the same journal as an experiment. */
export function judgeEpisode(journal: Journal, measured: Measured): EpisodeResult | undefined {
  const { episode, startedAt } = journal.header;
  if (!episode) return undefined;
  const facts = factsOf(journal);
  const began = facts.milestones.find(({ name }) => name === 'change-began')?.atMs ?? 0;
  const pods = [...facts.pods.values()];
  // By events: a StatefulSet gives the names of pods that went to those that come.
  const seen = (event: 'ADDED' | 'DELETED') =>
    journal.watches.filter((watch) => watch.facts.kind === 'Pod' && watch.event === event).length;
  const [came, went] = [seen('ADDED'), seen('DELETED')];
  const restarts = pods.reduce((sum, { changes }) => sum + restartsIn(changes), 0);
  const unsettled = facts.notes.find(({ text }) => text.startsWith('The change had not settled'))?.text;
  const lost = linesOf([measured]).reduce((sum, lane) => sum + (measured.lanes[lane]?.lost ?? 0), 0);
  const changed = came + went + restarts > 0 || endpointsChanged(journal);
  const base = {
    service: episode.service,
    number: episode.number,
    beganAt: new Date(Date.parse(startedAt) + began).toISOString(),
    beganMs: began,
    trigger: episode.trigger,
    owners: episode.owners,
    changes: changesIn(journal),
    podsCame: came,
    podsWent: went,
    restarts,
    settledMs: unsettled ? null : settledAfter(journal, began),
    ...(unsettled && { unsettled }),
  };
  const result = (verdict: WatchVerdict, reason: string): EpisodeResult => ({ ...base, verdict, reason });
  if (measured.status !== 'complete' || measured.invalid.length > 0)
    return result('inconclusive', measured.invalid[0] ?? 'The measurement was not good enough.');
  if (lost > 0) return result('lost', `${lossesIn(measured)}${unsettled ? ` ${unsettled}` : ''}`);
  if (unsettled) return result('inconclusive', unsettled);
  const zero = `Nothing was lost of ${listed(boundsOf([measured]))}.`;
  return changed ? result('clean', zero) : result('nothing-changed', `No pod came or went. ${zero}`);
}

function restartsIn(
  changes: readonly { readonly facts: { containers: { restarts: number }[] } | undefined }[],
) {
  const counts = changes.flatMap(({ facts }) =>
    facts ? [facts.containers.reduce((sum, { restarts }) => sum + restarts, 0)] : [],
  );
  return counts.length > 0 ? Math.max(...counts) - (counts[0] ?? 0) : 0;
}

function endpointsChanged({ watches }: Journal): boolean {
  return watches.some(({ facts, event }) => facts.kind === 'EndpointSlice' && event !== 'EXISTING');
}

/** From the first sign to the last change of pods and slices, ms; null: nothing followed it. */
function settledAfter(journal: Journal, beganMs: number): number | null {
  const { clocks } = factsOf(journal);
  const last = journal.watches.findLast(
    ({ facts, event }) =>
      event !== 'EXISTING' &&
      (facts.kind === 'Pod' || facts.kind === 'EndpointSlice' || isWorkloadFacts(facts)),
  );
  return last ? Math.max(0, clocks.fromHarness(last.t) - beganMs) : null;
}

/** What of known owners and of what scales and moves them is another at the end than at the begin. */
function changesIn({ watches }: Journal): string[] {
  const first = new Map<string, Facts>();
  const last = new Map<string, Facts>();
  const cordoned = new Set<string>();
  const nodes = new Set<string>();
  for (const { facts, name } of watches) {
    const key = `${facts.kind} ${name}`;
    if (facts.kind === 'Node' && facts.unschedulable) cordoned.add(key);
    if (facts.kind === 'Pod' && facts.node) nodes.add(`Node ${facts.node}`);
    if (!first.has(key)) first.set(key, facts);
    last.set(key, facts);
  }
  return [...last].flatMap(([key, now]) => {
    const before = first.get(key);
    // A node may be let in again before the change is over.
    if (now.kind === 'Node' && before?.kind === 'Node')
      return cordoned.has(key) && nodes.has(key) && !before.unschedulable ? [`${key} was cordoned`] : [];
    if (now.kind === 'HorizontalPodAutoscaler' && before?.kind === 'HorizontalPodAutoscaler')
      return now.desired === before.desired
        ? []
        : [`${key} asked for ${now.desired} pods instead of ${before.desired}`];
    if (!isWorkloadFacts(now) || !before || !isWorkloadFacts(before)) return [];
    const parts = [
      ...(now.images.join() === before.images.join()
        ? []
        : [`image ${before.images.join(', ')} → ${now.images.join(', ')}`]),
      ...(wanted(now) === wanted(before) ? [] : [`replicas ${wanted(before)} → ${wanted(now)}`]),
      ...(now.generation === before.generation
        ? []
        : [`generation ${before.generation ?? '?'} → ${now.generation ?? '?'}`]),
    ];
    return parts.length > 0 ? [`${key}: ${parts.join(', ')}`] : [];
  });
}

const wanted = (facts: WorkloadFacts): number =>
  facts.kind === 'DaemonSet' ? facts.desired : facts.specReplicas;

/** "Lost 58 of 692 (lane new, longest outage 120 ms): routed to a pod that was not listening yet." */
function lossesIn(measured: Pick<ExperimentResult, 'lanes'>): string {
  const parts = linesOf([measured]).flatMap((lane) => {
    const result = measured.lanes[lane];
    if (!result || result.lost === 0) return [];
    const [cause] = Object.entries(result.causes).sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0));
    const why = cause
      ? `, mostly: ${causeWords[cause[0] as keyof typeof causeWords].title.toLowerCase()}`
      : '';
    const outage = result.longestOutageMs > 0 ? `, longest outage ${duration(result.longestOutageMs)}` : '';
    return [`${count(result.lost)} of ${count(result.attempts)} in lane ${lane}${outage}${why}`];
  });
  return `Lost ${parts.join('; ')}.`;
}

/** Zero with its bound: "12,000 in lane new (at most 0.03 %)". */
function boundsOf(results: readonly Pick<ExperimentResult, 'lanes'>[]): string[] {
  return linesOf(results).map((lane) => {
    const attempts = results.reduce((sum, { lanes }) => sum + (lanes[lane]?.attempts ?? 0), 0);
    return `${count(attempts)} in lane ${lane} (at most ${percent(Math.min(1, 3 / Math.max(1, attempts)))})`;
  });
}

/** All episodes of one Service. `watched`: what the watch says of it; undefined: only its journals are there. */
export function judgeWatched(
  experiments: readonly ExperimentResult[],
  watched: WatchedServiceFacts | undefined,
): { readonly verdict: WatchVerdict; readonly reason: string } {
  const episodes = experiments.flatMap(({ episode }) => episode ?? []);
  const of = (verdict: WatchVerdict) => episodes.filter((episode) => episode.verdict === verdict);
  const [lost, unclear, clean] = [of('lost'), of('inconclusive'), of('clean')];
  const changes = counted(lost.length + unclear.length + clean.length, 'change');
  const trouble = watched?.trouble ? ` ${watched.trouble}` : '';
  if (lost.length > 0) {
    const [first] = lost;
    const which = episodes.length === 1 ? '' : `${lost.length} of ${changes} lost requests; the first: `;
    return { verdict: 'lost', reason: `${which}${told(first)}${first?.reason ?? ''}${trouble}` };
  }
  const [doubt] = unclear;
  if (doubt) return { verdict: 'inconclusive', reason: `${told(doubt)}${doubt.reason}${trouble}` };
  if (clean.length > 0) {
    const ran = experiments.filter(({ episode }) => episode?.verdict === 'clean');
    return {
      verdict: trouble ? 'inconclusive' : 'clean',
      reason: `${changes}, and nothing was lost of ${listed(boundsOf(ran))}.${trouble}`,
    };
  }
  const sent = Object.entries(watched?.totals ?? {}).map(
    ([lane, { attempts }]) => `${count(attempts)} in lane ${lane}`,
  );
  const beside = sent.length > 0 ? ` ${listed(sent)} were sent meanwhile.` : '';
  return trouble
    ? { verdict: 'inconclusive', reason: `No pod came or went.${beside}${trouble}` }
    : {
        verdict: 'nothing-changed',
        reason: `No pod came or went, so there is no evidence for any change.${beside}`,
      };
}

const told = (episode: EpisodeResult | undefined): string =>
  episode ? `${episode.changes[0] ?? sentenceOf(episode.trigger)}. ` : '';

const sentenceOf = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
