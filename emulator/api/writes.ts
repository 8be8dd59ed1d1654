// Create, update and delete with the API server's rules: names, generations, optimistic concurrency, graceful deletion.
// Source: apiserver/pkg/registry/{generic/registry/store.go,rest/{create,update,delete}.go} and the kinds' strategies.

import { applyDefaults } from './defaults/index.ts';
import { initialStatus, normalizeStatus } from './defaults/status.ts';
import { alreadyExists, conflict, forbidden, invalid, notFound, preconditionFailed } from './errors.ts';
import { createGarbageCollector } from './garbage.ts';
import { type FieldManager, trackUpdate } from './managed-fields.ts';
import { cloneObject, equalObjects, isObject, type KubeObject, timestamp } from './objects.ts';
import { admitQuota } from './quota.ts';
import { definitionOf, groupVersion, type ResourceDefinition } from './resources.ts';
import type { Storage } from './storage.ts';
import { strategyOf } from './strategy/index.ts';
import type { StrategyTools } from './strategy/strategy.ts';
import { type DeleteOptions, type ObjectMeta, type Pod, type Service, StatusError } from './types.ts';
import { validate } from './validation/index.ts';
import type { Capabilities } from './validation/unsupported.ts';

export interface WriteOptions {
  /** Everything but the write itself. */
  dryRun?: boolean;
  /** Who writes, for managedFields; absent: the object says already, or nobody keeps track. */
  manager?: FieldManager;
}

export interface UpdateOptions extends WriteOptions {
  subresource?: 'status' | 'binding';
}

export interface RemoveOptions extends DeleteOptions, WriteOptions {
  resourceVersion?: string;
}

/** The write path over plain objects; the typed Registry and the HTTP routes both go through it. */
export interface Writes {
  create(definition: ResourceDefinition, draft: unknown, options?: WriteOptions): KubeObject;
  update(definition: ResourceDefinition, object: KubeObject, options?: UpdateOptions): KubeObject;
  /** The object's last state, and whether it is gone already. 404 when it is not there. */
  delete(
    definition: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    options?: RemoveOptions,
  ): { object: KubeObject; gone: boolean };
  /** Deletes a just created object that names only owners which do not exist. */
  collectOrphan(definition: ResourceDefinition, object: KubeObject): void;
}

interface WriteContext {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** [0, 1). */
  random: () => number;
  /** Picks an address that is in none of the given. */
  allocateClusterIP: (taken: ReadonlySet<string>) => string;
  /** PEM of the authority that signs the API server's certificate, for the ConfigMap kube-root-ca.crt. */
  rootCertificate?: string;
  /** What the nodes can do; default: nothing that takes namespaces. */
  capabilities?: Capabilities;
}

/** kube-apiserver: --service-node-port-range. */
const firstNodePort = 30_000;
const nodePortCount = 2768;
const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

