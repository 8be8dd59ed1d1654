// The objects in memory with one resourceVersion for all, their recent changes for watches, and delivery in order.
import { deepFreeze, type KubeObject } from './objects.ts';
import { definitions, type ResourceDefinition } from './resources.ts';

export interface StoredChange {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly definition: ResourceDefinition;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

export interface Storage {
  /** The resourceVersion of the last write. */
  readonly version: number;
  /** Watches can start after this version and later; before it the changes are forgotten (410). */
  readonly oldestVersion: number;
  get(definition: ResourceDefinition, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Sorted by namespace and name, as the keys in etcd are. */
  list(definition: ResourceDefinition, namespace?: string): readonly KubeObject[];
  /** Changes of all resources after a version. Call only with version >= oldestVersion. */
  changesAfter(version: number): readonly StoredChange[];
  /** Stores and tells every listener; from within a listener the telling waits until the present change is told. */
  commit(type: StoredChange['type'], definition: ResourceDefinition, object: KubeObject): KubeObject;
  subscribe(listener: (change: StoredChange) => void): () => void;
}

/** @param historyLimit How many changes are kept for watches that start late. */
export function createStorage(historyLimit: number): Storage {
  const tables = new Map(definitions.map(({ resource }) => [resource, new Map<string, KubeObject>()]));
  const sorted = new Map<string, readonly KubeObject[]>();
  const listeners = new Set<(change: StoredChange) => void>();
  const pending: StoredChange[] = [];
  let history: StoredChange[] = [];
  let version = 1;
  let oldestVersion = version;
  let telling = false;

  const tableOf = (definition: ResourceDefinition) => {
    const table = tables.get(definition.resource);
    if (!table) throw new Error(`no table for ${definition.resource}`);
    return table;
  };

  const all = (definition: ResourceDefinition): readonly KubeObject[] => {
    let objects = sorted.get(definition.resource);
    if (!objects) {
      const entries = [...tableOf(definition).entries()];
      objects = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
      sorted.set(definition.resource, objects);
    }
    return objects;
  };

  return {
    get version() {
      return version;
    },
    get oldestVersion() {
      return oldestVersion;
    },
    get: (definition, namespace, name) => tableOf(definition).get(keyOf(definition, namespace, name)),
    list: (definition, namespace) =>
      namespace && definition.namespaced
        ? all(definition).filter((object) => object.metadata.namespace === namespace)
        : all(definition),
    changesAfter(after) {
      // Versions rise by one per change, so the position follows from the version.
      const first = history[0];
      return first ? history.slice(Math.max(0, after + 1 - first.version)) : [];
    },
    commit(type, definition, object) {
      version++;
      object.metadata.resourceVersion = String(version);
      const stored = deepFreeze(object);
      const table = tableOf(definition);
      const key = keyOf(definition, stored.metadata.namespace, stored.metadata.name);
      const previous = table.get(key);
      if (type === 'DELETED') table.delete(key);
      else table.set(key, stored);
      sorted.delete(definition.resource);
      const change = { version, type, definition, object: stored, previous };
      history.push(change);
      if (history.length > historyLimit * 1.25) {
        history = history.slice(-historyLimit);
        oldestVersion = history[0]!.version - 1;
      }
      pending.push(change);
      if (!telling) {
        telling = true;
        for (let next = pending.shift(); next; next = pending.shift()) {
          for (const listener of [...listeners]) tell(listener, next);
        }
        telling = false;
      }
      return stored;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

// A listener that throws is a defect of its own: the writer and the other listeners go on, the process hears of it.
function tell(listener: (change: StoredChange) => void, change: StoredChange): void {
  try {
    listener(change);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function keyOf(definition: ResourceDefinition, namespace: string | undefined, name: string): string {
  return definition.namespaced ? `${namespace ?? ''}/${name}` : name;
}
