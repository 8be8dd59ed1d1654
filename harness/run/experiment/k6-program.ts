// k6 fires an experiment's plan beside the agents, as a pod of the cluster or, where pods are emulated,
// as a process. What goes wrong with it is a sentence in the journal, never a failure of the experiment.
import { createObjects } from '../../deploy/apply.ts';
import type { Identity } from '../../deploy/assemble.ts';
import { type K6Container, k6Containers, k6Manifests, k6Name } from '../../deploy/k6-pod.ts';
import { toApiError } from '../../kube/api-error.ts';
import { type Kube, podProxyPath } from '../../kube/client.ts';
import { HopelessError, untilDone, WaitError, waitFor } from '../../kube/wait.ts';
import { type K6Run, k6GraceMs, startK6 } from '../../load/k6/run.ts';
import { resultIn } from '../../load/k6/summary.ts';
import type { CrossCheckResult } from '../../model/cross-check.ts';
import { FaultError } from '../../model/errors.ts';
import type { StreamPlan } from '../../model/load.ts';

/** How k6 can be run on this cluster, found out once per run. */
export type K6Means =
  | { readonly how: 'process'; readonly version: string }
  | { readonly how: 'pod'; readonly image: string; readonly version: string }
  | { readonly how: 'none'; readonly why: string };

export interface K6Request {
  readonly kube: Kube;
  readonly identity: Identity;
  /** The agents' node. */
  readonly node: string;
  /** Whole streams, not one agent's share of them. */
  readonly streams: readonly StreamPlan[];
  /** The load lasts no longer, ms. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** k6, ready to fire. Whatever fails throws FaultError with a sentence. */
export interface K6 extends AsyncDisposable {
  readonly version: string;
  /** Resolves when it fires (a pod) or was started (a process). */
  begin(): Promise<void>;
  /** No request starts any more; resolves with what was counted, by stream. */
  stop(): Promise<ReadonlyMap<string, CrossCheckResult>>;
}

/** Throws FaultError with a sentence when k6 does not get ready; nothing of it is left then. */
export async function prepareK6(means: K6Means, request: K6Request): Promise<K6> {
  switch (means.how) {
    case 'none':
      throw new FaultError(means.why);
    case 'process':
      return processes(means.version, request.streams);
    case 'pod':
      return pod(means.image, means.version, request);
    default:
      return unknownMeans(means);
  }
}

function processes(version: string, streams: readonly StreamPlan[]): K6 {
  let run: K6Run | undefined;
  return {
    version,
    async begin() {
      const started = await startK6(streams);
      if (typeof started === 'string') throw new FaultError(started);
      run = started;
    },
    stop: async () => run?.stop() ?? new Map(),
    [Symbol.asyncDispose]: async () => run?.kill(),
  };
}

const READY_LIMIT_MS = 60_000;
const POLL_MS = 200;
/** The pod, its log, and the API of each k6 in it. */
const LOOK_LIMIT_MS = 30_000;
/** k6's own numbers (execution status): everything is initialised, and the start is awaited. */
const PAUSED_BEFORE_RUN = 4;
const LOG_LINES = 50;

async function pod(image: string, version: string, request: K6Request): Promise<K6> {
  const { kube, identity, node, streams, limitMs, signal } = request;
  const containers = k6Containers(streams);
  const withinMs =
    limitMs + READY_LIMIT_MS + Math.max(...streams.map((stream) => stream.timeoutMs)) + k6GraceMs;
  const path = (kind: 'pods' | 'secrets') => `/api/v1/namespaces/${identity.namespace}/${kind}/${k6Name}`;
  const remove = async () => {
    await kube.raw('DELETE', path('pods'), { body: { gracePeriodSeconds: 0 } });
    await kube.raw('DELETE', path('secrets'));
  };
  const k6: PodOfK6 = { kube, namespace: identity.namespace, podPath: path('pods'), containers };
  try {
    await createObjects(kube, k6Manifests(identity, image, node, containers, withinMs));
    await untilPaused(k6, signal);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    version,
    async begin() {
      await Promise.all(containers.map((one) => change(k6, one, { paused: false })));
    },
    async stop() {
      // One that has ended by itself does not answer any more, and has left its summary.
      await Promise.allSettled(containers.map((one) => change(k6, one, { stopped: true })));
      const ends = await untilEnded(k6);
      const results = containers.map(async (one): Promise<[string, CrossCheckResult]> => {
        const end = ends.get(one.container);
        if (end === undefined) {
          return [one.stream.id, { problem: `k6 did not end within ${limitOf(k6) / 1000} s` }];
        }
        return [one.stream.id, resultIn(await logOf(k6, one), `ended with ${end}`)];
      });
      return new Map(await Promise.all(results));
    },
    [Symbol.asyncDispose]: remove,
  };
}

interface PodOfK6 {
  readonly kube: Kube;
  readonly namespace: string;
  readonly podPath: string;
  readonly containers: readonly K6Container[];
}

interface PodStatus {
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
        readonly terminated?: {
          readonly exitCode: number;
          readonly reason?: string;
          readonly message?: string;
        };
      };
    }[];
  };
}

