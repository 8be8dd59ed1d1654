// What may come as a manifest: broken, foreign, huge, strange. Nothing crashes, and each problem has its line.
import * as assert from 'uvu/assert';
import { checkManifests, nothingChecked } from '../../harness/check/check.ts';
import { suite } from '../suite.ts';

const test = suite('check-documents');
const check = (text: string) => checkManifests([{ file: 'm.yaml', text }]);

const cronJob = 'apiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: c\n';
const lines = (text: string) => check(text).findings.map((finding) => `${finding.line}:${finding.column}`);
const problems = (text: string) =>
  check(text).problems.map(({ line, column, sentence }) => `${line}:${column} ${sentence}`);

test('lines of documents, lists and items count from the start of the file', () => {
  const table: [string, string, string[]][] = [
    ['one document', cronJob, ['1:13']],
    ['after a comment and a marker', `# generated\n---\n${cronJob}`, ['3:13']],
    ['several', `${cronJob}---\n${cronJob}---\n\n${cronJob}`, ['1:13', '6:13', '12:13']],
    ['empty ones between', `---\n---\n# nothing\n---\n${cronJob}---\n`, ['5:13']],
    ['an end marker', `${cronJob}...\n---\n${cronJob}`, ['1:13', '7:13']],
    ['a directive', `%YAML 1.2\n---\n${cronJob}`, ['3:13']],
    ['content on the marker’s line', `--- {apiVersion: batch/v1beta1, kind: CronJob}\n`, ['1:18']],
    ['CRLF', `---\n${cronJob}---\n${cronJob}`.replaceAll('\n', '\r\n'), ['2:13', '7:13']],
    [
      'a list',
      `apiVersion: v1\nkind: List\nitems:\n- apiVersion: batch/v1beta1\n  kind: CronJob\n`,
      ['4:15'],
    ],
    [
      'a typed list',
      `apiVersion: batch/v1beta1\nkind: CronJobList\nitems:\n- metadata: {name: c}\n`,
      ['4:3'],
    ],
    [
      'a list in a list',
      `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: batch/v1beta1, kind: CronJob}\n`,
      ['7:18'],
    ],
    ['JSON', '{\n  "apiVersion": "batch/v1beta1",\n  "kind": "CronJob"\n}', ['2:17']],
    [
      'JSON after JSON',
      '{"apiVersion": "batch/v1beta1", "kind": "CronJob", "x": "}{"}\n{"apiVersion": "batch/v1beta1",\n "kind": "CronJob"}',
      ['1:16', '2:16'],
    ],
    ['a merge key and an alias', `x: &a {kind: CronJob}\n<<: *a\napiVersion: batch/v1beta1\n`, ['3:13']],
    [
      'a block text that looks like a marker',
      `apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    ---\n    kind: x\n---\n${cronJob}`,
      ['8:13'],
    ],
  ];
  for (const [name, text, expected] of table) {
    assert.equal(problems(text), [], name);
    assert.equal(lines(text), expected, name);
  }
});

test('what cannot be read is one sentence with its line, and the rest is still checked', () => {
  const table: [string, string, string[], number][] = [
    [
      'broken YAML',
      `a: [1\n---\n${cronJob}`,
      [
        '2:1 is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ].',
      ],
      1,
    ],
    [
      'a tab',
      `${cronJob}---\nkind: A\nspec:\n\treplicas: 1\n`,
      ['8:1 a tab is used for indentation, which YAML forbids; use spaces.'],
      1,
    ],
    [
      'an anchor that is not there',
      'apiVersion: v1\nkind: A\nspec: *nowhere\n',
      ['1:1 cannot be expanded: Unresolved alias (the anchor must be set before the alias): nowhere.'],
      0,
    ],
    ['binary', 'PK\x03\x04\0\0', ['1:1 is not a text in UTF-8; a manifest is YAML or JSON.'], 0],
  ];
  for (const [name, text, expected, findings] of table) {
    assert.equal(problems(text), expected, name);
    assert.is(check(text).findings.length, findings, name);
  }
});