export function createWrites(storage: Storage, context: WriteContext): Writes {
  const namespaces = definitionOf('namespaces');
  const allocation = {
    clusterIP: () => {
      const services = storage.list(definitionOf('services'));
      const taken = services.map(({ spec }) => (isObject(spec) ? String(spec.clusterIP) : ''));
      return context.allocateClusterIP(new Set(taken));
    },
    nodePort: (own: Service) => {
      const services = [...storage.list(definitionOf('services')), own as unknown as KubeObject];
      const taken = new Set(services.flatMap(nodePortsOf));
      const start = Math.floor(context.random() * nodePortCount);
      for (let step = 0; step < nodePortCount; step++) {
        const port = firstNodePort + ((start + step) % nodePortCount);
        if (!taken.has(port)) return port;
      }
      throw new StatusError(
        500,
        'InternalError',
        'Internal error occurred: failed to allocate a nodePort: range is full',
      );
    },
  };

  const tools: StrategyTools = {
    storage,
    now: context.now,
    create: (definition, draft) => create(definition, draft),
    rootCertificate: context.rootCertificate,
  };

  function create(definition: ResourceDefinition, draft: unknown, options: WriteOptions = {}): KubeObject {
    const object = cloneObject(draft) as KubeObject;
    object.metadata ??= {} as ObjectMeta;
    const { metadata } = object;
    object.apiVersion = groupVersion(definition);
    object.kind = definition.kind;
    if (metadata.resourceVersion && !options.dryRun) {
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
    }
    if (definition.namespaced) admitNamespace(definition, metadata);
    else delete metadata.namespace;
    nameObject(definition, metadata);
    metadata.uid = uuid(context.random);
    metadata.creationTimestamp = timestamp(context.now());
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    delete metadata.generation;
    if (definition.generation !== 'none') metadata.generation = 1;
    dropEmpty(metadata);
    const strategy = strategyOf(definition);
    strategy.admit?.(object, tools);
    applyDefaults(object, allocation);
    strategy.prepareForCreate?.(object, tools);
    if (definition.hasStatus) object.status = initialStatus(object, context.now());
    normalizeStatus(object);
    if (options.manager) trackUpdate(undefined, object, options.manager, timestamp(context.now()));
    validate(definition, object, undefined, undefined, context.capabilities);
    admitQuota(storage, definition, object);
    if (storage.get(definition, metadata.namespace, metadata.name)) {
      throw alreadyExists(definition, metadata.name);
    }
    if (options.dryRun) return object;
    const stored = storage.commit('ADDED', definition, object);
    strategy.created?.(stored, tools);
    return stored;
  }

  function admitNamespace(definition: ResourceDefinition, metadata: ObjectMeta): void {
    metadata.namespace ??= 'default';
    const namespace = storage.get(namespaces, undefined, metadata.namespace);
    if (!namespace) throw notFound(namespaces, metadata.namespace);
    if (!namespace.metadata.deletionTimestamp) return;
    throw forbidden(
      definition,
      metadata.name ?? '',
      `unable to create new content in namespace ${metadata.namespace} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${metadata.namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    );
  }

  function nameObject(definition: ResourceDefinition, metadata: ObjectMeta): void {
    if (metadata.name) return;
    if (!metadata.generateName) {
      throw invalid(definition, '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: name or generateName is required',
          field: 'metadata.name',
        },
      ]);
    }
    // apiserver/pkg/storage/names: at most 63 characters, five of them random; a collision is retried up to 7 times.
    const base = metadata.generateName.slice(0, 58);
    for (let attempt = 0; attempt < 8; attempt++) {
      metadata.name = base + randomName(5);
      if (!storage.get(definition, metadata.namespace, metadata.name)) return;
    }
  }

  function randomName(length: number): string {
    let name = '';
    while (name.length < length) name += nameAlphabet[Math.floor(context.random() * nameAlphabet.length)];
    return name;
  }

  function update(
    definition: ResourceDefinition,
    changed: KubeObject,
    options: UpdateOptions = {},
  ): KubeObject {
    const { name, namespace } = changed.metadata;
    const current = storage.get(definition, namespace, name);
    if (!current) throw notFound(definition, name);
    let object = cloneObject(changed);
    const { metadata } = object;
    if (metadata.resourceVersion && metadata.resourceVersion !== current.metadata.resourceVersion) {
      throw conflict(definition, name);
    }
    if (metadata.uid && metadata.uid !== current.metadata.uid) {
      throw conflict(
        definition,
        name,
        `StorageError: invalid object, Code: 4, Key: /registry/${definition.resource}/${namespace ? `${namespace}/` : ''}${name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${current.metadata.uid}`,
      );
    }
    keepSystemFields(metadata, current.metadata);
    object.apiVersion = groupVersion(definition);
    object.kind = definition.kind;
    if (options.subresource === 'status') object = statusUpdate(definition, current, object);
    else object = mainUpdate(definition, current, object, options.subresource === 'binding');
    if (equalObjects(current, object)) return current;
    if (options.manager) trackUpdate(current, object, options.manager, timestamp(context.now()));
    if (options.dryRun) return object;
    // An object under deletion goes with its last finalizer, without a MODIFIED of its own.
    const held = (object.metadata.finalizers?.length ?? 0) > 0;
    const graceful = (object.metadata.deletionGracePeriodSeconds ?? 0) > 0;
    if (object.metadata.deletionTimestamp && !held && !graceful && !strategyOf(definition).startDeletion) {
      remove(definition, current);
      return object;
    }
    return storage.commit('MODIFIED', definition, object);
  }

  function statusUpdate(definition: ResourceDefinition, current: KubeObject, object: KubeObject): KubeObject {
    const metadata = object.metadata;
    strategyOf(definition).prepareForStatusUpdate?.(object, current);
    const result: KubeObject = { ...cloneObject(current), metadata };
    if (object.status === undefined) delete result.status;
    else result.status = object.status;
    normalizeStatus(result);
    validate(definition, result, current, 'status');
    return result;
  }

  function mainUpdate(
    definition: ResourceDefinition,
    current: KubeObject,
    object: KubeObject,
    binding: boolean,
  ): KubeObject {
    if (definition.hasStatus) {
      if (current.status === undefined) delete object.status;
      else object.status = cloneObject(current.status);
    }
    if (binding) markScheduled(object, timestamp(context.now()));
    const strategy = strategyOf(definition);
    strategy.prepareForUpdate?.(object, current, tools);
    applyDefaults(object, allocation);
    normalizeStatus(object);
    validate(definition, object, current, binding ? 'binding' : undefined, context.capabilities);
    const { generation } = current.metadata;
    strategy.finishUpdate?.(object, current, tools);
    // A binding is written past the strategy: it raises no generation.
    if (generation !== undefined && !binding && raisesGeneration(definition, current, object)) {
      object.metadata.generation = generation + 1;
    }
    return object;
  }

  function deleteObject(
    definition: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    options: RemoveOptions = {},
  ): { object: KubeObject; gone: boolean } {
    const current = storage.get(definition, namespace, name);
    if (!current) throw notFound(definition, name);
    const { metadata } = current;
    if (options.uid !== undefined && options.uid !== metadata.uid) {
      throw preconditionFailed(
        definition,
        name,
        `the UID in the precondition (${options.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
      );
    }
    if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
      throw preconditionFailed(
        definition,
        name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
      );
    }
    const { startDeletion } = strategyOf(definition);
    if (startDeletion) {
      const changed = startDeletion(current, tools);
      if (!changed) return { object: current, gone: false };
      const stored = options.dryRun ? changed : storage.commit('MODIFIED', definition, changed);
      return { object: stored, gone: false };
    }
    const marked = mark(definition, current, options);
    const held = (marked.metadata.finalizers?.length ?? 0) > 0;
    const gone = !held && (marked.metadata.deletionGracePeriodSeconds ?? 0) === 0;
    if (options.dryRun) return { object: marked, gone };
    const stored = marked === current ? current : storage.commit('MODIFIED', definition, marked);
    if (gone) remove(definition, stored);
    return { object: stored, gone };
  }

  /** The object as it is after the delete request, before it goes; the same object when nothing changes. */
  function mark(definition: ResourceDefinition, current: KubeObject, options: RemoveOptions): KubeObject {
    const grace = strategyOf(definition).graceSeconds;
    const graceSeconds = grace?.(current, options) ?? 0;
    const finalizers = finalizersAfterDelete(current.metadata, options.propagationPolicy);
    const finalizersChanged = finalizers.length !== (current.metadata.finalizers?.length ?? 0);
    if (current.metadata.deletionTimestamp) {
      const before = current.metadata.deletionGracePeriodSeconds ?? 0;
      const shorter = options.gracePeriodSeconds !== undefined && graceSeconds < before;
      if (!shorter && !finalizersChanged) return current;
      const changed = cloneObject(current);
      if (shorter) {
        const startedMs = Date.parse(current.metadata.deletionTimestamp) - before * 1000;
        changed.metadata.deletionTimestamp = timestamp(startedMs + graceSeconds * 1000);
        changed.metadata.deletionGracePeriodSeconds = graceSeconds;
      }
      if (finalizersChanged) changed.metadata.finalizers = finalizers;
      return changed;
    }
    // Only pods are deleted gracefully; another object without finalizers goes unmarked.
    if (!grace && finalizers.length === 0) return current;
    const changed = cloneObject(current);
    changed.metadata.deletionTimestamp = timestamp(context.now() + graceSeconds * 1000);
    changed.metadata.deletionGracePeriodSeconds = graceSeconds;
    if (changed.metadata.generation !== undefined) changed.metadata.generation++;
    if (finalizersChanged) changed.metadata.finalizers = finalizers;
    return changed;
  }

  function remove(definition: ResourceDefinition, object: KubeObject): KubeObject {
    return storage.commit('DELETED', definition, cloneObject(object));
  }

  const collector = createGarbageCollector(storage, {
    delete: (definition, object, options) => {
      try {
        deleteObject(definition, object.metadata.namespace, object.metadata.name, {
          ...options,
          uid: object.metadata.uid,
        });
      } catch (error) {
        // Another's delete was faster: what was wanted has happened.
        if (!(error instanceof StatusError && (error.code === 404 || error.code === 409))) throw error;
      }
    },
    update: (definition, object) => {
      update(definition, object);
    },
    remove: (definition, object) => {
      remove(definition, object);
    },
  });
  storage.subscribe((change) => collector.follow(change));

  return { create, update, delete: deleteObject, collectOrphan: collector.collectOrphan };
}

function finalizersAfterDelete(metadata: ObjectMeta, policy: DeleteOptions['propagationPolicy']): string[] {
  const present = metadata.finalizers ?? [];
  if (policy === undefined) return present;
  const own = policy === 'Foreground' ? 'foregroundDeletion' : policy === 'Orphan' ? 'orphan' : undefined;
  const others = present.filter((name) => name !== 'foregroundDeletion' && name !== 'orphan');
  return own === undefined ? others : [...others, own];
}

function keepSystemFields(metadata: ObjectMeta, current: ObjectMeta): void {
  metadata.name = current.name;
  metadata.uid = current.uid;
  metadata.resourceVersion = current.resourceVersion;
  metadata.creationTimestamp = current.creationTimestamp;
  setOrDelete(metadata, 'namespace', current.namespace);
  setOrDelete(metadata, 'generateName', current.generateName);
  setOrDelete(metadata, 'generation', current.generation);
  setOrDelete(metadata, 'deletionTimestamp', current.deletionTimestamp);
  setOrDelete(metadata, 'deletionGracePeriodSeconds', current.deletionGracePeriodSeconds);
  // Left out: kept. An empty list: reset.
  metadata.managedFields ??= current.managedFields;
  if (metadata.managedFields === undefined) delete metadata.managedFields;
  dropEmpty(metadata);
}

function setOrDelete<K extends keyof ObjectMeta>(metadata: ObjectMeta, field: K, value: ObjectMeta[K]): void {
  if (value === undefined) delete metadata[field];
  else metadata[field] = value;
}

function dropEmpty(metadata: ObjectMeta): void {
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'] as const) {
    const value = metadata[field];
    if (value && Object.keys(value).length === 0) delete metadata[field];
  }
  delete (metadata as { selfLink?: string }).selfLink;
}

