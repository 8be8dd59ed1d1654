// Laws of strategic merge patches, on random objects and on what a real API server answered.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { equalObjects, isObject, type JsonObject } from '../../emulator/api/objects.ts';
import { jsonPatch } from '../../emulator/api/patch/json.ts';
import { strategicMergePatch } from '../../emulator/api/patch/strategic.ts';
import { operationsBetween, strategicPatch } from '../../harness/write/difference.ts';
import type { Recorded } from '../kubernetes-answers.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('properties: patches');

const name = fc.constantFrom('a', 'b', 'c', 'd');
const text = fc.string({ maxLength: 5 });
const labels = fc.dictionary(name, text, { maxKeys: 4, noNullPrototype: true });
const byName = <T extends { name: string }>(item: fc.Arbitrary<T>) =>
  fc.uniqueArray(item, { selector: (one) => one.name, maxLength: 4 });
const env = byName(fc.record({ name, value: text }));
const container = fc.record(
  { name, image: text, env, args: fc.array(text, { maxLength: 3 }) },
  { requiredKeys: ['name'] },
);
const podSpec = fc.record(
  {
    containers: byName(container),
    volumes: byName(fc.record({ name, emptyDir: fc.constant({}) })),
    nodeSelector: labels,
    hostNetwork: fc.boolean(),
  },
  { requiredKeys: [] },
);
const deployment = fc
  .record(
    {
      metadata: fc.record(
        { labels, annotations: labels, finalizers: fc.uniqueArray(name, { maxLength: 3 }) },
        { requiredKeys: [] },
      ),
      spec: fc.record(
        { replicas: fc.nat(9), template: fc.record({ spec: podSpec }), paused: fc.boolean() },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .map((object) => structuredClone(object) as JsonObject);

const patched = (object: JsonObject, patch: JsonObject) =>
  strategicMergePatch(object, patch, 'Deployment') as JsonObject;
/** Null is not absent here, other than in `equalObjects`. */
const same = (found: unknown, wanted: unknown) => assert.equal(found, wanted);

test('an empty patch changes nothing, and no patch changes what it was given', () => {
  fc.assert(
    fc.property(deployment, deployment, (object, patch) => {
      same(patched(object, {}), object);
      const before = structuredClone([object, patch]);
      patched(object, patch);
      same([object, patch], before);
    }),
  );
});

test('an object patched with itself stays', () => {
  fc.assert(fc.property(deployment, (object) => same(patched(object, object), object)));
});

test('twice is as good as once', () => {
  fc.assert(
    fc.property(deployment, deployment, (object, patch) => {
      const once = patched(object, patch);
      same(patched(once, patch), once);
    }),
  );
});

/** Paths of all fields below objects, lists not entered. */
function fieldsIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, below]) => [
    [...path, key],
    ...fieldsIn(below, [...path, key]),
  ]);
}
const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((node, key) => (isObject(node) ? node[key] : undefined), value);
const nested = (path: readonly string[], value: unknown) =>
  path.reduceRight<unknown>((below, key) => ({ [key]: below }), value) as JsonObject;

test('null takes a field away and nothing else; what is not there stays away', () => {
  fc.assert(
    fc.property(deployment, fc.nat(), (object, choice) => {
      const fields = fieldsIn(object);
      if (fields.length === 0) return;
      const path = fields[choice % fields.length]!;
      const wanted = structuredClone(object);
      delete (at(wanted, path.slice(0, -1)) as JsonObject)[path.at(-1)!];
      const once = patched(object, nested(path, null));
      same(once, wanted);
      same(patched(once, nested(path, null)), wanted);
    }),
  );
});

test('lists with a key: every item of the patch is in, every other item stays, none twice, the others in their order', () => {
  fc.assert(
    fc.property(byName(container), byName(container), (items, changes) => {
      const object = nested(['spec', 'template', 'spec', 'containers'], items);
      const result = patched(object, nested(['spec', 'template', 'spec', 'containers'], changes));
      const found = at(result, ['spec', 'template', 'spec', 'containers']) as typeof items;
      const names = found.map((one) => one.name);
      assert.is(new Set(names).size, names.length);
      assert.equal(new Set(names), new Set([...items, ...changes].map((one) => one.name)));
      const changed = new Set(changes.map((one) => one.name));
      same(
        found.filter((one) => !changed.has(one.name)),
        items.filter((one) => !changed.has(one.name)),
      );
      for (const change of changes) {
        const one = found.find((item) => item.name === change.name)!;
        for (const field of ['image', 'args'] as const) if (field in change) same(one[field], change[field]);
      }
    }),
  );
});

test('`$patch: delete` takes the item with that key away and no other', () => {
  fc.assert(
    fc.property(byName(container), name, (items, gone) => {
      const path = ['spec', 'template', 'spec', 'containers'];
      const result = patched(nested(path, items), nested(path, [{ name: gone, $patch: 'delete' }]));
      same(
        at(result, path),
        items.filter((one) => one.name !== gone),
      );
    }),
  );
});

test('patches of different fields: their order does not matter, nor whether they come as one', () => {
  fc.assert(
    fc.property(
      deployment,
      deployment.filter((patch) => Object.keys(patch).length === 2),
      (object, patch) => {
        const parts = Object.entries(patch).map(([field, value]) => ({ [field]: value }));
        const whole = patched(object, patch);
        same(parts.reduce(patched, object), whole);
        same(parts.toReversed().reduce(patched, object), whole);
      },
    ),
  );
});

