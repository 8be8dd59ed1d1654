// Settings on somebody's own workload: what is missing is added, nothing is lowered, and the API server takes the result.
import * as assert from 'uvu/assert';
import { createRegistry } from '../../emulator/api/registry.ts';
import { targetOf } from '../../harness/deploy/foreign.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { readPreStop } from '../../harness/model/prestop.ts';
import { fencePosts } from '../../harness/model/rolling-update.ts';
import type { SettingContext } from '../../harness/model/setting.ts';
import { select } from '../../harness/run/selection.ts';
import { measurable, scenariosLeftOut } from '../../harness/run/variants-not-run.ts';
import {
  applyVariant,
  asIs,
  baseline,
  hardened,
  settings,
  variantNamed,
} from '../../harness/settings/index.ts';
import { scenarios } from '../../scenarios/index.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('settings-foreign');

// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of any shape.
type Any = any;

const context: SettingContext = {
  kubernetesVersion: 'v1.34.4',
  workload: { kind: 'Deployment', name: 'web', container: 'app' },
  health: { port: 8080, path: '/' },
  preStopSeconds: 5,
  gracefulEnv: undefined,
  foreign: true,
};

interface Parts {
  readonly kind?: string;
  readonly spec?: object;
  readonly pod?: object;
  readonly container?: object;
  readonly more?: object[];
  readonly beside?: object[];
}
const theirs = ({ kind = 'Deployment', spec, pod, container, more = [], beside = [] }: Parts = {}) =>
  [
    {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        ...(kind !== 'DaemonSet' && { replicas: 3 }),
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [
              { name: 'app', image: 'example.test/web:1', ports: [{ containerPort: 8080 }], ...container },
              ...more,
            ],
            ...pod,
          },
        },
        ...spec,
      },
    },
    ...beside,
  ] as Manifest[];

const on = (kind: string): SettingContext => ({ ...context, workload: { ...context.workload, kind } });
const harden = (manifests: readonly Manifest[], where = context) => applyVariant(manifests, hardened, where);
const specOf = (manifests: readonly Manifest[]): Any => manifests[0]!.spec;
const podOf = (manifests: readonly Manifest[]): Any => specOf(manifests).template.spec;
const sleep = (seconds: number) => ({ lifecycle: { preStop: { sleep: { seconds } } } });
const exec = (...command: string[]) => ({ lifecycle: { preStop: { exec: { command } } } });
const probe = { readinessProbe: { tcpSocket: { port: 8080 } } };

test('hardened on a foreign workload: the hook and the grace period', () => {
  const table: [name: string, parts: Parts, sleeps: number | undefined, grace: number | undefined][] = [
    ['nothing there', {}, 5, undefined],
    ['a longer sleep stays', { container: sleep(20) }, 20, undefined],
    ['a longer exec sleep stays', { container: exec('sleep', '20') }, 20, undefined],
    ['a longer shell sleep stays', { container: exec('/bin/sh', '-c', 'exec sleep 1m') }, 60, 85],
    ['0 is too short', { container: sleep(0) }, 5, undefined],
    ['1 is too short, in a shell too', { container: exec('sh', '-c', 'sleep 1') }, 5, undefined],
    ['grace 3', { pod: { terminationGracePeriodSeconds: 3 } }, 5, 8],
    ['grace 5', { pod: { terminationGracePeriodSeconds: 5 } }, 5, 10],
    ['grace 0', { pod: { terminationGracePeriodSeconds: 0 } }, 5, 30],
    ['a sleep that eats all of it', { container: sleep(30) }, 30, 55],
    ['a long grace period stays', { pod: { terminationGracePeriodSeconds: 300 } }, 5, 300],
    ['a hook that does more stays', { container: exec('sh', '-c', 'sleep 2; /drain') }, 2, undefined],
  ];
  for (const [name, parts, sleeps, grace] of table) {
    const before = theirs(parts);
    const pod = podOf(harden(before).manifests);
    assert.is(readPreStop(pod.containers[0].lifecycle?.preStop)?.seconds, sleeps, name);
    assert.is(pod.terminationGracePeriodSeconds, grace, name);
  }
});

