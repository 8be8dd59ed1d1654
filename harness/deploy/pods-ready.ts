// The one wait for pods to be Ready. What can never become ready ends it by name, with what was seen of it.
import { type Kube, podProxyPath } from '../kube/client.ts';
import { saidLast } from '../kube/said-last.ts';
import { HopelessError, isFinal, type Look, waitFor } from '../kube/wait.ts';
import { label } from '../model/manifest.ts';
import {
  cannotSucceed,
  describePod,
  isBeingStarted,
  type ObservedPod,
  runsUnready,
  troubleOf,
} from './pod-trouble.ts';
import { type Spoken, spokenBy, spokenIn, spokenWords } from './spoken.ts';

export interface PodReady {
  readonly name: string;
  readonly ip: string;
  readonly node: string;
  /** Address of the node. */
  readonly hostIp: string;
}

/**
 * What lasts longer does not pass by itself: an image has had its second try (after 10 s), a node its moment, a crashed
 * process its third start (after 10 s more).
 */
const TROUBLE_LIMIT_MS: Readonly<Record<'image' | 'crash' | 'other', number>> = {
  image: 12_000,
  crash: 20_000,
  other: 15_000,
};
/** A pull that failed only after a while (a name that does not resolve) has been tried long enough. */
const SLOW_FAILURE_MS = 3000;
/** What a kubelet still does is asked for when it takes long. */
const WORK_ASKED_AFTER_MS = 5000;
/** A controller needs a moment to create its pods; then its events are asked for what keeps it from that. */
const REFUSAL_AFTER_MS = 1000;
const LOG_LIMIT_MS = 3000;
/** Below what a look may take: an API server that is away is told from one that is slow. */
const ASK_LIMIT_MS = 4000;

export interface PodsReadyOptions {
  /** How long a trouble that does not pass by itself must last. */
  readonly troubleLimitMs?: number;
  /** Whoever knows more of these pods ends the wait with this error: asked at every look, with all that there are. */
  readonly hopeless?: (pods: readonly ObservedPod[], signal: AbortSignal) => Promise<Error | undefined>;
}

/**
 * Waits until `count` pods that match the labels are Ready and none beside them is not. Throws WaitError: at the limit, or
 * within 30 s for what does not pass by itself (image, crash, scheduling, refused pods, a probe that cannot succeed).
 */
export async function podsReady(
  kube: Kube,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  count: number,
  limitMs: number,
  signal: AbortSignal,
  { troubleLimitMs, hopeless }: PodsReadyOptions = {},
): Promise<PodReady[]> {
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const with_ = labelSelector.replace(`${label.role}=`, 'role ');
  /** Since when each trouble lasts; a pod that is replaced by one with the same trouble goes on with it. */
  const since = new Map<string, number>();
  const startedAt = performance.now();
  const askAfterMs = Math.min(WORK_ASKED_AFTER_MS, troubleLimitMs ?? WORK_ASKED_AFTER_MS);
  let end: Error | undefined;
  const endOfPatience = (kind: string, seenAt: number): number => {
    const limit = troubleLimitMs ?? TROUBLE_LIMIT_MS[familyOf(kind)];
    const slow = Math.max(startedAt + limit, seenAt + SLOW_FAILURE_MS);
    return familyOf(kind) === 'image' ? Math.min(seenAt + limit, slow) : seenAt + limit;
  };
  const look = async (lookSignal: AbortSignal): Promise<Look<PodReady[]>> => {
    const { items } = await kube.json<{ items: ObservedPod[] }>(
      'GET',
      `/api/v1/namespaces/${namespace}/pods`,
      {
        query: { labelSelector },
        signal: lookSignal,
        timeoutMs: ASK_LIMIT_MS,
      },
    );
    end = await hopeless?.(items, lookSignal);
    if (end) throw end;
    const alive = items.filter((pod) => !pod.metadata.deletionTimestamp && pod.status?.phase !== 'Succeeded');
    const ready = alive.filter(isReady);
    if (ready.length >= count && ready.length === alive.length) return { met: ready.map(podReady) };
    const unready = alive.filter((pod) => !isReady(pod));
    const troubles = new Map(unready.flatMap((pod) => troubleOf(pod) ?? []).map((one) => [one.kind, one]));
    if (alive.length < count && performance.now() - startedAt > REFUSAL_AFTER_MS) {
      const refused = await refusal(kube, namespace, labels, lookSignal);
      if (refused)
        troubles.set('refused', { kind: 'refused', words: refused, container: undefined, pod: '' });
    }
    const now = performance.now();
    const probe =
      now - startedAt > askAfterMs ? await probeOf(kube, namespace, unready, lookSignal) : undefined;
    if (probe && cannotSucceed(probe.message))
      troubles.set('probe', { kind: 'probe', words: probe.words, container: undefined, pod: probe.pod });
    for (const kind of since.keys()) if (!troubles.has(kind)) since.delete(kind);
    for (const [kind, trouble] of troubles) {
      if (!since.has(kind)) since.set(kind, now);
      if (now < endOfPatience(kind, since.get(kind) ?? now)) continue;
      if (kind === 'unschedulable' && (await nodesCome(kube, namespace, lookSignal))) continue;
      throw new HopelessError(trouble.words + (await lastLines(kube, namespace, trouble, signal)));
    }
    const seen = [
      alive.length < count && `${alive.length} of ${count} pods`,
      ...unready.slice(0, MOST_TOLD).map((pod) => `${pod.metadata.name}: ${describePod(pod)}`),
      unready.length > MOST_TOLD && `${unready.length - MOST_TOLD} more`,
      troubles.get('refused')?.words,
      probe?.words,
      now - startedAt > askAfterMs && (await workOf(kube, namespace, unready, lookSignal)),
    ];
    return { seen: seen.filter(Boolean).join('; ') || `${ready.length} of ${count} pods ready` };
  };
  return waitFor(
    {
      what: `${count} ${count === 1 ? 'pod' : 'pods'} with ${with_} in ${namespace} to be Ready`,
      limitMs,
      signal,
      // Reading the last lines of a container comes on top of the list.
      lookLimitMs: 10_000,
      final: (error) => error === end || isFinal(error),
    },
    look,
  );
}

