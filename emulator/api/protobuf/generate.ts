// Writes messages.json: how the served kinds stand in protobuf, read from the struct tags of Kubernetes' own Go types
// (the generated.proto files do not say which fields are pointers or inlined in JSON, the tags do).
// Run: node --import tsx THIS_FILE FOLDER_OF_k8s.io/api FOLDER_OF_k8s.io/apimachinery (v0.34, from the Go module proxy)
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MessageTable } from './messages.ts';

/** Package in messages.json → folder in k8s.io/api. */
const apiPackages = [
  'core/v1',
  'apps/v1',
  'authentication/v1',
  'authorization/v1',
  'autoscaling/v1',
  'autoscaling/v2',
  'batch/v1',
  'coordination/v1',
  'discovery/v1',
  'events/v1',
  'networking/v1',
  'node/v1',
  'policy/v1',
  'rbac/v1',
  'scheduling/v1',
  'storage/v1',
];

interface GoType {
  /** Lines of a struct; or the type that a name stands for. */
  readonly fields?: readonly string[];
  readonly alias?: string;
  /** Import name → package. */
  readonly imports: ReadonlyMap<string, string>;
}

/** What Go's own marshallers turn into something else. */
const special: Readonly<Record<string, string>> = {
  'meta/v1.Time': 'Time',
  'meta/v1.MicroTime': 'MicroTime',
  'meta/v1.FieldsV1': 'FieldsV1',
  'meta/v1.Duration': 'Duration',
  'resource.Quantity': 'Quantity',
  'intstr.IntOrString': 'IntOrString',
  'runtime.RawExtension': 'Raw',
};

export function generateMessages(api: string, machinery: string): MessageTable {
  const types = new Map<string, GoType>();
  for (const name of apiPackages) readPackage(types, name, join(api, name));
  readPackage(types, 'meta/v1', join(machinery, 'pkg/apis/meta/v1'));
  readPackage(types, 'runtime', join(machinery, 'pkg/runtime'));
  readPackage(types, 'types', join(machinery, 'pkg/types'));
  const table: Record<string, string[]> = {};
  for (const [name, { fields, imports }] of types) {
    if (!fields || special[name]) continue;
    const lines = fields.flatMap((line) => fieldLine(types, name.split('.')[0]!, imports, line) ?? []);
    if (lines.length > 0 || name.endsWith('Source')) table[name] = lines;
  }
  // Lists of strings that are messages of their own (option (gogoproto)… Verbs, ExtraValue).
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readPackage(types: Map<string, GoType>, name: string, folder: string): void {
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.go') || /^(generated|zz_)|_test\.go$/.test(file)) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    const imports = importsOf(text);
    for (const [, type = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
      types.set(`${name}.${type}`, { fields: body.split('\n').map((line) => line.trim()), imports });
    }
    for (const [, type = '', alias = ''] of text.matchAll(/^type (\w+) ((?!struct|interface|func)\S.*)$/gm)) {
      types.set(`${name}.${type}`, { alias: alias.replace(/^= /, '').trim(), imports });
    }
  }
}

function importsOf(text: string): Map<string, string> {
  const imports = new Map<string, string>();
  for (const [, alias, path = ''] of text.matchAll(/^\s*(\w+)?\s*"(k8s\.io\/[\w./]+)"$/gm)) {
    const target =
      /^k8s\.io\/api\/(.*)$/.exec(path)?.[1] ??
      /^k8s\.io\/apimachinery\/pkg\/(?:apis|api|util)\/(.*)$/.exec(path)?.[1] ??
      path.split('/').at(-1)!;
    imports.set(alias ?? path.split('/').at(-1)!, target);
  }
  return imports;
}

/** Name Type `json:"name,omitempty" protobuf:"varint,1,opt,name=name"` → "1 name *int32". */
function fieldLine(
  types: ReadonlyMap<string, GoType>,
  home: string,
  imports: ReadonlyMap<string, string>,
  line: string,
): string | undefined {
  const [, declared = '', tags = ''] = /^(?:\w+\s+)?(\S+)\s+`(.*)`/.exec(line) ?? [];
  const number = /protobuf:"\w+,(\d+)/.exec(tags)?.[1];
  const json = /json:"([^"]*)"/.exec(tags)?.[1];
  if (number === undefined || json === undefined || json === '-') return undefined;
  const [name = '', ...options] = json.split(',');
  const required = options.includes('omitempty') ? '' : '!';
  // "=": the message's fields stand beside the others in JSON.
  return `${number} ${name === '' ? '=' : name} ${required}${typeText(types, home, imports, declared)}`;
}

function typeText(
  types: ReadonlyMap<string, GoType>,
  home: string,
  imports: ReadonlyMap<string, string>,
  declared: string,
): string {
  if (declared === '[]byte') return 'bytes';
  if (declared.startsWith('*')) return `*${typeText(types, home, imports, declared.slice(1))}`;
  if (declared.startsWith('[]')) return `[]${typeText(types, home, imports, declared.slice(2))}`;
  if (declared.startsWith('map[')) {
    const value = declared.slice(declared.indexOf(']') + 1);
    return `map:${typeText(types, home, imports, value)}`;
  }
  const scalar = {
    string: 'string',
    bool: 'bool',
    int: 'int64',
    int32: 'int32',
    int64: 'int64',
    float64: 'double',
  }[declared];
  if (scalar) return scalar;
  const [first = '', second] = declared.split('.');
  const name = second === undefined ? `${home}.${first}` : `${imports.get(first) ?? first}.${second}`;
  if (special[name]) return special[name];
  const type = types.get(name);
  if (type?.fields) return name;
  if (type?.alias === undefined) throw new Error(`no Go type ${name}`);
  // A named list is a message with the list in it (generated.proto: "items, if empty, will result in an empty slice").
  if (type.alias.startsWith('[]') && type.alias !== '[]byte')
    return `items:${typeText(types, name.split('.')[0]!, type.imports, type.alias)}`;
  return typeText(types, name.split('.')[0]!, type.imports, type.alias);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [api, machinery] = process.argv.slice(2);
  if (!api || !machinery)
    throw new Error('usage: generate.ts FOLDER_OF_k8s.io/api FOLDER_OF_k8s.io/apimachinery');
  const file = join(dirname(fileURLToPath(import.meta.url)), 'messages.json');
  writeFileSync(file, `${JSON.stringify(generateMessages(api, machinery), null, 1)}\n`);
}
