// Settings and variants: what each one changes, on our own manifests and on somebody else's.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import type { SettingContext } from '../../harness/model/setting.ts';
import {
  ablation,
  applyVariant,
  baseline,
  hardened,
  settingNamed,
  settings,
  settingsDiff,
  targetGracefulEnv,
  variantNamed,
} from '../../harness/settings/index.ts';
import { settingMeans } from '../../harness/words/names.ts';
import { suite } from '../suite.ts';

const test = suite('settings');

const root = new URL('../../', import.meta.url);
const ours = () => parseAll(readFileSync(new URL('target/manifests.yaml', root), 'utf8'));
const context: SettingContext = {
  kubernetesVersion: 'v1.34.4',
  workload: { kind: 'Deployment', name: 'target', container: 'target' },
  health: { port: 'http', path: '/healthz' },
  preStopSeconds: 5,
  gracefulEnv: targetGracefulEnv,
};

/** Somebody else's: several containers, fields that we know nothing of, a probe and a hook of its own on the sidecar. */
const foreign = () =>
  parseAll(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: { team: checkout }
spec:
  replicas: 4
  revisionHistoryLimit: 3
  selector: { matchLabels: { app: web } }
  strategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } }
  template:
    metadata: { labels: { app: web } }
    spec:
      serviceAccountName: web
      containers:
        - name: proxy
          image: envoy:1
          readinessProbe: { tcpSocket: { port: 15001 } }
          lifecycle: { preStop: { exec: { command: [/drain.sh] } } }
        - name: nginx
          image: nginx:1.22.0
          ports: [{ name: web, containerPort: 80 }]
          lifecycle: { postStart: { exec: { command: [/bin/true] } } }
          volumeMounts: [{ name: site, mountPath: /usr/share/nginx/html }]
      volumes: [{ name: site, configMap: { name: site } }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: site }
