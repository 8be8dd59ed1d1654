// A process's view of the API server: caches that lag behind the registry by a watch's latency, and handlers that run
// when a cache has changed. Decisions on stale caches are as real as those that Kubernetes makes.
import type { Change, Kinds, Registry, Resource } from '../../api/types.ts';
import type { StoppableClock } from './clock.ts';
import { drawMs, type Latencies } from './latencies.ts';

export interface Informers {
  get<R extends Resource>(resource: R, namespace: string | undefined, name: string): Kinds[R] | undefined;
  /** In order of arrival. */
  list<R extends Resource>(resource: R, namespace?: string): Kinds[R][];
  /** Handlers run in the order of their registration. */
  on<R extends Resource>(resource: R, handler: (change: Change<R>) => void): void;
  /** Fills the caches, tells the handlers of all that exists, and follows the registry from now on. */
  start(): void;
  stop(): void;
}

export function createInformers(
  registry: Registry,
  resources: readonly Resource[],
  clock: StoppableClock,
  random: () => number,
  latencies: Latencies,
): Informers {
  const streams = new Map<Resource, Stream>();
  // The registry deletes an owner's dependents at once, a real cluster some 10 ms after the owner: by then its watchers
  // know. So nothing overtakes a deletion; otherwise the order between kinds is as loose as there.
  const deletion = { dueMs: 0 };
  for (const resource of resources) {
    streams.set(resource, createStream(clock, random, latencies, deletion));
  }
  let unsubscribe: (() => void) | undefined;

  const streamOf = (resource: Resource): Stream => {
    const stream = streams.get(resource);
    if (!stream) throw new Error(`no informer for ${resource}`);
    return stream;
  };

  return {
    get: <R extends Resource>(resource: R, namespace: string | undefined, name: string) =>
      streamOf(resource).cache.get(keyOf(namespace, name)) as Kinds[R] | undefined,
    list<R extends Resource>(resource: R, namespace?: string) {
      const objects = [...streamOf(resource).cache.values()] as Kinds[R][];
      return namespace === undefined
        ? objects
        : objects.filter(({ metadata }) => metadata.namespace === namespace);
    },
    on<R extends Resource>(resource: R, handler: (change: Change<R>) => void) {
      streamOf(resource).handlers.push(handler as unknown as (change: Change) => void);
    },
    start() {
      unsubscribe = registry.subscribe((change) => streams.get(change.resource)?.receive(change));
      const existing: Change[] = [];
      for (const [resource, stream] of streams) {
        for (const object of registry.list(resource)) {
          stream.cache.set(keyOf(object.metadata.namespace, object.metadata.name), object);
          existing.push({ type: 'ADDED', resource, object, previous: undefined });
        }
      }
      for (const change of existing)
        for (const handler of streamOf(change.resource).handlers) handler(change);
    },
    stop: () => unsubscribe?.(),
  };
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** "ns/name" → [ns, name]; a name alone has no namespace. */
export function splitKey(key: string): [namespace: string | undefined, name: string] {
  const slash = key.indexOf('/');
  return slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
}

interface Stream {
  readonly cache: Map<string, Kinds[Resource]>;
  readonly handlers: ((change: Change) => void)[];
  receive(change: Change): void;
}

/** One watch: what it carries arrives late, but in order. */
function createStream(
  clock: StoppableClock,
  random: () => number,
  latencies: Latencies,
  deletion: { dueMs: number },
): Stream {
  const cache = new Map<string, Kinds[Resource]>();
  const handlers: ((change: Change) => void)[] = [];
  const onTheWay: { change: Change; dueMs: number }[] = [];
  let lastDueMs = 0;
  let armed = false;

  const arm = () => {
    const next = onTheWay[0];
    if (!next || armed) return;
    armed = true;
    clock.setTimeout(() => {
      armed = false;
      deliver();
      arm();
    }, next.dueMs - clock.nowMs());
  };
  const deliver = () => {
    // Half a millisecond of grace: timers may fire early by less than one.
    while (onTheWay[0] && onTheWay[0].dueMs <= clock.nowMs() + 0.5) {
      const { change } = onTheWay.shift() as { change: Change };
      const key = keyOf(change.object.metadata.namespace, change.object.metadata.name);
      const previous = cache.get(key);
      if (change.type === 'DELETED') cache.delete(key);
      else cache.set(key, change.object);
      for (const handler of handlers) handler({ ...change, previous });
    }
  };
  return {
    cache,
    handlers,
    receive(change) {
      const dueMs = clock.nowMs() + drawMs(latencies.watch, random);
      if (change.type === 'DELETED') {
        lastDueMs = Math.max(lastDueMs, dueMs);
        deletion.dueMs = Math.max(deletion.dueMs, lastDueMs);
      } else lastDueMs = Math.max(lastDueMs, dueMs, deletion.dueMs > clock.nowMs() ? deletion.dueMs + 1 : 0);
      onTheWay.push({ change, dueMs: lastDueMs });
      arm();
    },
  };
}
