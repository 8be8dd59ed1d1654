// Events as client-go's recorder writes them: repeats are counted, many similar ones are combined, a flood is dropped.
// Source: client-go/tools/record/events_cache.go.
import { cloneObject, type KubeObject, timestamp } from './objects.ts';
import { definitionOf } from './resources.ts';
import type { Storage } from './storage.ts';
import { type KubeEvent, type Registry, StatusError } from './types.ts';
import type { Writes } from './writes.ts';

/** From this many distinct messages of one (object, reason) on, they are combined. */
const combinedFrom = 10;
const combineWindowMs = 600_000;
/** Per source and object: this many at once, then one per refill. */
const burst = 25;
const refillMs = 300_000;
/** kube-apiserver --event-ttl. */
const eventTtlMs = 3_600_000;
/** client-go's LRU size. */
const rememberedLimit = 4096;

interface Similar {
  messages: Set<string>;
  lastMs: number;
}

interface Allowance {
  tokens: number;
  lastMs: number;
}

export function createEventRecorder(storage: Storage, writes: Writes, now: () => number): Registry['event'] {
  const events = definitionOf('events');
  const similar = new Map<string, Similar>();
  const recorded = new Map<string, { namespace: string; name: string; count: number }>();
  const allowances = new Map<string, Allowance>();
  let lastSweepMs = now();
  let serial = 0;

  function combine(key: string, message: string): boolean {
    const record = similar.get(key);
    const fresh =
      record && now() - record.lastMs <= combineWindowMs
        ? record
        : { messages: new Set<string>(), lastMs: 0 };
    fresh.lastMs = now();
    fresh.messages.add(message);
    remember(similar, key, fresh);
    if (fresh.messages.size < combinedFrom) return false;
    // client-go pops any one message, so that the set stays at its limit.
    fresh.messages.delete(fresh.messages.values().next().value!);
    return true;
  }

  function isFlood(key: string): boolean {
    const allowance = allowances.get(key) ?? { tokens: burst, lastMs: now() };
    allowance.tokens = Math.min(burst, allowance.tokens + (now() - allowance.lastMs) / refillMs);
    allowance.lastMs = now();
    remember(allowances, key, allowance);
    if (allowance.tokens < 1) return true;
    allowance.tokens--;
    return false;
  }

  function sweep(): void {
    if (now() - lastSweepMs < 60_000) return;
    lastSweepMs = now();
    for (const object of storage.list(events)) {
      const event = object as unknown as KubeEvent;
      const last = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
      if (now() - Date.parse(last) > eventTtlMs) {
        writes.delete(events, object.metadata.namespace, object.metadata.name);
      }
    }
  }

  return (involved, type, reason, message, component, from = {}) => {
    sweep();
    const { namespace = 'default', name, uid } = involved.metadata;
    const source = { component, ...(from.host === undefined ? {} : { host: from.host }) };
    const sourceAndObject = [
      component,
      from.host,
      involved.kind,
      namespace,
      name,
      uid,
      involved.apiVersion,
    ].join(' ');
    const similarKey = [sourceAndObject, from.fieldPath, type, reason].join(' ');
    const combined = combine(similarKey, message);
    const text = combined ? `(combined from similar events): ${message}` : message;
    const key = combined ? similarKey : `${similarKey} ${message}`;
    const earlier = recorded.get(key);
    const count = (earlier?.count ?? 0) + 1;
    const time = timestamp(now());
    const place = earlier ?? { namespace, name: eventName(name, now(), serial++), count };
    remember(recorded, key, { ...place, count });
    if (isFlood(sourceAndObject)) return;
    const stored = earlier && storage.get(events, place.namespace, place.name);
    try {
      if (stored) {
        const changed = cloneObject(stored);
        writes.update(
          events,
          Object.assign(changed, { count, lastTimestamp: time, message: text }) as KubeObject,
        );
        return;
      }
      writes.create(events, {
        metadata: { name: place.name, namespace },
        involvedObject: {
          kind: involved.kind,
          ...(involved.metadata.namespace === undefined ? {} : { namespace }),
          name,
          uid,
          apiVersion: involved.apiVersion,
          ...(from.fieldPath === undefined ? {} : { fieldPath: from.fieldPath }),
        },
        reason,
        message: text,
        source,
        firstTimestamp: time,
        lastTimestamp: time,
        count,
        type,
        reportingComponent: component,
        ...(from.host === undefined ? {} : { reportingInstance: from.host }),
      });
    } catch (error) {
      // Events are best effort: a namespace that is going or gone takes none.
      if (!(error instanceof StatusError)) throw error;
    }
  };
}

/** NAME.<nanoseconds in hex>; the serial keeps two events of one millisecond apart. */
function eventName(name: string, timeMs: number, serial: number): string {
  return `${name}.${(BigInt(Math.floor(timeMs)) * 1_000_000n + BigInt(serial % 1_000_000)).toString(16)}`;
}

function remember<V>(cache: Map<string, V>, key: string, value: V): void {
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > rememberedLimit) cache.delete(cache.keys().next().value!);
}
