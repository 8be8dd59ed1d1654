// Inputs as people have them: folders, kustomizations, charts; what becomes of each object, and what is refused by name.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadConfiguration } from '../../harness/config/load.ts';
import { labelledTarget, podsWanted, withScenario } from '../../harness/deploy/assemble.ts';
import { findTargets, lookWithin, othersThatServe } from '../../harness/deploy/find-target.ts';
import { foreignTarget } from '../../harness/deploy/foreign.ts';
import { heldByPartition } from '../../harness/deploy/partition.ts';
import { readManifestFiles, readText } from '../../harness/deploy/read-manifests.ts';
import { missingOnOurs } from '../../harness/deploy/refusals.ts';
import { stripped } from '../../harness/deploy/sources/live.ts';
import { spokenBy, spokenIn } from '../../harness/deploy/spoken.ts';
import {
  agentAdded,
  nodePortAdded,
  stickyAgents,
  substitutionsOf,
} from '../../harness/deploy/substitutions.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { missingPrograms } from '../../harness/run/cannot-run.ts';
import { configurationText } from '../../harness/words/init-configuration.ts';
import { scenarios } from '../../scenarios/index.ts';
import { suite } from '../suite.ts';

const test = suite('sources of a target', { timeoutMs: 60_000 });

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const kubectl = has('kubectl', 'kustomize', '--help') ? undefined : 'no kubectl on the PATH';
const helm = has('helm', 'version') ? undefined : 'no helm on the PATH';

const service = (fields = '') => `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]${fields}}
`;
const workload = (fields = '', pod = '', kind = 'Deployment') => `
apiVersion: apps/v1
kind: ${kind}
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
${fields}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: "web:1"}]
${pod}
`;
const yaml = (...documents: string[]) => documents.join('\n---\n');