data: { index.html: hello }
`);
const foreignContext: SettingContext = {
  ...context,
  workload: { kind: 'Deployment', name: 'web', container: 'nginx' },
  health: { port: 'web', path: '/' },
  gracefulEnv: undefined,
};

test('each setting alone changes this in our Deployment, and nothing else', () => {
  const probe = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 };
  const table: [setting: string, path: string, expected: unknown][] = [
    ['readinessProbe', 'container.readinessProbe', { ...probe, failureThreshold: 3 }],
    ['startupProbe', 'container.startupProbe', { ...probe, failureThreshold: 60 }],
    ['preStop', 'container.lifecycle', { preStop: { sleep: { seconds: 5 } } }],
    ['gracePeriod', 'pod.terminationGracePeriodSeconds', 30],
    ['surge', 'spec.strategy', rolling('25%', 0)],
    ['noSurge', 'spec.strategy', rolling(0, 1)],
    ['minReadySeconds', 'spec.minReadySeconds', 5],
    [
      'topologySpread',
      'pod.topologySpreadConstraints',
      [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: { app: 'target' } },
          matchLabelKeys: ['pod-template-hash'],
        },
      ],
    ],
  ];
  for (const [setting, path, expected] of table) {
    const before = ours();
    const after = apply(before, [setting], context);
    assert.equal(valueAt(after, path), expected, setting);
    remove(after, path);
    assert.equal(after, before, `${setting} changes only ${path}`);
  }
  const tested = [
    ...table.map(([setting]) => setting),
    'gracefulShutdown',
    'streamDrain',
    'connectionAge',
    'grpcProbe',
    'podDisruptionBudget',
  ];
  assert.equal(
    settings.map(({ name }) => name).sort(),
    tested.sort(),
    'every setting has a row here or a test below',
  );
});

test('gracefulShutdown sets the switch and keeps the rest of the environment', () => {
  const manifests = ours();
  podOf(manifests[1]).containers[0]!.env.push({ name: 'ON_TERM', value: 'exit' });
  const env = containerOf(apply(manifests, ['gracefulShutdown'], context)[1]).env;
  assert.equal(
    env.map(({ name, value }: { name: string; value?: string }) => [name, value]),
    [
      ['POD_NAME', undefined],
      ['ON_TERM', 'graceful'],
    ],
  );
});

test('grpcProbe asks the health service on the port that others name; our target speaks gRPC with it', () => {
  const own = { ...context, appSwitches: { grpcProbe: { PROTOCOLS: 'all' } } };
  const container = containerOf(apply(ours(), ['grpcProbe'], own)[1]);
  assert.equal(container.readinessProbe, { grpc: { port: 8080 }, periodSeconds: 1, failureThreshold: 3 });
  assert.equal(container.env.at(-1), { name: 'PROTOCOLS', value: 'all' });
  assert.equal(
    apply(apply(ours(), ['grpcProbe'], own), ['grpcProbe'], own),
    apply(ours(), ['grpcProbe'], own),
  );
  const outcome = (where: SettingContext) => settingNamed('grpcProbe').apply(ours(), where);
  assert.match(JSON.stringify(outcome({ ...context, kubernetesVersion: 'v1.23.0' })), /"cannot":.*v1.24/);
  assert.match(
    JSON.stringify(outcome({ ...context, health: { port: 'grpc', path: '/' } })),
    /"cannot":.*named grpc/,
  );
  assert.throws(() => variantNamed('hardened+grpcProbe'), /readinessProbe/);
});

test('what else the app can do is switched on by its environment, and taken away again; a foreign app has none', () => {
  const appSwitches = { streamDrain: { STREAM_DRAIN: 'on' }, connectionAge: { CONNECTION_AGE_MS: '5000' } };
  const own = { ...context, appSwitches };
  const on = apply(ours(), ['streamDrain', 'connectionAge'], own);
  const names = ({ env }: { env: { name: string }[] }) => env.map(({ name }) => name);
  assert.equal(names(containerOf(on[1])), ['POD_NAME', 'STREAM_DRAIN', 'CONNECTION_AGE_MS']);
  const off = settingNamed('streamDrain').takeAway?.(apply(ours(), ['streamDrain'], own), own);
  assert.equal(names(containerOf(off?.[1])), ['POD_NAME']);
  assert.equal(settingNamed('connectionAge').apply(ours(), context), {
    cannot: 'this app has no switch for it',
  });
});

test('podDisruptionBudget adds a budget over the same pods, once', () => {
  const once = apply(foreign(), ['podDisruptionBudget'], foreignContext);
  assert.equal(once[2], {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'shop', labels: { team: 'checkout' } },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  assert.is(apply(once, ['podDisruptionBudget'], foreignContext).length, 3);
});

test('no setting changes its input', () => {
  for (const { name } of settings) {
    for (const [manifests, where] of [
      [ours(), context],
      [foreign(), foreignContext],
    ] as const) {
      const before = structuredClone(manifests);
      deepFreeze(manifests);
      apply(manifests, [name], where);
      assert.equal(manifests, before, name);
    }
  }
});

test('applied twice is the same as once', () => {
  for (const { name } of settings) {
    const once = apply(foreign(), [name], foreignContext);
    assert.equal(apply(once, [name], foreignContext), once, name);
  }
});

test('foreign manifests: the serving container is patched, everything else is kept', () => {
  const { manifests, applied, notApplied } = applyVariant(foreign(), hardened, foreignContext);
  assert.equal(applied, ['readinessProbe', 'preStop', 'surge']);
  assert.equal(notApplied, [{ setting: 'gracefulShutdown', reason: 'this app has no switch for it' }]);
  const [proxy, nginx] = podOf(manifests[0]).containers;
  assert.equal(proxy, podOf(foreign()[0]).containers[0]);
  assert.equal(nginx!.readinessProbe.httpGet, { path: '/', port: 'web' });
  assert.equal(nginx!.lifecycle, {
    postStart: { exec: { command: ['/bin/true'] } },
    preStop: { sleep: { seconds: 5 } },
  });
  assert.equal(nginx!.volumeMounts, [{ name: 'site', mountPath: '/usr/share/nginx/html' }]);
  assert.equal(manifests[1], foreign()[1]);
  // maxSurge is the author's choice, maxUnavailable is the setting.
  assert.equal(specOf(manifests[0]).strategy, rolling(2, 0));
});

test('preStop: the form follows the version; a hook that does more than sleep is kept', () => {
  const command = (...words: string[]) => ({ exec: { command: words } });
  const table: [version: string, seconds: number, present: unknown, expected: unknown][] = [
    ['v1.34.4', 5, undefined, { sleep: { seconds: 5 } }],
    ['v1.30.0', 5, undefined, { sleep: { seconds: 5 } }],
    ['v1.29.14', 5, undefined, command('sleep', '5')],
    ['1.31+eks', 5, undefined, { sleep: { seconds: 5 } }],
    ['v1.34.4', 0, undefined, undefined],
    ['v1.34.4', 0, { sleep: { seconds: 9 } }, undefined],
    ['v1.34.4', 7, { sleep: { seconds: 1 } }, { sleep: { seconds: 7 } }],
    ['v1.34.4', 7, command('/bin/sh', '-c', 'sleep 2'), { sleep: { seconds: 7 } }],
    ['v1.34.4', 7, command('/bin/sleep', '2'), { sleep: { seconds: 7 } }],
    ['v1.34.4', 7, command('/bin/sh', '-c', 'sleep 2; nginx -s quit'), undefined],
    ['v1.34.4', 7, { httpGet: { path: '/drain', port: 80 } }, undefined],
  ];
  for (const [kubernetesVersion, preStopSeconds, present, expected] of table) {
    const manifests = ours();
    if (present) containerOf(manifests[1]).lifecycle = { preStop: present };
    const after = apply(manifests, ['preStop'], { ...context, kubernetesVersion, preStopSeconds });
    const kept = preStopSeconds > 0 && expected === undefined ? present : expected;
    assert.equal(
      containerOf(after[1]).lifecycle?.preStop,
      kept,
      `${kubernetesVersion} ${preStopSeconds} ${JSON.stringify(present)}`,
    );
  }
});

test('gracePeriod leaves the app 25 s after preStop, and never shortens', () => {
  const table: [preStopSeconds: number, present: number | undefined, expected: number][] = [
    [5, undefined, 30],
    [20, undefined, 45],
    [5, 10, 30],
    [5, 120, 120],
  ];
  for (const [preStopSeconds, present, expected] of table) {
    const manifests = ours();
    if (present) podOf(manifests[1]).terminationGracePeriodSeconds = present;
    const after = apply(manifests, ['gracePeriod', 'preStop'], { ...context, preStopSeconds });
    assert.is(podOf(after[1]).terminationGracePeriodSeconds, expected);
  }
});

test('surge: what becomes of strategies that are there', () => {
  const table: [present: unknown, expected: unknown][] = [
    [undefined, rolling('25%', 0)],
    [{ type: 'Recreate' }, rolling('25%', 0)],
    [rolling(0, 1), rolling('25%', 0)],
    [rolling('0%', 1), rolling('25%', 0)],
    [rolling('50%', '50%'), rolling('50%', 0)],
  ];
  for (const [present, expected] of table) {
    const manifests = ours();
    specOf(manifests[1]).strategy = present;
    assert.equal(specOf(apply(manifests, ['surge'], context)[1]).strategy, expected, JSON.stringify(present));
  }
});

test('figures of a variant win over what is there and over the settings’ own', () => {
  const manifests = ours();
  specOf(manifests[1]).strategy = rolling('50%', '50%');
  specOf(manifests[1]).minReadySeconds = 7;
  const kept = specOf(apply(manifests, ['surge', 'minReadySeconds'], context)[1]);
  assert.equal([kept.strategy, kept.minReadySeconds], [rolling('50%', 0), 7]);
  const told = { ...context, maxSurge: 1, minReadySeconds: 60 };
  const set = specOf(apply(manifests, ['surge', 'minReadySeconds'], told)[1]);
  assert.equal([set.strategy, set.minReadySeconds], [rolling(1, 0), 60]);
});

test('a DaemonSet surges through its updateStrategy; what does not apply to it is said', () => {
  const manifests = ours().map((manifest) => ({
    ...manifest,
    kind: manifest.kind === 'Deployment' ? 'DaemonSet' : manifest.kind,
  }));
  const daemon = { ...context, workload: { ...context.workload, kind: 'DaemonSet' } };
  const variant = variantNamed('surge+topologySpread');
  const after = applyVariant(manifests, variant, daemon);
  assert.equal(specOf(after.manifests[1]).updateStrategy, rolling(1, 0));
  assert.equal(after.notApplied, [{ setting: 'topologySpread', reason: 'does not apply to a DaemonSet' }]);
});

test('variants by name', () => {
  const table: [name: string, settings: readonly string[]][] = [
    ['baseline', []],
    ['hardened', ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge']],
    ['only:preStop', ['preStop']],
    ['without:preStop', ['readinessProbe', 'gracefulShutdown', 'surge']],
    ['preStop+readinessProbe', ['preStop', 'readinessProbe']],
    ['hardened+minReadySeconds', [...hardened.settings, 'minReadySeconds']],
    ['mine', ['surge', 'startupProbe']],
  ];
  for (const [name, expected] of table) {
    const variant = variantNamed(name, { mine: ['surge', 'startupProbe'] });
    assert.equal([variant.name, variant.settings], [name, expected]);
  }
});

test('a variant that cannot be is a sentence with what there is', () => {
  const table: [name: string, message: RegExp][] = [
    ['hardend', /variant "hardend" is not known\. There are as-is, baseline, hardened, only:SETTING/],
    ['only:prestop', /setting "prestop" is not known\. There are readinessProbe, /],
    ['without:minReadySeconds', /hardened has readinessProbe, preStop, gracefulShutdown, surge/],
    ['surge+noSurge', /surge and noSurge contradict each other/],
    ['hardened+noSurge', /surge and noSurge contradict each other/],
  ];
  for (const [name, message] of table) {
    assert.throws(
      () => variantNamed(name),
      (error: Error) => error instanceof UsageError && message.test(error.message),
      name,
    );
  }
});

test('ablation: none, each alone, all but one each, all; equal lists once', () => {
  const names = (list?: string[]) => ablation(list).map(({ name }) => name);
  assert.is(names().length, 2 * hardened.settings.length + 2);
  assert.is(names().at(-1), 'hardened');
  assert.equal(names(['preStop', 'surge']), ['baseline', 'only:preStop', 'only:surge', 'all']);
  assert.equal(names(['preStop']), ['baseline', 'only:preStop']);
});

test('conflicts are mutual and name settings that exist', () => {
  for (const setting of settings) {
    for (const rival of setting.conflictsWith) {
      assert.ok(settingNamed(rival).conflictsWith.includes(setting.name), `${setting.name} and ${rival}`);
    }
  }
});

test('the diff is unified YAML with every changed line, and empty for baseline', () => {
  const before = ours();
  assert.is(settingsDiff(before, applyVariant(before, baseline, context).manifests), '');
  const diff = settingsDiff(before, applyVariant(before, hardened, context).manifests);
  assert.match(diff, /^--- baseline\.yaml/);
  assert.match(diff, /^\+ {10}readinessProbe:$/m);
  assert.match(diff, /^\+ {16}seconds: 5$/m);
  assert.match(diff, /^\+ {6}maxUnavailable: 0$/m);
  assert.not.match(diff, /^-[^-]/m, 'hardened takes nothing away');
});

test('a missing workload or container is a sentence', () => {
  const wrong = (workload: Partial<SettingContext['workload']>) => () =>
    applyVariant(ours(), baseline, { ...context, workload: { ...context.workload, ...workload } });
  assert.throws(wrong({ name: 'shop' }), /the manifests hold no Deployment "shop"/);
  assert.throws(wrong({ container: 'app' }), /has no container "app"; it has target/);
});

test('what each setting means is said to who reads the report', () => {
  const silent = settings.map(({ name }) => name).filter((name) => settingMeans(name) === undefined);
  assert.equal(silent, [], 'a line in harness/words/names.ts');
});

test.run();

// biome-ignore lint/suspicious/noExplicitAny: tests look into manifests of any shape.
type Any = any;

function parseAll(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
function apply(manifests: readonly Manifest[], names: readonly string[], where: SettingContext) {
  return [...applyVariant(manifests, { name: 'test', version: 1, settings: names }, where).manifests];
}
function rolling(maxSurge: number | string, maxUnavailable: number | string) {
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
}
function specOf(manifest: Manifest | undefined): Any {
  return manifest?.spec;
}
function podOf(manifest: Manifest | undefined): Any {
  return specOf(manifest).template.spec;
}
function containerOf(manifest: Manifest | undefined): Any {
  return podOf(manifest).containers[0];
}
/** `container.x`, `pod.x` or `spec.x` of our Deployment. */
function holderOf(manifests: Manifest[], path: string): [Any, string] {
  const [holder, field] = path.split('.') as [string, string];
  const deployment = manifests[1];
  const holders: Record<string, Any> = {
    container: containerOf(deployment),
    pod: podOf(deployment),
    spec: specOf(deployment),
  };
  return [holders[holder], field];
}
function valueAt(manifests: Manifest[], path: string): unknown {
  const [holder, field] = holderOf(manifests, path);
  return holder[field];
}
function remove(manifests: Manifest[], path: string): void {
  const [holder, field] = holderOf(manifests, path);
  delete holder[field];
}
function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}
