// Manifests that an API server refuses are refused before anything starts: by our check, with file and line, and where the
// cluster is the embedded one by its own API server.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { stringify } from 'yaml';
import { apiRefusalOf } from '../../emulator/index.ts';
import { embeddedProvider } from '../../harness/cluster/embedded/provider.ts';
import { type ReadManifest, readManifestFiles, readText } from '../../harness/deploy/read-manifests.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { mergeManifest } from '../../harness/model/merge-manifest.ts';
import { refuseWhatApiRefuses } from '../../harness/run/refused-by-check.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('manifests that are refused');

const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: app, image: "web:1", ports: [{containerPort: 8080}]}
`;
const workload = readText('web.yaml', text)[0]!.manifest;
const written = (patch: object): ReadManifest[] =>
  readText('web.yaml', `---\n${stringify(mergeManifest(workload, patch as Record<string, unknown>))}`);
const container = (fields: object) => ({
  spec: { template: { spec: { containers: [{ name: 'app', ...fields }] } } },
});

function byCheck(read: readonly ReadManifest[]): string | undefined {
  try {
    refuseWhatApiRefuses(
      read,
      read.map(({ manifest }) => manifest),
    );
    return undefined;
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as UsageError).message;
  }
}

const images = [new Map([['web:1', { command: ['true'] }]])];
const byEmbedded = (read: readonly ReadManifest[]) =>
  embeddedProvider({ images })
    .cannotRun?.(
      read.map(({ manifest }) => manifest),
      [],
    )
    .join('\n') || undefined;

const none = undefined;
const rows: [what: string, patch: object, check: RegExp | undefined, embedded: RegExp | undefined][] = [
  ['nothing', {}, none, none],
  [
    'a selector of others',
    { spec: { selector: { matchLabels: { app: 'other' } } } },
    /^web\.yaml:2: Deployment web: its selector does not match the labels/,
    /^Deployment web: the API server would refuse it: .*`selector` does not match template `labels`/,
  ],
  [
    'no surge and nothing unavailable',
    { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } } },
    /^web\.yaml:2: Deployment web: maxSurge 0 and maxUnavailable 0% together are refused/,
    /maxUnavailable: .*may not be 0/,
  ],
  [
    'a probe that asks in two ways',
    container({ readinessProbe: { httpGet: { port: 8080 }, exec: { command: ['true'] } } }),
    /^web\.yaml:2: .*readinessProbe of container "app" has httpGet and exec/,
    /may not specify more than 1 handler type/,
  ],
  [
    'a volume that is not there',
    container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
    /^web\.yaml:2: .*mounts volume "v"/,
    /volumeMounts\[0\]\.name: Not found: "v"/,
  ],
  [
    'a strategy that there is not',
    { spec: { strategy: { type: 'BlueGreen' } } },
    none,
    /spec\.strategy: Unsupported/,
  ],
  [
    'a quantity that is none',
    container({ resources: { requests: { cpu: 'lots' } } }),
    none,
    /quantities must match the regular expression/,
  ],
  [
    'a request above its limit',
    container({ resources: { requests: { cpu: 2 }, limits: { cpu: 1 } } }),
    none,
    /must be less than or equal to cpu limit/,
  ],
  [
    'a variable with two values',
    container({ env: [{ name: 'A', value: 'a', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
    none,
    /may not be specified when `value` is not empty/,
  ],
  [
    'texts that are booleans or numbers without their quotes',
    mergeManifest(
      container({
        args: ['off', 'no'],
        env: ['yes', 'on', 'N', 'true', '0777', '1e3', '1_000', '12:30:45', 'null', '~', ''].map((value) => ({
          name: 'A',
          value,
        })),
      }) as never,
      { metadata: { annotations: { debug: 'on' } } },
    ),
    none,
    none,
  ],
  ['a name that is none', { metadata: { name: 'Web' } }, none, /metadata\.name: Invalid value: "Web"/],
];

for (const [what, patch, check, embedded] of rows) {
  test(`${what}: ${check || embedded ? 'refused, and what it is' : 'taken'}`, () => {
    const read = written(patch);
    for (const [said, expected] of [
      [byCheck(read), check],
      [byEmbedded(read), embedded],
    ] as const)
      if (expected) assert.match(said ?? 'taken', expected);
      else assert.is(said, undefined);
  });
}

test('of a kind that the embedded cluster knows and does not make nothing is said of its fields', () => {
  const text = 'apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: gvisor}\nhandler: runsc\n';
  assert.is(byEmbedded(readText('class.yaml', text)), undefined);
});

test('a bare - in a list is an object without fields, as Go makes it', () => {
  const policy = (spec: object) =>
    apiRefusalOf({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'p' },
      spec: { podSelector: {}, ...spec },
    } as unknown as Parameters<typeof apiRefusalOf>[0]);
  assert.is(policy({ ingress: [null] }), undefined);
  assert.match(
    policy({ ingress: [{ from: [null] }] }) ?? 'taken',
    /from\[0\]: Required value: must specify a peer/,
  );
});

test('a number of pods that no cluster has is refused with its line', () => {
  assert.throws(
    () => written({ spec: { replicas: 1_000_000_000 } }),
    (error: Error) =>
      error instanceof UsageError &&
      /^web\.yaml:\d+: Deployment web: spec\.replicas must be at most 10000, not 1000000000/.test(
        error.message,
      ),
  );
});

test('what is left out is not looked at, and what others have written is taken', () => {
  const [refused] = written({ spec: { selector: { matchLabels: { app: 'other' } } } });
  refuseWhatApiRefuses([refused!], []);
  let looked = 0;
  for (const entry of readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.ya?ml$/.test(entry) || /templates|values|Chart|kustomiz|rollproof\.yaml/.test(entry)) continue;
    const read = readManifestFiles(join(root, 'examples', entry));
    assert.is(byCheck(read), undefined, entry);
    looked += read.length;
  }
  assert.ok(looked > 3, `${looked} objects`);
});

test.run();
