// Settings written where people keep their workload: a patch beside a kustomization, values of a chart, and in place
// through every case of the field.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments } from 'yaml';
import type { TargetConfiguration } from '../../harness/config/schema.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { chartOfFlags, refuseWrongChart, valuesOf } from '../../harness/run/watch/chart.ts';
import type { WatchedService } from '../../harness/run/watch/services.ts';
import { applyVariant } from '../../harness/settings/index.ts';
import { editInPlace } from '../../harness/write/in-place.ts';
import { planSettings, writePlan } from '../../harness/write/index.ts';
import { rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('settings written into sources', { timeoutMs: 120_000 });
const helm = spawnSync('helm', ['version']).status === 0 ? undefined : 'no helm on the PATH';
const kubectl =
  spawnSync('kubectl', ['kustomize', '--help']).status === 0 ? undefined : 'no kubectl on the PATH';

const workload = { kind: 'Deployment', name: 'web', container: 'app' };
const settingsOf =
  (settings: readonly string[], preStopSeconds = 5, of = workload) =>
  (manifests: readonly Manifest[]): readonly Manifest[] =>
    applyVariant(
      manifests,
      { name: 'x', version: 1, settings },
      {
        kubernetesVersion: 'v1.34.0',
        workload: of,
        health: { port: 8080, path: '/' },
        preStopSeconds,
        foreign: true,
        gracefulEnv: { GRACEFUL: '1' },
      },
    ).manifests;
const hardened = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'];

const base = `# Team shop
---
kind: Service   # the one that clients use
apiVersion: v1
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: 'web'
spec:
  replicas: 5
  # as agreed
  strategy:
    type: "Recreate"  # for now
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 3 # short
      containers:
      - name: app
        image: "shop/web:1"   # by CI
        env:
        - name: A
          value: '1'
        - {name: GRACEFUL, value: "0"}
        # the port
        ports: [{containerPort: 8080}]
`;

const fieldCases = join(import.meta.dirname, '../../../shared/field');
const shared = existsSync(fieldCases) ? fieldCases : undefined;

test(
  'a kustomization: a patch of its own, found by the names and namespaces that are there',
  async () => {
    const overlays: Record<string, string> = {
      plain: 'resources: [../../base]\n',
      'prefix and namespace':
        '# ours\nresources:\n- ../../base\nnamePrefix: dev-\nnamespace: shop # here\npatches:\n- patch: |-\n    - op: replace\n      path: /spec/replicas\n      value: 2\n  target: {kind: Deployment}\n',
    };
    for (const [name, overlay] of Object.entries(overlays)) {
      for (const namespace of ['', 'namespace: own, ']) {
        await inFolder(
          {
            'base/kustomization.yaml': 'resources: [web.yaml]\n',
            'base/web.yaml': base
              .replace("name: 'web'", `{ ${namespace}name: web }`)
              .replace('metadata:\n  {', 'metadata: {'),
            'overlays/dev/kustomization.yaml': overlay,
          },
          async (folder) => {
            const dev = join(folder, 'overlays/dev');
            const own = { ...workload, name: name === 'plain' ? 'web' : 'dev-web' };
            const apply = settingsOf([...hardened, 'podDisruptionBudget'], 5, own);
            const plan = await planSettings(target({ kustomize: dev }), apply, context(own));
            assert.ok(!existsSync(join(dev, 'rollproof-settings.yaml')), 'nothing is written by planning');
            writePlan(plan);
            const again = await planSettings(target({ kustomize: dev }), (all) => all, context(own));
            const built = again.manifests.map(({ manifest }) => manifest);
            assert.equal(apply(built), built, `${name}: it says all settings now`);
            assert.is(
              built.filter(({ kind }) => kind === 'PodDisruptionBudget').length,
              1,
              'the budget is built, too',
            );
            const text = readFileSync(join(dev, 'kustomization.yaml'), 'utf8');
            for (const line of overlay.split('\n').filter((one) => !one.startsWith('resources: [')))
              assert.ok(text.includes(line), `${line} has stayed`);
          },
        );
      }
    }
  },
  { skip: kubectl },
);

test(
  'a kustomization whose lists a merge would mix up gets operations instead',
  async () => {
    const twice = 'ports: [{containerPort: 80, name: http}, {containerPort: 80, name: https}]';
    await inFolder(
      {
        'kustomization.yaml': 'resources: [web.yaml]\n',
        'web.yaml': base.replace('ports: [{containerPort: 8080}]', twice),
      },
      async (folder) => {
        const apply = settingsOf(['surge'], 5);
        const plan = await planSettings(target({ kustomize: folder }), apply, context());
        assert.ok(plan.files.some(({ file }) => file.endsWith('rollproof-settings-operations.yaml')));
        writePlan(plan);
        const again = await planSettings(target({ kustomize: folder }), (all) => all, context());
        const built = again.manifests.map(({ manifest }) => manifest);
        assert.equal(apply(built), built);
        assert.match(JSON.stringify(built), /"name":"http".*"name":"https"/);
      },
    );
  },
  { skip: kubectl },
);

/** As in Helm's templates, an empty map is as good as none. */
const chart = (offers: string) => `const full = (of) => of && Object.keys(of).length > 0;
export default (v) => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'web'},
  spec: {
    replicas: 5, selector: {matchLabels: {app: 'web'}},
    ...(full(v.updateStrategy) && {strategy: v.updateStrategy}),
    template: {metadata: {labels: {app: 'web'}}, spec: {
      ${offers}
      containers: [{name: 'app', image: 'web:1',
        ...(full(v.web?.lifecycleHooks) && {lifecycle: v.web.lifecycleHooks}),
        ...(v.web?.readinessProbe?.enabled && {readinessProbe: {tcpSocket: {port: 8080}}}),
        ...(full(v.web?.customReadinessProbe) && {readinessProbe: v.web.customReadinessProbe}),
      }],
    }},
  },
})`;
const defaults =
  'replicas: 3\nupdateStrategy: {}\nweb:\n  lifecycleHooks: {}\n  readinessProbe: {enabled: false}\n  customReadinessProbe: {}\n';

test('a chart: values where its templates offer the fields, a patch behind the rendering for the rest', async () => {
  const strict =
    "if (v.unknown || v.readinessProbe || v.strategy) throw new Error('values do not meet the schema');";
  await inChart(chart(''), '', async (folder) => {
    const plan = await planSettings(target({ helm: { chart: folder } }), chartSettings, context());
    const values = plan.files.find(({ file }) => file.endsWith('values-rollproof.yaml'));
    assert.equal(parse(values!.after), {
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      web: {
        lifecycleHooks: { preStop: { sleep: { seconds: 30 } } },
        customReadinessProbe: {
          httpGet: { path: '/', port: 8080 },
          periodSeconds: 1,
          failureThreshold: 3,
        },
      },
    });
    const patch = plan.files.find(({ file }) => file.endsWith('patch.yaml'));
    assert.equal((parse(patch!.after) as Manifest).spec, {
      template: { spec: { terminationGracePeriodSeconds: 55 } },
    });
    assert.match(
      plan.notes.join('\n'),
      /offers no value for terminationGracePeriodSeconds: .*--post-renderer/,
    );
    const built = plan.manifests.map(({ manifest }) => manifest);
    assert.equal(chartSettings(built), built);
  });
  await inChart(
    chart('...(v.gracePeriod && {terminationGracePeriodSeconds: v.gracePeriod}),'),
    strict,
    async (folder) => {
      const plan = await planSettings(target({ helm: { chart: folder } }), chartSettings, context());
      const [values] = plan.files;
      assert.equal(
        Object.keys(parse(values!.after) as object),
        ['updateStrategy', 'web'],
        'one by one, then',
      );
    },
  );
});

const chartSettings = settingsOf(['readinessProbe', 'preStop', 'surge'], 30);

const watched = (name: string): WatchedService => ({
  name: 'web',
  uid: 'u1',
  clusterIp: '10.0.0.9',
  port: 80,
  selector: { app: 'web' },
  path: '/',
  owners: [`Deployment ${name}`],
  workload: `Deployment/${name}`,
  serving: { container: 'app', port: 8080 },
  objects: [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: {} },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, annotations: { 'meta.helm.sh/release-name': 'shop' } },
      spec: {},
    },
  ],
});