async function read(files: Record<string, string>, target: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-sources-'));
  try {
    for (const [name, text] of Object.entries({ ...files, 'rollproof.yaml': `target: ${target}\n` })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      if (text.startsWith('#!')) chmodSync(join(folder, name), 0o755);
    }
    const loaded = loadConfiguration(join(folder, 'rollproof.yaml'), process.cwd());
    return await foreignTarget(loaded.configuration.target as never, {
      at: (path) => loaded.at(path).replace(/^.*\//, ''),
      signal: new AbortController().signal,
      live: { connect: () => Promise.reject(new Error('no cluster here')), copySecrets: false },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function refusal(files: Record<string, string>, target = '{manifests: [web.yaml], deployment: web}') {
  try {
    await read(files, target);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.replace(/[^\s:]*rollproof-sources-[^/]*\//g, '');
  }
  return 'accepted';
}

test('every object is created or left out with a sentence; what cannot stay says why', async () => {
  const of = (kind: string, name: string, more = '') =>
    `apiVersion: v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\n${more}`;
  const target = await read(
    {
      'web.yaml': yaml(
        workload('  replicas: 1'),
        service(', type: NodePort, externalTrafficPolicy: Local, clusterIP: 10.0.0.9').replace(
          'targetPort: 8080',
          'targetPort: 8080, nodePort: 30080',
        ),
        of('Namespace', 'shop'),
        of('Ingress', 'web'),
        of('NetworkPolicy', 'deny'),
        of('ClusterRole', 'all'),
        of('Widget', 'w'),
        of('ConfigMap', 'web', 'data: {A: b}'),
        of(
          'HorizontalPodAutoscaler',
          'web',
          'spec: {minReplicas: 4, scaleTargetRef: {kind: Deployment, name: web}}',
        ),
        of('Pod', 'smoke', 'spec: {containers: [{name: a, image: "b"}]}').replace(
          'namespace: shop',
          'annotations: {helm.sh/hook: test}',
        ),
      ),
    },
    '{manifests: [web.yaml], deployment: web}',
  );
  assert.equal(
    target.manifests.map(({ kind }) => kind),
    ['Deployment', 'Service', 'ConfigMap'],
  );
  const because = target.asIs?.substitutions.map((one) => one.because) ?? [];
  for (const words of [
    /^Namespace shop is left out: each experiment has a namespace/,
    /^Ingress web is left out: the load enters at the Service/,
    /^NetworkPolicy deny is left out: it could keep the load agent out/,
    /^ClusterRole all is left out: it belongs to the whole cluster/,
    /^Widget w is left out/,
    /^Pod smoke is left out: it is a hook of Helm \(test\)/,
    /^Each experiment has a namespace of its own/,
    /^Addresses and ports of a Service are left to the cluster/,
    /^HorizontalPodAutoscaler web keeps at least 4 pods/,
  ])
    assert.ok(
      because.some((one) => words.test(one)),
      `${words} in\n${because.join('\n')}`,
    );
  const spec = target.manifests[1]?.spec as Record<string, unknown>;
  assert.is(spec.type, 'NodePort');
  assert.is(spec.externalTrafficPolicy, 'Local');
  assert.is(podsWanted(target.manifests, target), 4);
});

test('the number of pods is the manifests’, but for scenarios that are about it', async () => {
  const target = await read(
    { 'web.yaml': yaml(workload('  replicas: 1'), service()) },
    '{manifests: [web.yaml], deployment: web}',
  );
  const byId = (id: string) => {
    const found = scenarios.find((one) => one.id === id)?.quick;
    assert.ok(found, id);
    return found;
  };
  const table: [string, number][] = [
    ['image-change', 1],
    ['rollback', 1],
    ['scale-down', byId('scale-down').target.replicas],
    ['scale-up', byId('scale-up').target.replicas],
  ];
  for (const [id, expected] of table) {
    const scenario = byId(id);
    const base = withScenario(target, scenario);
    assert.is(podsWanted(base, target), expected, id);
    const said = substitutionsOf(target, scenario, base, base, (list) => list);
    // The labels are said of every one.
    assert.is(said.length, expected === 1 ? 1 : 2, `${id}: ${said.map((one) => one.because).join(' ')}`);
  }
});

test('labels, namespace and what stands beside somebody’s manifests are among the substitutions', async () => {
  const target = await read(
    { 'web.yaml': yaml(workload(), service()) },
    '{manifests: [web.yaml], deployment: web}',
  );
  const scenario = scenarios.find(({ id }) => id === 'image-change')?.quick;
  assert.ok(scenario);
  const own = target.manifests[1] as Manifest;
  const beside = [agentAdded(['n1']), nodePortAdded(own, 80)];
  const [labels, agent, nodePort, ...more] = substitutionsOf(
    target,
    scenario,
    target.manifests,
    target.manifests,
    (list) => list,
    beside,
  );
  assert.match(labels?.because ?? '', /labels of the run are added to it and its pods/);
  assert.match(labels?.diff ?? '', /^\+ {8}rollproof\.dev\/run: the-run$/m);
  assert.not.match(labels?.diff ?? '', /^-(?!--)/m, 'nothing of theirs goes');
  assert.match(agent?.because ?? '', /a load agent \(on node n1\) and a control target/);
  assert.is(agent?.diff, '');
  assert.match(nodePort?.because ?? '', /Service web has none \(type ClusterIP\): a second Service/);
  assert.match(nodePort?.diff ?? '', /^\+ {2}type: NodePort$/m);
  assert.equal(more, []);
  const ingress = 'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}';
  const fronted = await read(
    { 'web.yaml': yaml(workload(), service(), ingress) },
    '{manifests: [web.yaml], deployment: web}',
  );
  const [first] = substitutionsOf(fronted, scenario, fronted.manifests, fronted.manifests, (list) => list);
  assert.match(first?.because ?? '', /^Ingress web is left out/);
  assert.is(first?.diff, '', 'what is left out is said, not shown');
});

test('what cannot be tested is refused by name, all at once, with file and line', async () => {
  const both = (one: string, other = service()) => ({ 'web.yaml': yaml(one, other) });
  const table: [string, Record<string, string>, RegExp, string?][] = [
    [
      'OnDelete',
      both(workload('  updateStrategy: {type: OnDelete}', '', 'DaemonSet')),
      /^web\.yaml:\d+: DaemonSet web: updateStrategy OnDelete/,
      '{manifests: [web.yaml], daemonSet: web}',
    ],
    [
      'a partition that holds every pod back',
      both(workload('  replicas: 3\n  updateStrategy: {rollingUpdate: {partition: 3}}', '', 'StatefulSet')),
      /^web\.yaml:\d+: StatefulSet web: partition 3 of 3 replicas keeps every pod at its revision/,
      '{manifests: [web.yaml], statefulSet: web}',
    ],
    [
      'a key that a ConfigMap does not have',
      {
        'web.yaml': yaml(
          workload(
            '',
            '      volumes: [{name: a, configMap: {name: shop, items: [{key: b, path: b}, {key: c, path: c}]}}]',
          ),
          service(),
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {a: x}\nbinaryData: {b: eA==}',
        ),
      },
      /^web\.yaml:\d+: Deployment web: needs the key "c" of ConfigMap "shop", which has a, b; its pods would never start\.$/,
    ],
    ['paused', both(workload('  paused: true')), /^web\.yaml:\d+: Deployment web: is paused/],
    ['0 replicas', both(workload('  replicas: 0')), /Deployment web: has 0 replicas/],
    ['headless', both(workload(), service(', clusterIP: None')), /^web\.yaml:\d+: Service web: is headless/],
    [
      'ExternalName',
      both(workload(), service(', type: ExternalName, externalName: a.b')),
      /Service web: is an ExternalName/,
    ],
    [
      'selector',
      both(workload().replace('labels: {app: web}', 'labels: {app: wob}')),
      /its selector matches no pod of Deployment web: it wants app=web, the pods have app=wob/,
      '{manifests: [web.yaml], deployment: web, service: web}',
    ],
    [
      'a port by a name that no container has',
      both(workload(), service().replace('targetPort: 8080', 'targetPort: http')),
      /^web\.yaml:\d+: Service web: sends to the port "http", and no container of Deployment web has a port of that name \(they have none with a name\)/,
    ],
    [
      'missing objects',
      both(
        workload(
          '',
          '      volumes: [{name: a, configMap: {name: conf}}, {name: b, secret: {secretName: s}}]\n      serviceAccountName: robot',
        ),
      ),
      /needs ConfigMap "conf"[^\n]*\n[^\n]*needs Secret "s"[^\n]*\n[^\n]*needs ServiceAccount "robot"/,
    ],
    [
      'none fits',
      both(workload()),
      /^rollproof\.yaml:1:\d+: target\.deployment: the manifests have no Deployment "other"; they have web\.$/,
      '{manifests: [web.yaml], deployment: other}',
    ],
    [
      'of another kind',
      both(workload()),
      /target\.statefulSet: the manifests have no StatefulSet "web"; they have none; "web" is a Deployment\.$/,
      '{manifests: [web.yaml], statefulSet: web}',
    ],
    [
      'two fit',
      { 'web.yaml': yaml(workload(), workload(), service()) },
      /^rollproof\.yaml:1:\d+: target\.deployment: the manifests have 2 objects Deployment "web"/,
    ],
    [
      'two Services',
      { 'web.yaml': yaml(workload(), service(), service().replace('name: web', 'name: also')) },
      /target\.service: Services web, also all select the pods; say which/,
    ],
    [
      'no Service',
      { 'web.yaml': workload() },
      /target\.service: no Service of the manifests selects the pods; they have none\.$/,
    ],
    [
      'no path',
      {},
      /^rollproof\.yaml:1:\d+: target\.manifests\[0\]: \S*web\.yaml: there is no such file or folder\.$/,
    ],
    [
      'a folder without manifests',
      { 'k/notes.txt': 'none' },
      /^rollproof\.yaml:1:\d+: target\.manifests\[0\]: \S*k: has no \.yaml, \.yml or \.json file\.$/,
      '{manifests: [k], deployment: web}',
    ],
    [
      'a health port that the container does not name',
      { 'web.yaml': yaml(workload(), service()) },
      /^rollproof\.yaml:1:\d+: target\.health\.port: container app has no port named "admin"; it has none with a name\.$/,
      '{manifests: [web.yaml], deployment: web, health: {port: admin}}',
    ],
    [
      'another Service',
      both(workload()),
      /^rollproof\.yaml:1:\d+: target\.service: the manifests have no Service "other"; they have web\.$/,
      '{manifests: [web.yaml], deployment: web, service: other}',
    ],
    [
      'a Service twice',
      { 'web.yaml': yaml(workload(), service(), service()) },
      /^rollproof\.yaml:1:\d+: target\.service: the manifests have 2 objects Service "web"; leave one of them\.$/,
      '{manifests: [web.yaml], deployment: web, service: web}',
    ],
    [
      'another port',
      both(workload()),
      /^rollproof\.yaml:1:\d+: target\.port: Service web has no port 81; it has 80\.$/,
      '{manifests: [web.yaml], deployment: web, port: 81}',
    ],
    [
      'two ports',
      both(workload(), service().replace('{port: 80, ', '{name: admin, port: 81}, {name: http, port: 80, ')),
      /^rollproof\.yaml:1:\d+: target\.port: Service web has ports admin, http; say which one\.$/,
    ],
    [
      'another container',
      both(workload()),
      /^rollproof\.yaml:1:\d+: target\.container: Deployment web has no container "proxy"; it has app\.$/,
      '{manifests: [web.yaml], deployment: web, container: proxy}',
    ],
    [
      'an empty file',
      { 'web.yaml': '# none\n' },
      /^rollproof\.yaml:1:\d+: target\.deployment: the manifests have no Deployment "web"; they have none\.$/,
    ],
    ['no YAML', { 'web.yaml': 'a: [\n' }, /^\S*web\.yaml:2: not valid YAML: /],
    [
      'no folder of a kustomization',
      {},
      /^rollproof\.yaml:1:\d+: target\.kustomize: \S*k: there is no such folder\.$/,
      '{kustomize: k, deployment: web}',
    ],
    [
      'another version of a chart in a folder',
      { 'chart/Chart.yaml': 'name: x\nversion: 1.0.0\n' },
      /^rollproof\.yaml:1:\d+: target\.helm\.version: \S*chart is a folder with version 1\.0\.0 of the chart, not 2\.0\.0\./,
      '{helm: {chart: chart, version: "2.0.0"}, deployment: web}',
    ],
    [
      'no kustomization',
      { 'k/web.yaml': workload() },
      /target\.kustomize: \S*k: has no kustomization\.yaml\.$/,
      '{kustomize: k, deployment: web}',
    ],
    [
      'no chart',
      {},
      /target\.helm\.chart: \S*chart: there is no such chart\.$/,
      '{helm: {chart: ./chart}, deployment: web}',
    ],
    [
      'no values',
      { 'chart/Chart.yaml': 'name: x' },
      /target\.helm\.values\[0\]: \S*v\.yaml: there is no such file\.$/,
      '{helm: {chart: chart, values: [v.yaml]}, deployment: web}',
    ],
    [
      'a chart as manifests',
      { 'chart/Chart.yaml': 'name: x' },
      /is a chart; name it under target\.helm\.chart/,
      '{manifests: [chart], deployment: web}',
    ],
    [
      'no source',
      {},
      /^\S*rollproof\.yaml:1:\d+: target needs "manifests", "kustomize", "helm" or "from: cluster"/,
      '{deployment: web}',
    ],
    [
      'two sources',
      {},
      /target\.helm cannot stand beside "manifests"/,
      '{manifests: [a], helm: {chart: b}, deployment: web}',
    ],
    [
      'two workloads',
      {},
      /target\.daemonSet cannot stand beside "deployment"/,
      '{manifests: [a], deployment: web, daemonSet: web}',
    ],
  ];
  for (const [name, files, expected, target] of table)
    assert.match(await refusal(files, target), expected, name);
});

test('a ReadWriteOnce volume under a rolling update is named before anything runs', async () => {
  const claim = (mode: string) =>
    `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [${mode}]}`;
  const mount = '      volumes: [{name: a, persistentVolumeClaim: {claimName: data}}]';
  const files = (mode: string, fields = '') => ({
    'web.yaml': yaml(workload(fields, mount), service(), claim(mode)),
  });
  const names = '{manifests: [web.yaml], deployment: web}';
  const warned = await read(files('ReadWriteOnce'), names);
  assert.match(
    warned.asIs?.warnings.join('\n') ?? '',
    /mounts PersistentVolumeClaim data, which is ReadWriteOnce/,
  );
  assert.match(
    await refusal(files('ReadWriteOncePod')),
    /is ReadWriteOncePod: the new pod waits for the volume/,
  );
  const recreate = await read(files('ReadWriteOnce', '  strategy: {type: Recreate}'), names);
  assert.equal(recreate.asIs?.warnings, []);
});

test('a partition: what it leaves out is said, and a scenario that it holds back is not run', async () => {
  const set = (more: string) => ({
    'web.yaml': yaml(
      workload(`${more}\n  updateStrategy: {rollingUpdate: {partition: 3}}`, '', 'StatefulSet'),
      service(),
    ),
  });
  const names = '{manifests: [web.yaml], statefulSet: web, images: {next: "web:2"}}';
  const five = await read(set('  replicas: 5'), names);
  assert.match(
    five.asIs?.warnings.join() ?? '',
    /^StatefulSet web has partition 3: a new revision reaches 2 of its 5 pods, and the others keep theirs: /,
  );
  const scenarioOf = (id: string) => {
    const found = scenarios.find((one) => one.id === id)?.quick;
    if (!found) throw new Error(`no scenario ${id}`);
    return found;
  };
  assert.is(heldByPartition(five, scenarioOf('restart')), undefined);
  // Its own number of pods is below the partition.
  const few = { ...scenarioOf('restart'), target: { ...scenarioOf('restart').target, replicas: 2 } };
  const counted = { ...few, steps: [...few.steps, { step: 'scale', replicas: 2 } as const] };
  assert.match(
    heldByPartition(five, counted) ?? '',
    /^The partition 3 of the StatefulSet keeps each of the 2 pods/,
  );
  assert.is(heldByPartition(five, scenarioOf('scale-up')), undefined, 'no new revision');
  // Ordinals from 2 on: pods 2, 3 and 4.
  const later = await read(set('  replicas: 3\n  ordinals: {start: 2}'), names);
  assert.match(later.asIs?.warnings.join() ?? '', /reaches 2 of its 3 pods/);
  const all = await read(set('  replicas: 3\n  ordinals: {start: 3}'), names);
  assert.equal(all.asIs?.warnings, []);
});

test('claims that a StatefulSet makes carry the run, and go with it', async () => {
  const claims = '  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]';
  const target = await read(
    { 'web.yaml': yaml(workload(claims, '', 'StatefulSet'), service()) },
    '{manifests: [web.yaml], statefulSet: web}',
  );
  assert.match(target.asIs?.substitutions.at(-1)?.because ?? '', /^A claim that a StatefulSet makes/);
  const identity = { namespace: 'n', runId: 'r1', experiment: 'e' };
  const [set] = labelledTarget(target.manifests, target, identity);
  const spec = set?.spec as {
    persistentVolumeClaimRetentionPolicy: unknown;
    volumeClaimTemplates: { metadata: { labels: Record<string, string> } }[];
  };
  assert.equal(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: 'Delete' });
  assert.is(spec.volumeClaimTemplates[0]?.metadata.labels['rollproof.dev/run'], 'r1');
});

test('what nobody runs on a cluster of ours: a scheduler, a gate, a class', () => {
  const refused = (spec: object) =>
    missingOnOurs([
      {
        kind: 'Deployment',
        apiVersion: 'apps/v1',
        metadata: { name: 'web' },
        spec: { template: { spec: { containers: [], ...spec } } },
      } as unknown as Manifest,
    ]).join();
  assert.match(refused({ schedulerName: 'volcano' }), /^Deployment web: .*scheduler "volcano", which nobody/);
  assert.match(refused({ schedulingGates: [{ name: 'a/b' }] }), /scheduling gate "a\/b", which nobody/);
  assert.match(refused({ priorityClassName: 'high' }), /PriorityClass "high", which this cluster does not/);
  assert.match(refused({ runtimeClassName: 'gvisor' }), /RuntimeClass "gvisor", which this cluster does/);
  const usual = { schedulerName: 'default-scheduler', priorityClassName: 'system-cluster-critical' };
  assert.is(refused(usual), '');
});

test('a local command that nobody can start is named before a cluster is there', () => {
  const images = (command: string[], env?: Record<string, string>) =>
    missingPrograms({ 'web:1': { command, folder: 'test', ...(env && { env }) } } as never, [
      'web:1',
      'web:2',
    ]);
  assert.match(images(['nodee', 'app.mjs']).join(), /^images: "web:1": nodee is no program that can be/);
  assert.match(images(['./rollproof.ts']).join(), /\.\/rollproof\.ts is no program/);
  assert.equal(images(['node', 'app.mjs']), []);
  assert.equal(images([process.execPath]), []);
  assert.equal(images(['mine'], { PATH: '/opt' }), []);
});

test('readiness gates that nobody sets', () => {
  const gated = {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: { name: 'web' },
    spec: { template: { spec: { containers: [], readinessGates: [{ conditionType: 'example.test/lb' }] } } },
  } as unknown as Manifest;
  assert.match(missingOnOurs([gated]).join(), /readiness gate "example\.test\/lb", which nobody sets/);
});

test('a live object is stripped of what the cluster wrote into it', () => {
  const live = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '5',
      generation: 3,
      creationTimestamp: 'x',
      managedFields: [],
      labels: { app: 'web' },
      annotations: { 'deployment.kubernetes.io/revision': '4', team: 'a' },
    },
    spec: { replicas: 2 },
    status: { replicas: 2 },
  } as unknown as Manifest;
  assert.equal(stripped(live), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' }, annotations: { team: 'a' } },
    spec: { replicas: 2 },
  });
});

test('a live workload comes with what its pods need; Secrets only when that is allowed', async () => {
  const at = (kind: string, name: string, more: object) => ({
    kind,
    metadata: { name, uid: 'u', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    ...more,
  });
  const objects: Record<string, object> = {
    '/apis/apps/v1/namespaces/shop/deployments/web': at('Deployment', 'web', {
      spec: {
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            serviceAccountName: 'robot',
            imagePullSecrets: [{ name: 'pull' }],
            containers: [{ name: 'app', image: 'web:1', envFrom: [{ secretRef: { name: 'key' } }] }],
            volumes: [
              { name: 'a', configMap: { name: 'conf' } },
              { name: 'b', persistentVolumeClaim: { claimName: 'data' } },
            ],
          },
        },
      },
    }),
    '/api/v1/namespaces/shop/services': {
      items: [{ metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }],
    },
    '/api/v1/namespaces/shop/serviceaccounts/robot': at('ServiceAccount', 'robot', {
      secrets: [{ name: 'robot-token-x' }],
      imagePullSecrets: [{ name: 'robot-pull' }],
    }),
    '/api/v1/namespaces/shop/persistentvolumeclaims/data': at('PersistentVolumeClaim', 'data', {
      spec: { accessModes: ['ReadWriteMany'], volumeName: 'pv-7' },
    }),
    '/api/v1/namespaces/shop/configmaps/conf': at('ConfigMap', 'conf', { data: { a: 'b' } }),
    '/api/v1/namespaces/shop/secrets/key': at('Secret', 'key', { data: { a: 'aHVudGVyMg==' } }),
    '/api/v1/namespaces/shop/secrets/pull': at('Secret', 'pull', { data: {} }),
  };
  const asked: string[] = [];
  const raw = async (_: string, path: string) => {
    asked.push(path);
    return { status: objects[path] ? 200 : 404, text: JSON.stringify(objects[path] ?? {}) };
  };
  const kube = { raw, json: async (_: string, path: string) => objects[path], close: () => {} };
  const live = (copySecrets: boolean) =>
    foreignTarget({ from: 'cluster', namespace: 'shop', deployment: 'web', method: 'GET' } as never, {
      at: () => 'rollproof.yaml:1:1',
      signal: new AbortController().signal,
      live: { connect: async () => kube as never, copySecrets },
    });
  await live(false).then(
    () => assert.unreachable(),
    (error: Error) =>
      assert.match(error.message, /needs Secret "key" of namespace shop.*Allow its copy.*--copy-secrets/),
  );
  assert.not.ok(
    asked.some((path) => path.includes('/secrets/')),
    'no Secret was read',
  );
  const target = await live(true);
  assert.equal(
    target.manifests.map(({ kind, metadata: { name } }) => `${kind} ${name}`),
    [
      'Deployment web',
      'Service web',
      'ConfigMap conf',
      'Secret key',
      'Secret pull',
      'ServiceAccount robot',
      'PersistentVolumeClaim data',
    ],
  );
  const [, , , , , account, claim] = target.manifests;
  assert.equal([account?.secrets, account?.imagePullSecrets], [undefined, undefined]);
  assert.equal(claim?.spec, { accessModes: ['ReadWriteMany'] });
  assert.equal(claim?.metadata.annotations, undefined);
  const because = target.asIs?.substitutions.map((one) => one.because).join('\n') ?? '';
  assert.match(because, /A claim gets a volume of its own, which is empty/);
});

const kustomization = {
  'k/kustomization.yaml': 'resources: [web.yaml]\nnamePrefix: my-\n',
  'k/web.yaml': yaml(workload(), service()),
};

test(
  'a folder with a kustomization is built, wherever it is named',
  async () => {
    for (const source of ['manifests: [k]', 'kustomize: k']) {
      const target = await read(kustomization, `{${source}, deployment: my-web}`);
      assert.is(target.service.name, 'my-web', source);
    }
    const broken = { 'k/kustomization.yaml': 'resources: [nope.yaml]\n' };
    assert.match(
      await refusal(broken, '{kustomize: k, deployment: web}'),
      /^rollproof\.yaml:1:\d+: target\.kustomize: \S*k: the kustomization cannot be rendered: accumulating resources: .*nope\.yaml/,
    );
  },
  { skip: kubectl },
);

/** With a PATH on which only the given programs are. */
async function withPath<T>(programs: Record<string, string>, body: () => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-path-'));
  for (const [name, text] of Object.entries(programs))
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  const before = process.env.PATH;
  process.env.PATH = folder;
  try {
    return await body();
  } finally {
    process.env.PATH = before;
    rmSync(folder, { recursive: true });
  }
}

test('a chart is rendered by what is called helm; a program that is not there is one sentence', async () => {
  const chart = { 'chart/Chart.yaml': 'name: x', 'v.yaml': 'a: b' };
  const target =
    '{helm: {chart: chart, values: [v.yaml], set: {a: 1}, release: mine, version: 1.2.3}, deployment: web}';
  const print = `#!/bin/sh\nwhile read -r line; do echo "$line"; done <<'END'\n# $*\nEND\necho "apiVersion: v1"\necho "kind: ConfigMap"\necho "metadata: {name: args}"\necho "data: {args: '$*'}"\necho ---\n/bin/cat <<'END'\n${yaml(workload(), service())}\nEND\n`;
  await withPath({ helm: print }, async () => {
    const found = await read(chart, target);
    const { args } = (found.manifests[0] as Manifest).data as { args: string };
    assert.match(
      args,
      /^template mine \S+\/chart --values \S+\/v\.yaml --set-string a=1 --version 1\.2\.3 --kube-version 1\.34\.0$/,
    );
  });
  await withPath({}, async () => {
    assert.match(await refusal(chart, target), /target\.helm\.chart: there is no "helm" on the PATH/);
    assert.match(
      await refusal(kustomization, '{kustomize: k, deployment: web}'),
      /there is no "kubectl" on the PATH/,
    );
  });
  await withPath(
    {
      helm: '#!/bin/sh\nprintf "I said\\nError: values do not meet the schema:\\nweb:\\n- a: b.\\n\\nUse --debug flag to render out invalid YAML\\n" >&2\nexit 1\n',
    },
    async () => {
      assert.match(
        await refusal(chart, target),
        /cannot be rendered: values do not meet the schema: web: - a: b\.$/,
      );
    },
  );
});

test(
  'a chart is rendered by helm itself',
  async () => {
    const chart = {
      'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
      'chart/values.yaml': 'replicas: 1\n',
      'chart/templates/all.yaml': yaml(workload('  replicas: {{ .Values.replicas }}'), service()),
      'v.yaml': 'replicas: 3\n',
    };
    const target = await read(chart, '{helm: {chart: chart, values: [v.yaml]}, deployment: web}');
    assert.is(podsWanted(target.manifests, target), 3);
  },
  { skip: helm },
);

test('init: what it finds makes a configuration that is taken, and what it cannot find is said', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-init-'));
  const probed = workload(
    '',
    '      containers: [{name: side, image: "side:1"}, {name: app, image: "web:1", ports: [{name: http, containerPort: 80}], readinessProbe: {httpGet: {path: /ready, port: http}}}]',
  ).replace('      containers: [{name: app, image: "web:1"}]\n', '');
  mkdirSync(join(folder, 'k8s'));
  writeFileSync(join(folder, 'k8s', 'web.yaml'), yaml(probed, service().replace('8080', 'http')));
  writeFileSync(join(folder, 'values.yaml'), 'replicas: 3\n');
  for (const [within, file] of [
    ['overlay', 'kustomization.yaml'],
    ['chart', 'Chart.yaml'],
  ] as const) {
    mkdirSync(join(folder, within));
    writeFileSync(join(folder, within, file), 'resources: []\n');
    writeFileSync(join(folder, within, 'web.yaml'), yaml(probed));
  }
  const { files: paths, ...built } = lookWithin(folder);
  assert.equal(paths, [join(folder, 'k8s', 'web.yaml')]);
  assert.equal(built, { kustomizations: [join(folder, 'overlay')], charts: [join(folder, 'chart')] });
  const [found, another] = findTargets(paths.flatMap(readManifestFiles));
  assert.ok(found && !another);
  assert.equal(
    [found.kind, found.name, found.service, found.path, found.container],
    ['Deployment', 'web', 'web', '/ready', 'app'],
  );
  // Long enough for a list that no line takes.
  const many = Array.from({ length: 9 }, (_, index) => join('k8s', `service-${index}-of-the-shop.yaml`));
  for (const file of many) writeFileSync(join(folder, file), yaml());
  const fields = { manifests: ['k8s/web.yaml', ...many] };
  const text = configurationText({ is: 'manifests', fields }, found);
  writeFileSync(join(folder, 'rollproof.yaml'), text);
  const { configuration, at } = loadConfiguration(join(folder, 'rollproof.yaml'), process.cwd());
  const target = await foreignTarget(configuration.target as never, {
    at,
    signal: new AbortController().signal,
    live: { connect: () => Promise.reject(new Error('no cluster here')), copySecrets: false },
  });
  assert.is(target.request.path, '/ready');
  const [bare] = findTargets(readText('m', workload()));
  assert.match(bare?.missing.join('\n') ?? '', /No Service selects its pods.*\nNo readiness probe/);
  const needy = readText(
    'm',
    workload('', '      volumes: [{name: c, secret: {secretName: made-by-a-job}}]'),
  );
  assert.is(
    findTargets(needy)[0]?.missing[0],
    'Its pods need Secret "made-by-a-job", which is not there; add it to the manifests.',
  );
  assert.not.match(findTargets(needy, 'Secret')[0]?.missing.join() ?? '', /made-by-a-job/);
  rmSync(folder, { recursive: true });
});

