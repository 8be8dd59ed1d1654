// Changes to YAML as text: parsed again, the text says what was asked for, and nothing else has moved.
import * as assert from 'uvu/assert';
import { parse, parseDocument } from 'yaml';
import { type Change, pathOf, withChanges } from '../../harness/check/edit.ts';
import { snippetOf } from '../../harness/check/snippet.ts';
import { suite } from '../suite.ts';

const test = suite('check-edit');

const cases: [string, string, Change[], string][] = [
  [
    'replaces a scalar, its comment stays',
    'a: 1 # why\nb: 2\n',
    [{ set: ['a'], value: 5 }],
    'a: 5 # why\nb: 2\n',
  ],
  [
    'adds a field behind the last one',
    'a:\n  b: 1\n# end\nc: 2\n',
    [{ set: ['a', 'x'], value: 2 }],
    'a:\n  b: 1\n  x: 2\n# end\nc: 2\n',
  ],
  [
    'adds behind a block text',
    'a:\n  b: |\n    t\n\n  # c\nc: 2\n',
    [{ set: ['a', 'x'], value: 2 }],
    'a:\n  b: |\n    t\n  x: 2\n\n  # c\nc: 2\n',
  ],
  [
    'adds at the end of a file without a newline',
    'a:\n  b: 1',
    [{ set: ['a', 'x'], value: 2 }],
    'a:\n  b: 1\n  x: 2\n',
  ],
  [
    'adds to a list item',
    'l:\n- n: a\n  v: 1\n- n: b\n',
    [{ set: ['l', 0, 'x', 'y'], value: [1] }],
    'l:\n- n: a\n  v: 1\n  x:\n    y:\n    - 1\n- n: b\n',
  ],
  [
    'adds an item to a list, in the way that the text indents lists',
    'l:\n  - n: a\n    v: 1 # c\n  # end\nm: 2\n',
    [{ set: ['l', 1], value: { n: 'b', o: [1] } }],
    'l:\n  - n: a\n    v: 1 # c\n  - n: b\n    o:\n      - 1\n  # end\nm: 2\n',
  ],
  [
    'adds an item to a list of scalars without indentation, at the end without a newline',
    'a:\n- 1\n- 2',
    [{ set: ['a', 2], value: 3 }],
    'a:\n- 1\n- 2\n- 3\n',
  ],
  ['adds an item in flow', 'a: [1, 2] # c\n', [{ set: ['a', 2], value: 3 }], 'a: [ 1, 2, 3 ] # c\n'],
  [
    'replaces a quoted text under a quoted key',
    '"a" :   "25%"  # why\nb: \'x\'\nc: "y"\n',
    [
      { set: ['a'], value: '50%' },
      { set: ['b'], value: 'z' },
      { set: ['c'], value: 0 },
    ],
    '"a" :   "50%"  # why\nb: \'z\'\nc: 0\n',
  ],
  ['fills an empty field', 'a:\nb: 1\n', [{ set: ['a', 'x'], value: 2 }], 'a:\n  x: 2\nb: 1\n'],
  [
    'replaces a map',
    'a:\n  b: 1\n  c: 2\n\n# d\nd: 3\n',
    [{ set: ['a'], value: { x: 1 } }],
    'a:\n  x: 1\n\n# d\nd: 3\n',
  ],
  ['removes a line', 'a:\n  b: 1 # gone\n  c: 2\n', [{ remove: ['a', 'b'] }], 'a:\n  c: 2\n'],
  [
    'removes the last field',
    'a:\n  b: 1\n  c: 2 # gone\nd: 3\n',
    [{ remove: ['a', 'c'] }],
    'a:\n  b: 1\nd: 3\n',
  ],
  ['removes the only field', 'a:\n  b: 1\nd: 3\n', [{ remove: ['a', 'b'] }], 'a:\n  {}\nd: 3\n'],
  [
    'removes the first field of a list item',
    'l:\n  - a: 1\n    b: 2\n',
    [{ remove: ['l', 0, 'a'] }],
    'l:\n  - b: 2\n',
  ],
  [
    'removes the first field, what is said about the next one stays',
    'l:\n  - a: 1 # gone\n    # why\n    b: 2\na: 1\n\n# c\nc: 3\n',
    [{ remove: ['l', 0, 'a'] }, { remove: ['a'] }],
    'l:\n  - # why\n    b: 2\n\n# c\nc: 3\n',
  ],
  [
    'removes the first field of a document, the comment behind it stays',
    'a: 1\n# about b\nb: 2\n',
    [{ remove: ['a'] }],
    '# about b\nb: 2\n',
  ],
  ['removes what is not there', 'a: 1\n', [{ remove: ['b'] }], 'a: 1\n'],
  [
    'flow on one line',
    'a: {b: 1, c: [x, y]}\n',
    [{ set: ['a', 'd', 'e'], value: 2 }],
    'a: { b: 1, c: [ x, y ], d: { e: 2 } }\n',
  ],
  ['JSON on one line', '{"a": {"b": 1}}', [{ set: ['a', 'c'], value: 'x' }], '{"a":{"b":1,"c":"x"}}'],
  [
    'JSON on several lines',
    '{\n  "a": {\n    "b": 1\n  }\n}\n',
    [{ set: ['a', 'b'], value: 2 }],
    '{\n  "a": {\n    "b": 2\n  }\n}\n',
  ],
  [
    'an alias is written out where it is used',
    'a: &x\n  b: 1\nc: *x\n',
    [{ set: ['c', 'd'], value: 2 }],
    'a: &x\n  b: 1\nc:\n  b: 1\n  d: 2\n',
  ],
  [
    'a merged field is overridden',
    'a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n',
    [{ set: ['c', 'b'], value: 3 }],
    'a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n  b: 3\n',
  ],
  [
    'CRLF stays',
    'a: 1\r\nb:\r\n  c: 1\r\n',
    [{ set: ['b', 'd'], value: [1, 2] }],
    'a: 1\r\nb:\r\n  c: 1\r\n  d:\r\n    - 1\r\n    - 2\r\n',
  ],
  [
    'several changes',
    'a: 1\nb: 2\nc: 3\n',
    [{ remove: ['a'] }, { set: ['b'], value: 5 }, { set: ['d'], value: 4 }],
    'b: 5\nc: 3\nd: 4\n',
  ],
];