const MOST_TOLD = 5;

const familyOf = (kind: string): 'image' | 'crash' | 'other' => {
  const [first] = kind.split(' ');
  return first === 'image' || first === 'crash' ? first : 'other';
};

/** What the kubelet said last of a pod whose containers it has not started: an image that it pulls, a volume that lacks. */
async function workOf(
  kube: Kube,
  namespace: string,
  unready: readonly ObservedPod[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const pod = unready.find((one) => isBeingStarted(one));
  if (!pod) return undefined;
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/events`, {
    query: { fieldSelector: `involvedObject.name=${pod.metadata.name}` },
    signal,
  });
  if (answer.status !== 200) return undefined;
  const { items } = JSON.parse(answer.text) as {
    items: { readonly reason?: string; readonly message?: string; readonly lastTimestamp?: string | null }[];
  };
  const last = items.toSorted((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? '')).at(-1);
  return last?.message && `its node said last of ${pod.metadata.name}: ${last.message}`;
}

/** What a probe said last of a pod that runs and is not ready. Who may not read events does without. */
async function probeOf(
  kube: Kube,
  namespace: string,
  unready: readonly ObservedPod[],
  signal: AbortSignal,
): Promise<{ readonly pod: string; readonly message: string; readonly words: string } | undefined> {
  const running = new Set(unready.filter(runsUnready).map(({ metadata }) => metadata.name));
  if (running.size === 0) return undefined;
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/events`, {
    query: { fieldSelector: 'reason=Unhealthy' },
    signal,
  });
  if (answer.status !== 200) return undefined;
  const { items } = JSON.parse(answer.text) as {
    items: {
      readonly involvedObject?: { readonly name?: string };
      readonly reason?: string;
      readonly message?: string;
      readonly lastTimestamp?: string | null;
    }[];
  };
  const last = items
    .filter(({ reason, involvedObject }) => reason === 'Unhealthy' && running.has(involvedObject?.name ?? ''))
    .filter(({ message = '' }) => !message.startsWith('Liveness'))
    .toSorted((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''))
    .at(-1);
  if (!last?.message || !last.involvedObject?.name) return undefined;
  const { name } = last.involvedObject;
  const message = last.message.trim().replace(/\.$/, '');
  return { pod: name, message, words: `pod ${name} runs and is not ready: ${message}` };
}

const isReady = (pod: ObservedPod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

const podReady = ({ metadata, spec, status }: ObservedPod): PodReady => ({
  name: metadata.name,
  ip: status?.podIP ?? '',
  node: spec.nodeName ?? '',
  hostIp: status?.hostIP ?? '',
});

/** Does an autoscaler bring a node for a pod that fits none (cluster-autoscaler, Karpenter)? Then it takes minutes. */
async function nodesCome(kube: Kube, namespace: string, signal: AbortSignal): Promise<boolean> {
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/events`, { signal });
  if (answer.status !== 200) return false;
  const { items } = JSON.parse(answer.text) as { items: { readonly reason?: string }[] };
  return items.some(({ reason }) => reason === 'TriggeredScaleUp' || reason === 'Nominated');
}

interface Owner {
  readonly spec?: {
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
}

/** Why a controller cannot create the pods: its last FailedCreate event (quota, policy, a webhook). */
async function refusal(
  kube: Kube,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/events`, {
    query: { fieldSelector: 'reason=FailedCreate' },
    signal,
  });
  // Who may not read events does without the reason.
  if (answer.status !== 200) return undefined;
  const { items } = JSON.parse(answer.text) as {
    items: {
      readonly involvedObject?: { readonly kind?: string; readonly name?: string };
      readonly message?: string;
      readonly lastTimestamp?: string | null;
    }[];
  };
  const latest = items.toSorted((a, b) => (b.lastTimestamp ?? '').localeCompare(a.lastTimestamp ?? ''));
  for (const { involvedObject, message } of latest) {
    const { kind = '', name = '' } = involvedObject ?? {};
    if (!(await creates(kube, namespace, kind, name, labels, signal))) continue;
    return `${kind} ${name} may not create its pods: ${message ?? 'no reason was given'}`;
  }
  return undefined;
}

