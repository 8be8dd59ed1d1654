// What a watch asks, takes, refuses and concludes, without a cluster.
import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { watchRbacText } from '../../harness/cluster/context/rbac-text.ts';
import { rightsNeeded } from '../../harness/cluster/context/rights.ts';
import { registerWatch } from '../../harness/commands/watch.ts';
import { judgeRun } from '../../harness/judge/run.ts';
import { judgeWatched } from '../../harness/judge/watched.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Facts } from '../../harness/model/facts.ts';
import type { ClusterInfo } from '../../harness/model/journal.ts';
import type { OwnPods } from '../../harness/model/own-pods.ts';
import type { EpisodeResult, ExperimentResult, Results } from '../../harness/model/results.ts';
import type { RunFacts } from '../../harness/model/run.ts';
import { chartOfCommand } from '../../harness/run/watch/chart.ts';
import {
  type Asking,
  cutServices,
  episodeHeader,
  watchPlan,
  watchScenario,
} from '../../harness/run/watch/plan.ts';
import { remedyOf } from '../../harness/run/watch/remedy.ts';
import { readService, type WatchedService } from '../../harness/run/watch/services.ts';
import { takeOf } from '../../harness/run/watch/take.ts';
import { signOf } from '../../harness/run/watch/trigger.ts';
import { refuseEmulated, witnessObjects } from '../../harness/run/watch/witness.ts';
import { renderJunit } from '../../reports/junit.ts';
import { type ExperimentSaid, runResults } from '../data/experiment-result.ts';
import { podFacts, sliceFacts } from '../data/long-load.ts';
import { suite } from '../suite.ts';

const test = suite('watch');

const asking: Asking = {
  lanes: ['new', 'kept'],
  rate: 20,
  method: 'GET',
  headers: {},
  expectStatus: [],
  timeoutMs: 3000,
};
const service: WatchedService = {
  name: 'web',
  uid: 'u1',
  clusterIp: '10.0.0.9',
  port: 80,
  selector: { app: 'web' },
  path: '/ready',
  owners: ['Deployment web'],
  serving: { container: 'app', port: 8080 },
  workload: 'Deployment/web',
  objects: [],
};

/** An API server that has these objects, by path. */
const kubeWith = (objects: Readonly<Record<string, unknown>>): Kube => {
  const raw: Kube['raw'] = async (_method, path) =>
    path in objects
      ? { status: 200, text: JSON.stringify(objects[path]) }
      : { status: 404, text: '{"kind":"Status"}' };
  const json: Kube['json'] = async <T>(_method: string, path: string) =>
    (objects[path] ?? { items: [] }) as T;
  return { raw, json } as unknown as Kube;
};
const serviceAt = (spec: object) =>
  kubeWith({ '/api/v1/namespaces/shop/services/web': { metadata: { name: 'web', uid: 'u1' }, spec } });
const wanted = { name: 'web', port: undefined, path: undefined };

test('each Service has streams of its own in the plan, and the control target one', () => {
  const plan = watchPlan([service, { ...service, name: 'api' }], asking, {
    runId: 'r',
    control: '10.0.0.1:80',
    witnessed: false,
  });
  assert.is(plan.sourcePorts, undefined);
  assert.is(plan.streams[1]?.connections, 20, 'a Service may take a second to answer');
  assert.equal(
    plan.streams.map(({ id }) => id),
    ['web:new', 'web:kept', 'api:new', 'api:kept', 'control'],
  );
  assert.is(plan.streams[0]?.url, 'http://10.0.0.9:80/ready');
  assert.equal(
    cutServices([service], asking)[0]?.streams.map(({ as }) => as),
    ['new', 'kept'],
  );
});