for (const [name, text, changes, expected] of cases) {
  test(name, () => {
    const changed = withChanges(text, changes);
    assert.is(changed, expected);
    // The text says what the changes say, told by the parser and plain objects alone.
    const wanted = parse(text, { merge: true });
    for (const change of changes) {
      const path = pathOf(change);
      let node = wanted;
      for (const key of path.slice(0, -1)) node = node[key] ??= {};
      if ('set' in change) node[path.at(-1)!] = change.value;
      else delete node[path.at(-1)!];
    }
    const independent = name.startsWith('an alias') ? { a: { b: 1 }, c: { b: 1, d: 2 } } : wanted;
    assert.equal(parse(changed, { merge: true }), independent);
  });
}

const manifest = `spec:
  template:
    spec:
      containers:
      - name: web
        image: a
      - image: b
`;
const snippets: [string, Change[], string][] = [
  ['one field', [{ set: ['spec', 'replicas'], value: 2 }], '  # in spec\n  replicas: 2'],
  [
    'a field of a map that is not there yet',
    [{ set: ['spec', 'strategy', 'rollingUpdate', 'maxSurge'], value: 1 }],
    '  # in spec\n  strategy:\n    rollingUpdate:\n      maxSurge: 1',
  ],
  [
    'in a container',
    [{ set: ['spec', 'template', 'spec', 'containers', 0, 'x'], value: 1 }],
    '        # in spec.template.spec.containers[0]\n        x: 1',
  ],
  [
    'in two containers and beside them: items by name, or by their first field',
    [
      { set: ['spec', 'template', 'spec', 'containers', 0, 'x'], value: 1 },
      { set: ['spec', 'template', 'spec', 'containers', 1, 'x'], value: 2, comment: 'why' },
      { set: ['spec', 'template', 'spec', 'y'], value: 3 },
    ],
    '      # in spec.template.spec\n      containers:\n        - name: web\n          x: 1\n        - image: b\n          x: 2 # why\n      y: 3',
  ],
  [
    'a removal',
    [{ remove: ['spec', 'template'], comment: 'why' }],
    '  # in spec\n  template: null # remove this line: why',
  ],
];

for (const [name, changes, expected] of snippets) {
  test(`what a reader sees: ${name}`, () => {
    const source = { document: parseDocument(manifest), text: manifest };
    assert.is(snippetOf(source, parse(manifest), changes), expected);
  });
}

test.run();
