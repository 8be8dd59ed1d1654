// Where load comes in: what may be asked for, what is fired at, and how a controller of somebody's is found.
import * as assert from 'uvu/assert';
import { chosenEntries } from '../../harness/commands/entries.ts';
import { loadConfiguration } from '../../harness/config/load.ts';
import { builtInTarget } from '../../harness/deploy/built-in.ts';
import { servicesFor } from '../../harness/deploy/entries/find.ts';
import { ingressTo } from '../../harness/deploy/entries/routes.ts';
import { className, traefikManifests } from '../../harness/deploy/entries/traefik.ts';
import type { Entry } from '../../harness/model/entry.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { loadPlan } from '../../harness/run/experiment/load-plan.ts';
import { select } from '../../harness/run/selection.ts';
import { scenarios } from '../../scenarios/index.ts';
import { suite } from '../suite.ts';

const test = suite('entries');
const { configuration } = loadConfiguration(undefined, '/');
const on = (kind: 'kind' | 'embedded' | 'context', more = {}) => ({
  ...configuration,
  cluster: { ...configuration.cluster, kind, ...more },
});

test('one entry of the old kinds is the path; others are measured side by side', () => {
  const chosen = (...entry: string[]) => chosenEntries({ entry, path: [] }, on('kind'));
  assert.equal(chosen(), { paths: ['cluster-ip'], entries: [] });
  assert.equal(chosen('service'), { paths: ['cluster-ip'], entries: [] });
  assert.equal(chosen('node-port'), { paths: ['node-port'], entries: [] });
  assert.equal(chosen('service', 'ingress', 'https://shop.example/ping', 'here:http://127.0.0.1:8080/'), {
    paths: ['cluster-ip'],
    entries: [
      { name: 'service', kind: 'service' },
      { name: 'ingress', kind: 'ingress' },
      { name: 'url', kind: 'url', url: 'https://shop.example/ping', from: 'agent' },
      { name: 'url-2', kind: 'url', url: 'http://127.0.0.1:8080/', from: 'here' },
    ],
  });
  assert.equal(chosenEntries({ entry: [], path: ['cluster-ip', 'outside'] }, on('kind')).paths, [
    'cluster-ip',
    'outside',
  ]);
});

test('on the embedded cluster an ingress comes with its controller', () => {
  const { entries } = chosenEntries(
    { entry: ['service', 'ingress'], path: [] },
    on('embedded', { installIngress: 'traefik' }),
  );
  assert.equal(
    entries.map(({ kind }) => kind),
    ['service', 'ingress'],
  );
});

test('what cannot be is a sentence, before anything is started', () => {
  const table: [entry: string[], path: string[], on: typeof configuration, message: RegExp][] = [
    [['ingres'], [], on('kind'), /--entry "ingres" is not known\. There are service, node-port/],
    [['ftp://x/'], [], on('kind'), /--entry ftp:\/\/x\/ must be a whole URL with http/],
    [['https://me:secret@x/'], [], on('kind'), /^--entry https:\/\/…@x\/ must not hold a name or a password/],
    [['service'], ['node-port'], on('kind'), /--path is an older name of --entry/],
    [
      ['ingress'],
      [],
      on('embedded'),
      /the embedded cluster has no controller .* add --install-ingress traefik/,
    ],
    [
      ['gateway'],
      [],
      on('embedded', { installIngress: 'traefik' }),
      /the embedded cluster does not know the Gateway API/,
    ],
    [['outside', 'service'], [], on('context'), /cluster context has no outside/],
    [
      [],
      [],
      on('context', { installIngress: 'traefik' }),
      /a controller is installed on clusters of ours alone/,
    ],
    [[], ['nowhere'], on('kind'), /--path "nowhere" is not known/],
  ];
  for (const [entry, path, with_, message] of table)
    assert.throws(
      () => chosenEntries({ entry, path }, with_),
      (error: Error) => error instanceof UsageError && message.test(error.message),
      `${entry} ${path}`,
    );
});