test('init says what port and probe tell of the protocol, and what verify would refuse', async () => {
  const at = (manifests: string) => {
    const [found] = findTargets(readText('m', manifests));
    if (!found) throw new Error('nothing was found');
    return { found, text: configurationText({ is: 'manifests', fields: { manifests: ['m'] } }, found) };
  };
  const probed = (probe: string) =>
    workload().replace('image: "web:1"', `image: "web:1", readinessProbe: {${probe}}`);
  const port = (more: string) => service().replace('port: 80', `port: 80, ${more}`);
  const table: [string, string | undefined][] = [
    [yaml(service(), probed('httpGet: {path: /, port: 8080}')), undefined],
    [yaml(service(), probed('grpc: {port: 8080}')), 'grpc'],
    [yaml(port('name: grpc-web'), workload()), 'grpc'],
    [yaml(port('appProtocol: kubernetes.io/h2c'), workload()), 'http2'],
    [yaml(service(), probed('httpGet: {path: /, port: 8080, scheme: HTTPS}')), 'tls'],
    [yaml(service(), probed('httpGet: {path: /, port: 9999, scheme: HTTPS}')), undefined],
    [yaml(port('name: https'), workload()), 'tls'],
  ];
  for (const [manifests, protocol] of table) {
    const { found, text } = at(manifests);
    assert.is(found.speaks?.protocol, protocol, manifests);
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-init-'));
    writeFileSync(join(folder, 'rollproof.yaml'), text);
    const { load } = loadConfiguration(join(folder, 'rollproof.yaml'), process.cwd()).configuration;
    const [lane] = load.lanes ?? [];
    const spoken = typeof lane === 'object' ? (lane.tls ? 'tls' : lane.protocol) : undefined;
    assert.is(spoken, protocol, text);
    rmSync(folder, { recursive: true });
  }
  const refused = at(
    yaml(
      service('').replace('targetPort: 8080', 'targetPort: web'),
      workload('  paused: true', '      readinessGates: [{conditionType: shop/warm}]'),
    ),
  ).found.missing.join('\n');
  assert.match(refused, /readiness gate "shop\/warm".*--cluster context/);
  assert.match(refused, /Deployment web: is paused/);
  assert.match(refused, /Service web: sends to the port "web", and no container/);
});

