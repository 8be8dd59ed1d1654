import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Rooms of the house and the rooms that each may import from (docs/architecture.md). The longest matching prefix of a
 * file decides its room. A room may always import from itself.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  emulator: [],
  'harness/model': [],
  'harness/exec': ['harness/model'],
  'harness/words': ['harness/model'],
  'harness/kube': ['harness/model', 'harness/exec'],
  'harness/config': ['harness/model'],
  'harness/cluster': ['harness/model', 'harness/kube', 'harness/exec'],
  'harness/cluster/embedded': ['harness/model', 'harness/exec', 'harness/cluster', 'emulator/index.ts'],
  'harness/settings': ['harness/model'],
  'harness/load': ['harness/model', 'harness/exec', 'harness/kube/wait.ts'],
  'harness/steps': ['harness/model', 'harness/kube', 'harness/exec'],
  'harness/control': ['harness/model', 'harness/kube'],
  'harness/record': ['harness/model', 'harness/kube', 'harness/control'],
  'harness/deploy': ['harness/model', 'harness/kube', 'harness/config', 'harness/exec'],
  'harness/journal': ['harness/model'],
  'harness/judge': ['harness/model', 'harness/journal', 'harness/words'],
  'harness/check': ['harness/model', 'harness/words'],
  'harness/write': [
    'harness/model',
    'harness/exec',
    'harness/config',
    'harness/deploy',
    'harness/check/documents.ts',
    'harness/check/edit.ts',
    'harness/check/objects.ts',
  ],
  'harness/run': ['harness', 'scenarios', 'reports', 'target', 'emulator/index.ts'],
  'harness/run/experiment': [
    'harness/model',
    'harness/words',
    'harness/exec',
    'harness/kube',
    'harness/cluster',
    'harness/settings',
    'harness/load',
    'harness/steps',
    'harness/control',
    'harness/record',
    'harness/deploy',
  ],
  'harness/commands': ['harness', 'scenarios', 'reports', 'target', 'emulator/index.ts'],
  'harness/cli.ts': ['harness/model', 'harness/commands'],
  scenarios: ['harness/model'],
  reports: ['harness/model', 'harness/words', 'harness/journal'],
  target: [],
};

const remedy: Readonly<Record<string, string>> = {
  'harness/model': 'The model knows nobody: move what it needs into the model, or the code out of it.',
  scenarios: 'A scenario is data: describe it with the step and claim types of harness/model/scenario.ts.',
  reports:
    'A report is a pure function of judged journals: move the type into harness/model, let the judge fill it.',
  'harness/judge': 'The judge sees journals alone: record the fact in the journal, then judge it.',
};
const generalRemedy =
  'Hand the value in as an argument from harness/run/experiment or a command, or move a shared type into harness/model.';

const test = suite('imports');
const files = ['emulator', 'harness', 'scenarios', 'reports', 'target'].flatMap((folder) =>
  sources(join(root, folder)),
);

test('every source file belongs to a room', () => {
  const homeless = files.map((file) => relative(root, file)).filter((file) => !roomOf(file));
  assert.equal(homeless, []);
});

test('imports point one way', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of files) {
    const from = relative(root, file);
    const room = roomOf(from) ?? '';
    for (const target of relativeImports(file)) {
      seen++;
      const to = relative(root, target);
      if (mayImport(room, to)) continue;
      wrong.push(
        `${from} imports ${to}: ${room} may import ${allowed[room]?.join(', ') || 'nothing'}. ${remedy[room] ?? generalRemedy}`,
      );
    }
  }
  assert.ok(seen > 50, `only ${seen} imports were looked at`);
  assert.is(wrong.join('\n'), '');
});

test('no file needs itself through others', () => {
  const needs = new Map(files.map((file) => [file, relativeImports(file, 'read')]));
  assert.equal(circles(needs), []);
  const knot = new Map([
    ['a', ['b', 'c']],
    ['b', ['c']],
    ['c', ['d', 'b']],
    ['d', []],
  ]);
  assert.equal(circles(knot), ['b → c → b'], 'a circle would be found');
});

test('a wrong import would be found', () => {
  const cases: [string, string, boolean][] = [
    ['reports', 'harness/judge/windows.ts', false],
    ['harness/steps', 'harness/record/live.ts', false],
    ['harness/model', 'harness/kube/client.ts', false],
    ['harness/cluster/embedded', 'harness/kube/client.ts', false],
    ['emulator', 'harness/kube/client.ts', false],
    ['harness/cluster/embedded', 'emulator/cluster.ts', false],
    ['harness/run/experiment', 'harness/steps/index.ts', true],
    ['reports', 'harness/model/results.ts', true],
  ];
  for (const [room, to, expected] of cases) assert.is(mayImport(room, to), expected, `${room} -> ${to}`);
});

test.run();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** `read`: as the file itself is read, without what is imported later. Types count: they, too, have to be understood. */
function relativeImports(file: string, which: 'all' | 'read' = 'all'): string[] {
  const text = readFileSync(file, 'utf8');
  const found =
    which === 'all'
      ? text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
      : text.matchAll(/^(?:import|export) [^;']*'(\.[^']+)'/gm);
  return [...found].map((match) => join(dirname(file), match[1] ?? ''));
}

/** Each circle once, as "a → b → a". */
function circles(needs: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (at: string, path: readonly string[]) => {
    const since = path.indexOf(at);
    if (since >= 0) found.push([...path.slice(since), at].join(' → ').replaceAll(`${root}/`, ''));
    if (since >= 0 || done.has(at)) return;
    for (const next of needs.get(at) ?? []) walk(next, [...path, at]);
    done.add(at);
  };
  for (const file of needs.keys()) walk(file, []);
  return found;
}

function roomOf(file: string): string | undefined {
  return Object.keys(allowed)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function mayImport(room: string, to: string): boolean {
  return (
    roomOf(to) === room || (allowed[room] ?? []).some((other) => to === other || to.startsWith(`${other}/`))
  );
}
