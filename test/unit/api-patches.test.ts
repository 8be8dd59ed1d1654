// The patches: merge, JSON, strategic merge, server-side apply.
import * as assert from 'uvu/assert';
import {
  compareFields,
  fieldsOf,
  fromFieldsV1,
  showPath,
  toFieldsV1,
} from '../../emulator/api/field-sets.ts';
import type { JsonObject, KubeObject } from '../../emulator/api/objects.ts';
import { mergeApplied, prune } from '../../emulator/api/patch/apply.ts';
import { jsonPatch } from '../../emulator/api/patch/json.ts';
import { mergePatch } from '../../emulator/api/patch/merge.ts';
import { strategicMergePatch } from '../../emulator/api/patch/strategic.ts';
import { StatusError } from '../../emulator/api/types.ts';
import { suite } from '../suite.ts';

const test = suite('api patches');

test('merge patch: the vectors of RFC 7396, appendix A', () => {
  const rows: [target: unknown, patch: unknown, expected: unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of rows) {
    assert.equal(mergePatch(target, patch), expected, JSON.stringify(patch));
  }
});

test('JSON patch: operations, pointers, refusals', () => {
  const document = { a: { b: [1, 2, 3], 'c/d': 1, 'e~f': 2 }, g: null };
  const rows: [name: string, patch: unknown, expected: unknown][] = [
    ['add', [{ op: 'add', path: '/a/x', value: 1 }], { a: { ...document.a, x: 1 }, g: null }],
    ['append', [{ op: 'add', path: '/a/b/-', value: 4 }], { a: { ...document.a, b: [1, 2, 3, 4] }, g: null }],
    ['insert', [{ op: 'add', path: '/a/b/1', value: 9 }], { a: { ...document.a, b: [1, 9, 2, 3] }, g: null }],
    ['remove', [{ op: 'remove', path: '/a/b/0' }], { a: { ...document.a, b: [2, 3] }, g: null }],
    [
      'escapes',
      [
        { op: 'replace', path: '/a/c~1d', value: 5 },
        { op: 'replace', path: '/a/e~0f', value: 6 },
      ],
      { a: { b: [1, 2, 3], 'c/d': 5, 'e~f': 6 }, g: null },
    ],
    [
      'move',
      [{ op: 'move', from: '/a/b', path: '/h' }],
      { a: { 'c/d': 1, 'e~f': 2 }, g: null, h: [1, 2, 3] },
    ],
    ['copy', [{ op: 'copy', from: '/a/b/0', path: '/h' }], { ...document, h: 1 }],
    [
      'negative index',
      [{ op: 'replace', path: '/a/b/-1', value: 0 }],
      { a: { ...document.a, b: [1, 2, 0] }, g: null },
    ],
    ['test holds', [{ op: 'test', path: '/a/b', value: [1, 2, 3] }], document],
    ['absent is null', [{ op: 'test', path: '/nope', value: null }], document],
    ['whole', [{ op: 'replace', path: '', value: { z: 1 } }], { z: 1 }],
    ['nothing', [], document],
  ];
  for (const [name, patch, expected] of rows) assert.equal(jsonPatch(document, patch), expected, name);
  const refused: [name: string, patch: unknown][] = [
    ['missing parent', [{ op: 'add', path: '/x/y', value: 1 }]],
    ['missing field', [{ op: 'replace', path: '/x', value: 1 }]],
    ['missing removal', [{ op: 'remove', path: '/x' }]],
    ['beyond the list', [{ op: 'add', path: '/a/b/4', value: 1 }]],
    ['no index', [{ op: 'add', path: '/a/b/x', value: 1 }]],
    ['test fails', [{ op: 'test', path: '/a/b', value: [1] }]],
    ['unknown operation', [{ op: 'foo', path: '/a' }]],
    ['no path', [{ op: 'add', value: 1 }]],
    ['no pointer', [{ op: 'add', path: 'a', value: 1 }]],
    ['no operation', [null]],
  ];
  for (const [name, patch] of refused) {
    const error = caught(() => jsonPatch(document, patch));
    assert.is(error.code, 422, name);
    assert.is(error.message, 'the server rejected our request due to an error in our request', name);
  }
  assert.is(caught(() => jsonPatch(document, {})).code, 400);
});