test('what changes nothing is said to change nothing, and why', () => {
  const table: [name: string, manifests: Manifest[], setting: string, why: RegExp][] = [
    ['sleep', theirs({ container: sleep(20) }), 'preStop', /sleeps 20 s already; 5 s are wanted/],
    ['drain', theirs({ container: exec('/drain') }), 'preStop', /does more than sleep/],
    ['probe', theirs({ container: probe }), 'readinessProbe', /has a readinessProbe already/],
    ['rounded', theirs({}), 'surge', /maxUnavailable 25% \(the default\) of 3 replicas rounds down to 0/],
    [
      'zero',
      theirs({ spec: { strategy: { rollingUpdate: { maxSurge: '10%', maxUnavailable: '0%' } } } }),
      'surge',
      /maxUnavailable is 0 already/,
    ],
    [
      'covered',
      theirs({
        beside: [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name: 'all', namespace: 'default' },
            spec: { minAvailable: 1, selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
          },
        ],
      }),
      'podDisruptionBudget',
      /PodDisruptionBudget "all" covers its pods already/,
    ],
  ];
  for (const [name, manifests, setting, why] of table) {
    const after = applyVariant(manifests, variantNamed(`only:${setting}`), context);
    const plain = applyVariant(manifests, { name: 'x', version: 1, settings: [setting] }, context);
    assert.equal(plain.manifests, manifests, name);
    assert.equal(plain.applied, [], name);
    assert.is(plain.unchanged[0]?.setting, setting, name);
    assert.match(plain.unchanged[0]?.why ?? '', why, name);
    assert.is(after.unchanged[0]?.setting, setting, `${name}: only takes others away, not this one`);
  }
});

test('surge on a foreign workload: figures, forms, and where one more pod has no room', () => {
  const rolling = (maxSurge: unknown, maxUnavailable: unknown) => ({
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  });
  const claim = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'd' } }] };
  const hpa = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: 'default' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 8 },
  };
  const port = { ports: [{ containerPort: 8080, hostPort: 8080 }] };
  const table: [name: string, parts: Parts, expected: unknown][] = [
    ['one of one', { spec: { replicas: 1, ...rolling(0, 1) } }, rolling('25%', 0).strategy],
    ['0 % surge', { spec: { ...rolling('0%', 1) } }, rolling('25%', 0).strategy],
    ['both round to 0: one is unavailable', { spec: rolling(0, '25%') }, rolling('25%', 0).strategy],
    ['a larger surge stays', { spec: rolling('50%', 1) }, rolling('50%', 0).strategy],
    ['25 % of 4', { spec: { replicas: 4 } }, rolling('25%', 0).strategy],
    ['25 % of an autoscaler’s 8', { beside: [hpa] }, rolling('25%', 0).strategy],
    ['Recreate', { spec: { strategy: { type: 'Recreate' } } }, rolling('25%', 0).strategy],
    ['Recreate for a volume', { spec: { strategy: { type: 'Recreate' } }, pod: claim }, /claim "d"/],
    ['a volume of one node', { spec: rolling(0, 1), pod: claim }, /claim "d"/],
    ['a host port', { spec: rolling(0, 1), container: port }, /host port 8080/],
    ['DaemonSet', { kind: 'DaemonSet' }, rolling(1, 0).strategy],
    [
      'DaemonSet that surges',
      { kind: 'DaemonSet', spec: { updateStrategy: rolling('10%', 0).strategy } },
      null,
    ],
    ['DaemonSet with a host port', { kind: 'DaemonSet', container: port }, /host port 8080/],
    ['DaemonSet OnDelete', { kind: 'DaemonSet', spec: { updateStrategy: { type: 'OnDelete' } } }, /OnDelete/],
    ['StatefulSet', { kind: 'StatefulSet' }, /in place, one after the other/],
  ];
  for (const [name, parts, expected] of table) {
    const before = theirs(parts);
    const after = harden(before, on(parts.kind ?? 'Deployment'));
    const field = parts.kind === 'DaemonSet' ? 'updateStrategy' : 'strategy';
    if (expected instanceof RegExp) {
      assert.match(after.notApplied.find(({ setting }) => setting === 'surge')?.reason ?? '', expected, name);
      assert.equal(specOf(after.manifests)[field], specOf(before)[field], name);
    } else if (expected === null) {
      assert.ok(
        after.unchanged.some(({ setting }) => setting === 'surge'),
        name,
      );
    } else assert.equal(specOf(after.manifests)[field], expected, name);
  }
});

