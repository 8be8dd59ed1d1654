// The header against itself: the plan is the scenario's load, plus the trickle at the control target.
import { isDeepStrictEqual } from 'node:util';
import { serviceEntry } from '../../model/line.ts';
import { lineOfLoad, rateOfLoad } from '../../model/scenario.ts';
import type { Journal } from '../journal.ts';
import type { Broken } from './broken.ts';

export function* brokenHeader({ header, milestones }: Journal): Generator<Broken> {
  const broken = (identity: string): Broken => ({ line: 1, record: 'header', identity });
  const { plan, scenario, cluster } = header;
  if (plan.runId !== header.runId) yield broken('plan.runId is the run’s');
  if (!Number.isFinite(Date.parse(header.startedAt))) yield broken('startedAt is a time');
  const ids = plan.streams.map((stream) => stream.id);
  if (new Set(ids).size < ids.length) yield broken('each stream of the plan has an id of its own');
  const entries = header.entries?.map(({ name }) => name) ?? [serviceEntry];
  for (const load of scenario.load) {
    for (const entry of entries) {
      const id = lineOfLoad(load, entry);
      const stream = plan.streams.find((one) => one.id === id);
      if (!stream) {
        yield broken(`the plan has a stream for the scenario’s lane ${id}`);
        continue;
      }
      if (!isDeepStrictEqual(stream.rate, rateOfLoad(load)))
        yield broken(`stream ${id} has the scenario’s rate`);
      if (stream.timeoutMs !== load.timeoutMs) yield broken(`stream ${id} has the scenario’s timeoutMs`);
    }
  }
  for (const { id, lane, split } of plan.streams) {
    const planned = scenario.load.find((load) => entries.some((entry) => lineOfLoad(load, entry) === id));
    if (!planned && id !== 'control') yield broken(`stream ${id} of the plan is a lane of the scenario`);
    if (planned && lane !== planned.lane) yield broken(`stream ${id} is of lane ${planned.lane}`);
    if (split.index >= split.of) yield broken(`stream ${id}: split.index is below split.of`);
  }
  const measured = milestones.some(({ name }) => name === 'ready-for-load') && !header.episode;
  if (measured && ids.length > 0 && !ids.includes('control'))
    yield broken('the plan has the trickle at the control target');
  yield* brokenVariant(header, broken);
  // Nodes that may not be listed are not known.
  const known = cluster.nodes.length > 0;
  if (
    known &&
    cluster.agentNode !== undefined &&
    !cluster.nodes.some(({ name }) => name === cluster.agentNode)
  ) {
    yield broken('cluster.agentNode is one of the cluster’s nodes');
  }
}

/** Of the built-in target: somebody's own may have settings that a variant takes away. */
function* brokenVariant(
  { variant, target, settingsDiff }: Journal['header'],
  broken: (identity: string) => Broken,
): Generator<Broken> {
  const { name, version, settings, ...figures } = variant;
  const changesNothing = target.builtIn && settings.length === 0 && Object.keys(figures).length === 0;
  if (changesNothing && settingsDiff !== '')
    yield broken('a variant without a setting changes nothing (settingsDiff)');
}
