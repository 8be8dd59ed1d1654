// Takes secrets out of whatever is about to be written: manifests, plans, arguments, configuration.
import type { Manifest } from '../model/manifest.ts';

export const redacted = '(redacted)';

/** Names of fields and arguments whose values never reach a file. */
const secretName =
  /pass(word|wd|phrase)?$|pwd$|secret|token|api[-_]?key|credential|authorization|cookie|private[-_]?key/i;

/**
 * A manifest fit for the journal: no Secret data, no copy of itself in annotations, and no values of environment, probe
 * headers and ConfigMaps unless `disclosed` says that they are ours or published. Values that come `valueFrom` keep only their
 * reference.
 */
export function redactManifest(manifest: Manifest, disclosed: boolean): Manifest {
  const copy = structuredClone(manifest);
  delete copy.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  if (copy.kind === 'Secret' || (copy.kind === 'ConfigMap' && !disclosed)) {
    for (const field of ['data', 'stringData', 'binaryData']) {
      const values = copy[field];
      if (values && typeof values === 'object') {
        copy[field] = Object.fromEntries(Object.keys(values).map((key) => [key, redacted]));
      }
    }
  }
  visit(copy, (node) => {
    if (!Array.isArray(node.env)) return;
    for (const variable of node.env as { name?: string; value?: string }[]) {
      if (variable.value === undefined) continue;
      if (!disclosed || secretName.test(variable.name ?? '')) variable.value = redacted;
    }
  });
  // Of containers, hooks and probes: what a program is told may be a password as well.
  visit(copy, (node) => {
    for (const field of ['command', 'args']) {
      const words = node[field];
      if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) continue;
      node[field] = redactCommand(words as string[]);
    }
  });
  visit(copy, (node) => {
    if (!Array.isArray(node.httpHeaders)) return;
    for (const header of node.httpHeaders as { name?: string; value?: string }[]) {
      if (!disclosed || secretName.test(header.name ?? '')) header.value = redacted;
    }
  });
  return copy;
}

/**
 * Any JSON-like value: fields with a secret's name and bodies lose their value, URLs their credentials, `headers` all
 * values; a command keeps of its words what a manifest's keeps.
 */
export function redactValue(value: unknown, name = ''): unknown {
  if (Array.isArray(value) && (name === 'command' || name === 'args') && value.every(isText))
    return redactCommand(value);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, name));
  if (value && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        name === 'headers' || name === 'env' ? redacted : redactValue(item, key),
      ]),
    );
  }
  if (typeof value !== 'string') return value;
  // A key is one wherever it stands: TLS of a lane is a PEM text in the plan.
  if (secretName.test(name) || name === 'body' || value.includes('PRIVATE KEY-----')) return redacted;
  return redactUrl(value);
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** Command-line arguments: the value of a header flag or of one with a secret's name is hidden, and what words say within. */
export function redactArguments(args: readonly string[]): string[] {
  let hideNext = false;
  return args.map((argument) => {
    if (hideNext) {
      hideNext = false;
      return redacted;
    }
    const [flag = '', ...rest] = argument.split('=');
    const [name = ''] = rest;
    if (flag.startsWith('-') && rest.length > 1 && secretName.test(name))
      return `${flag}=${name}=${redacted}`;
    const secret = /^--?(header|H|body)$/.test(flag) || (flag.startsWith('-') && secretName.test(flag));
    if (!secret) return redactUrl(redactShell(argument));
    if (rest.length > 0) return `${flag}=${redacted}`;
    hideNext = true;
    return argument;
  });
}

/** The words of a command, one of which may be a whole line for a shell. */
function redactCommand(words: readonly string[]): string[] {
  const program = words[0]?.replace(/^.*\//, '') ?? '';
  return redactArguments(words).map((word, index) => {
    const before = words[index - 1] ?? '';
    if (/^(-u|--user)$/.test(before)) return word.replace(/:.+$/, `:${redacted}`);
    if (before === '-a' && program === 'redis-cli') return redacted;
    return asksForPassword.test(program) ? word.replace(/^-p.+$/, `-p${redacted}`) : word;
  });
}

/** Programs whose -p is followed by the password, without a space. */
const asksForPassword = /^(mysql(admin|dump)?|mariadb(-admin|-dump)?)$/;

/** `token: …`, as a header or in JSON or YAML; not the port behind a host, nor the tag of an image ("http://token-api:80"). */
const fieldValue =
  /((?<![\w./@-])[\w.-]*(?:authorization|cookie|token|secret|api[-_]?key|password)[\w-]*(?:\\?["'])?\s*:\s*(?:\\?["'])?)((?:[^"'\\\n,}]|\\(?!["'])|,(?!\s*["']?[\w-]+["']?\s*:))+)/gi;
/** `NAME=…`, `--name …`. A comma is part of a value, unless another name and its value follow (`--set a=1,b=2`). */
const namedValue =
  /((?:^|[\s;&|,"'=])-{0,2}([A-Za-z][\w.-]*)(?:=|\s+(?=[^\s-])))("[^"]*"|'[^']*'|(?:[^\s;&|,"']|,(?!-{0,2}[A-Za-z][\w.-]*=))+)/g;

function redactNamed(text: string): string {
  const pattern = new RegExp(namedValue);
  let done = '';
  let from = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const [, before = '', name = ''] = found;
    const valueAt = found.index + before.length;
    if (secretName.test(name) && (before.endsWith('=') || /(^|[\s;&|,"'=])--?[A-Za-z]/.test(before))) {
      done += text.slice(from, valueAt) + redacted;
      from = pattern.lastIndex;
    }
    // What follows may be a name itself: `export TOKEN=…`, `su app -c "TOKEN=… run"`, `--from-literal=password=…`.
    else pattern.lastIndex = valueAt - 1;
  }
  return done + text.slice(from);
}

/** Inside one word for a shell: "TOKEN=… run --password …", headers, JSON, and the short flags of common programs. */
const redactShell = (text: string): string =>
  redactNamed(text.replace(fieldValue, `$1${redacted}`))
    .replace(/(\s(?:-u|--user)(?:\s+|=)[^\s:;&|"']+:)([^\s;&|"']+)/g, `$1${redacted}`)
    .replace(/(\bredis-cli\b[^;&|]*?\s-a\s+)(\S+)/g, `$1${redacted}`)
    .replace(
      /(\b(?:mysql(?:admin|dump)?|mariadb(?:-admin|-dump)?)\b[^;&|]*?\s-p)([^\s;&|"']+)/g,
      `$1${redacted}`,
    );

/** Credentials before the host, up to the last @ (a password may have one itself), and secrets of the query. */
const redactUrl = (text: string): string =>
  text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]+@/gi, `$1${redacted}@`)
    .replace(/([?&;]([\w.[\]-]+)=)([^&;#\s"']+)/g, (whole, before: string, name: string) =>
      secretName.test(name) || /^(sig|signature|key|code|sas)$/i.test(name) ? `${before}${redacted}` : whole,
    );

function visit(node: unknown, act: (node: Record<string, unknown>) => void): void {
  if (Array.isArray(node)) for (const item of node) visit(item, act);
  else if (node && typeof node === 'object') {
    act(node as Record<string, unknown>);
    for (const item of Object.values(node)) visit(item, act);
  }
}
