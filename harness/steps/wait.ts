// Waits: for the rollout, for its failure, for numbers of pods, for time. Each has a limit.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeploymentFacts, RolloutFacts } from '../model/facts.ts';
import { progressDeadlineExceeded, rolloutComplete, rolloutSettled } from '../model/rollout.ts';
import { type StepContext, type StepRunner, workloadFacts } from './context.ts';

export const wait: StepRunner<'wait'> = async (step, context) => {
  const { state, signal } = context;
  const startedAt = performance.now();
  const until = (what: string, met: () => boolean) => state.until(what, met, step.limitMs, signal);
  switch (step.for) {
    case 'time':
      await sleep(step.ms ?? 0, undefined, { signal });
      break;
    case 'rollout':
      await until(`the rollout of ${context.workload.name} to complete`, () =>
        rolloutComplete(workloadFacts(context)),
      );
      break;
    case 'settled':
      await until(`the rollout of ${context.workload.name} to complete and no pod to be terminating`, () =>
        rolloutSettled(workloadFacts(context), state.pods('target').values()),
      );
      break;
    case 'failed-rollout':
      await until(`the rollout of ${context.workload.name} to exceed its progress deadline`, () =>
        progressDeadlineExceeded(workloadFacts(context) as DeploymentFacts | RolloutFacts | undefined),
      );
      break;
    case 'ready':
      await until(`${bounds(step)} ready pods${beside(step)}`, () =>
        within(
          step,
          count(context, step, (pod) => pod.ready && !pod.terminating),
        ),
      );
      break;
    case 'replicas':
      await until(`${bounds(step)} pods${beside(step)}`, () =>
        within(
          step,
          count(context, step, (pod) => !pod.terminating),
        ),
      );
      break;
    case 'no-terminating':
      await until(
        `no pod${beside(step)} to be terminating`,
        () => count(context, step, (pod) => pod.terminating) === 0,
      );
      break;
    case 'updated':
      await until(`${bounds(step)} updated pods`, () => {
        const facts = workloadFacts(context);
        return facts !== undefined && seen(facts) && within(step, facts.updated);
      });
      break;
    case 'autoscaler-idle':
      await until('the autoscaler to have reached what it wants', () =>
        [...state.all('HorizontalPodAutoscaler').values()].every(
          (scaler) => scaler.desired > 0 && scaler.desired === scaler.current && within(step, scaler.desired),
        ),
      );
      break;
    default:
      return unknownWait(step.for);
  }
  return { waitedMs: Math.round(performance.now() - startedAt) };
};

const seen = (facts: { generation?: number; observedGeneration?: number }): boolean =>
  (facts.observedGeneration ?? 0) >= (facts.generation ?? 0);

const within = (
  { atLeast = 0, atMost = Number.POSITIVE_INFINITY }: { atLeast?: number; atMost?: number },
  value: number,
) => value >= atLeast && value <= atMost;

const beside = ({ of }: { of?: 'target' | 'beside' | undefined }): string =>
  of === 'beside' ? ' beside the target' : '';

const bounds = ({ atLeast, atMost }: { atLeast?: number; atMost?: number }): string =>
  [atLeast !== undefined && `at least ${atLeast}`, atMost !== undefined && `at most ${atMost}`]
    .filter(Boolean)
    .join(' and ');

const count = (
  context: StepContext,
  { of = 'target' }: { of?: 'target' | 'beside' | undefined },
  counts: (pod: { ready: boolean; terminating: boolean }) => boolean,
): number => [...context.state.pods(of).values()].filter(counts).length;

function unknownWait(what: never): never {
  throw new Error(`no wait for ${String(what)}`);
}
