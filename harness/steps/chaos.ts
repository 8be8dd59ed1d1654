// Pods that go by themselves, by deletion or with their node; faults inside the app; routing that lags.
import { setTimeout as sleep } from 'node:timers/promises';
import { apiMessage, type Kube, podProxyPath } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import type { PodFacts } from '../model/facts.ts';
import { mergePatch, type StepContext, type StepRunner } from './context.ts';

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
  const { kube, signal } = context;
  const node = chooseNode(context);
  context.defer(`uncordon node ${node}`, (undoing) => setUnschedulable(undoing, node, null));
  await setUnschedulable(kube, node, true);
  const pods = [...context.state.pods('target')].filter(
    ([, pod]) => pod.node === node && pod.ownerKind !== 'DaemonSet',
  );
  const deadline = performance.now() + step.timeoutMs;
  let refusals = 0;
  for (const [name] of pods) {
    for (;;) {
      const answer = await kube.raw('POST', `/api/v1/namespaces/${context.namespace}/pods/${name}/eviction`, {
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: context.namespace } },
      });
      if (answer.status === 404 || (answer.status >= 200 && answer.status < 300)) break;
      if (answer.status !== 429) {
        throw new FaultError(
          `Step drain-node: eviction of ${name} was answered ${answer.status}: ${answer.text.slice(0, 300)}`,
        );
      }
      refusals++;
      if (performance.now() > deadline) {
        return {
          node,
          pods: pods.map(([pod]) => pod),
          refusals,
          blocked: name,
          after: `${step.timeoutMs} ms`,
        };
      }
      // kubectl waits 5 s; the budget frees a pod sooner here, and asking is cheap.
      await sleep(1000, undefined, { signal });
    }
  }
  return { node, pods: pods.map(([pod]) => pod), refusals };
};

export const uncordon: StepRunner<'uncordon'> = async (_step, context) => {
  const cordoned = [...context.state.all('Node')]
    .filter(([, node]) => node.unschedulable)
    .map(([name]) => name);
  for (const name of cordoned) await setUnschedulable(context.kube, name, null);
  return { nodes: cordoned };
};

export const proxyDelay: StepRunner<'proxy-delay'> = async (step, context) => {
  const delay = context.delayProxy;
  if (!delay) throw new FaultError('Step proxy-delay: this cluster cannot delay routing updates.');
  if (step.delayMs > 0) context.defer('restore routing updates', () => delay(0));
  await delay(step.delayMs);
  return { delayMs: step.delayMs };
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

async function setUnschedulable(kube: Kube, node: string, value: true | null): Promise<void> {
  try {
    await kube.json('PATCH', `/api/v1/nodes/${node}`, {
      contentType: mergePatch,
      body: { spec: { unschedulable: value } },
    });
  } catch (error) {
    throw new FaultError(
      `Node ${node} could not be ${value ? 'cordoned' : 'uncordoned'}: ${apiMessage(error)}.`,
      { cause: error },
    );
  }
}
