// The load agents of an experiment: started, watched until they are ready, and the control channel to each.
import { setTimeout as sleep } from 'node:timers/promises';
import type { OutsideAgent, OutsideProgram } from '../../cluster/provider.ts';
import { AgentError, agentAt, agentInPod } from '../../control/agent-client.ts';
import { whatBecameOf } from '../../control/agent-pod.ts';
import { agentPort, type Identity } from '../../deploy/assemble.ts';
import { type PodReady, podsReady } from '../../deploy/pods-ready.ts';
import { programOutside } from '../../deploy/programs.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import { label } from '../../model/manifest.ts';
import { type PreparedAgent, READY_LIMIT_MS, type RunContext } from './context.ts';

/** From the start of its process to its first answer: it takes a second, ten on a machine that is very busy. */
const SILENT_LIMIT_MS = 15_000;
const LOOK_MS = 500;

/** Like podsReady, but an agent that has ended or hangs is told at once: nobody starts it again. */
export async function agentsReady(
  kube: Kube,
  namespace: string,
  count: number,
  signal: AbortSignal,
): Promise<PodReady[]> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  const ready = podsReady(kube, namespace, { [label.role]: 'agent' }, count, READY_LIMIT_MS, until);
  const dead = deadAgent(kube, namespace, until);
  ready.catch(() => {});
  dead.catch(() => {});
  try {
    return await Promise.race([ready, dead]);
  } finally {
    done.abort();
  }
}

interface AgentPods {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: {
      readonly phase?: string;
      readonly containerStatuses?: readonly {
        readonly ready?: boolean;
        readonly state?: { readonly running?: object; readonly terminated?: object };
      }[];
    };
  }[];
}

/** Rejects as soon as an agent's pod has ended, or has run for too long without being ready. */
async function deadAgent(kube: Kube, namespace: string, signal: AbortSignal): Promise<never> {
  const runningSince = new Map<string, number>();
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal });
    const list = await kube
      .json<AgentPods>('GET', `/api/v1/namespaces/${namespace}/pods`, {
        query: { labelSelector: `${label.role}=agent` },
        signal,
      })
      .catch(() => undefined);
    signal.throwIfAborted();
    for (const { metadata, status } of list?.items ?? []) {
      const { name } = metadata;
      const container = status?.containerStatuses?.[0];
      const ended = status?.phase === 'Failed' || container?.state?.terminated !== undefined;
      if (container?.state?.running && !container.ready) {
        if (!runningSince.has(name)) runningSince.set(name, performance.now());
      } else runningSince.delete(name);
      const since = runningSince.get(name);
      const hangs = since !== undefined && performance.now() - since > SILENT_LIMIT_MS;
      if (!ended && !hangs) continue;
      const became = await whatBecameOf(kube, namespace, name, signal).catch(() => undefined);
      const within = hangs ? ` Waited ${SILENT_LIMIT_MS / 1000} s for its first answer.` : '';
      throw new AgentError(`Load agent ${name}: ${became ?? 'the load agent ended.'}${within}`);
    }
  }
}

/**
 * With agents outside, they alone fire at the target; the one in the cluster watches the control target and takes the
 * target's phases.
 */
export function preparedAgents(
  kube: Kube,
  identity: Identity,
  pods: readonly PodReady[],
  outside: readonly OutsideAgent[],
): PreparedAgent[] {
  const inside = pods.map((pod, index) => ({
    client: agentInPod(kube, identity.namespace, pod.name, agentPort),
    split: { index, of: pods.length },
    parts: { target: outside.length === 0, control: index === 0 },
  }));
  const beyond = outside.map((agent, index) => ({
    client: agentAt(agent.name, agent.controlUrl),
    split: { index, of: outside.length },
    parts: { target: true, control: false },
  }));
  return [...inside, ...beyond];
}

/** Each is taken away at the end of `life`, also where the others did not start. */
export async function startOutside(run: RunContext, count: number, life: Lifetime): Promise<OutsideAgent[]> {
  const start = run.cluster.outsideAgent;
  if (!start)
    throw new FaultError(
      `Path outside: cluster ${run.cluster.info.name} has no outside; use --cluster kind.`,
    );
  return life.run('start the load agents outside the cluster', () =>
    Promise.all(
      Array.from({ length: count }, async () => {
        let agent: OutsideAgent | undefined;
        life.defer('end a load agent outside the cluster', async () => {
          await agent?.[Symbol.asyncDispose]();
        });
        agent = await start(outsideProgram(run));
        return agent;
      }),
    ),
  );
}

const outsideProgram = ({ own }: RunContext): OutsideProgram => ({
  image: own.images.agent,
  ...(own.programs && { start: programOutside(own.node, 'agent', own.programs) }),
});
