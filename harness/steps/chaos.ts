// Pods that go by themselves, by deletion or with their node; faults inside the app; routing that lags.
import { podProxyPath } from '../kube/client.ts';
import { HopelessError, WaitError, waitFor } from '../kube/wait.ts';
import { FaultError } from '../model/errors.ts';
import type { PodFacts } from '../model/facts.ts';
import type { StepContext, StepRunner } from './context.ts';
import { cordon, uncordonOurs } from './cordon.ts';
import { undoable } from './undoable.ts';

export const deletePod: StepRunner<'delete-pod'> = async (step, context) => {
  const pods = choosePods(context, step.count);
  for (const pod of pods) {
    await context.kube.json('DELETE', `/api/v1/namespaces/${context.namespace}/pods/${pod}`, {
      body: step.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: step.gracePeriodSeconds },
    });
  }
  await untilSeen(context, pods, 'terminating', (pod) => pod.terminating);
  return { pods, gracePeriodSeconds: step.gracePeriodSeconds ?? 'as the pod says' };
};

/** A fault inside the app, by its own admin port. A crash ends the connection before the answer: that is expected. */
export const chaos: StepRunner<'chaos'> = async (step, context) => {
  const port = context.adminPort;
  if (!port) throw new FaultError(`Step chaos ${step.action}: only the built-in target has an admin port.`);
  const pods = choosePods(context, step.count);
  const restartsBefore = new Map(pods.map((pod) => [pod, restartsOf(context.state.pods('target').get(pod))]));
  for (const pod of pods) {
    const answer = await context.kube.raw(
      'POST',
      podProxyPath(context.namespace, pod, port, `/${step.action}`),
    );
    if (answer.status > 299 && step.action !== 'crash') {
      throw new FaultError(
        `Step chaos ${step.action}: pod ${pod} answered ${answer.status}: ${answer.text.slice(0, 200)}`,
      );
    }
  }
  if (step.action === 'crash') {
    await untilSeen(
      context,
      pods,
      'down',
      (pod, name) => !pod.ready || restartsOf(pod) > (restartsBefore.get(name) ?? 0),
    );
  }
  return { action: step.action, pods };
};

/** As `kubectl drain`: cordon, then evict what is not a DaemonSet's, asking again when a budget refuses. */
export const drainNode: StepRunner<'drain-node'> = async (step, context) => {
  const node = chooseNode(context);
  const cordoned = await cordon(context, node);
  const names = [...context.state.pods('target')]
    .filter(([, pod]) => pod.node === node && pod.ownerKind !== 'DaemonSet')
    .map(([name]) => name);
  const did = { node, pods: names, ...(!cordoned && { cordonedBefore: true }) };
  const deadline = performance.now() + step.timeoutMs;
  let refusals = 0;
  for (const name of names) {
    const limitMs = Math.max(deadline - performance.now(), 1);
    try {
      refusals += await evict(context, name, limitMs);
    } catch (error) {
      if (!(error instanceof BudgetRefused)) throw error;
      refusals += error.refusals;
      return { ...did, refusals, blocked: name, after: `${step.timeoutMs} ms` };
    }
  }
  return { ...did, refusals };
};

class BudgetRefused extends Error {
  readonly refusals: number;
  constructor(refusals: number) {
    super('the budget lets no pod go');
    this.refusals = refusals;
  }
}

/** Resolves with how often a budget refused before it let the pod go. */
async function evict(
  { kube, namespace, signal }: StepContext,
  name: string,
  limitMs: number,
): Promise<number> {
  let refusals = 0;
  try {
    return await waitFor<number>(
      // kubectl waits 5 s; the budget frees a pod sooner here, and asking is cheap.
      { what: `pod ${name} to be evicted`, limitMs, signal, everyMs: 1000, lookLimitMs: 15_000 },
      async (lookSignal) => {
        const answer = await kube.raw('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
          body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
          signal: lookSignal,
        });
        if (answer.status === 404 || (answer.status >= 200 && answer.status < 300)) return { met: refusals };
        if (answer.status !== 429) {
          throw new HopelessError(`it was answered ${answer.status}: ${answer.text.slice(0, 300)}`);
        }
        refusals++;
        return { seen: answer.text.slice(0, 300) };
      },
    );
  } catch (error) {
    const hopeless = error instanceof WaitError && error.cause instanceof HopelessError;
    if (error instanceof WaitError && !hopeless && refusals > 0) throw new BudgetRefused(refusals);
    throw error;
  }
}

export const uncordon: StepRunner<'uncordon'> = async (_step, context) => ({
  nodes: await uncordonOurs(context),
});

export const proxyDelay: StepRunner<'proxy-delay'> = async ({ delayMs }, context) => {
  const delay = context.delayProxy;
  if (!delay) throw new FaultError('Step proxy-delay: this cluster cannot delay routing updates.');
  if (delayMs === 0) await delay(0);
  else {
    await undoable(context, {
      undo: 'restore routing updates',
      act: () => delay(delayMs),
      putBack: () => delay(0),
    });
  }
  return { delayMs };
};

const SEEN_LIMIT_MS = 15_000;

/** A wait that follows must not look at the state before the step: go on when the watch shows what was done. */
function untilSeen(
  context: StepContext,
  names: readonly string[],
  what: string,
  met: (pod: PodFacts, name: string) => boolean,
): Promise<void> {
  const all = () => {
    const present = context.state.pods('target');
    return names.every((name) => {
      const pod = present.get(name);
      return pod === undefined || met(pod, name);
    });
  };
  return context.state.until(`${names.join(', ')} to be ${what}`, all, SEEN_LIMIT_MS, context.signal);
}

const restartsOf = (pod: PodFacts | undefined): number =>
  pod?.containers.reduce((sum, container) => sum + container.restarts, 0) ?? 0;

/** Ready pods of the target, chosen by the experiment's seed. */
function choosePods(context: StepContext, count: number): string[] {
  const ready = [...context.state.pods('target')]
    .filter(([, pod]) => pod.ready && !pod.terminating)
    .map(([name]) => name);
  if (ready.length < count) {
    throw new FaultError(`The step needs ${count} ready pods of the target; there are ${ready.length}.`);
  }
  const chosen: string[] = [];
  while (chosen.length < count) {
    const [name] = ready.splice(Math.floor(context.random() * ready.length), 1);
    if (name) chosen.push(name);
  }
  return chosen;
}

/** The node with most pods of the target, never one that carries the agent. */
function chooseNode(context: StepContext): string {
  const agentNodes = new Set([...context.state.pods('agent').values()].map((pod) => pod.node));
  const counts = new Map<string, number>();
  for (const pod of context.state.pods('target').values()) {
    if (pod.node && !agentNodes.has(pod.node)) counts.set(pod.node, (counts.get(pod.node) ?? 0) + 1);
  }
  const [node] = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))[0] ?? [];
  if (!node)
    throw new FaultError(
      "Step drain-node: every pod of the target runs on the agent's node; it needs more nodes.",
    );
  return node;
}
