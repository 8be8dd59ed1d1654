// Judges one experiment: a pure function of its journal.

import { factsOf } from '../journal/facts.ts';
import type { Journal } from '../journal/journal.ts';
import { followRollout } from '../journal/rollout.ts';
import type { HeaderRecord } from '../model/journal.ts';
import { inLineOrder, type LineId } from '../model/line.ts';
import type { ExperimentResult, LaneResult } from '../model/results.ts';
import { inferStarts } from './causes/infer-starts.ts';
import { buildScene } from './causes/scene.ts';
import { wayOf } from './causes/way.ts';
import { kernelResults } from './kernel.ts';
import { judgeLane } from './lanes.ts';
import { measure, notRunMeasures } from './measures.ts';
import { remediesOf } from './remedies/index.ts';
import { judgeValidity } from './validity.ts';
import { judgeEpisode } from './watched.ts';

interface JudgeOptions {
  /** File name of the journal, relative to the results. Default: the name it was read under. */
  readonly journalName?: string;
  /**
   * Judge without the knowledge which pod a new connection was routed to. Only the embedded cluster has it; without it
   * the same journal is judged as one from a real cluster would be.
   */
  readonly ignoreRouteKnowledge?: boolean;
}

export function judgeExperiment(journal: Journal, options: JudgeOptions = {}): ExperimentResult {
  const facts = factsOf(journal);
  const { header, end, clocks, streams } = facts;
  const target = streams.filter((stream) => !stream.control);
  const scene = inferStarts(buildScene(facts, options.ignoreRouteKnowledge ?? false), streams);
  const results: Record<LineId, LaneResult> = {};
  const lastRouted = new Map<LineId, ReadonlyMap<string, number>>();
  for (const line of inLineOrder(target.map((stream) => stream.id))) {
    const ofLine = target.filter((stream) => stream.id === line);
    const [first] = ofLine;
    if (!first) continue;
    const judged = judgeLane(
      first.lane,
      ofLine,
      header.agents,
      scene,
      facts.steps[0]?.atMs ?? 0,
      wayOf(facts, scene, line),
    );
    results[line] = judged.result;
    lastRouted.set(line, judged.lastRouted);
  }
  const loadMs = Math.max(0, ...streams.map((stream) => stream.endMs));
  const rollout = followRollout(journal, clocks, scene.pods, loadMs > 0 ? loadMs : clocks.fromHarness(end.t));
  const { status, invalid, disturbed } = judgeValidity(journal, clocks, streams, results, rollout);
  const course = {
    completedMs: rollout.completedMs,
    settledMs: rollout.settledMs,
    minReady: rollout.minReady,
    maxPodsNotTerminating: rollout.maxPodsNotTerminating,
    maxPods: rollout.maxPods,
    capacityLostPodSeconds: rollout.capacityLostPodSeconds,
    extraPodSeconds: rollout.extraPodSeconds,
  };
  const episode = judgeEpisode(journal, { lanes: results, status, invalid, rollout: course });
  // What was lost is lost; that nothing was lost of a change that had not ended is not known.
  const unended = episode?.verdict === 'inconclusive' && episode.unsettled ? [episode.unsettled] : [];
  const control = streams.filter((stream) => stream.control);
  const crossCheck = journal.crossChecks.at(-1);
  const notRun = notRunMeasures(journal);
  const remedies = remediesOf(facts, results);
  return {
    variant: header.variant.name,
    settings: header.variant.settings,
    ...caseOf(header),
    ...(episode && { episode }),
    ...(header.substitutions && { substitutions: header.substitutions }),
    ...(header.warnings && { warnings: header.warnings }),
    ...(header.unchanged && { unchanged: header.unchanged }),
    path: header.path,
    ...(header.entries && { entries: header.entries }),
    agents: header.agents,
    repeat: header.repeat,
    journal: options.journalName ?? journal.file,
    status,
    valid: status === 'complete' && invalid.length + unended.length === 0,
    invalid: [...new Set([...invalid, ...unended])],
    ...(disturbed && { disturbed }),
    rollout: course,
    control:
      control.length > 0
        ? {
            attempts: control.reduce((sum, stream) => sum + stream.attempts, 0),
            lost: control.reduce((sum, stream) => sum + stream.lost, 0),
          }
        : null,
    // JSON has no Infinity: a clock that was never measured is as wrong as the journal is long.
    clock: { errorMs: Number.isFinite(clocks.errorMs) ? clocks.errorMs : end.t },
    durationMs: end.t,
    loadMs,
    lanes: results,
    ...(remedies.length > 0 && { remedies }),
    ...kernelResults(facts),
    measures: measure({
      journal,
      clocks,
      scene,
      witness: facts.witness,
      streams,
      lanes: results,
      lastRouted,
      rollout,
    }),
    ...(Object.keys(notRun).length > 0 && { notRun }),
    ...(crossCheck && {
      crossCheck: {
        tool: crossCheck.tool,
        version: crossCheck.version,
        counts: crossCheck.counts,
        explained: crossCheck.explained,
      },
    }),
  };
}

function caseOf({ scenario, variant }: HeaderRecord): Pick<ExperimentResult, 'case'> {
  const found = scenario.cases[variant.name];
  if (!found) return {};
  const { title, role } = found;
  return { case: { title, ...(role && { role }) } };
}
