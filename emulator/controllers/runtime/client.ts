// A controller's client: writes take time, come no faster than its rate limit allows, and events are sent one after
// another by a recorder of their own.
import type { DeleteOptions, Draft, Kinds, Registry, Resource } from '../../api/types.ts';
import type { StoppableClock } from './clock.ts';
import { drawMs, type Latencies } from './latencies.ts';

export interface Involved {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string };
}

export interface Client {
  create<R extends Resource>(resource: R, draft: Draft<R>): Promise<Kinds[R]>;
  /** Rejects with 409 when the object's resourceVersion is old. */
  update<R extends Resource>(resource: R, object: Kinds[R], subresource?: 'status'): Promise<Kinds[R]>;
  /** A patch: changes what is stored now. */
  mutate<R extends Resource>(
    resource: R,
    namespace: string | undefined,
    name: string,
    change: (draft: Kinds[R]) => void,
    subresource?: 'status',
  ): Promise<Kinds[R] | undefined>;
  delete<R extends Resource>(
    resource: R,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions,
  ): Promise<Kinds[R] | undefined>;
  /** Records an event; returns at once. */
  event(involved: Involved, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

interface ClientOptions {
  readonly registry: Registry;
  readonly clock: StoppableClock;
  readonly random: () => number;
  readonly latencies: Latencies;
  /** The source of its events. */
  readonly component: string;
  readonly qps: number;
  readonly burst: number;
}

// Events are not worth unbounded memory: client-go's recorder drops them beyond this, too.
const eventQueueLimit = 1000;

export function createClient(options: ClientOptions): Client {
  const { registry, clock, random, latencies, component } = options;
  const limiter = createRateLimiter(clock, options.qps, options.burst);
  const events: (() => void)[] = [];
  let sending = false;

  const request = async <T>(write: () => T, way = latencies.write): Promise<T> => {
    await limiter.turn();
    await clock.sleep(drawMs(way, random));
    const result = write();
    await clock.sleep(drawMs(latencies.answer, random));
    return result;
  };
  const sendEvents = async () => {
    if (sending) return;
    sending = true;
    for (let next = events.shift(); next; next = events.shift()) {
      await limiter.turn();
      await clock.sleep(drawMs(latencies.event, random));
      next();
    }
    sending = false;
  };

  return {
    create: (resource, draft) =>
      request(
        () => registry.create(resource, draft),
        resource === 'pods' ? latencies.createPod : latencies.write,
      ),
    update: (resource, object, subresource) => request(() => registry.update(resource, object, subresource)),
    mutate: (resource, namespace, name, change, subresource) =>
      request(() => registry.mutate(resource, namespace, name, change, subresource)),
    delete: (resource, namespace, name, deleteOptions) =>
      request(() => registry.delete(resource, namespace, name, deleteOptions)),
    event(involved, type, reason, message) {
      if (clock.stopped || events.length >= eventQueueLimit) return;
      events.push(() => registry.event(involved as never, type, reason, message, component));
      void sendEvents();
    },
  };
}

/** Token bucket, as client-go's flowcontrol. */
function createRateLimiter(clock: StoppableClock, qps: number, burst: number) {
  let tokens = burst;
  let atMs = clock.nowMs();
  return {
    async turn(): Promise<void> {
      const nowMs = clock.nowMs();
      tokens = Math.min(burst, tokens + ((nowMs - atMs) / 1000) * qps);
      atMs = nowMs;
      tokens -= 1;
      if (tokens < 0) await clock.sleep((-tokens / qps) * 1000);
    },
  };
}