test('a Service that keeps clients on their pods sees as many clients as there are load agents', () => {
  const of = (fields: string) => readText('m', service(fields))[0]?.manifest as Manifest;
  assert.equal(stickyAgents(of(''), 1), []);
  const [one] = stickyAgents(of(', sessionAffinity: ClientIP'), 1);
  assert.match(
    one?.because ?? '',
    /^The load agent is one client to Service web.*one pod carries the whole load/,
  );
  const [three] = stickyAgents(of(', sessionAffinity: ClientIP'), 3);
  assert.match(three?.because ?? '', /^The 3 load agents are 3 clients.*at most 3 pods/);
});

test('what public projects have in their folders: claims by template, generated names, old kinds', () => {
  const claims = workload(
    '  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]',
    '      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]',
    'StatefulSet',
  );
  assert.not.match(
    findTargets(readText('m', yaml(service(), claims)))[0]?.missing.join() ?? '',
    /needs? Pers/,
  );
  const job =
    'apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}\nspec: {template: {spec: {containers: [{name: m, image: m}]}}}';
  assert.is(readText('m', job)[0]?.manifest.metadata.name, 'migrate');
  const old = readText(
    'm',
    workload().replace('apps/v1', 'v1').replace('Deployment', 'ReplicationController'),
  );
  assert.equal(othersThatServe(old), [
    'ReplicationController web (m:2) has pods, too, and is no kind that rollproof changes.',
  ]);
  const redis = service().replace('targetPort: 8080', 'targetPort: 6379');
  assert.match(
    findTargets(readText('m', yaml(redis, workload())))[0]?.missing.join() ?? '',
    /Port 80 does not look like one that answers HTTP/,
  );
});