test('the app behind a waiting proxy waits, too; sidecars without a port are left alone', () => {
  const more = [
    { name: 'fcgi', image: 'example.test/app:1', ports: [{ containerPort: 9000 }] },
    { name: 'logs', image: 'example.test/logs:1' },
  ];
  const [web, fcgi, logs] = podOf(harden(theirs({ container: sleep(10), more })).manifests).containers;
  assert.equal(web.lifecycle, sleep(10).lifecycle);
  assert.equal(fcgi.lifecycle, sleep(10).lifecycle);
  assert.is(logs.lifecycle, undefined);
});

test('as-is changes nothing; baseline takes the settings away, and only from a foreign workload', () => {
  const own = theirs({
    container: { ...probe, ...sleep(20) },
    spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
  });
  assert.equal(applyVariant(own, asIs, context).manifests, own);
  const bare = applyVariant(own, baseline, context).manifests;
  assert.is(podOf(bare).containers[0].readinessProbe, undefined);
  assert.is(podOf(bare).containers[0].lifecycle, undefined);
  assert.is(specOf(bare).strategy, undefined);
  assert.equal(applyVariant(own, baseline, { ...context, foreign: false }).manifests, own);
  const without = applyVariant(own, variantNamed('without:preStop'), context).manifests;
  assert.is(podOf(without).containers[0].lifecycle, undefined);
  assert.ok(podOf(without).containers[0].readinessProbe);
  const exact = applyVariant(own, variantNamed('preStop=2'), {
    ...context,
    preStopExact: true,
    preStopSeconds: 2,
  });
  assert.equal(
    podOf(exact.manifests).containers[0].lifecycle,
    sleep(2).lifecycle,
    'a figure that is asked for',
  );
});

const hook = fc.oneof(
  fc.constant({}),
  fc.nat(40).map((seconds) => sleep(seconds + 1)),
  fc.nat(40).map((seconds) => exec('sleep', String(seconds))),
  fc.nat(40).map((seconds) => exec('/bin/sh', '-c', `sleep ${seconds}`)),
  fc.constant(exec('/drain')),
  fc.constant(exec('/bin/sh', '-c', 'sleep 3 && nginx -s quit')),
);
const figure = fc.oneof(
  fc.nat(5),
  fc.nat(100).map((percent) => `${percent}%`),
);
const workloads = fc
  .record({
    kind: fc.constantFrom('Deployment', 'DaemonSet', 'StatefulSet'),
    replicas: fc.nat(9),
    maxSurge: figure,
    maxUnavailable: figure,
    type: fc.constantFrom(undefined, 'RollingUpdate', 'other'),
    grace: fc.option(fc.integer({ min: 0, max: 90 }), { nil: undefined }),
    minReady: fc.option(fc.nat(30), { nil: undefined }),
    hook,
    probed: fc.boolean(),
    second: fc.option(hook, { nil: undefined }),
    version: fc.constantFrom('v1.34.4', 'v1.31.0', 'v1.28.9'),
  })
  .map(({ kind, replicas, maxSurge, maxUnavailable, type, ...rest }) => {
    const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
    const other = { type: kind === 'Deployment' ? 'Recreate' : 'OnDelete' };
    const strategy = type === 'other' ? other : type && rolling;
    const spec = {
      ...(kind !== 'DaemonSet' && { replicas }),
      ...(rest.minReady !== undefined && { minReadySeconds: rest.minReady }),
      ...(kind === 'StatefulSet' && { serviceName: 'web' }),
      ...(strategy && kind === 'Deployment' && { strategy }),
      ...(strategy && kind === 'DaemonSet' && { updateStrategy: strategy }),
    };
    const manifests = theirs({
      kind,
      spec,
      pod: rest.grace === undefined ? {} : { terminationGracePeriodSeconds: rest.grace },
      container: { ...rest.hook, ...(rest.probed && probe) },
      more: rest.second
        ? [{ name: 'two', image: 'example.test/two:1', ports: [{ containerPort: 9000 }], ...rest.second }]
        : [],
    });
    return { kind, manifests, where: { ...on(kind), kubernetesVersion: rest.version } };
  });