test('a URL that leads to the Service is asked as often, in lines of its own, and the journal says what it is', () => {
  const url = 'https://shop.example.com/ready?deep=1';
  const led = { ...service, url };
  const fired = { runId: 'r', control: '10.0.0.1:80', witnessed: false };
  const { streams } = watchPlan([led, { ...service, name: 'api' }], asking, fired);
  assert.equal(
    streams
      .slice(0, -1)
      .map(({ id, entry, url: asked, rate }) => [
        id,
        entry,
        asked,
        rate.shape === 'constant' && rate.ratePerSecond,
      ]),
    [
      ['web:new', undefined, 'http://10.0.0.9:80/ready', 20],
      ['web:kept', undefined, 'http://10.0.0.9:80/ready', 20],
      ['web:url/new', 'url', url, 20],
      ['web:url/kept', 'url', url, 20],
      ['api:new', undefined, 'http://10.0.0.9:80/ready', 20],
      ['api:kept', undefined, 'http://10.0.0.9:80/ready', 20],
    ],
  );
  assert.equal(
    cutServices([led], asking)[0]?.streams.map(({ as, address }) => [as, address]),
    [
      ['new', '10.0.0.9:80'],
      ['kept', '10.0.0.9:80'],
      ['url/new', 'shop.example.com:443'],
      ['url/kept', 'shop.example.com:443'],
    ],
  );
  const begin = {
    service: 'web',
    number: 1,
    fromLoadMs: 0,
    trigger: 'pod a was created',
    startedAt: new Date(0).toISOString(),
  };
  const facts = {
    ...fired,
    tool: { name: 'rollproof', version: '0' },
    cluster: {},
    limitMs: 1,
    configuration: {},
    arguments: [],
  };
  const header = episodeHeader(begin, led, asking, facts as unknown as Parameters<typeof episodeHeader>[3]);
  assert.equal(
    header.entries?.map(({ name, kind, address }) => `${name} ${kind} ${address}`),
    ['service service 10.0.0.9:80', `url url ${url}`],
  );
  assert.equal(
    header.plan.streams.map(({ id }) => id),
    ['new', 'kept', 'url/new', 'url/kept', 'control'],
  );
});

test('--entry: what it must be is said in a sentence', async () => {
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [['--service', 'web', '--entry', 'shop.example.com'], /--entry shop\.example\.com must be a whole URL/],
    [
      ['--service', 'web', '--entry', 'http://me:secret@shop/'],
      /--entry http:\/\/…@shop\/ must not hold a name or a password/,
    ],
    [
      ['--service', 'web,api', '--entry', 'http://shop/'],
      /must say to which of the Services it leads: NAME=URL/,
    ],
    [
      ['--service', 'web', '--entry', 'api=http://shop/'],
      /leads to Service api, which --service does not name/,
    ],
    [
      ['--service', 'web', '--entry', 'http://a/', '--entry', 'http://b/'],
      /is the second one for Service web/,
    ],
  ];
  for (const [args, said] of table) {
    const program = new Command();
    registerWatch(program);
    const error: unknown = await program
      .parseAsync(['watch', ...args], { from: 'user' })
      .catch((reason: unknown) => reason);
    assert.instance(error, UsageError);
    assert.match(String(error), said);
    assert.not.match(String(error), 'secret');
  }
});

test('Services that cannot be asked are refused by name, with what to do instead', async () => {
  const refused: readonly (readonly [object | undefined, RegExp])[] = [
    [undefined, /--service web: namespace shop has no Service "web"/],
    [{ type: 'ExternalName', externalName: 'example.org' }, /ExternalName.*Watch the Service/],
    [{ clusterIP: 'None', ports: [{ port: 80 }] }, /headless.*ClusterIP/],
    [{ clusterIP: '10.0.0.9', ports: [{ port: 53, protocol: 'UDP' }] }, /no TCP port/],
  ];
  for (const [spec, words] of refused) {
    const error: unknown = await readService(spec ? serviceAt(spec) : kubeWith({}), 'shop', wanted).catch(
      (reason: unknown) => reason,
    );
    assert.match(String(error), words);
    assert.is((error as { exitCode?: number }).exitCode, 4);
  }
});

