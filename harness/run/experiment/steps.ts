// What the scenario does to the target, one step after the other.
import { isWorkload } from '../../deploy/assemble.ts';
import { kubectlOnce } from '../../kube/kubectl.ts';
import { messageOf } from '../../model/errors.ts';
import type { Step } from '../../model/scenario.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { Recorder } from '../../record/recorder.ts';
import { type StepContext, workloadFacts, workloadPath } from '../../steps/context.ts';
import { runStep } from '../../steps/index.ts';
import { describeStep } from '../../words/steps.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import type { Firing } from './fire.ts';
import { experimentName } from './key.ts';

export async function runSteps(
  run: RunContext,
  prepared: PreparedExperiment,
  recorder: Recorder,
  firing: Firing,
  journal: JournalWriter,
  signal: AbortSignal,
  defer: StepContext['defer'],
): Promise<void> {
  const { target, cluster } = run;
  const context: StepContext = {
    kube: run.kube,
    namespace: prepared.identity.namespace,
    workload: target.workload,
    images: target.images,
    adminPort: target.adminPort,
    undeployed: prepared.key.scenario.target.deployed
      ? undefined
      : prepared.manifests.find((manifest) => isWorkload(manifest, target)),
    state: recorder.live,
    signal,
    async setRate(ratePerSecond, overMs, lane) {
      const firingAt = (stream: string) => !lane || stream === lane;
      // Each agent knows the whole rate and fires its share of the arrivals.
      await Promise.all(
        firing.clients.flatMap((client, index) =>
          (firing.streams[index] ?? [])
            .filter(firingAt)
            .map((stream) => client.rate(stream, ratePerSecond, overMs)),
        ),
      );
    },
    kubectl: kubectlOnce(() => cluster.kubeconfig(), prepared.identity.namespace, signal, defer),
    delayProxy:
      cluster.delayProxy && ((delayMs) => (cluster.delayProxy as (ms: number) => Promise<void>)(delayMs)),
    defer,
    random: randomOf(run.seed + prepared.key.repeat),
  };
  for (const [index, step] of prepared.key.scenario.steps.entries()) {
    run.progress({ experiment: experimentName(prepared.key), doing: describeStep(step) });
    journal.write({ type: 'step', index, event: 'begin', step });
    try {
      const detail = await Promise.race([runStep(step, context), firing.failed]);
      journal.write({ type: 'step', index, event: 'end', step, detail });
      if (!passive.has(step.step) && detail.refused !== true)
        await Promise.race([seenByWatch(context), firing.failed]);
    } catch (error) {
      journal.write({ type: 'step', index, event: 'failed', step, detail: { error: messageOf(error) } });
      throw error;
    }
  }
  journal.write({ type: 'milestone', name: 'steps-done' });
}

/** Steps that change nothing on the cluster. */
const passive: ReadonlySet<Step['step']> = new Set([
  'wait',
  'history',
  'load-rate',
  'proxy-delay',
  'expect-refusal',
  'read-fields',
  'twin',
  'kubectl',
  'compare-twin',
]);
const WATCH_LIMIT_MS = 15_000;

/**
 * Waits until the watch shows the workload as the last step left it. Without this, a wait that follows would look at
 * the state before the step and find the old rollout complete.
 */
async function seenByWatch(context: StepContext): Promise<void> {
  const { metadata } = await context.kube.json<{ metadata: { generation?: number } }>(
    'GET',
    workloadPath(context),
  );
  const wanted = metadata.generation ?? 0;
  await context.state.until(
    `the watch to show generation ${wanted} of ${context.workload.name}`,
    () => (workloadFacts(context)?.generation ?? 0) >= wanted,
    WATCH_LIMIT_MS,
    context.signal,
    () => `generation ${workloadFacts(context)?.generation ?? 'none'}`,
  );
}

/** mulberry32: small, seeded, good enough to choose a pod. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
