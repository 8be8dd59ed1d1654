// Garbage collection: dependents follow their owners (ownerReferences), content follows its namespace. Runs right after
// the change that causes it; Kubernetes does the same some milliseconds later.
// Source: kubernetes/pkg/controller/garbagecollector, pkg/controller/namespace.
import type { KubeObject } from './objects.ts';
import { cloneObject } from './objects.ts';
import { definitionOf, definitions, type ResourceDefinition } from './resources.ts';
import type { Storage, StoredChange } from './storage.ts';
import type { DeleteOptions } from './types.ts';

/** What garbage collection needs of the write path. */
interface GarbageWriter {
  delete(definition: ResourceDefinition, object: KubeObject, options: DeleteOptions): void;
  update(definition: ResourceDefinition, object: KubeObject): void;
  /** Takes it out of the store without further ado. */
  remove(definition: ResourceDefinition, object: KubeObject): void;
}

interface Located {
  definition: ResourceDefinition;
  object: KubeObject;
}

interface GarbageCollector {
  /** To be called with every change, in order. */
  follow(change: StoredChange): void;
  /** Deletes an object none of whose owners exists. */
  collectOrphan(definition: ResourceDefinition, object: KubeObject): void;
}

export function createGarbageCollector(storage: Storage, writer: GarbageWriter): GarbageCollector {
  // Owner uid → uid of dependent → where it is.
  const dependentsOf = new Map<
    string,
    Map<string, Omit<Located, 'object'> & { namespace?: string; name: string }>
  >();
  const living = new Set<string>();

  function dependents(uid: string): Located[] {
    const found: Located[] = [];
    for (const [dependentUid, place] of dependentsOf.get(uid) ?? []) {
      const object = storage.get(place.definition, place.namespace, place.name);
      if (object?.metadata.uid === dependentUid) found.push({ definition: place.definition, object });
    }
    return found;
  }

  function index(change: StoredChange): void {
    const { definition, object, previous, type } = change;
    const { uid, namespace, name } = object.metadata;
    for (const owner of previous?.metadata.ownerReferences ?? []) {
      const known = dependentsOf.get(owner.uid);
      known?.delete(uid);
      if (known?.size === 0) dependentsOf.delete(owner.uid);
    }
    if (type === 'DELETED') {
      living.delete(uid);
      return;
    }
    living.add(uid);
    for (const owner of object.metadata.ownerReferences ?? []) {
      const known = dependentsOf.get(owner.uid) ?? new Map();
      dependentsOf.set(owner.uid, known);
      known.set(uid, { definition, name, ...(namespace === undefined ? {} : { namespace }) });
    }
  }

  function withoutOwner(object: KubeObject, uid: string): KubeObject {
    const changed = cloneObject(object);
    changed.metadata.ownerReferences = changed.metadata.ownerReferences?.filter((owner) => owner.uid !== uid);
    return changed;
  }

  function withoutFinalizer(object: KubeObject, finalizer: string): KubeObject {
    const changed = cloneObject(object);
    changed.metadata.finalizers = changed.metadata.finalizers?.filter((name) => name !== finalizer);
    return changed;
  }

  /** The owner is gone or goes: a dependent with another living owner only loses the reference. */
  function release(dependent: Located, ownerUid: string, policy: DeleteOptions['propagationPolicy']): void {
    const { definition, object } = dependent;
    const others = (object.metadata.ownerReferences ?? []).filter(
      (owner) => owner.uid !== ownerUid && living.has(owner.uid),
    );
    if (others.length > 0) writer.update(definition, withoutOwner(object, ownerUid));
    else if (!object.metadata.deletionTimestamp)
      writer.delete(definition, object, { propagationPolicy: policy });
  }

  function finishForeground(owner: Located): void {
    const current = storage.get(
      owner.definition,
      owner.object.metadata.namespace,
      owner.object.metadata.name,
    );
    if (current?.metadata.uid !== owner.object.metadata.uid) return;
    if (!current.metadata.finalizers?.includes('foregroundDeletion')) return;
    const blocking = dependents(current.metadata.uid).some(({ object }) =>
      object.metadata.ownerReferences?.some(
        (reference) => reference.uid === current.metadata.uid && reference.blockOwnerDeletion,
      ),
    );
    if (!blocking) writer.update(owner.definition, withoutFinalizer(current, 'foregroundDeletion'));
  }

  function startForeground(owner: Located): void {
    for (const dependent of dependents(owner.object.metadata.uid)) {
      const hasDependents = dependents(dependent.object.metadata.uid).length > 0;
      release(dependent, owner.object.metadata.uid, hasDependents ? 'Foreground' : 'Background');
    }
    finishForeground(owner);
  }

  function orphanDependents(owner: Located): void {
    for (const { definition, object } of dependents(owner.object.metadata.uid)) {
      writer.update(definition, withoutOwner(object, owner.object.metadata.uid));
    }
    writer.update(owner.definition, withoutFinalizer(owner.object, 'orphan'));
  }

  function emptyNamespace(name: string): void {
    const namespaces = definitionOf('namespaces');
    let left = 0;
    for (const definition of definitions) {
      if (!definition.namespaced) continue;
      for (const object of storage.list(definition, name)) {
        if (!object.metadata.deletionTimestamp)
          writer.delete(definition, object, { propagationPolicy: 'Background' });
        if (storage.get(definition, name, object.metadata.name)) left++;
      }
    }
    const namespace = storage.get(namespaces, undefined, name);
    if (left === 0 && namespace?.metadata.deletionTimestamp && !isHeld(namespace)) {
      writer.remove(namespaces, namespace);
    }
  }

  function afterDeletion({ definition, object }: StoredChange): void {
    for (const dependent of dependents(object.metadata.uid))
      release(dependent, object.metadata.uid, 'Background');
    dependentsOf.delete(object.metadata.uid);
    for (const reference of object.metadata.ownerReferences ?? []) {
      const owner = ownerOf(storage, reference.kind, object.metadata.namespace, reference.name);
      if (owner?.object.metadata.uid === reference.uid) finishForeground(owner);
    }
    const { namespace } = object.metadata;
    if (!definition.namespaced || !namespace) return;
    const parent = storage.get(definitionOf('namespaces'), undefined, namespace);
    if (parent?.metadata.deletionTimestamp) emptyNamespace(namespace);
  }

  return {
    follow(change) {
      index(change);
      const { definition, object, previous, type } = change;
      if (type === 'DELETED') {
        afterDeletion(change);
        return;
      }
      if (definition.resource === 'namespaces' && object.metadata.deletionTimestamp) {
        emptyNamespace(object.metadata.name);
      }
      const newlyDeleted = object.metadata.deletionTimestamp && !previous?.metadata.deletionTimestamp;
      if (!newlyDeleted) return;
      if (object.metadata.finalizers?.includes('orphan')) orphanDependents({ definition, object });
      else if (object.metadata.finalizers?.includes('foregroundDeletion'))
        startForeground({ definition, object });
    },
    collectOrphan(definition, object) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && !owners.some((owner) => living.has(owner.uid))) {
        writer.delete(definition, object, { propagationPolicy: 'Background' });
      }
    },
  };
}

/** By a finalizer that is not the namespace controller's own (which this is). */
function isHeld({ metadata, spec }: KubeObject): boolean {
  const { finalizers = [] } = (spec ?? {}) as { finalizers?: string[] };
  return (metadata.finalizers?.length ?? 0) > 0 || finalizers.some((name) => name !== 'kubernetes');
}

function ownerOf(
  storage: Storage,
  kind: string,
  namespace: string | undefined,
  name: string,
): Located | undefined {
  const definition = definitions.find((candidate) => candidate.kind === kind);
  const object = definition && storage.get(definition, namespace, name);
  return object && { definition, object };
}