test('the owners of the pods are followed, whatever their kind, and the readiness probe says the path', async () => {
  const pods = [
    {
      metadata: {
        name: 'web-1',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5c', controller: true }],
      },
      spec: {
        containers: [
          {
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/ok', port: 8080 } },
          },
        ],
      },
    },
  ];
  const kube = kubeWith({
    '/api/v1/namespaces/shop/services/web': {
      metadata: { name: 'web', uid: 'u1' },
      spec: { clusterIP: '10.0.0.9', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    },
    '/api/v1/namespaces/shop/pods': { items: pods },
    '/apis/apps/v1/namespaces/shop/replicasets/web-5c': {
      metadata: {
        name: 'web-5c',
        ownerReferences: [
          { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'web', controller: true },
        ],
      },
    },
  });
  const found = await readService(kube, 'shop', wanted);
  assert.equal(found.owners, ['Rollout web', 'ReplicaSet web-5c'], 'also one that may not be read');
  assert.is(found.workload, 'Rollout/web');
  assert.is(found.path, '/ok');
});

test('what is recorded: pods behind the Services and what owns them, nothing of ours, nothing else', () => {
  const take = takeOf(
    [service, { name: 'raw', selector: undefined }],
    new Map([['raw', new Set(['bare-1'])]]),
  );
  const pod = podFacts('x', { services: undefined });
  const of = (name: string, labels: Record<string, string>, facts: Facts = pod) =>
    take({ metadata: { name, labels } }, facts);
  assert.equal((of('web-1', { app: 'web' }) as { services?: string[] }).services, ['web']);
  assert.equal(
    (of('bare-1', {}) as { services?: string[] }).services,
    ['raw'],
    'a slice made by hand names it',
  );
  assert.is(of('other', { app: 'other' }), undefined);
  assert.is(of('web-2', { app: 'web', 'app.kubernetes.io/managed-by': 'rollproof' }), undefined);
  assert.ok(of('web-x', {}, sliceFacts('web', [])));
  assert.is(of('api-x', {}, sliceFacts('api', [])), undefined);
});

test('the first sign of a change', () => {
  const see = (
    facts: Facts,
    before: Facts | undefined,
    event: 'ADDED' | 'MODIFIED' | 'DELETED' = 'MODIFIED',
  ) => signOf({ type: 'watch', t: 0, event, namespace: 'shop', name: 'web-1', facts }, before, 'web');
  const pod = podFacts('web');
  assert.is(see(pod, undefined, 'ADDED'), 'pod web-1 was created');
  assert.is(see({ ...pod, terminating: true }, pod), 'pod web-1 was deleted');
  assert.is(see({ ...pod, ready: false }, pod), 'pod web-1 became not ready');
  assert.is(see(pod, pod), undefined);
  assert.is(see(podFacts('api', { ready: false }), podFacts('api')), undefined, 'another Service');
  assert.is(see(sliceFacts('web', ['a']), sliceFacts('web', ['a'])), undefined);
  assert.match(see(sliceFacts('web', ['a']), sliceFacts('web', ['a', 'b'])) ?? '', 'endpoints');
});

test('no pod came or went: no evidence, exit code 2', () => {
  const run: RunFacts = {
    schemaVersion: 1,
    runId: 'r',
    tool: { name: 'rollproof', version: '0' },
    cluster: {
      name: 'c',
      kind: 'context',
      kubernetesVersion: 'v1.34.0',
      emulated: false,
      nodes: [],
      proxyMode: 'iptables',
      notes: [],
    },
    startedAt: '2026-01-02T03:04:05Z',
    durationMs: 10_000,
    loadMs: 9000,
    stages: [],
    reproduce: 'rollproof watch',
    strict: false,
    interrupted: false,
    notRun: [],
    undeployed: [],
    journals: [],
    measuredAgain: [],
    watch: {
      namespace: 'shop',
      forMs: 9000,
      ended: 'The time was over.',
      services: [
        {
          name: 'web',
          scenario: watchScenario('web', asking, 60_000),
          owners: [],
          totals: { new: { attempts: 180, lost: 0 } },
        },
      ],
    },
  };
  const results = judgeRun([], run);
  assert.is(results.scenarios[0]?.verdict, 'nothing-changed');
  assert.match(results.scenarios[0]?.reason ?? '', '180 in lane new were sent meanwhile');
  assert.is(results.exitCode, 2);
});

test('of several changes one that lost decides, then one that is not known', () => {
  const change = (verdict: EpisodeResult['verdict']) =>
    ({
      lanes: {},
      episode: { verdict, reason: `It is ${verdict}.`, changes: [], trigger: 'pod a was created' },
    }) as unknown as ExperimentResult;
  const of = (...verdicts: EpisodeResult['verdict'][]) =>
    judgeWatched(verdicts.map(change), undefined).verdict;
  assert.is(of('clean', 'lost', 'inconclusive'), 'lost');
  assert.is(of('clean', 'inconclusive'), 'inconclusive');
  assert.is(of('clean', 'nothing-changed'), 'clean');
  assert.is(of(), 'nothing-changed');
});

test('JUnit: a case per change; one that lost fails, one without evidence is skipped', () => {
  const verdicts = ['clean', 'lost', 'inconclusive'] as const;
  const said: ExperimentSaid[] = verdicts.map((verdict) => ({
    variant: 'watched',
    lanes: { new: verdict === 'lost' ? 3 : 0 },
  }));
  const results = runResults(said, { verdict: 'lost' });
  const [scenario] = results.scenarios;
  const experiments = scenario?.experiments.map((experiment, index) => ({
    ...experiment,
    episode: {
      number: index + 1,
      verdict: verdicts[index],
      reason: 'Why.',
      changes: [],
      trigger: 'pod a was created',
    },
  }));
  const xml = renderJunit({
    ...results,
    scenarios: [{ ...scenario, claims: [], experiments }],
  } as unknown as Results);
  assert.match(xml, 'tests="3" failures="1" errors="0" skipped="1"');
  assert.match(xml, /name="change 2: pod a was created"[^>]*>\s*<failure/);
});

test('what the live workload lacks is a patch for kubectl', () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', resourceVersion: '7' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            {
              name: 'app',
              image: 'app:1',
              env: [{ name: 'SECRET', value: 'x' }],
              ports: [{ containerPort: 8080 }],
            },
          ],
        },
      },
    },
  };
  const remedy = remedyOf({ ...service, objects: [deployment] }, 'shop', 'v1.34.0');
  assert.equal(remedy?.settings, ['readinessProbe', 'preStop']);
  assert.match(remedy?.patch ?? '', /readinessProbe:[\s\S]*path: \/ready/);
  assert.not.match(remedy?.patch ?? '', 'SECRET');
  assert.is(
    remedy?.command,
    'kubectl patch deployment web --namespace shop --type strategic --patch-file FILE',
  );
  assert.is(remedy?.keeper, undefined);
  assert.is(remedyOf(service, 'shop', 'v1.34.0'), undefined, 'an owner that is not known');
  const notes: [metadata: object, owner: string | undefined, said: RegExp][] = [
    [
      {
        labels: { 'app.kubernetes.io/managed-by': 'Helm', 'helm.sh/chart': 'web-1.2.3' },
        annotations: { 'meta.helm.sh/release-name': 'shop-web' },
      },
      undefined,
      /^It belongs to Helm release shop-web of chart web-1\.2\.3: the next helm upgrade may undo a patch\.$/,
    ],
    [
      {
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:shop/web' },
      },
      undefined,
      /^Argo CD application shop keeps it as its source says/,
    ],
    [
      {
        labels: {
          'kustomize.toolkit.fluxcd.io/name': 'apps',
          'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
        },
      },
      undefined,
      /^Flux’s Kustomization flux-system\/apps keeps it/,
    ],
    [{}, 'Website', /^Website web made it and may undo a patch/],
  ];
  for (const [metadata, owner, said] of notes) {
    const live = { ...deployment, metadata: { ...deployment.metadata, ...metadata } };
    const made = owner ? [{ apiVersion: 'v1', kind: owner, metadata: { name: 'web' } }] : [];
    const { keeper } = remedyOf({ ...service, objects: [live, ...made] }, 'shop', 'v1.34.0') ?? {};
    assert.match(keeper?.note ?? '', said);
  }
});