test('each lane is fired at each entry; requests through a proxy say who they are', () => {
  const [definition] = scenarios;
  assert.ok(definition);
  const target = builtInTarget({ current: 'i' }, {});
  const open = (name: string, kind: Entry['kind'], base: string, stands = 'inside', host?: string) => ({
    measured: { name, kind },
    base,
    host,
    stands,
  });
  const addresses = {
    target: '10.96.0.1:80',
    control: '10.96.0.2:80',
    entries: [
      open('service', 'service', 'http://10.96.0.1:80'),
      open('ingress', 'ingress', 'http://10.96.0.3:80', 'inside', 'shop.test'),
      open('url', 'url', 'https://shop.example/ping', 'here'),
    ],
  };
  const parts = (stands: string, control: boolean) => ({ target: true, control, stands });
  const plan = loadPlan(definition.quick, target, addresses, 'r', { index: 0, of: 1 }, parts('inside', true));
  assert.equal(
    plan.streams.map(({ id, url, requestIds, headers }) => [id, url, requestIds, headers.host]),
    [
      ['new', 'http://10.96.0.1:80/', undefined, undefined],
      ['kept', 'http://10.96.0.1:80/', undefined, undefined],
      ['ingress/new', 'http://10.96.0.3:80/', 'rp-ingress/new', 'shop.test'],
      ['ingress/kept', 'http://10.96.0.3:80/', 'rp-ingress/kept', 'shop.test'],
      ['control', 'http://10.96.0.2:80/', undefined, undefined],
    ],
  );
  const here = loadPlan(definition.quick, target, addresses, 'r', { index: 0, of: 2 }, parts('here', false));
  assert.equal(
    here.streams.map(({ id, url, requestIds }) => [id, url, requestIds]),
    [
      ['url/new', 'https://shop.example/ping', undefined],
      ['url/kept', 'https://shop.example/ping', undefined],
    ],
    'several agents would number alike',
  );
});

test('what a scenario claims of a lane is claimed at every entry that is named', () => {
  const claims = (entries: readonly Entry[]) =>
    select(scenarios, configuration, {
      profile: 'quick',
      scenarios: ['image-change'],
      variants: [],
      repeat: 1,
      paths: ['cluster-ip'],
      entries,
      agents: 1,
      builtIn: true,
    }).scenarios[0]?.claims.map(({ id, appliesTo }) => `${id} ${appliesTo.lane ?? ''}`) ?? [];
  const both = claims([
    { name: 'service', kind: 'service' },
    { name: 'ingress', kind: 'ingress' },
  ]);
  assert.ok(both.includes('hardened-safe-new new'));
  assert.ok(both.includes('hardened-safe-new-ingress ingress/new'));
  assert.ok(both.includes('baseline-loses-new-ingress ingress/new'));
  const alone = claims([{ name: 'ingress', kind: 'ingress' }]);
  assert.not.ok(alone.includes('hardened-safe-new new'), 'nothing fires at the Service');
  assert.ok(alone.includes('hardened-safe-kept-ingress ingress/kept'));
});

test('a controller of ours: everything in the namespace but rights and class, which carry the run’s label', () => {
  const identity = { namespace: 'rollproof-r1-x', runId: 'r1', experiment: 'x' };
  const patch = { spec: { template: { spec: { terminationGracePeriodSeconds: 30 } } } };
  const manifests = traefikManifests(identity, { replicas: 2, args: ['--more'], patch, gateway: true });
  const outside = manifests.filter(({ metadata }) => metadata.namespace === undefined);
  assert.equal(outside.map(({ kind }) => kind).sort(), ['ClusterRole', 'ClusterRoleBinding', 'IngressClass']);
  for (const { metadata } of outside) {
    assert.is(metadata.name, className(identity));
    assert.is(metadata.labels?.['rollproof.dev/run'], 'r1');
  }
  const deployment = JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'));
  for (const part of ['"--more"', '--providers.kubernetesgateway=true', '"terminationGracePeriodSeconds":30'])
    assert.ok(deployment.includes(part), part);
});

test('the Ingress of somebody’s manifests that leads to the Service', () => {
  const ingress = (name: string, service: string, host?: string) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name },
    spec: {
      rules: [
        { ...(host && { host }), http: { paths: [{ path: '/', backend: { service: { name: service } } }] } },
      ],
    },
  });
  const list = [ingress('other', 'api'), ingress('shop', 'web', '*.shop.example')];
  assert.is(ingressTo(list, 'web')?.manifest.metadata.name, 'shop');
  assert.is(ingressTo(list, 'web')?.host, 'any.shop.example');
  assert.is(ingressTo(list, 'nobody'), undefined);
});

test('the Service in front of a controller: by the name of its chart, the one for the outside first', () => {
  const service = (name: string, app: string, type: string, port = 80) => ({
    metadata: { name, namespace: 'x', labels: { 'app.kubernetes.io/name': app } },
    spec: { type, clusterIP: '10.0.0.1', selector: { app }, ports: [{ port }] },
  });
  const items = [
    service('admission', 'ingress-nginx', 'ClusterIP', 443),
    service('inner', 'ingress-nginx', 'ClusterIP'),
    service('outer', 'ingress-nginx', 'LoadBalancer'),
    service('traefik', 'traefik', 'LoadBalancer'),
  ];
  const found = (controller: string) => servicesFor(items, controller).map(({ metadata }) => metadata.name);
  assert.equal(found('k8s.io/ingress-nginx'), ['outer', 'inner']);
  assert.equal(found('traefik.io/ingress-controller'), ['traefik']);
  assert.equal(found('example.com/unknown'), []);
});

test.run();