test('watch and a chart: the values that do the same, what they do not offer, and what is no chart of it', async () => {
  const { signal } = new AbortController();
  await inChart(chart(''), "if (args.includes('--broken')) throw new Error('no');", async (folder) => {
    const out = join(dirname(folder), 'out');
    const asked = {
      namespace: 'shop',
      kubernetesVersion: 'v1.34.0',
      out,
      limitMs: 60_000,
      signal,
    };
    const given = chartOfFlags(folder, []);
    await refuseWrongChart(given, [watched('web')], 'v1.34.0', signal);
    const said = await valuesOf({ ...asked, given, service: watched('web') });
    const file = join(out, 'helm-web', 'values-rollproof.yaml');
    assert.is(said.values?.file, file);
    assert.equal(parse(readFileSync(file, 'utf8')).web.lifecycleHooks, {
      preStop: { sleep: { seconds: 5 } },
    });
    assert.match(
      said.notes.join(' '),
      `helm upgrade shop ${folder} --namespace shop --values ${file}`,
      'the command is whole',
    );
    const other = await valuesOf({ ...asked, given, service: watched('api') });
    assert.equal(other.notes, [
      `Chart ${folder} renders no Deployment api as release shop; it renders Deployment web.`,
    ]);
    const broken = { ...given, args: ['--broken'] };
    const cannot = await valuesOf({ ...asked, given: broken, service: watched('web') });
    assert.match(cannot.notes.join(), /^Which values do the same cannot be said for Service web: --chart: /);
    for (const [one, service, words] of [
      [given, watched('api'), /it renders no Deployment api \(release shop\); it renders Deployment web\./],
      [chartOfFlags(`${folder}-not`, []), watched('web'), /--chart: .*-not: there is no such chart/],
      [
        chartOfFlags(folder, ['/no/values.yaml']),
        watched('web'),
        /--values: \/no\/values\.yaml: there is no/,
      ],
      [broken, watched('web'), /--chart: .* cannot be rendered/],
    ] as const) {
      const error: unknown = await refuseWrongChart(one, [service], 'v1.34.0', signal).catch(
        (reason: unknown) => reason,
      );
      assert.instance(error, UsageError);
      assert.match(String(error), words);
    }
  });
});

