// k6 beside the load agents. What goes wrong with it is a note in the journal.
import { explainK6 } from '../../load/k6/explain.ts';
import { messageOf } from '../../model/errors.ts';
import type { RecordOf } from '../../model/journal.ts';
import type { AgentPlan } from '../../model/load.ts';
import { mergeStreamEnds } from '../../model/merge-load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import { redactValue } from '../../record/redact.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import type { Firing } from './fire.ts';
import { wholeStreams } from './header.ts';
import { type CrossCheck, prepareCrossCheck } from './k6-beside.ts';
import { experimentName } from './key.ts';
import { controlStream } from './load-plan.ts';
import { agentNodeOf } from './node.ts';

/** k6 with the target's streams, ready to fire. */
export async function crossCheckOf(
  run: RunContext,
  prepared: PreparedExperiment,
  plans: readonly AgentPlan[],
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<CrossCheck | undefined> {
  const streams = wholeStreams(plans).filter((stream) => stream.id !== controlStream);
  if (!run.crossCheck || streams.length === 0) return undefined;
  run.progress({ experiment: experimentName(prepared.key), doing: 'starting k6 beside the load agents' });
  const starting = prepareCrossCheck(run.crossCheck, {
    kube: run.kube,
    identity: prepared.identity,
    node: agentNodeOf(run.cluster),
    streams,
    limitMs: prepared.key.scenario.limitMs,
    signal,
  });
  const ready = await beside(starting, journal);
  signal.throwIfAborted();
  return ready;
}

/** What goes wrong with the tool beside our load is a note in the journal: the experiment does not depend on it. */
export async function beside<T>(
  act: PromiseLike<T> | undefined,
  journal: JournalWriter,
): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    journal.write({ type: 'note', level: 'info', text: redactValue(messageOf(error)) as string });
    return undefined;
  }
}

export function recordCrossCheck(
  run: RunContext,
  prepared: PreparedExperiment,
  version: string | undefined,
  results: Awaited<ReturnType<CrossCheck['stop']>> | undefined,
  firing: Firing,
  journal: JournalWriter,
): void {
  if (version === undefined || !results?.size) return;
  const explained: string[] = [];
  if (prepared.key.path === 'outside' && run.crossCheck?.how === 'pod') {
    explained.push('k6 ran in the cluster, on the node whose NodePort the agents outside it asked.');
  }
  if (run.crossCheck?.how === 'process') {
    explained.push(
      "k6 went by the emulated Service's front address, where a pod that refuses shows as a reset and one that hangs as a timeout; it began a moment later.",
    );
  }
  for (const [stream, counts] of results) {
    const ours = firing.ends.filter((end) => end.stream === stream);
    if ('problem' in counts || ours.length === 0) continue;
    const sentences = explainK6(mergeStreamEnds(ours), counts);
    explained.push(...sentences.map((sentence) => `Lane ${stream}: ${sentence}`));
  }
  const counts = redactValue(Object.fromEntries(results)) as RecordOf<'cross-check'>['counts'];
  journal.write({ type: 'cross-check', tool: 'k6', version, counts, explained });
}