test('property: hardened is idempotent and never lowers anything', () => {
  fc.assert(
    fc.property(workloads, ({ kind, manifests, where }) => {
      const once = harden(manifests, where).manifests;
      assert.equal(harden(once, where).manifests, once, 'idempotent');
      const [before, after] = [podOf(manifests), podOf(once)];
      assert.ok((after.terminationGracePeriodSeconds ?? 30) >= (before.terminationGracePeriodSeconds ?? 30));
      for (const [index, container] of before.containers.entries()) {
        const changed = after.containers[index];
        const slept = readPreStop(container.lifecycle?.preStop);
        const sleeps = readPreStop(changed.lifecycle?.preStop);
        assert.ok((sleeps?.seconds ?? 0) >= (slept?.seconds ?? 0), 'a sleep');
        if (slept && !slept.onlySleeps) assert.equal(changed.lifecycle, container.lifecycle);
        if (container.readinessProbe) assert.equal(changed.readinessProbe, container.readinessProbe);
        if (sleeps?.seconds && changed.lifecycle !== container.lifecycle && sleeps.onlySleeps)
          assert.ok(sleeps.seconds < (after.terminationGracePeriodSeconds ?? 30), 'the hook fits');
      }
      assert.is(specOf(once).replicas, specOf(manifests).replicas);
      assert.ok((specOf(once).minReadySeconds ?? 0) >= (specOf(manifests).minReadySeconds ?? 0));
      if (kind !== 'Deployment' || specOf(manifests).strategy?.type === 'Recreate') return;
      const replicas = Math.max(1, specOf(manifests).replicas);
      const posts = fencePosts(specOf(manifests).strategy?.rollingUpdate ?? {}, replicas);
      const now = fencePosts(specOf(once).strategy?.rollingUpdate ?? {}, replicas);
      assert.ok(now!.surge >= posts!.surge, 'surge');
      assert.is(now!.unavailable, 0);
    }),
    { numRuns: 300 },
  );
});