function caught(act: () => unknown): StatusError {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** Containers as "name image env…", to keep the rows short. */
function show(object: unknown): string[] {
  const { spec } = object as { spec: { template: { spec: { containers: Record<string, unknown>[] } } } };
  return spec.template.spec.containers.map(({ name, image, env = [], args = [] }) => {
    const variables = (env as { name: string; value: string }[]).map((each) => `${each.name}=${each.value}`);
    return [name, image, ...variables, ...(args as string[])].filter(Boolean).join(' ');
  });
}

test('strategic merge: lists by key, order, directives', () => {
  const deployment = {
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: 'a',
              image: 'a:1',
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '2' },
              ],
              args: ['x'],
            },
            { name: 'b', image: 'b:1' },
          ],
        },
      },
    },
  };
  const rows: [name: string, spec: JsonObject, expected: string[]][] = [
    ['change one', { containers: [{ name: 'b', image: 'b:2' }] }, ['a a:1 A=1 B=2 x', 'b b:2']],
    ['add one: before', { containers: [{ name: 'c', image: 'c:1' }] }, ['c c:1', 'a a:1 A=1 B=2 x', 'b b:1']],
    ['remove one', { containers: [{ name: 'a', $patch: 'delete' }] }, ['b b:1']],
    ['replace the list', { containers: [{ $patch: 'replace' }, { name: 'z', image: 'z:1' }] }, ['z z:1']],
    [
      'replace, said by an item with content: it is not taken over',
      {
        containers: [
          { name: 'a', image: 'a:2', $patch: 'replace' },
          { name: 'z', image: 'z:1' },
        ],
      },
      ['z z:1'],
    ],
    [
      'plain lists are replaced',
      { containers: [{ name: 'a', args: ['y', 'z'] }] },
      ['a a:1 A=1 B=2 y z', 'b b:1'],
    ],
    ['null removes', { containers: [{ name: 'a', args: null, env: null }] }, ['a a:1', 'b b:1']],
    [
      'given order',
      {
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
        containers: [{ name: 'b', image: 'b:2' }],
      },
      ['b b:2', 'a a:1 A=1 B=2 x'],
    ],
    [
      'order alone',
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      ['b b:1', 'a a:1 A=1 B=2 x'],
    ],
    [
      'nested',
      {
        containers: [
          {
            name: 'a',
            '$setElementOrder/env': [{ name: 'C' }, { name: 'A' }],
            env: [{ name: 'C', value: '3' }],
          },
        ],
      },
      ['a a:1 C=3 A=1 B=2 x', 'b b:1'],
    ],
    [
      'nested delete',
      { containers: [{ name: 'a', env: [{ name: 'A', $patch: 'delete' }] }] },
      ['a a:1 B=2 x', 'b b:1'],
    ],
    [
      'retain keys',
      { containers: [{ name: 'a', $retainKeys: ['name', 'image'], image: 'a:3' }] },
      ['a a:3', 'b b:1'],
    ],
  ];
  for (const [name, spec, expected] of rows) {
    const patched = strategicMergePatch(deployment, { spec: { template: { spec } } }, 'Deployment');
    assert.equal(show(patched), expected, name);
  }
});

