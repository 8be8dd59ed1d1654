// How lists merge: by which key, or as sets; all others are replaced as a whole.
// Source: patchMergeKey/patchStrategy and listType/listMapKey tags in k8s.io/api (v1.34).

export type Path = readonly string[];

const strategicKeys: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  hostAliases: 'ip',
  podIPs: 'ip',
  hostIPs: 'ip',
  topologySpreadConstraints: 'topologyKey',
  schedulingGates: 'name',
  resourceClaims: 'name',
  ownerReferences: 'uid',
};

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'];

/** The key by which a strategic merge patch matches the items of a list; undefined: replaced as a whole. */
export function mergeKey(kind: string, path: Path): string | undefined {
  const field = path.at(-1);
  const parent = path.at(-2);
  switch (field) {
    case undefined:
      return undefined;
    case 'ports':
      if (kind === 'Service') return path.length === 2 && parent === 'spec' ? 'port' : undefined;
      return parent && containerLists.includes(parent) ? 'containerPort' : undefined;
    case 'addresses':
      return kind === 'Node' ? 'type' : undefined;
    case 'imagePullSecrets':
      return kind === 'ServiceAccount' ? undefined : 'name';
    case 'secrets':
      return kind === 'ServiceAccount' ? 'name' : undefined;
    case 'conditions':
      // HPA conditions carry no patch tags.
      return parent === 'status' && kind !== 'HorizontalPodAutoscaler' ? 'type' : undefined;
    default:
      return strategicKeys[field];
  }
}

/** Lists of plain values that merge as sets. */
export function isPrimitiveSet(path: Path): boolean {
  return path.at(-1) === 'finalizers' || path.at(-1) === 'podCIDRs';
}

/** Objects that a strategic patch replaces as a whole (patchStrategy: replace). */
export function isReplaced(kind: string, path: Path): boolean {
  return kind === 'PodDisruptionBudget' && path.join('.') === 'spec.selector';
}

/** The keys by which server-side apply matches the items of a list; undefined: atomic. */
export function applyKeys(kind: string, path: Path): string[] | undefined {
  const field = path.at(-1);
  if (field === 'addresses' && kind === 'Node') return ['type'];
  if (field === 'conditions' && path.at(-2) === 'status') return ['type'];
  const key = mergeKey(kind, path);
  switch (key) {
    case undefined:
      return undefined;
    case 'containerPort':
      return ['containerPort', 'protocol'];
    case 'port':
      return ['port', 'protocol'];
    case 'topologyKey':
      return ['topologyKey', 'whenUnsatisfiable'];
    default:
      return [key];
  }
}

/** Objects that server-side apply owns as a whole (structType/mapType: atomic). */
export function isAtomicObject(path: Path): boolean {
  const field = path.at(-1) ?? '';
  return atomicObjects.has(field);
}

const atomicObjects = new Set([
  'selector',
  'labelSelector',
  'namespaceSelector',
  'matchLabels',
  'nodeSelector',
  'nodeSelectorTerms',
  'fieldRef',
  'resourceFieldRef',
  'configMapKeyRef',
  'secretKeyRef',
  'involvedObject',
  'scaleTargetRef',
  'targetRef',
]);
