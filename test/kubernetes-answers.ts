// Answers of a real API server (kind, v1.34.4) to requests, and how to compare the emulated one's with them.
// The requests of the file are sent in order to an empty namespace "difft".

export interface Recorded {
  name: string;
  method: string;
  path: string;
  contentType?: string;
  accept?: string;
  /** Text is sent as it is, everything else as JSON. */
  body?: unknown;
  answer: Answer;
}

export interface Answer {
  code: number;
  warning?: string;
  body: unknown;
}

// What differs from run to run, what controllers write, and texts that nobody reads.
const leftOut = new Set([
  'resourceVersion',
  'managedFields',
  'description',
  'continue',
  'remainingItemCount',
  'rows',
  'serverAddressByClientCIDRs',
  'storageVersionHash',
  'nodePort',
  'deployment.kubernetes.io/revision',
  'node.alpha.kubernetes.io/ttl',
]);

/** An answer without what is free; null and absent, empty and absent are the same. */
export function normalize(answer: Answer): Answer {
  const isStatus = (answer.body as { kind?: string } | undefined)?.kind === 'Status';
  return {
    code: answer.code,
    ...(answer.warning ? { warning: text(answer.warning) } : {}),
    body: value(answer.body, isStatus ? leftOut : new Set([...leftOut, 'status'])),
  };
}

function value(content: unknown, without: ReadonlySet<string>): unknown {
  if (typeof content === 'string') return text(content);
  if (Array.isArray(content)) {
    return content.filter((item) => !isServiceAccountMount(item)).map((item) => value(item, without));
  }
  if (typeof content !== 'object' || content === null) return content;
  const fields = Object.entries(content)
    .filter(([field, inner]) => !without.has(field) && inner !== null)
    .map(([field, inner]): [string, unknown] => [field, value(inner, without)])
    .filter(([, inner]) => !isEmpty(inner));
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function text(content: string): string {
  return content
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replace(/10\.96\.\d+\.\d+/g, 'SERVICE-IP')
    .replace(/in record \(\d+\)/g, 'in record (VERSION)')
    .replace(/current: \d+/g, 'current: VERSION')
    .replace(/\b([Ww]eb[-_])[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1RANDOM');
}

function isEmpty(content: unknown): boolean {
  return typeof content === 'object' && content !== null && Object.keys(content).length === 0;
}

/** The real server mounts a token into every pod. */
function isServiceAccountMount(item: unknown): boolean {
  return /^kube-api-access-/.test(String((item as { name?: unknown } | null)?.name));
}
