// What `kubectl apply` takes away: fields that the last applied manifest had and the present one has not, as a strategic
// merge patch of deletions. Pure.

type Fields = Readonly<Record<string, unknown>>;

/** Lists that merge by a key of their items; all others are replaced as a whole. Source: patchMergeKey in k8s.io/api. */
const mergeKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  imagePullSecrets: ['name'],
  volumeMounts: ['mountPath'],
  topologySpreadConstraints: ['topologyKey'],
  // Of a container, and of a Service.
  ports: ['containerPort', 'port'],
};

/** `modified` with a null for each field, and a deletion for each list item, that only `original` has. */
export function withDeletions(original: Fields, modified: Fields): Fields {
  const patch: Record<string, unknown> = { ...modified };
  for (const [name, before] of Object.entries(original)) {
    const now = modified[name];
    if (now === undefined) patch[name] = null;
    else if (isFields(before) && isFields(now)) patch[name] = withDeletions(before, now);
    else if (Array.isArray(before) && Array.isArray(now)) patch[name] = listWithDeletions(name, before, now);
  }
  return patch;
}

function listWithDeletions(name: string, before: readonly unknown[], now: readonly unknown[]): unknown[] {
  const key = mergeKeys[name]?.find((one) =>
    [...before, ...now].every((item) => isFields(item) && item[one] !== undefined),
  );
  if (!key) return [...now];
  const [from, to] = [before as readonly Fields[], now as readonly Fields[]];
  const same = (item: Fields, list: readonly Fields[]) => list.find((other) => other[key] === item[key]);
  return [
    ...to.map((item) => withDeletions(same(item, from) ?? {}, item)),
    ...from.filter((item) => !same(item, to)).map((item) => ({ [key]: item[key], $patch: 'delete' })),
  ];
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
