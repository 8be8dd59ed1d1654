// Watches everything of one experiment's namespace into its journal, and keeps the present state for the steps.
import { apiStatus } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import { FaultError } from '../model/errors.ts';
import type { Facts, FactsKind } from '../model/facts.ts';
import { label } from '../model/manifest.ts';
import type { JournalWriter } from './journal-writer.ts';
import { createLiveState, type LiveState } from './live.ts';
import { type ApiObject, reduceObject } from './reduce.ts';
import { type RunningWatch, startWatch } from './watch.ts';

export interface Recorder extends AsyncDisposable {
  readonly live: LiveState;
  /** Faults that make the experiment worthless; empty while all is well. */
  readonly faults: readonly string[];
  /** Makes sure that the last states have arrived; what is missing is recorded as a fault. */
  verify(limitMs: number): Promise<void>;
  stop(): void;
}

interface Watched {
  readonly kind: FactsKind;
  readonly path: (namespace: string) => string;
  readonly query?: Readonly<Record<string, string>>;
}

const watched: readonly Watched[] = [
  { kind: 'Deployment', path: (ns) => `/apis/apps/v1/namespaces/${ns}/deployments` },
  { kind: 'ReplicaSet', path: (ns) => `/apis/apps/v1/namespaces/${ns}/replicasets` },
  { kind: 'DaemonSet', path: (ns) => `/apis/apps/v1/namespaces/${ns}/daemonsets` },
  { kind: 'StatefulSet', path: (ns) => `/apis/apps/v1/namespaces/${ns}/statefulsets` },
  { kind: 'Rollout', path: (ns) => `/apis/${rolloutApiVersion}/namespaces/${ns}/rollouts` },
  { kind: 'Pod', path: (ns) => `/api/v1/namespaces/${ns}/pods` },
  { kind: 'EndpointSlice', path: (ns) => `/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices` },
  {
    kind: 'HorizontalPodAutoscaler',
    path: (ns) => `/apis/autoscaling/v2/namespaces/${ns}/horizontalpodautoscalers`,
  },
  { kind: 'PodDisruptionBudget', path: (ns) => `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets` },
  { kind: 'Event', path: (ns) => `/api/v1/namespaces/${ns}/events` },
  { kind: 'Node', path: () => '/api/v1/nodes' },
];

/** Only where they are asked for. */
const asked: ReadonlySet<FactsKind> = new Set(['StatefulSet', 'Rollout']);

/** Others use the namespace, too: only what carries the run's label is recorded, and events about these names. */
interface SharedNamespace {
  readonly runId: string;
  readonly names: readonly string[];
}

interface RecorderOptions {
  /** Kinds of the targets: StatefulSets and Rollouts are watched where one is, so that nobody else needs the right to. */
  readonly workloads?: readonly string[];
  readonly shared?: SharedNamespace | undefined;
  /** What is recorded of an object: its facts, with what is known beside them, or nothing. Default: all as they are. */
  readonly take?: (object: ApiObject, facts: Facts) => Facts | undefined;
  /** Kinds that somebody may keep to himself: without the right to watch them they are not recorded. */
  readonly mayLack?: readonly FactsKind[];
}

/** Starts all watches; resolves when each has delivered its first list. */
export async function startRecorder(
  kube: Kube,
  namespace: string,
  journal: JournalWriter,
  { workloads = [], shared, take = (_, facts) => facts, mayLack = ['Node'] }: RecorderOptions = {},
): Promise<Recorder> {
  const live = createLiveState();
  const faults: string[] = [];
  const watches: { kind: FactsKind; watch: RunningWatch }[] = [];
  /** Objects whose reduced facts did not change since last time need no record (a node's heartbeat, for example). */
  const lastFacts = new Map<string, string>();

  const stop = () => {
    for (const { watch } of watches) watch.stop();
  };
  try {
    await Promise.all(
      watched
        .filter(({ kind }) => !asked.has(kind) || workloads.includes(kind))
        .map(async ({ kind, path, query }) => {
          const watch = await startWatch(
            kube,
            path(namespace),
            {
              event: (event, object) => {
                if (isOurs(kind, object, shared)) record(kind, event, object);
              },
              gap(lost, reason, forMs) {
                const now = journal.nowMs();
                journal.write({ type: 'watch-gap', kind, fromT: now - forMs, lost, reason });
                if (lost) faults.push(`The watch on ${kind} lost events: ${reason}.`);
              },
            },
            shared && kind !== 'Event' && kind !== 'Node'
              ? { ...query, labelSelector: `${label.run}=${shared.runId}` }
              : query,
          ).catch((error: unknown) => {
            // Somebody who looks after the cluster may keep its nodes to himself.
            if (mayLack.includes(kind) && apiStatus(error) === 403) return undefined;
            throw error;
          });
          if (watch) watches.push({ kind, watch });
        }),
    );
  } catch (error) {
    stop();
    throw error;
  }

  return {
    live,
    faults,
    stop,
    async verify(limitMs) {
      await Promise.all(
        watches.map(async ({ kind, watch }) => {
          if (kind === 'Event' || kind === 'Node') return;
          const missing = await watch.verify(limitMs);
          if (missing.length === 0) return;
          const text = `The watch on ${kind} did not deliver the last state of ${missing.join(', ')} within ${limitMs} ms`;
          faults.push(text);
          journal.write({ type: 'note', level: 'fault', text });
        }),
      );
    },
    async [Symbol.asyncDispose]() {
      stop();
    },
  };

  function record(
    kind: FactsKind,
    event: 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED',
    object: ApiObject,
  ): void {
    const reduced = reduceObject(kind, object);
    if (!reduced) throw new FaultError(`No facts for ${kind} ${object.metadata.name}.`);
    const facts = take(object, reduced);
    if (!facts) return;
    const name = object.metadata.name;
    live.update(event, name, facts);
    const key = `${kind}/${name}`;
    const text = JSON.stringify(facts);
    if (event === 'MODIFIED' && lastFacts.get(key) === text) return;
    if (event === 'DELETED') lastFacts.delete(key);
    else lastFacts.set(key, text);
    journal.write({
      type: 'watch',
      event,
      namespace: object.metadata.namespace ?? '',
      name,
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
      facts,
    });
  }
}

function isOurs(kind: FactsKind, object: ApiObject, shared: SharedNamespace | undefined): boolean {
  if (!shared || kind !== 'Event') return true;
  const { name = '' } = (object.involvedObject ?? {}) as { name?: string };
  return (
    name.startsWith('rollproof-') || shared.names.some((one) => name === one || name.startsWith(`${one}-`))
  );
}
