// The cross-check: k6 beside the load agents, and the record of what it counted. What goes wrong with it is a note in the journal, never a failure of the experiment.
import { explainK6 } from '../../load/k6/explain.ts';
import { messageOf } from '../../model/errors.ts';
import type { RecordOf } from '../../model/journal.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import type { AgentPlan, StreamEnd } from '../../model/load.ts';
import { mergeStreamEnds } from '../../model/merge-load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import { redactValue } from '../../record/redact.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import { wholeStreams } from './header.ts';
import { type K6, prepareK6 } from './k6-program.ts';
import { experimentName } from './key.ts';
import { controlStream } from './load-plan.ts';
import { agentNodeOf } from './node.ts';

export interface CrossCheck {
  /** Fires. */
  begin(): Promise<void>;
  /** Stops firing; resolves with what records the counts beside ours. */
  stop(): Promise<(ours: readonly StreamEnd[]) => void>;
}

/** k6 with the target's streams, ready to fire; undefined: not asked for, or it did not get ready. */
export async function crossCheckOf(
  run: RunContext,
  prepared: PreparedExperiment,
  plans: readonly AgentPlan[],
  journal: JournalWriter,
  life: Lifetime,
): Promise<CrossCheck | undefined> {
  const streams = wholeStreams(plans).filter(
    ({ id, protocol = 'http1', tls }) => id !== controlStream && protocol === 'http1' && tls === undefined,
  );
  const means = run.crossCheck;
  if (!means || streams.length === 0) return undefined;
  run.progress({ experiment: experimentName(prepared.key), doing: 'starting k6 beside the load agents' });
  let k6: K6 | undefined;
  life.defer('remove k6', async () => {
    await withoutFail(k6?.[Symbol.asyncDispose](), journal);
  });
  await life.run('start k6', (signal) =>
    withoutFail(
      prepareK6(means, {
        kube: run.kube,
        identity: prepared.identity,
        node: agentNodeOf(run.cluster),
        streams,
        limitMs: prepared.key.scenario.limitMs,
        signal,
      }).then((ready) => {
        k6 = ready;
      }),
      journal,
    ),
  );
  const ready = k6;
  if (!ready) return undefined;
  return {
    begin: async () => void (await withoutFail(ready.begin(), journal)),
    async stop() {
      const results = await withoutFail(ready.stop(), journal);
      return (ours) => record(run, prepared, ready.version, results, ours, journal);
    },
  };
}

async function withoutFail<T>(
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

function record(
  run: RunContext,
  prepared: PreparedExperiment,
  version: string,
  results: Awaited<ReturnType<K6['stop']>> | undefined,
  ends: readonly StreamEnd[],
  journal: JournalWriter,
): void {
  if (!results?.size) return;
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
    const ours = ends.filter((end) => end.stream === stream);
    if ('problem' in counts || ours.length === 0) continue;
    const sentences = explainK6(mergeStreamEnds(ours), counts);
    explained.push(...sentences.map((sentence) => `Lane ${stream}: ${sentence}`));
  }
  const counts = redactValue(Object.fromEntries(results)) as RecordOf<'cross-check'>['counts'];
  journal.write({ type: 'cross-check', tool: 'k6', version, counts, explained });
}