test('a template that was not rendered is said once, at its first action', () => {
  const hint = 'Render it first; for a Helm chart: helm template CHART | rollproof check -';
  const table: [string, string, string][] = [
    [
      'a value',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Values.name }}\nspec:\n  replicas: {{ .Values.n }}\n',
      '4:9 is a template that has not been rendered ({{ .Values.name }})',
    ],
    [
      'a condition',
      '{{- if .Values.on }}\napiVersion: v1\nkind: A\n{{- end }}\n---\n{{ x }}: y\n',
      '1:1 is a template that has not been rendered ({{- if .Values.on }})',
    ],
    [
      'an include in a block',
      'apiVersion: v1\nkind: A\nmetadata:\n  labels:\n    {{- include "a.labels" . | nindent 4 }}\n',
      '5:5 is a template that has not been rendered ({{- include "a.labels" . | nindent 4 }})',
    ],
    [
      'in quotes',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: "{{ .Values.name }}"\n',
      '4:9 is a template that has not been rendered ({{ .Values.name }})',
    ],
    [
      'of another kind',
      'apiVersion: v1\nkind: A\nspec: {{pillar}}\n',
      '3:7 is a template that has not been rendered ({{pillar}})',
    ],
  ];
  for (const [name, text, expected] of table) assert.equal(problems(text), [`${expected}. ${hint}`], name);
});

test('braces that are no template: rules, dashboards, workflows', () => {
  const table: [string, string][] = [
    [
      'an alert rule',
      'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n  summary: "{{ $labels.pod }} is down"\n  plain: up {{ $value }}{{ if x }}\n',
    ],
    [
      'a block text with a chart’s words',
      'apiVersion: v1\nkind: ConfigMap\ndata:\n  t: |\n    {{ if .Values.x }}\n    {{ end }}\n',
    ],
    [
      'a workflow',
      'apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  args: ["{{inputs.parameters.x}}"]\n',
    ],
    ['a comment', 'apiVersion: v1\nkind: A\n# {{ .Values.x }}\n'],
  ];
  for (const [name, text] of table) {
    assert.equal(problems(text), [], name);
    assert.is(check(text).objects, 1, name);
  }
});

test('documents that are no objects, unknown kinds and odd types are passed over', () => {
  const texts = [
    '',
    '\n\n',
    '---\n---\n',
    'just text\n',
    '42\n',
    '- a\n- b\n',
    'a: 1\n',
    'null\n',
    'apiVersion: 1\nkind: 2\n',
    'apiVersion: v1\nkind: List\nitems: [1, null, {}, [x]]\n',
  ];
  for (const text of texts) {
    const report = check(text);
    assert.equal([report.problems, report.findings, report.objects], [[], [], 0], JSON.stringify(text));
    assert.ok(nothingChecked(report), JSON.stringify(text));
  }
});

/** On a machine that has other work. */
const slow = { timeoutMs: 90_000 };

