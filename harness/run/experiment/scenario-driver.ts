// The driver of `verify`: the scenario's steps, one after the other, and then its own idea of when it is over.

import { isWorkload } from '../../deploy/assemble.ts';
import { kubectlOnce } from '../../kube/kubectl.ts';
import { messageOf } from '../../model/errors.ts';
import { factsKindOf } from '../../model/facts.ts';
import { rolloutComplete, scenarioSettled } from '../../model/rollout.ts';
import type { Step } from '../../model/scenario.ts';
import { type StepContext, workloadFacts, workloadPath } from '../../steps/context.ts';
import { runStep } from '../../steps/index.ts';
import { describeStep } from '../../words/steps.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import type { Driver, Scene } from './driver.ts';

export function scenarioDriver(run: RunContext, prepared: PreparedExperiment): Driver {
  const { scenario } = prepared.key;
  return {
    async drive(scene) {
      const context = stepContext(run, prepared, scene);
      for (const [index, step] of scenario.steps.entries()) {
        scene.signal.throwIfAborted();
        scene.say(describeStep(step));
        scene.journal.write({ type: 'step', index, event: 'begin', step });
        try {
          const detail = await runStep(prepared.filled.steps[index] ?? step, context);
          scene.journal.write({ type: 'step', index, event: 'end', step, detail });
          if (!passive.has(step.step) && detail.refused !== true) await seenByWatch(context);
        } catch (error) {
          const reason = scene.signal.aborted ? scene.signal.reason : error;
          scene.journal.write({
            type: 'step',
            index,
            event: 'failed',
            step,
            detail: { error: messageOf(reason) },
          });
          throw reason;
        }
      }
      scene.journal.write({ type: 'milestone', name: 'steps-done' });
    },
    async settled(scene) {
      const { live, signal, journal } = scene;
      const kind = factsKindOf(run.target.workload.kind);
      const workload = () => live.all(kind).get(run.target.workload.name);
      /** Several events come at once: what one of them said may be over when this goes on, and is in the journal then. */
      const stays = async (what: string, met: () => boolean) => {
        do await live.until(what, met, scenario.limitMs, signal);
        while (!met());
      };
      if (scenario.until === 'rollout') {
        scene.say('waiting for the rollout to complete');
        await stays(`the rollout of ${run.target.workload.name} to complete`, () =>
          rolloutComplete(workload()),
        );
        journal.write({ type: 'milestone', name: 'rollout-complete' });
      }
      scene.say('waiting until no pod is terminating');
      await stays('no pod of the target to be terminating', () =>
        scenarioSettled(scenario.until, workload(), [...live.pods('target').values()]),
      );
      journal.write({ type: 'milestone', name: 'no-terminating' });
    },
  };
}

function stepContext(run: RunContext, prepared: PreparedExperiment, scene: Scene): StepContext {
  const { target, cluster } = run;
  const { delayProxy } = cluster;
  return {
    kube: scene.kube,
    namespace: prepared.identity.namespace,
    workload: target.workload,
    images: target.images,
    adminPort: target.adminPort,
    undeployed: prepared.key.scenario.target.deployed
      ? undefined
      : prepared.manifests.find((manifest) => isWorkload(manifest, target)),
    state: scene.live,
    signal: scene.signal,
    setRate: scene.setRate,
    kubectl: kubectlOnce(
      () => cluster.kubeconfig(),
      prepared.identity.namespace,
      scene.signal,
      (what, undo) => scene.defer(what, undo),
    ),
    delayProxy: delayProxy && ((delayMs) => delayProxy.call(cluster, delayMs)),
    defer: scene.defer,
    random: randomOf(run.seed + prepared.key.repeat),
  };
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
