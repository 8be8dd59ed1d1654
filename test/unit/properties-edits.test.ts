// Changes to YAML as text, on random documents: the text says what was asked for, and every other line is as it was.
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { type Change, checkedChanges } from '../../harness/check/edit.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('properties: edits');

type Path = readonly (string | number)[];
interface Line {
  readonly text: string;
  /** The field that it belongs to; comments and blank lines belong to none. */
  readonly path?: Path;
}
type Value = Scalar | { readonly [key: string]: Value } | readonly Value[];
type Scalar = string | number | boolean | null;

const key = fc.constantFrom('a', 'b', 'c', 'name', 'x-y', 'app.io/z');
const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.integer({ min: -5, max: 1000 }),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(
    'x',
    'some words',
    '1',
    'true',
    'a: b',
    '# no comment',
    "it's",
    'say "x"',
    '',
    'tab\tin',
    'ü',
  ),
);
const { value } = fc.letrec<{ value: Value; map: Value; list: Value }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('map'), tie('list')),
  map: fc.dictionary(key, tie('value'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  list: fc.array(fc.dictionary(key, tie('value'), { minKeys: 1, maxKeys: 3, noNullPrototype: true }), {
    minLength: 1,
    maxLength: 3,
  }),
}));
const root = fc.dictionary(key, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<
  Readonly<Record<string, Value>>
>;

interface Style {
  /** Drawn one after the other, round and round. */
  readonly draws: readonly number[];
  readonly newline: string;
  readonly ends: boolean;
}
const style: fc.Arbitrary<Style> = fc.record({
  draws: fc.array(fc.nat(11), { minLength: 1, maxLength: 24 }),
  newline: fc.constantFrom('\n', '\r\n'),
  ends: fc.boolean(),
});

function written(document: Readonly<Record<string, Value>>, { draws }: Style): Line[] {
  let drawn = 0;
  const draw = () => draws[drawn++ % draws.length]!;
  const quoted = (one: Scalar): string => {
    if (typeof one !== 'string') return String(one);
    const plain = /^[a-zü]+( [a-z]+)*$/.test(one) && one !== 'true';
    const way = draw() % 3;
    if (plain && way === 0) return one;
    return way === 1 && !one.includes('\t') ? `'${one.replaceAll("'", "''")}'` : JSON.stringify(one);
  };
  const aside = (indent: number): Line[] => {
    const way = draw();
    if (way === 0) return [{ text: '' }];
    return way <= 2 ? [{ text: `${' '.repeat(indent)}# of ${way}: "it's"` }] : [];
  };
  const fields = (map: Readonly<Record<string, Value>>, path: Path, indent: number): Line[] =>
    Object.entries(map).flatMap(([name, below], index) => [
      // A comment between a dash and its first field would be a line of the item.
      ...(index > 0 ? aside(indent) : []),
      ...field(name, below, [...path, name], indent),
    ]);
  const field = (name: string, below: Value, path: Path, indent: number): Line[] => {
    const start = `${' '.repeat(indent)}${draw() === 3 ? `"${name}"` : name}:`;
    const comment = draw() === 4 ? ' # why' : '';
    if (Array.isArray(below)) {
      const at = draw() % 2 === 0 ? indent : indent + 2;
      const items = (below as Readonly<Record<string, Value>>[]).flatMap((item, index) => {
        const [first, ...more] = fields(item, [...path, index], at + 2);
        return [{ text: `${' '.repeat(at)}- ${first!.text.slice(at + 2)}`, path: first!.path! }, ...more];
      });
      return [{ text: start + comment, path }, ...items];
    }
    if (typeof below === 'object' && below !== null) {
      return [
        { text: start + comment, path },
        ...fields(below as Readonly<Record<string, Value>>, path, indent + 2 + 2 * (draw() % 2)),
      ];
    }
    return [{ text: `${start} ${quoted(below as Scalar)}${comment}`, path }];
  };
  return fields(document, [], 0);
}

function pathsOf(found: Value, path: Path = []): Path[] {
  if (typeof found !== 'object' || found === null) return [];
  return Object.entries(found).flatMap(([name, below]) => {
    const here = [...path, Array.isArray(found) ? Number(name) : name];
    return [...(Array.isArray(found) ? [] : [here]), ...pathsOf(below as Value, here)];
  });
}

const isWithin = (path: Path | undefined, outer: Path): boolean =>
  path !== undefined && outer.every((part, index) => path[index] === part);

function changedBy(document: unknown, change: Change): unknown {
  if ('append' in change) throw new Error('not asked here');
  const path = ('set' in change ? change.set : change.remove) as Path;
  const copy = structuredClone(document);
  const parent = path.slice(0, -1).reduce((node, part) => (node as never)[part], copy) as Record<
    string,
    unknown
  >;
  if ('set' in change) parent[path.at(-1)!] = change.value;
  else delete parent[path.at(-1)!];
  return copy;
}

/** The lines of others stand in the result, each once, in their order. */
function expectLines(result: string, others: readonly string[], input: string): void {
  const lines = result.split(/\r?\n/);
  let from = 0;
  for (const other of others) {
    const index = lines.indexOf(other, from);
    assert.ok(
      index >= 0,
      `line ${JSON.stringify(other)} is gone or has moved\n--- before\n${input}\n--- after\n${result}`,
    );
    from = index + 1;
  }
}

function check(document: Readonly<Record<string, Value>>, look: Style, change: Change, path: Path): void {
  const lines = written(document, look);
  const text = lines.map((line) => line.text).join(look.newline) + (look.ends ? look.newline : '');
  assert.equal(parse(text), document, `the test writes another document: ${text}`);
  const result = checkedChanges(text, [change]);
  assert.ok(result !== undefined, `${JSON.stringify(change)} was not made in\n${text}`);
  assert.equal(parse(result!), changedBy(document, change));
  if (text.includes('\r\n')) assert.not.match(result!, /(^|[^\r])\n/, 'line ends of two kinds');
  else if (look.newline === '\n') assert.not.match(result!, /\r/);
  // The first field of a list item takes its dash with it: the next one, or its comment, stands behind it then.
  const dashed = 'remove' in change && typeof path.at(-2) === 'number';
  const bare = (line: string) => (dashed ? line.replace(/^[ -]+/, '') : line);
  const inside = lines.map((line) => isWithin(line.path, path));
  const first = inside.indexOf(true);
  const last = inside.lastIndexOf(true);
  // Comments within the field go with it.
  const others = lines.filter(
    ({ text: line }, index) => (index < first || index > last) && !(dashed && line === ''),
  );
  expectLines(
    dashed ? result!.split(/\r?\n/).map(bare).join('\n') : result!,
    others.map((line) => bare(line.text)),
    text,
  );
}

const newValue: fc.Arbitrary<unknown> = fc.oneof(
  scalar,
  fc.constant({ p: 1, q: { r: 'x' } }),
  fc.constant([{ p: 1 }, { q: 'two words' }]),
);

test('setting a field that is there changes its lines alone', () => {
  fc.assert(
    fc.property(root, style, fc.nat(), newValue, (document, look, choice, wanted) => {
      const paths = pathsOf(document);
      const path = paths[choice % paths.length]!;
      check(document, look, { set: path, value: wanted }, path);
    }),
    { numRuns: 60 },
  );
});

test('a new field stands in its map, and no line of another changes', () => {
  fc.assert(
    fc.property(root, style, fc.nat(), newValue, (document, look, choice, wanted) => {
      const parents = pathsOf(document).map((path) => path.slice(0, -1));
      const path = [...parents[choice % parents.length]!, 'new'];
      const lines = written(document, look);
      const text = lines.map((line) => line.text).join(look.newline) + (look.ends ? look.newline : '');
      const change: Change = { set: path, value: wanted };
      const result = checkedChanges(text, [change]);
      assert.ok(result !== undefined, `${JSON.stringify(change)} was not made in\n${text}`);
      assert.equal(parse(result!), changedBy(document, change));
      if (text.includes('\r\n')) assert.not.match(result!, /(^|[^\r])\n/, 'line ends of two kinds');
      expectLines(
        result!,
        lines.map((line) => line.text),
        text,
      );
    }),
    { numRuns: 60 },
  );
});

test('removing a field takes its lines alone; what is not there is no change', () => {
  fc.assert(
    fc.property(root, style, fc.nat(), (document, look, choice) => {
      const paths = pathsOf(document);
      const path = paths[choice % paths.length]!;
      check(document, look, { remove: path }, path);
      const lines = written(document, look).map((line) => line.text);
      const text = lines.join(look.newline);
      assert.is(checkedChanges(text, [{ remove: [...path.slice(0, -1), 'absent'] }]), text);
    }),
    { numRuns: 60 },
  );
});

test.run();