// What a real API server made of a patch: the object before is the last answer for it. Its own work is not the patch's.
const serverFields = new Set(['generation', 'resourceVersion', 'creationTimestamp', 'managedFields']);
const recorded = readFileSync(new URL('../data/kubernetes-answers/v1.34.4.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

/** Leaves of a patch that stand in maps: each can be sent alone. Lists, nulls and directives stay whole. */
function partsOf(patch: JsonObject, path: readonly string[] = []): JsonObject[] {
  // What a directive says is about its neighbours.
  if (Object.keys(patch).some((key) => key.startsWith('$'))) return [nested(path, patch)];
  return Object.entries(patch).flatMap(([key, value]) =>
    isObject(value) && Object.keys(value).length > 0
      ? partsOf(value, [...path, key])
      : [nested([...path, key], value)],
  );
}

/** Every value that the patch wants, in what the server made of it. */
function missing(result: unknown, wanted: unknown, path = ''): string[] {
  if (isObject(wanted)) {
    if (!isObject(result)) return [path];
    return Object.entries(wanted).flatMap(([key, value]) =>
      serverFields.has(key) ? [] : missing(result[key], value, `${path}.${key}`),
    );
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(result) || result.length !== wanted.length) return [path];
    return wanted.flatMap((value, index) => missing(result[index], value, `${path}[${index}]`));
  }
  return equalObjects(result, wanted)
    ? []
    : [`${path}: ${JSON.stringify(result)}, not ${JSON.stringify(wanted)}`];
}

/** What the server does to the object beyond the patch itself; the order of its fields is looked at all the same. */
const beyond: Readonly<Record<string, string>> = {
  'S patch unknown warn': 'a field that is not known is dropped',
  'S ds template': 'the generation of the template is counted in an annotation',
  'X smp volume type change': 'the recorded answers leave empty objects out',
  'X pod status': 'only the subresource changes a status',
  'X node conditions': 'only the subresource changes a status',
};

interface Pair {
  readonly name: string;
  readonly before: JsonObject;
  readonly patch: JsonObject;
  readonly after: JsonObject;
}

function recordedPatches(): Pair[] {
  const last = new Map<string, JsonObject>();
  const pairs: Pair[] = [];
  for (const { name: title, method, path, contentType, body, answer } of recorded) {
    const after = answer.body;
    if (answer.code >= 300 || !isObject(after) || !isObject(after.metadata)) continue;
    if (path.includes('dryRun')) continue;
    const id = `${String(after.kind)}/${String(after.apiVersion)}/${String(after.metadata.name)}`;
    const before = last.get(id);
    if (method === 'PATCH' && contentType?.startsWith('application/strategic') && before && isObject(body)) {
      pairs.push({ name: title, before, patch: body, after });
    }
    last.set(id, after);
  }
  return pairs;
}

test('the recorded patches give what the API server made of them, in one piece and field by field in any order', () => {
  const pairs = recordedPatches();
  assert.ok(pairs.length >= 15, `${pairs.length} recorded patches were looked at`);
  for (const { name: title, before, patch, after } of pairs) {
    const kind = String(after.kind);
    const whole = strategicMergePatch(before, patch, kind) as JsonObject;
    if (!(title in beyond)) same(missing(after, whole), []);
    const parts = partsOf(patch);
    fc.assert(
      fc.property(fc.shuffledSubarray(parts, { minLength: parts.length }), (order) => {
        const result = order.reduce<unknown>(
          (object, part) => strategicMergePatch(object, part, kind),
          before,
        );
        assert.ok(equalObjects(result, whole), title);
      }),
      { numRuns: 10 },
    );
  }
});

test('operations lead from any object to any other, whatever grows, goes or moves', () => {
  fc.assert(
    fc.property(deployment, deployment, (before, after) => {
      same(jsonPatch(before, operationsBetween(before, after)), after);
    }),
  );
});

test('a list of containers that grows, a field that is undefined: nothing is lost on the way to a patch', () => {
  const spec = (...containers: object[]) => ({ spec: { template: { spec: { containers } } } });
  const before = spec({ name: 'app', image: 'one', args: ['a'] }) as JsonObject;
  const after = spec(
    { name: 'app', image: undefined, args: ['a', 'b'] },
    { name: 'proxy', image: 'two' },
    { name: 'log', image: 'three' },
  );
  const wanted = structuredClone(JSON.parse(JSON.stringify(after)));
  const operations = operationsBetween(before, after);
  same(
    operations.map(({ op, path }) => `${op} ${path}`),
    [
      'add /spec/template/spec/containers/0/args/1',
      'remove /spec/template/spec/containers/0/image',
      'add /spec/template/spec/containers/1',
      'add /spec/template/spec/containers/2',
    ],
  );
  same(jsonPatch(before, operations), wanted);
  same(patched(before, strategicPatch(before, after) as JsonObject), wanted);
  same(operationsBetween({ a: 1 }, { a: 1, b: undefined }), []);
  same(strategicPatch({ a: 1 }, { a: 1, b: undefined }), undefined);
});

test.run();
