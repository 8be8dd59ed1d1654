// pod-template-hash: the name of a pod template. Kubernetes hashes a dump of Go structs, which nobody else can make; what
// matters is that equal templates have equal hashes. Source: ComputeHash in pkg/controller/controller_utils.go.

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a of the template's canonical JSON and the collision count, written without vowels and look-alikes. */
export function templateHash(template: unknown, collisionCount?: number): string {
  const bytes = Buffer.from(
    canonicalJson(template) + (collisionCount === undefined ? '' : `/${collisionCount}`),
  );
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return safeEncode(String(hash));
}

/** apimachinery's rand.SafeEncodeString: each character to one of 27. */
export function safeEncode(text: string): string {
  return [...text].map((character) => alphabet[character.charCodeAt(0) % alphabet.length]).join('');
}

/** Fields in the order of their names; absent ones, null and empty lists left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(
      ([, field]) => field !== undefined && field !== null && !(Array.isArray(field) && field.length === 0),
    )
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}

/** The same value as Go would write it from a map. */
export function inFieldOrder<T>(value: T): T {
  return JSON.parse(canonicalJson(value)) as T;
}
