// Turns watch events into the lines of a recording: only what an emulation must reproduce, generated names replaced by
// their order of creation (rs1, rs1-p1 …), also inside messages.
import type { RecordedEvent } from './recording.ts';

export interface WatchEvent {
  /** ms since the first step. */
  readonly t: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: WatchedObject;
}

export interface WatchedObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface ReduceOptions {
  readonly namespace: string;
  /** Wall clock of t = 0, ms. */
  readonly zeroWallMs: number;
}

/** Replaces generated names in a text. */
export type Rename = (text: string) => string;

export function reduceEvents(events: readonly WatchEvent[], options: ReduceOptions): RecordedEvent[] {
  const rename = renaming(events, options.namespace);
  return events.map(({ t, type, object }) => ({
    t: Math.round(t),
    type,
    kind: object.kind,
    name: nameOf(object, rename),
    object: reduceObject(object, rename, options.zeroWallMs),
  }));
}

function nameOf(object: WatchedObject, rename: Rename): string {
  if (object.kind !== 'Event') return rename(object.metadata.name);
  const { kind, name } = object.involvedObject as { kind: string; name: string };
  return `${kind}/${rename(name)}`;
}

/** The names that the cluster made up, in order of creation, and what stands for them. */
export function generatedNames(events: readonly WatchEvent[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const count = (group: string) => {
    const next = (counts.get(group) ?? 0) + 1;
    counts.set(group, next);
    return next;
  };
  for (const { object } of events) {
    if (object.kind === 'ReplicaSet' && !names.has(object.metadata.name)) {
      names.set(object.metadata.name, `rs${count('rs')}`);
    }
  }
  for (const { object } of events) {
    const { name, ownerReferences = [], labels = {} } = object.metadata;
    const [owner] = ownerReferences;
    if (names.has(name)) continue;
    if (object.kind === 'Pod' && owner) {
      const group =
        owner.kind === 'ReplicaSet'
          ? (names.get(owner.name) ?? owner.name)
          : owner.kind === 'DaemonSet'
            ? 'ds'
            : 'job';
      names.set(name, `${group}-p${count(group)}`);
    } else if (object.kind === 'EndpointSlice') {
      const service = labels['kubernetes.io/service-name'] ?? 'eps';
      names.set(name, `${service}-eps${count(`${service}-eps`)}`);
    }
  }
  return names;
}

export function renaming(events: readonly WatchEvent[], namespace: string): Rename {
  const replacements: [string, string][] = [...generatedNames(events)];
  for (const { object } of events) {
    const podIP = (object.status as { podIP?: string } | undefined)?.podIP;
    if (object.kind === 'Pod' && podIP) replacements.push([podIP, 'IP']);
    if (object.kind === 'Pod') replacements.push([object.metadata.uid, 'UID']);
  }
  replacements.push([namespace, 'NS']);
  // The longest first: a ReplicaSet's name is the beginning of its pods' names.
  const unique = [...new Map(replacements)].sort((a, b) => b[0].length - a[0].length);
  return (text) => unique.reduce((result, [name, by]) => result.replaceAll(name, by), text);
}

function reduceObject(object: WatchedObject, rename: Rename, zeroWallMs: number): Record<string, unknown> {
  const { metadata, spec = {}, status = {} } = object;
  const annotations = metadata.annotations ?? {};
  const revision = annotations['deployment.kubernetes.io/revision'];
  const template = spec.template as { spec?: { containers?: { image?: string }[] } } | undefined;
  const image = template?.spec?.containers?.[0]?.image;
  const reducedStatus = () => {
    const { conditions, ...counts } = status;
    return {
      ...counts,
      ...(Array.isArray(conditions) && { conditions: reduceConditions(conditions, rename) }),
    };
  };
  switch (object.kind) {
    case 'Pod':
      return reducePod(object, rename, zeroWallMs);
    case 'Deployment':
      return {
        specReplicas: spec.replicas,
        paused: spec.paused === true,
        generation: metadata.generation,
        ...(revision && { revision }),
        image,
        status: reducedStatus(),
      };
    case 'ReplicaSet':
      return {
        specReplicas: spec.replicas,
        generation: metadata.generation,
        status: reducedStatus(),
        annotations: {
          desiredReplicas: annotations['deployment.kubernetes.io/desired-replicas'],
          maxReplicas: annotations['deployment.kubernetes.io/max-replicas'],
          ...(revision && { revision }),
        },
        templateHash: metadata.labels?.['pod-template-hash'],
        image,
      };
    case 'DaemonSet':
      return {
        generation: metadata.generation,
        image,
        updateStrategy: spec.updateStrategy,
        status: reducedStatus(),
      };
    case 'HorizontalPodAutoscaler':
      return { min: spec.minReplicas, max: spec.maxReplicas, status: reducedStatus() };
    case 'PodDisruptionBudget':
      return {
        minAvailable: spec.minAvailable,
        maxUnavailable: spec.maxUnavailable,
        status: reducedStatus(),
      };
    case 'EndpointSlice':
      return reduceSlice(object, rename);
    case 'Event': {
      const involved = object.involvedObject as { kind: string; name: string };
      return {
        reason: object.reason,
        type: object.type,
        message: rename(String(object.message ?? '')),
        involvedObject: { kind: involved.kind, name: rename(involved.name) },
        count: object.count,
        component: (object.source as { component?: string } | undefined)?.component,
      };
    }
    default:
      return {};
  }
}

type RawCondition = { type: string; status: string; reason?: string; message?: string };

const reduceConditions = (conditions: readonly RawCondition[], rename: Rename) =>
  conditions.map(({ type, status, reason, message }) => ({
    type,
    status,
    ...(reason && { reason }),
    ...(message && { message: rename(message) }),
  }));

interface RawPodStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly podIP?: string;
  readonly conditions?: readonly RawCondition[];
  readonly containerStatuses?: readonly {
    readonly name: string;
    readonly image: string;
    readonly ready: boolean;
    readonly started?: boolean;
    readonly restartCount: number;
    readonly state?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly lastState?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  }[];
}