/** Until every container has read its plan, made its users and waits to be told. */
async function untilPaused(k6: PodOfK6, signal: AbortSignal): Promise<void> {
  const waiting = new Set(k6.containers);
  await waitFor(
    {
      what: `k6 to be ready beside the load agents (pod ${k6Name} in ${k6.namespace})`,
      limitMs: READY_LIMIT_MS,
      signal,
      everyMs: POLL_MS,
      lookLimitMs: LOOK_LIMIT_MS,
      hint: 'Nothing is compared.',
    },
    async (lookSignal) => {
      const kube = k6.kube.during(lookSignal);
      const { status } = await kube.json<PodStatus>('GET', k6.podPath);
      const ended = status?.containerStatuses?.find(({ state }) => state?.terminated);
      if (ended) {
        const container = k6.containers.find((one) => one.container === ended.name);
        const { exitCode, reason, message } = ended.state?.terminated ?? {};
        const said = container && (await logOf(k6, container)).trim().split('\n').at(-1);
        throw new HopelessError(
          `k6 ended with ${exitCode} before the load began: ${said || message || reason}`,
        );
      }
      for (const one of waiting) {
        const answer = await kube.raw('GET', apiPath(k6, one), { timeoutMs: 5000 });
        if (answer.status === 200 && statusIn(answer.text) >= PAUSED_BEFORE_RUN) waiting.delete(one);
      }
      if (waiting.size === 0) return { met: undefined };
      const reasons = status?.containerStatuses?.map(({ state }) => state?.waiting?.reason);
      return { seen: reasons?.find(Boolean) ?? status?.message ?? status?.phase ?? 'no pod' };
    },
  ).catch((error: unknown) => {
    throw error instanceof WaitError
      ? new FaultError(`Cross-check: ${error.message}`, { cause: error })
      : error;
  });
}

const statusIn = (text: string): number =>
  (JSON.parse(text) as { data?: { attributes?: { status?: number } } }).data?.attributes?.status ?? 0;

async function change(k6: PodOfK6, one: K6Container, attributes: Record<string, boolean>): Promise<void> {
  const answer = await k6.kube.raw('PATCH', apiPath(k6, one), {
    body: { data: { type: 'status', id: 'default', attributes } },
  });
  if (answer.status !== 200) {
    throw new FaultError(`Cross-check: k6 (${one.container}) refused: ${toApiError(answer).message}`);
  }
}

const apiPath = (k6: PodOfK6, one: K6Container): string =>
  podProxyPath(k6.namespace, k6Name, one.apiPort, '/v1/status');

const limitOf = (k6: PodOfK6): number =>
  Math.max(...k6.containers.map(({ stream }) => stream.timeoutMs)) + k6GraceMs;

/** Exit codes by container; those that have not ended within their limit are not among them. */
async function untilEnded(k6: PodOfK6): Promise<ReadonlyMap<string, number>> {
  let ends: ReadonlyMap<string, number> = new Map();
  try {
    await waitFor(
      { what: 'k6 to end', limitMs: limitOf(k6), signal: untilDone, everyMs: POLL_MS },
      async (signal) => {
        const { status } = await k6.kube.json<PodStatus>('GET', k6.podPath, { signal });
        ends = new Map(
          (status?.containerStatuses ?? []).flatMap(({ name, state }) =>
            state?.terminated ? [[name, state.terminated.exitCode] as const] : [],
          ),
        );
        if (ends.size === k6.containers.length) return { met: undefined };
        return { seen: `${ends.size} of ${k6.containers.length} have ended` };
      },
    );
  } catch (error) {
    if (!(error instanceof WaitError)) throw error;
  }
  return ends;
}

async function logOf(k6: PodOfK6, { container }: K6Container): Promise<string> {
  const answer = await k6.kube.raw('GET', `${k6.podPath}/log`, {
    query: { container, tailLines: LOG_LINES },
  });
  return answer.status === 200 ? answer.text : toApiError(answer).message;
}

function unknownMeans(means: never): never {
  throw new Error(`no way to run k6 ${JSON.stringify(means)}`);
}