function nodePortsOf(service: KubeObject): number[] {
  const { ports = [], healthCheckNodePort } = (service as unknown as Service).spec ?? {};
  return [...ports.flatMap(({ nodePort }) => nodePort ?? []), healthCheckNodePort ?? 0];
}

/** registry/core/pod/storage: a binding sets PodScheduled in the same write. */
function markScheduled(object: KubeObject, time: string): void {
  const pod = object as unknown as Pod;
  pod.status ??= {};
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    lastTransitionTime: time,
    observedGeneration: pod.metadata.generation,
  };
  const others = pod.status.conditions ?? [];
  const index = others.findIndex(({ type }) => type === 'PodScheduled');
  pod.status.conditions = index < 0 ? [...others, condition] : others.with(index, condition);
}

function raisesGeneration(definition: ResourceDefinition, current: KubeObject, object: KubeObject): boolean {
  switch (definition.generation) {
    case 'none':
      return false;
    case 'spec':
      return !equalObjects(current.spec, object.spec);
    case 'spec-or-annotations':
      return (
        !equalObjects(current.spec, object.spec) ||
        !equalObjects(current.metadata.annotations ?? {}, object.metadata.annotations ?? {})
      );
    case 'content': {
      const { metadata: _before, ...before } = current;
      const { metadata: _after, ...after } = object;
      return (
        !equalObjects(before, after) ||
        !equalObjects(current.metadata.labels ?? {}, object.metadata.labels ?? {})
      );
    }
  }
}

/** RFC 4122 version 4 from the given randomness, so that tests can repeat a run. */
function uuid(random: () => number): string {
  const bytes = Array.from({ length: 16 }, () => Math.floor(random() * 256));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