test('what a pod speaks: by its own first bytes, and by what a proxy said of them', async () => {
  const table: [number, string, string | undefined][] = [
    [400, 'Client sent an HTTP request to an HTTPS server.', 'tls'],
    [400, '<center>The plain HTTP request was sent to HTTPS port</center>', 'tls'],
    [400, 'Bad Request', undefined],
    [503, 'malformed HTTP response \\"\\x15\\x03\\x01\\x00\\x02\\x02\\x16\\"', 'tls'],
    [503, 'it closed the connection on a plain HTTP request, and it completes a TLS handshake', 'tls'],
    [503, 'malformed HTTP response \\"\\x00\\x00\\x12\\x04\\x00\\x00\\"', 'http2'],
    [503, 'connect: connection refused', undefined],
  ];
  for (const [status, text, expected] of table) assert.is(spokenIn({ status, text }), expected, text);
  const none = { raw: () => Promise.reject(new Error('not asked')) } as never;
  const servers = [
    [createHttp2Server(), 'http2'],
    [createHttpServer((_, res) => res.end('ok')), undefined],
  ] as const;
  for (const [server, expected] of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const spoken = await spokenBy(
      none,
      'ns',
      { name: 'p', ip: '127.0.0.1' },
      port,
      new AbortController().signal,
    );
    assert.is(spoken, expected);
    server.close();
  }
});

test.run();