const realChart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\nkubeVersion: ">=1.30.0-0"\n',
  'web/values.yaml': 'replicas: 5\nstrategy: {}\nweb:\n  lifecycle: {}\n',
  'web/values.schema.json': JSON.stringify({
    type: 'object',
    additionalProperties: false,
    properties: {
      replicas: {},
      strategy: {},
      web: { type: 'object', additionalProperties: false, properties: { lifecycle: {} } },
    },
  }),
  'web/templates/service.yaml':
    'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n',
  'web/templates/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: {{ .Values.replicas }}
  {{- with .Values.strategy }}
  strategy: {{- toYaml . | nindent 4 }}
  {{- end }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: web:1
          {{- with .Values.web.lifecycle }}
          lifecycle: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports: [{containerPort: 8080}]
`,
};

test(
  'a chart and helm itself: what helm renders with the values and through the patch is what was planned',
  () =>
    inFolder(realChart, async (folder) => {
      const chartFolder = join(folder, 'web');
      const plan = await planSettings(target({ helm: { chart: chartFolder } }), chartSettings, context());
      writePlan(plan);
      const values = join(folder, 'values-rollproof.yaml');
      assert.equal(Object.keys(parse(readFileSync(values, 'utf8'))), ['strategy', 'web']);
      const rendered = spawnSync(
        'helm',
        [
          ...['template', 'web', chartFolder, '--kube-version', '1.34.0', '--values', values],
          ...['--post-renderer', join(folder, 'rollproof-post-render', 'patch.sh')],
        ],
        { encoding: 'utf8' },
      );
      assert.is(rendered.status, 0, rendered.stderr);
      const built = documents(rendered.stdout);
      assert.is(built.length, 2);
      assert.not.ok(
        existsSync(join(folder, 'rollproof-post-render', 'rendered.yaml')),
        'nothing stays behind',
      );
      assert.equal(chartSettings(built), built, 'every setting is in it');
      const again = await planSettings(
        target({ helm: { chart: chartFolder, values: [values] } }),
        chartSettings,
        context(),
      );
      assert.equal(
        again.files.filter(({ before, after }) => before !== after),
        [],
        'a second time nothing is new',
      );
    }),
  { skip: helm ?? kubectl },
);

test(
  'init on a chart: helm renders it, and the configuration names it',
  () =>
    inFolder(realChart, async (folder) => {
      const out = join(folder, 'rollproof.yaml');
      const { code, stdout, stderr } = await rollproof(['init', join(folder, 'web'), '--out', out]);
      assert.is(code, 0, stderr);
      assert.match(stdout, /Deployment web, Service web/);
      const written = parse(readFileSync(out, 'utf8')) as { target: { helm: unknown; deployment: string } };
      assert.equal([written.target.helm, written.target.deployment], [{ chart: 'web' }, 'web']);
    }),
  { skip: helm },
);

test('a chart without helm is told so', async () => {
  const path = process.env.PATH;
  await inFolder({ 'chart/Chart.yaml': 'name: web\n' }, async (folder) => {
    process.env.PATH = folder;
    try {
      await planSettings(target({ helm: { chart: join(folder, 'chart') } }), chartSettings, context());
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UsageError);
      assert.match((error as Error).message, /there is no "helm" on the PATH/);
    } finally {
      process.env.PATH = path;
    }
  });
});

test(
  'every field case: in place, with each setting',
  () => {
    let edited = 0;
    for (const entry of [...new Set(readFileSyncFolder(shared!))]) {
      const text = readFileSync(entry, 'utf8');
      for (const one of documents(text).filter(({ kind }) =>
        /^(Deployment|StatefulSet|DaemonSet)$/.test(kind),
      )) {
        const spec = one.spec as { template?: { spec?: { containers?: { name: string }[] } } };
        const container = spec.template?.spec?.containers?.[0]?.name;
        if (container === undefined) continue;
        const of = { kind: one.kind, name: one.metadata.name, container };
        for (const settings of [
          ['readinessProbe'],
          hardened,
          [...hardened, 'topologySpread', 'minReadySeconds'],
        ]) {
          const apply = settingsOf(settings, 7, of);
          const { files, manifests } = editInPlace([{ file: entry, text }], apply, of);
          assert.equal(
            manifests.map(({ manifest }) => manifest),
            apply(documents(text)),
            entry,
          );
          edited += files.length;
        }
      }
    }
    assert.ok(edited > 20, `only ${edited} files were edited`);
  },
  { skip: shared === undefined ? 'no field cases here' : undefined },
);

test.run();

function readFileSyncFolder(folder: string): string[] {
  const { stdout } = spawnSync('find', [folder, '-name', 'k8s*.yaml'], { encoding: 'utf8' });
  return stdout.trim().split('\n');
}

function documents(text: string): Manifest[] {
  const all = parseAllDocuments(text, { merge: true });
  return (all as { toJS(): unknown }[])
    .map((one) => one.toJS() as Manifest & { items?: Manifest[] })
    .flatMap((one) => (one === null ? [] : (one.items ?? [one])));
}

function target(fields: Partial<TargetConfiguration>): TargetConfiguration {
  return { path: '/', method: 'GET', headers: {}, deployment: 'web', ...fields };
}

function context(of = workload) {
  return {
    at: () => 'rollproof.yaml',
    signal: new AbortController().signal,
    live: { connect: () => Promise.reject(new Error('not asked here')), copySecrets: false },
    workload: of,
  };
}

async function inFolder(
  files: Record<string, string>,
  act: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-write-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      if (text.startsWith('#!')) chmodSync(join(folder, name), 0o755);
    }
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program in Helm's place: merges values as Helm does and calls the chart's template, a function of values. */
async function inChart(
  template: string,
  refuses: string,
  act: (chart: string) => Promise<void>,
): Promise<void> {
  const yaml = pathToFileURL(createRequire(import.meta.url).resolve('yaml')).href;
  const fake = `#!${process.execPath}
import { readFileSync } from 'node:fs';
import yaml from '${yaml}';
import { pathToFileURL } from 'node:url';
const args = process.argv.slice(2);
const chart = args[0] === 'show' ? args[2] : args[2];
if (args[0] === 'show') { process.stdout.write(readFileSync(chart + '/values.yaml', 'utf8')); process.exit(); }
const merge = (a, b) => b && typeof b === 'object' && !Array.isArray(b) && a && typeof a === 'object'
  ? Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((k) => [k, k in b ? merge(a[k], b[k]) : a[k]])) : b;
let v = yaml.parse(readFileSync(chart + '/values.yaml', 'utf8'));
args.forEach((one, at) => { if (one === '--values') v = merge(v, yaml.parse(readFileSync(args[at + 1], 'utf8'))); });
${refuses}
const { default: render } = await import(pathToFileURL(chart + '/render.mjs').href);
process.stdout.write(JSON.stringify(render(v)));
`;
  await inFolder(
    {
      'bin/helm.mjs': fake,
      'bin/helm': `#!/bin/sh\nexec ${process.execPath} "$(dirname "$0")/helm.mjs" "$@"\n`,
      'web/Chart.yaml': 'name: web\n',
      'web/values.yaml': defaults,
      'web/render.mjs': template,
    },
    async (folder) => {
      const path = process.env.PATH;
      process.env.PATH = [join(folder, 'bin'), path].join(delimiter);
      try {
        await act(join(folder, 'web'));
      } finally {
        process.env.PATH = path;
      }
    },
  );
}
