// The messages of the served kinds: which field has which number. Made by generate.ts from Kubernetes v1.34's Go types.
import content from './messages.json' with { type: 'json' };

/** "apps/v1.DeploymentSpec" → fields as "NUMBER NAME TYPE"; see Field for what the parts mean. */
export type MessageTable = Readonly<Record<string, readonly string[]>>;

export interface Field {
  readonly number: number;
  /** In JSON; "=": the fields of this message stand beside the others. */
  readonly name: string;
  /** Without omitempty: present in JSON even when zero. */
  readonly required: boolean;
  readonly form: 'plain' | 'pointer' | 'list' | 'map' | 'items';
  /** string, bool, int32, int64, double, bytes, Time, MicroTime, Quantity, IntOrString, Duration, FieldsV1, Raw, or a message. */
  readonly type: string;
}

interface Message {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

const known = new Map<string, Message>();

/** Throws for a message that the table lacks: a programming error. */
export function messageOf(name: string): Message {
  const found = known.get(name);
  if (found) return found;
  const lines = (content as MessageTable)[name];
  if (!lines) throw new Error(`no protobuf message ${name}`);
  const fields = lines.map(parseField);
  const message = { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
  known.set(name, message);
  return message;
}

/** The message of a kind: in its own package, or in one that all groups share. Undefined when there is none. */
export function messageNameOf(apiVersion: string, kind: string): string | undefined {
  const table = content as MessageTable;
  const [group = '', version] = apiVersion.split('/');
  const own = version === undefined ? `core/${group}` : `${packages[group] ?? group}/${version}`;
  return [`${own}.${kind}`, `meta/v1.${kind}`].find((name) => Object.hasOwn(table, name));
}

// Groups whose Go package has another name.
const packages: Readonly<Record<string, string>> = {
  'authentication.k8s.io': 'authentication',
  'authorization.k8s.io': 'authorization',
  'coordination.k8s.io': 'coordination',
  'discovery.k8s.io': 'discovery',
  'events.k8s.io': 'events',
  'meta.k8s.io': 'meta',
  'networking.k8s.io': 'networking',
  'node.k8s.io': 'node',
  'rbac.authorization.k8s.io': 'rbac',
  'scheduling.k8s.io': 'scheduling',
  'storage.k8s.io': 'storage',
};

const forms: readonly [prefix: string, form: Field['form']][] = [
  ['*', 'pointer'],
  ['[]', 'list'],
  ['map:', 'map'],
  ['items:[]', 'items'],
];

function parseField(line: string): Field {
  const [number = '', name = '', written = ''] = line.split(' ');
  const required = written.startsWith('!');
  const text = required ? written.slice(1) : written;
  const [prefix, form] = forms.find(([each]) => text.startsWith(each)) ?? (['', 'plain'] as const);
  return { number: Number(number), name, required, form, type: text.slice(prefix.length) };
}