test('strategic merge: what is no container', () => {
  const rows: [name: string, kind: string, target: JsonObject, patch: JsonObject, expected: JsonObject][] = [
    [
      'finalizers are a set, new ones first',
      'Pod',
      { metadata: { finalizers: ['a/a', 'b/b'] } },
      { metadata: { finalizers: ['c/c'] } },
      { metadata: { finalizers: ['c/c', 'a/a', 'b/b'] } },
    ],
    [
      'taken out of a set',
      'Pod',
      { metadata: { finalizers: ['a/a', 'b/b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/a'] } },
      { metadata: { finalizers: ['b/b'] } },
    ],
    [
      'tolerations are replaced',
      'Pod',
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
    ],
    [
      'ports of a Service by port',
      'Service',
      { spec: { ports: [{ port: 80, name: 'a' }, { port: 443 }] } },
      { spec: { ports: [{ port: 80, targetPort: 8080 }] } },
      { spec: { ports: [{ port: 80, name: 'a', targetPort: 8080 }, { port: 443 }] } },
    ],
    [
      'the selector of a budget is replaced',
      'PodDisruptionBudget',
      { spec: { selector: { matchLabels: { a: 'b' } } } },
      { spec: { selector: { matchLabels: { c: 'd' } } } },
      { spec: { selector: { matchLabels: { c: 'd' } } } },
    ],
    [
      'the strategy keeps what is retained',
      'Deployment',
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      { spec: { strategy: { type: 'Recreate' } } },
    ],
    [
      'metrics are replaced',
      'HorizontalPodAutoscaler',
      { spec: { metrics: [{ type: 'Resource' }] } },
      { spec: { metrics: [{ type: 'Pods' }] } },
      { spec: { metrics: [{ type: 'Pods' }] } },
    ],
    [
      'conditions by type',
      'Pod',
      { status: { conditions: [{ type: 'A', status: 'True' }] } },
      { status: { conditions: [{ type: 'A', status: 'False' }] } },
      { status: { conditions: [{ type: 'A', status: 'False' }] } },
    ],
  ];
  for (const [name, kind, target, patch, expected] of rows) {
    assert.equal(strategicMergePatch(target, patch, kind), expected, name);
  }
  const keyless = caught(() => strategicMergePatch({}, { spec: { containers: [{ image: 'x' }] } }, 'Pod'));
  assert.equal(
    [keyless.code, keyless.message],
    [500, 'map: map[image:x] does not contain declared merge key: name'],
  );
});

const applied = {
  kind: 'Deployment',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      spec: { containers: [{ name: 'app', image: 'web:1', ports: [{ containerPort: 80 }] }] },
    },
  },
};

test('field sets: leaves by path, to and from FieldsV1', () => {
  const paths = [...fieldsOf(applied as JsonObject, 'status').keys()];
  assert.equal(paths.map(showPath), [
    '.metadata.labels.app',
    '.spec.replicas',
    '.spec.selector',
    '.spec.template.spec.containers[name="app"]',
    '.spec.template.spec.containers[name="app"].name',
    '.spec.template.spec.containers[name="app"].image',
    '.spec.template.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"]',
    '.spec.template.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"].containerPort',
  ]);
  assert.equal([...fromFieldsV1(toFieldsV1(paths))].sort(), [...paths].sort());
  const { changed, removed } = compareFields(
    fieldsOf(applied as JsonObject, 'status'),
    fieldsOf({ ...applied, spec: { replicas: 3 } } as unknown as KubeObject, 'status'),
  );
  assert.equal([...changed].map(showPath), ['.spec.replicas']);
  assert.is(removed.size, paths.length - 2);
});

test('apply: merges by key, takes away what was applied and is no longer, spares what others own', () => {
  const live = {
    kind: 'Deployment',
    spec: {
      replicas: 4,
      template: {
        spec: {
          containers: [
            {
              name: 'app',
              image: 'web:1',
              readinessProbe: { httpGet: { port: 80 }, periodSeconds: 10 },
              env: [{ name: 'A', value: '1' }],
            },
            { name: 'side', image: 's:1' },
          ],
        },
      },
    },
  };
  const merged = mergeApplied(
    live,
    { spec: { template: { spec: { containers: [{ name: 'app', image: 'web:2' }] } } } },
    'Deployment',
  );
  assert.equal(show(merged), ['app web:2 A=1', 'side s:1']);
  const before = fieldsOf(
    {
      kind: 'Deployment',
      spec: {
        replicas: 4,
        template: {
          spec: {
            containers: [
              {
                name: 'app',
                image: 'web:1',
                readinessProbe: { httpGet: { port: 80 } },
                env: [{ name: 'A', value: '1' }],
              },
              { name: 'side', image: 's:1' },
            ],
          },
        },
      },
    } as JsonObject,
    'status',
  );
  const others = fieldsOf({ kind: 'Deployment', spec: { replicas: 4 } } as JsonObject, 'status');
  const now = fieldsOf(
    {
      kind: 'Deployment',
      spec: { template: { spec: { containers: [{ name: 'app', image: 'web:2' }] } } },
    } as JsonObject,
    'status',
  );
  const owned = new Set([...others.keys(), ...now.keys()]);
  prune(
    merged,
    [...before.keys()].filter((path) => !now.has(path)),
    owned,
    'Deployment',
  );
  assert.equal(merged, {
    kind: 'Deployment',
    spec: { replicas: 4, template: { spec: { containers: [{ name: 'app', image: 'web:2' }] } } },
  });
});

test.run();