const collections: Readonly<Record<string, string>> = {
  ReplicaSet: 'apis/apps/v1/namespaces/NS/replicasets',
  StatefulSet: 'apis/apps/v1/namespaces/NS/statefulsets',
  DaemonSet: 'apis/apps/v1/namespaces/NS/daemonsets',
  Job: 'apis/batch/v1/namespaces/NS/jobs',
};

/** Are the pods that are waited for this controller's? */
async function creates(
  kube: Kube,
  namespace: string,
  kind: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  const collection = collections[kind];
  if (!collection) return false;
  const answer = await kube.raw('GET', `/${collection.replace('NS', namespace)}/${name}`, { signal });
  if (answer.status !== 200) return false;
  const made = (JSON.parse(answer.text) as Owner).spec?.template?.metadata?.labels ?? {};
  return Object.entries(labels).every(([key, value]) => made[key] === value);
}

/** What the container said last, of its run before when it was started again. */
async function lastLines(
  kube: Kube,
  namespace: string,
  { pod, container, restarted = false }: { pod: string; container: string | undefined; restarted?: boolean },
  signal: AbortSignal,
): Promise<string> {
  if (container === undefined) return '';
  return saidLast(kube, namespace, pod, { container, previous: restarted, signal, timeoutMs: LOG_LIMIT_MS });
}

/**
 * A pod that is Ready says of itself that it can answer, so nobody waits long for it: with a readiness probe it has
 * answered something already, without one it may still start.
 */
export const answerLimitMs = (container: { readonly [field: string]: unknown } | undefined): number =>
  container?.readinessProbe ? 10_000 : 20_000;

/** Waits until each pod answers HTTP on its port, whatever the status: Ready alone does not say that it listens. */
export async function podsAnswer(
  kube: Kube,
  namespace: string,
  pods: readonly PodReady[],
  port: number,
  path: string,
  limitMs: number,
  signal: AbortSignal,
  hint?: string,
  /** What the load speaks, so that such an answer is one. */
  expected: ReadonlySet<Spoken> = new Set(),
): Promise<void> {
  const silent = new Map(pods.map((pod) => [pod.name, 'not asked']));
  const ips = new Map(pods.map((pod) => [pod.name, pod.ip]));
  if (silent.size === 0) return;
  const what = `${[...silent.keys()].join(', ')} in ${namespace} to answer on port ${port}`;
  await waitFor({ what, limitMs, signal, lookLimitMs: 6000, ...(hint && { hint }) }, async (lookSignal) => {
    await Promise.all(
      [...silent.keys()].map(async (name) => {
        try {
          const answer = await kube.raw('GET', podProxyPath(namespace, name, port, path), {
            signal: lookSignal,
            timeoutMs: 5000,
          });
          const unreached = notReached(answer);
          const spoken =
            spokenIn(answer) ??
            (unreached === undefined
              ? undefined
              : await spokenBy(kube, namespace, { name, ip: ips.get(name) ?? '' }, port, lookSignal));
          if (spoken && expected.has(spoken)) {
            silent.delete(name);
            return;
          }
          if (spoken) throw new HopelessError(`port ${port} of pod ${name} ${spokenWords[spoken]}.`);
          if (unreached === undefined) silent.delete(name);
          else silent.set(name, unreached);
        } catch (error) {
          if (signal.aborted || error instanceof HopelessError) throw error;
          silent.set(name, (error as Error).message);
        }
      }),
    );
    if (silent.size === 0) return { met: undefined };
    return { seen: [...silent].map(([name, seen]) => `${name}: ${seen}`).join('; ') };
  });
}

/** The API server's own 502 and 503 say that it could not reach the pod; a Status has the words in its message. */
function notReached({ status, text }: { status: number; text: string }): string | undefined {
  const own = /error trying to reach|"kind":\s*"Status"/.test(text);
  return (status === 502 || status === 503) && own ? (messageIn(text) ?? text).slice(0, 160) : undefined;
}

function messageIn(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' && message !== '' ? message : undefined;
  } catch {
    return undefined;
  }
}