function reducePod(object: WatchedObject, rename: Rename, zeroWallMs: number): Record<string, unknown> {
  const { metadata, spec = {} } = object;
  const status = (object.status ?? {}) as RawPodStatus;
  const [owner] = metadata.ownerReferences ?? [];
  const stateOf = (state: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined) => {
    const [kind, detail] = Object.entries(state ?? {})[0] ?? [];
    if (!kind || !detail) return undefined;
    const { containerID: _, startedAt, finishedAt, message, ...rest } = detail;
    const since = (time: unknown) => Date.parse(String(time)) - zeroWallMs;
    return {
      [kind]: {
        ...rest,
        ...(message !== undefined && { message: rename(String(message)) }),
        ...(startedAt !== undefined && { startedAtMs: since(startedAt) }),
        ...(finishedAt !== undefined && { finishedAtMs: since(finishedAt) }),
      },
    };
  };
  const containers = (spec.containers ?? []) as { image?: string }[];
  return {
    ...(owner && { owner: rename(owner.name), ownerKind: owner.kind }),
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
    phase: status.phase ?? 'Pending',
    ...(status.reason && { reason: status.reason }),
    ...(status.message && { message: rename(status.message) }),
    deletionTimestamp: metadata.deletionTimestamp !== undefined,
    ...(metadata.deletionGracePeriodSeconds !== undefined && {
      deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds,
    }),
    specImage: containers[0]?.image,
    podIP: status.podIP !== undefined,
    ...(status.conditions && { conditions: reduceConditions(status.conditions, rename) }),
    ...(status.containerStatuses && {
      containerStatuses: status.containerStatuses.map((container) => ({
        name: container.name,
        image: container.image,
        ready: container.ready,
        started: container.started,
        restartCount: container.restartCount,
        state: stateOf(container.state) ?? {},
        ...(stateOf(container.lastState) && { lastState: stateOf(container.lastState) }),
      })),
    }),
  };
}

function reduceSlice(object: WatchedObject, rename: Rename): Record<string, unknown> {
  const endpoints = (object.endpoints ?? []) as {
    targetRef?: { name: string };
    nodeName?: string;
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  }[];
  const ports = (object.ports ?? []) as { port?: number }[];
  return {
    endpoints: endpoints
      .map(({ targetRef, nodeName, conditions }) => ({
        pod: targetRef && rename(targetRef.name),
        conditions: {
          ready: conditions?.ready === true,
          serving: conditions?.serving === true,
          terminating: conditions?.terminating === true,
        },
        nodeName,
      }))
      .sort((a, b) => String(a.pod).localeCompare(String(b.pod))),
    ...(ports.length > 0 && { ports: ports.map(({ port }) => port) }),
  };
}
