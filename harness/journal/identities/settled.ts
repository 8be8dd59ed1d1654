// Milestones against what was watched: what had to be seen for one to be passed was recorded before it.
import {
  type Facts,
  factsKindOf,
  isWorkloadFacts,
  type PodFacts,
  type WorkloadFacts,
} from '../../model/facts.ts';
import { rolloutComplete, scenarioSettled } from '../../model/rollout.ts';
import type { Journal, Lined } from '../journal.ts';
import type { Broken } from './broken.ts';

export function* brokenSettled(journal: Journal): Generator<Broken> {
  const { header, milestones, end } = journal;
  // A change that somebody else makes is over by other signs; what came after the bound was not recorded.
  if (header.episode || end.truncated) return;
  if (!milestones.some(({ name }) => name === 'ready-for-load')) return;
  yield* passed(journal);
  if (end.status === 'complete' && header.scenario.target.deployed) yield* unseen(journal);
}

function* passed({ header, milestones, watches }: Journal): Generator<Broken> {
  const [kind = '', target = ''] = header.target.workload.split('/');
  const pods = new Map<string, PodFacts>();
  let workload: WorkloadFacts | undefined;
  const records: readonly (Lined<'watch'> | Lined<'milestone'>)[] = [...watches, ...milestones];
  for (const record of records.toSorted((a, b) => a.line - b.line)) {
    const { line } = record;
    if (record.type === 'watch') {
      const { event, facts, name } = record;
      if (isWorkloadFacts(facts) && facts.kind === factsKindOf(kind) && name === target)
        workload = event === 'DELETED' ? undefined : facts;
      if (!isTarget(facts)) continue;
      if (event === 'DELETED') pods.delete(name);
      else pods.set(name, facts);
      continue;
    }
    const broken = (identity: string): Broken => ({ line, record: 'milestone', identity });
    if (record.name === 'rollout-complete' && !rolloutComplete(workload))
      yield broken(`rollout-complete comes when ${header.target.workload} was seen to be complete`);
    if (record.name !== 'no-terminating') continue;
    if (!scenarioSettled(header.scenario.until, workload, [...pods.values()]))
      yield broken('no-terminating comes when no pod too many was seen any more');
  }
}

const isTarget = (facts: Facts): facts is PodFacts => facts.kind === 'Pod' && facts.role === 'target';

/** Whoever measured a Service that is there has seen what stands behind it. */
function* unseen({ header, watches, end }: Journal): Generator<Broken> {
  if (!header.plan.streams.some(({ id }) => id !== 'control')) return;
  const seen = new Set(watches.map(({ facts }) => facts.kind));
  const lacks = (['Pod', 'EndpointSlice'] as const).find((kind) => !seen.has(kind));
  if (lacks)
    yield {
      line: end.line,
      record: 'end',
      identity: `a complete experiment has seen ${lacks} objects of its target`,
    };
}
