// The load agents of an experiment: started, watched until they are ready, and the control channel to each.
import type { OutsideAgent, OutsideProgram } from '../../cluster/provider.ts';
import { AgentError, agentAt, agentInPod } from '../../control/agent-client.ts';
import { whatBecameOf } from '../../control/agent-pod.ts';
import { agentPort, type Identity } from '../../deploy/assemble.ts';
import { type PodReady, type PodsReadyOptions, podsReady } from '../../deploy/pods-ready.ts';
import { programOutside } from '../../deploy/programs.ts';
import { startProgram } from '../../exec/program.ts';
import type { Kube } from '../../kube/client.ts';
import { agentEntry, bundle } from '../../load/bundle.ts';
import { FaultError } from '../../model/errors.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import { type PreparedAgent, READY_LIMIT_MS, type RunContext } from './context.ts';
import type { Standing } from './open-entry.ts';

/** From the start of its process to its first answer: it takes a second, ten on a machine that is very busy. */
const SILENT_LIMIT_MS = 15_000;

/** Like podsReady, but an agent that has ended or hangs is told at once: nobody starts it again. */
export function agentsReady(
  kube: Kube,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  count: number,
  signal: AbortSignal,
): Promise<PodReady[]> {
  return podsReady(kube, namespace, labels, count, READY_LIMIT_MS, signal, {
    hopeless: deadAgents(kube, namespace),
  });
}

/** Tells of an agent whose pod has ended, or has run for too long without being ready. */
function deadAgents(kube: Kube, namespace: string): PodsReadyOptions['hopeless'] {
  const runningSince = new Map<string, number>();
  return async (pods, signal) => {
    for (const { metadata, status } of pods) {
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
      return new AgentError(`Load agent ${name}: ${became ?? 'the load agent ended.'}${within}`);
    }
    return undefined;
  };
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
  here: readonly OutsideAgent[] = [],
): PreparedAgent[] {
  const inside = pods.map((pod, index) => ({
    client: agentInPod(kube, identity.namespace, pod.name, agentPort),
    split: { index, of: pods.length },
    parts: { target: outside.length === 0, control: index === 0, stands: 'inside' as const },
  }));
  const beyond = (agents: readonly OutsideAgent[], stands: Standing) =>
    agents.map((agent, index) => ({
      client: agentAt(agent.name, agent.controlUrl),
      split: { index, of: agents.length },
      parts: { target: true, control: false, stands },
    }));
  return [...inside, ...beyond(outside, 'outside'), ...beyond(here, 'here')];
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

/** Processes on this machine, for entries that are fired at from here. They end with `life`, and with this process. */
export async function startHere(run: RunContext, count: number, life: Lifetime): Promise<OutsideAgent[]> {
  const file = await bundle(agentEntry);
  return life.run('start the load agents on this machine', () =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const name = `here-${run.runId}-${index + 1}`;
        let agent: OutsideAgent | undefined;
        life.defer(`end load agent ${name}`, async () => {
          await agent?.[Symbol.asyncDispose]();
        });
        agent = await agentHere(name, file);
        return agent;
      }),
    ),
  );
}

const HERE_LIMIT_MS = 20_000;

async function agentHere(name: string, file: string): Promise<OutsideAgent> {
  let told: (port: number) => void = () => {};
  const port = new Promise<number>((resolve) => {
    told = resolve;
  });
  const program = startProgram(process.execPath, [file], {
    onlyEnv: {
      PATH: process.env.PATH,
      PORT: '0',
      PHASE_PORT: '0',
      ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
      ROLLPROOF_PARENT_PID: String(process.pid),
    },
    onLine: (line) => {
      const said = /control on port (\d+)/.exec(line)?.[1];
      if (said) told(Number(said));
    },
  });
  const limit = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), HERE_LIMIT_MS).unref();
  });
  const first = await Promise.race([port, program.ended, limit]);
  if (typeof first !== 'number') {
    program.kill('SIGKILL');
    throw new FaultError(
      `Load agent ${name} on this machine ${first ? `${first.how}: ${first.stderr}` : `did not start within ${HERE_LIMIT_MS / 1000} s`}.`,
    );
  }
  return {
    name,
    controlUrl: `http://127.0.0.1:${first}`,
    async [Symbol.asyncDispose]() {
      await program.stop('SIGTERM', 3000);
    },
  };
}

const outsideProgram = ({ own }: RunContext): OutsideProgram => ({
  image: own.images.agent,
  ...(own.programs && { start: programOutside(own.node, 'agent', own.programs) }),
});