test('the chart of the helm command that is watched, with what it says of the rendering', () => {
  const table: readonly (readonly [string, readonly [chart: string, args: readonly string[]] | undefined])[] =
    [
      ['helm upgrade web ./chart', ['./chart', []]],
      [
        'helm -n web upgrade --install web ./chart -n web --wait -f a.yaml --values=b.yaml --set x.y=1,z=2 --timeout 5m --version 1.2.3',
        ['./chart', ['-f', 'a.yaml', '--values=b.yaml', '--set', 'x.y=1,z=2', '--version', '1.2.3']],
      ],
      ['/usr/bin/helm install web repo/web --set-string a=b', ['repo/web', ['--set-string', 'a=b']]],
      ['helm upgrade other ./chart', undefined],
      ['helm upgrade web', undefined],
      ['helm upgrade web --wait ./chart', undefined],
      ['helm rollback web 3', undefined],
      ['kubectl apply -f web', undefined],
      ['make upgrade web ./chart', undefined],
    ];
  for (const [line, said] of table) {
    const found = chartOfCommand(line.split(' '), 'web');
    assert.equal(found && [found.source.chart, found.args], said, line);
  }
  assert.is(chartOfCommand(['helm', 'upgrade', 'web', './chart'], undefined), undefined);
});

test('rights: in the namespace of the Services nothing may be changed', () => {
  const text = watchRbacText({ namespace: 'shop', agentNamespace: 'tools' }, 'rollproof');
  const [, shop = ''] = text.split(/kind: Role\nmetadata:\n {2}name: rollproof\n {2}namespace: shop/);
  assert.not.match(shop.split('kind: RoleBinding')[0] ?? '', /create|delete|patch|update/);
  assert.not.match(text, 'ClusterRole');
  assert.not.match(text, 'secrets');
  assert.not.match(text, 'kube-system');
});