test(
  'every field of a workload may have any type without a crash',
  () => {
    const strange = [
      'null',
      '[]',
      '{}',
      '"x"',
      '7',
      'true',
      '[null]',
      '[[]]',
      '[1]',
      '{a: null}',
      '-1',
      '1e99',
    ];
    const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {a: b}, labels: {a: b}}
spec:
  replicas: 1
  minReadySeconds: 1
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 30
      nodeSelector: {kubernetes.io/hostname: a}
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}, topologyKey: kubernetes.io/hostname}]}}
      volumes: [{name: v, persistentVolumeClaim: {claimName: v}}, {name: c, configMap: {name: c}}]
      containers: [{name: web, image: "web:1", ports: [{name: http, containerPort: 80, hostPort: 80}], env: [{name: A, value: b}], args: [a], lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}, readinessProbe: {httpGet: {path: /, port: http, httpHeaders: [{name: a, value: b}]}, periodSeconds: 1}, livenessProbe: {tcpSocket: {port: 80}, timeoutSeconds: 1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {kind: Deployment, name: web}, minReplicas: 1}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
`;
    const fieldValue = /([A-Za-z]+): (?=\S)/g;
    let tried = 0;
    for (const match of text.matchAll(fieldValue)) {
      const start = match.index + match[0].length;
      const end = start + valueLength(text.slice(start));
      for (const value of strange) {
        const report = check(text.slice(0, start) + value + text.slice(end));
        report.findings[tried % report.findings.length]?.fixed();
        tried++;
      }
    }
    assert.ok(tried > 500, `${tried} variations`);
  },
  slow,
);

/** Length of a flow value, or of the rest of the line. */
function valueLength(text: string): number {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if ('[{'.includes(char)) depth++;
    if (']}'.includes(char) && depth-- === 0) return index;
    if (depth === 0 && (char === ',' || char === '\n')) return index;
  }
  return text.length;
}

test('a large bundle is read in seconds, and a bomb of aliases is refused', () => {
  const schema = `  x: ${'y'.repeat(200)}\n`.repeat(10_000);
  const crd = `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec:\n${schema.replaceAll('x:', '- x:')}`;
  const startedAt = performance.now();
  const report = check(`${crd}---\n`.repeat(5) + cronJob);
  assert.is(report.findings.length, 1);
  assert.ok(performance.now() - startedAt < 30_000);
  const bomb = Array.from({ length: 12 }, (_, level) =>
    level === 0
      ? 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
      : `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}*a${level - 1}]`,
  ).join('\n');
  assert.match(
    problems(`apiVersion: v1\nkind: A\n${bomb}\n`)[0]!,
    /^1:1 cannot be expanded: Excessive alias count/,
  );
});

test('in a folder, YAML that is no manifest is passed over, broken or not', () => {
  const texts = [
    { file: 'ci.yaml', text: 'jobs: [', found: true },
    { file: 'm.yaml', text: cronJob, found: true },
    { file: 'broken.yaml', text: 'apiVersion: v1\nkind: A\nspec: [', found: true },
  ];
  const report = checkManifests(texts);
  assert.equal(
    report.problems.map(({ file }) => file),
    ['broken.yaml'],
  );
  assert.is(report.findings.length, 1);
});

test('parts of a workload (patches) are named and not judged', () => {
  const patch =
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template: {spec: {containers: [{name: web, env: []}]}}\n';
  const report = check(patch);
  assert.equal(report.findings, []);
  assert.equal(report.partial, ['Deployment web']);
});

test('a workload whose fields have no type that a pod can be made of is a sentence, never clean', () => {
  const whole = (pod: string) =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {}\n  template:\n    spec:\n      ${pod}\n`;
  const table: [string, string, string][] = [
    [
      'containers are text',
      whole('containers: app'),
      '8:19 Deployment web: spec.template.spec.containers must be a list of containers, not "app".',
    ],
    [
      'a container is text',
      whole('containers: [app]'),
      '8:20 Deployment web: spec.template.spec.containers[0] must be a container, not "app".',
    ],
    [
      'init containers are an object',
      whole('initContainers: {a: b}'),
      '8:23 Deployment web: spec.template.spec.initContainers must be a list of containers, not an object.',
    ],
    [
      'no container',
      whole('containers: []'),
      '8:19 Deployment web: spec.template.spec.containers is empty, and a pod needs a container.',
    ],
    [
      'no image',
      whole('containers: [{name: app}]'),
      '8:20 Deployment web: spec.template.spec.containers[0] has no image, and the API refuses it.',
    ],
    [
      'an image that is a list',
      whole('containers: [{name: app, image: [a]}]'),
      '8:39 Deployment web: spec.template.spec.containers[0].image must be text, not a list.',
    ],
    [
      'a spec that is text',
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: x\n',
      '4:7 StatefulSet db: spec must be an object with fields, not "x".',
    ],
    [
      'a pod',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: 5}\n',
      '4:20 Pod p: spec.containers must be a list of containers, not 5.',
    ],
  ];
  for (const [name, text, expected] of table) {
    assert.equal(problems(text), [expected], name);
    assert.is(check(text).workloads, 0, name);
  }
  const found = checkManifests([{ file: 'a/m.yaml', text: whole('containers: [{name: app}]'), found: true }]);
  assert.equal(found.problems, [], 'in a folder it may be a patch');
  assert.equal(found.partial, ['Deployment web']);
});

test('whatever stands in a field of a manifest, it is read or a sentence', () => {
  const manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' }, annotations: { a: 'b' } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 30,
          volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }],
          containers: [
            {
              name: 'app',
              image: 'web:1',
              command: ['node'],
              env: [{ name: 'A', value: 'b' }],
              ports: [{ containerPort: 8080, name: 'http' }],
              readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              lifecycle: { preStop: { exec: { command: ['sleep', '5'] } } },
              resources: { requests: { cpu: '100m' } },
            },
          ],
        },
      },
    },
  };
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n';
  const values: readonly unknown[] = [
    null,
    '',
    'text',
    -5,
    1e308,
    true,
    [],
    {},
    [[1]],
    [null],
    { constructor: 1 },
  ];
  const fieldsOf = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, one]) => {
          const own = [...path, Array.isArray(value) ? Number(key) : key];
          return [own, ...fieldsOf(one, own)];
        })
      : [];
  // Each value in every third field, so that all values and all fields have their turn.
  for (const [index, path] of fieldsOf(manifest).entries())
    for (const value of values.filter((_, at) => (index + at) % 3 === 0)) {
      const copy = structuredClone(manifest) as never;
      const holder = path.slice(0, -1).reduce<unknown>((at, step) => (at as never)[step], copy);
      (holder as Record<string | number, unknown>)[path.at(-1) as string] = value;
      const report = check(`${JSON.stringify(copy)}\n---\n${service}`);
      const where = `${path.join('.')} = ${JSON.stringify(value)}`;
      assert.ok(report.objects + report.problems.length > 0, where);
      for (const { sentence } of report.problems) assert.match(sentence, /\.$/, where);
    }
});

test.run();