test('property: what the API server takes as it is, it takes hardened', () => {
  const resources: Record<string, string> = {
    Deployment: 'deployments',
    DaemonSet: 'daemonsets',
    PodDisruptionBudget: 'poddisruptionbudgets',
  };
  const refuses = (manifests: readonly Manifest[]) => {
    const registry = createRegistry({ now: Date.now, random: Math.random });
    try {
      for (const manifest of structuredClone(manifests))
        registry.create(resources[manifest.kind] as Any, manifest as Any);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(refuses(theirs({ container: sleep(40) })) ?? '', /sleep|40/i, 'it does refuse');
  let taken = 0;
  fc.assert(
    fc.property(workloads, ({ kind, manifests, where }) => {
      if (kind === 'StatefulSet' || refuses(manifests) !== undefined) return;
      taken++;
      for (const name of ['hardened', ...settings.map((setting) => `hardened+${setting.name}`)]) {
        if (/noSurge|grpcProbe/.test(name)) continue;
        const after = applyVariant(manifests, variantNamed(name), where).manifests;
        assert.is(refuses(after), undefined, name);
      }
    }),
    { numRuns: 100 },
  );
  assert.ok(taken > 20, `${taken} were taken as they are`);
});

test('what runs on a foreign workload: as-is and hardened; ours and published ones keep baseline', () => {
  const request = {
    profile: 'quick' as const,
    scenarios: ['image-change'],
    variants: [] as string[],
    repeat: 1,
    paths: ['cluster-ip' as const],
    agents: 1,
    builtIn: false,
  };
  const configuration = { load: {}, variants: {} } as Any;
  const run = (change: Partial<typeof request>) =>
    select(scenarios, configuration, { ...request, ...change });
  const names = (change: Partial<typeof request>) => run(change).keys.map(({ variant }) => variant.name);
  assert.equal(names({}), ['as-is', 'hardened']);
  assert.equal(names({ builtIn: true }), ['baseline', 'hardened']);
  assert.equal(names({ scenarios: ['nginx-published'] }).includes('as-is'), false);
  assert.equal(names({ variants: ['as-is'] }), ['as-is']);
  assert.equal(names({ variants: ['baseline'] }), ['baseline']);
  const claimed = (change: Partial<typeof request>) => [
    ...new Set(run(change).scenarios[0]!.claims.map(({ appliesTo }) => appliesTo.variant)),
  ];
  assert.equal(claimed({}), ['as-is', 'hardened']);
  assert.equal(claimed({ variants: ['as-is'] }), ['as-is']);
  assert.equal(claimed({ variants: ['baseline'] }), ['baseline']);
  assert.match(run({}).scenarios[0]!.claims[0]!.text, /^As it is, /);
  // Numbers of pods are the scenario's own: a StatefulSet has no surge, and somebody's Deployment its own replicas.
  const counting = (change: Partial<typeof request>) =>
    run(change).scenarios[0]!.claims.some(({ that }) => that.some(({ measure }) => measure === 'minReady'));
  assert.equal(
    [counting({}), counting({ builtIn: true }), counting({ scenarios: ['scale-down'] })],
    [false, true, true],
  );
  const inline = [{ ...scenarios.find(({ id }) => id === 'image-change')!, id: 'mine' }];
  const mine = select(scenarios, { ...configuration, scenarios: inline }, { ...request, scenarios: [] });
  assert.ok(
    mine.scenarios[0]!.claims.some(({ id }) => id === 'hardened-keeps-capacity'),
    'what a user claims of their own stays',
  );
});

test('what we add is looked at before it runs, and what changes nothing is not measured again', () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
  const keysOf = (manifests: Manifest[], variants = [asIs, hardened, baseline]) => {
    const target = targetOf(
      manifests,
      { deployment: 'web', service: 'web', path: '/', method: 'GET', headers: {} } as Any,
      'test',
    );
    const cluster = { info: { kubernetesVersion: 'v1.34.4' } };
    const run = { target, cluster, preStopSeconds: 5 } as Any;
    const scenario = scenarios.find(({ id }) => id === 'image-change')!.quick;
    const keys = variants.map((variant) => ({
      scenario,
      variant,
      path: 'cluster-ip' as const,
      agents: 1,
      repeat: 0,
    }));
    return measurable(run, keys);
  };
  for (const grace of [3, 5]) {
    const manifests = theirs({ pod: { terminationGracePeriodSeconds: grace }, beside: [service] });
    assert.equal(keysOf(manifests).notRun, [], `grace ${grace}`);
  }
  // An error of what stands beside it is there as it is, too.
  const renamed = (manifest: Manifest) =>
    JSON.parse(JSON.stringify(manifest).replaceAll('"web"', '"db"')) as Manifest;
  const beside = [service, ...[...theirs({}), service].map(renamed)];
  assert.equal(keysOf(theirs({ beside })).notRun, []);
  // Pinned to one node with a required anti-affinity that only shows once nothing may be unavailable.
  const port = { ports: [{ containerPort: 8080, hostPort: 8080 }] };
  const forced = theirs({
    spec: { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
    pod: { nodeName: 'one' },
    container: port,
    beside: [service],
  });
  assert.equal(keysOf(forced).notRun, [], 'the surge is not given where it has no room');
  const complete = theirs({
    spec: { strategy: { rollingUpdate: { maxUnavailable: 0 } } },
    container: {
      readinessProbe: { httpGet: { path: '/', port: 8080 } },
      lifecycle: { preStop: { sleep: { seconds: 9 } } },
    },
    beside: [service],
  });
  const { keys, notRun } = keysOf(complete);
  assert.equal(
    keys.map(({ variant }) => variant.name),
    ['as-is', 'baseline'],
  );
  assert.not.ok(
    keys.some(({ scenario }) => scenario.claims.some((one) => one.appliesTo.variant === 'hardened')),
  );
  const [same] = notRun;
  assert.equal([same?.variant, same?.sameAs], ['hardened', 'as-is']);
  assert.match(
    same?.reason ?? '',
    /^not measured: its settings change nothing here, so it is as-is \(readinessProbe: it has .*; preStop: .* 9 s already.*; gracefulShutdown: /,
  );
  assert.is(keysOf(complete, [hardened]).keys.length, 1, 'alone it is what runs');
  const left = scenariosLeftOut([{ id: 'image-change' }, { id: 'other' }], {
    keys: [],
    notRun: [{ scenario: 'image-change', variant: 'hardened', reason: 'not run: our own check …' }],
  });
  assert.equal(left, [
    { scenario: { id: 'image-change' }, reason: 'Variant hardened is not run: our own check …' },
  ]);
});

test.run();