test('rights for --witness: the pod’s log must be read, and kube-proxy’s image unless one is named', () => {
  const rights = (witness: 'kube-proxy' | 'named-image') => {
    const text = watchRbacText({ namespace: 'shop', agentNamespace: 'tools', witness }, 'rollproof');
    return parseAllDocuments(text).map((document) => document.toJSON());
  };
  const rolesIn = (witness: 'kube-proxy' | 'named-image') =>
    rights(witness).flatMap(({ kind, metadata }) => (kind === 'Role' ? [metadata.namespace] : []));
  assert.equal(rolesIn('kube-proxy'), ['tools', 'shop', 'kube-system']);
  assert.equal(rolesIn('named-image'), ['tools', 'shop']);
  const proxy = rights('kube-proxy').find(
    ({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'kube-system',
  );
  assert.equal(proxy.rules, [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }]);
  const log = rightsNeeded({ watch: 'agents', witness: 'named-image' }).filter(({ resources }) =>
    resources.includes('pods/log'),
  );
  assert.equal(
    log.map(({ without }) => without),
    [undefined],
  );
});

test('--witness: the agent chooses its ports, one pod more is printed, and an emulated cluster is refused', () => {
  const fired = { runId: 'r', control: '10.0.0.1:80', witnessed: true };
  assert.equal(watchPlan([service], asking, fired).sourcePorts, { from: 1024, to: 65_535 });
  const identity = { namespace: 'shop', runId: 'dry-run', experiment: 'watch' };
  const own = (witness?: { image?: string }): OwnPods => ({
    containers: true,
    images: { agent: 'node:22', target: 'node:22' },
    node: 'node',
    guest: { resources: { requests: {}, limits: {} }, mesh: false, ...(witness && { witness }) },
  });
  assert.equal(witnessObjects(identity, own(), [service]), []);
  const [job] = witnessObjects(identity, own({ image: 'mine:1' }), [service]);
  const text = JSON.stringify(job);
  assert.match(text, /"image":"mine:1"/);
  assert.ok(text.replaceAll('\\', '').includes('dst=10.0.0.9 sport'), 'the address of the Service');
  assert.match(text, /"activeDeadlineSeconds":87000/);
  const cluster = { emulated: true } as ClusterInfo;
  assert.throws(
    () => refuseEmulated({ witness: true }, cluster),
    /an emulated cluster has no connection tracking/,
  );
  refuseEmulated({ witness: false }, cluster);
  refuseEmulated({ witness: true }, { ...cluster, emulated: false });
});

test.run();
