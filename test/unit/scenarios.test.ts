// The scenarios as data: everything that they name exists, and what they say can be decided.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { metricsServerManifests } from '../../harness/deploy/metrics-server.ts';
import { ownTarget } from '../../harness/deploy/scenario-target.ts';
import { expectationText } from '../../harness/judge/claims.ts';
import { hops } from '../../harness/model/entry.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { DeploymentFacts } from '../../harness/model/facts.ts';
import { linesNamed } from '../../harness/model/line.ts';
import { lostOutcomes } from '../../harness/model/load.ts';
import { causes, type Results } from '../../harness/model/results.ts';
import { rolloutSettled } from '../../harness/model/rollout.ts';
import {
  defineScenario,
  lineOfLoad,
  type Scenario,
  scenarioOfVariant,
} from '../../harness/model/scenario.ts';
import { settingNamed, variantNamed } from '../../harness/settings/index.ts';
import { scenarios } from '../../scenarios/index.ts';
import {
  definitionsText,
  earlierText,
  measuredMark,
  measuredText,
  ofToday,
} from '../../scripts/scenarios-text.ts';
import { fullResults } from '../data/sample-run.ts';
import { suite } from '../suite.ts';

const test = suite('scenarios');

const root = new URL('../../', import.meta.url);
/** Names in backticks of docs/claims.md; "xMin/Max" stands for two. */
const documented = new Set(
  [
    ...readFileSync(new URL('docs/claims.md', root), 'utf8').matchAll(/`([A-Za-z0-9:.]+?)(Min\/Max)?`/g),
  ].flatMap(([, name = '', both]) => (both ? [`${name}Min`, `${name}Max`] : [name])),
);
/** Families: documented with a placeholder. */
const families: readonly [string, RegExp][] = [
  ['lost:OUTCOME', new RegExp(`^lost:(${lostOutcomes.join('|')})$`)],
  ['cause:CAUSE', new RegExp(`^cause:(${causes.join('|')})$`)],
  ['hop:HOP', new RegExp(`^hop:(${hops.join('|')})$`)],
  ['exitCode:N', /^exitCode:\d+$/],
  ['event:REASON', /^event:[A-Z][A-Za-z]+$/],
  ['eventMessage:REASON', /^eventMessage:[A-Z][A-Za-z]+$/],
  ['history:NAME', /^history:[a-z-]+$/],
  ['targetShare:N', /^targetShare:\d+$/],
  ['step:N.FIELD', /^step:\d+\.[A-Za-z]+$/],
];
const ownImageNames = ['current', 'next', 'third', 'previous', 'missing'];

const profiles = scenarios.flatMap(({ full, quick }) => [
  { name: `${full.id} (full)`, scenario: full },
  { name: `${quick.id} (quick)`, scenario: quick },
]);
const each = (check: (scenario: Scenario, name: string) => void) => {
  for (const { name, scenario } of profiles) check(scenario, name);
};

test('ids are unique, of scenarios and of the claims of each', () => {
  const ids = scenarios.map(({ id }) => id);
  assert.equal(ids, [...new Set(ids)]);
  each(({ claims }, name) => {
    const claimIds = claims.map((claim) => claim.id);
    assert.equal(claimIds, [...new Set(claimIds)], name);
  });
});

test('every scenario asks something, names its source and claims something', () => {
  each(({ question, source, claims, steps }, name) => {
    assert.match(question, /\?$/, name);
    assert.ok(source.length > 10, name);
    assert.ok(claims.length > 0, name);
    assert.ok(steps.length > 0, name);
    for (const claim of claims) {
      assert.ok(claim.source.length > 8, `${name}: ${claim.id} has no source`);
      assert.match(claim.text, /\.$/, `${name}: ${claim.id} is no sentence`);
    }
  });
});

test('every measure that a claim names is documented', () => {
  each(({ claims }, name) => {
    for (const claim of claims) {
      for (const { measure } of claim.that) {
        const family = families.find(([, pattern]) => pattern.test(measure))?.[0];
        assert.ok(documented.has(family ?? measure), `${name}: ${claim.id}: docs/claims.md lacks ${measure}`);
      }
    }
  });
});

test('a measure that is not documented would be found', () => {
  for (const made of ['lst', 'lost:gone', 'cause:weather', 'exitCode:x', 'readyAfterStartMs']) {
    assert.not.ok(documented.has(made) || families.some(([, pattern]) => pattern.test(made)), made);
  }
});

test('settings and variants exist, and claims are about variants and lanes that run', () => {
  each(({ settings, variants, cases, claims, load, entries }, name) => {
    const lines = (entries ?? [{ name: 'service' }]).flatMap((entry) =>
      load.map((one) => lineOfLoad(one, entry.name)),
    );
    const own = Object.values(cases).flatMap((one) => one.settings);
    for (const setting of [...settings, ...own]) settingNamed(setting);
    for (const variant of variants) if (!cases[variant]) variantNamed(variant);
    for (const one of Object.keys(cases))
      assert.ok(variants.includes(one), `${name}: case ${one} does not run`);
    for (const { id, appliesTo } of claims) {
      const { variant, lane } = appliesTo;
      if (variant) assert.ok(variants.includes(variant), `${name}: ${id}: variant ${variant} does not run`);
      if (lane) assert.ok(linesNamed(lane, lines).length > 0, `${name}: ${id}: lane ${lane} does not fire`);
    }
  });
});

test('a claim that is expected to fail says why, and no other does', () => {
  each(({ claims }, name) => {
    for (const { id, expected, because } of claims)
      assert.is(because !== undefined, expected === 'fails', `${name}: ${id}`);
  });
});

test('images are those that the target has', () => {
  each((scenario, name) => {
    for (const variant of scenario.variants) {
      const { target, steps, needs } = scenarioOfVariant(scenario, variant);
      const names = target.own ? Object.keys(ownTarget(target.own, name).images) : ownImageNames;
      for (const step of steps) {
        if (step.step === 'set-image') assert.ok(names.includes(step.image), `${name}: ${step.image}`);
      }
      // What the cluster has to be given beforehand is what the manifests and the steps name.
      const literal = Object.values(target.own?.images ?? {});
      for (const image of literal) assert.ok(needs.images.includes(image), `${name}: ${image}`);
    }
  });
});

test('what is created by a step, and cannot serve, is fired at by nobody', () => {
  each((scenario, name) => {
    for (const variant of scenario.variants) {
      const { target, load, steps } = scenarioOfVariant(scenario, variant);
      const deploys = steps.some((step) => step.step === 'deploy');
      assert.is(deploys, !target.deployed, `${name}, ${variant}`);
      if (deploys) assert.equal(load, [], `${name}, ${variant}`);
    }
  });
});

test('histories that claims look at are recorded by a step', () => {
  each(({ steps, claims }, name) => {
    const recorded = steps.flatMap((step) => (step.step === 'history' ? [`history:${step.as}`] : []));
    const wanted = claims.flatMap(({ that }) => that.map(({ measure }) => measure));
    for (const measure of wanted.filter((one) => one.startsWith('history:')))
      assert.ok(recorded.includes(measure), `${name}: ${measure}`);
  });
});

test('what is delayed, cordoned or stuck is set right again by the last steps', () => {
  each(({ steps }, name) => {
    const delays = steps.flatMap((step) => (step.step === 'proxy-delay' ? [step.delayMs] : []));
    assert.is(delays.at(-1) ?? 0, 0, name);
    if (steps.some((step) => step.step === 'drain-node'))
      assert.ok(
        steps.some((step) => step.step === 'uncordon'),
        name,
      );
  });
});

test('a wrong definition fails when it is loaded, with the field', () => {
  const [first] = scenarios;
  assert.throws(
    () =>
      defineScenario({ ...(first as (typeof scenarios)[number]).full, steps: [{ step: 'wait' } as never] }),
    /steps/,
  );
});

const values: readonly [string, Record<string, unknown>][] = [
  ['readinessProbe+preStop=2', { settings: ['readinessProbe', 'preStop'], preStopSeconds: 2 }],
  [
    'only:preStop=10',
    {
      settings: ['preStop'],
      // Somebody's own workload loses the others, with a value as without one.
      takesAway: ['readinessProbe', 'gracefulShutdown', 'surge'],
      preStopSeconds: 10,
    },
  ],
  ['preStop=0', { settings: ['preStop'], preStopSeconds: 0 }],
  [
    'hardened+preStop=8',
    { settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'], preStopSeconds: 8 },
  ],
  [
    'readinessProbe+surge=1+minReadySeconds=60',
    { settings: ['readinessProbe', 'surge', 'minReadySeconds'], maxSurge: 1, minReadySeconds: 60 },
  ],
  ['preStop+gracefulShutdown=drain', { settings: ['preStop', 'gracefulShutdown'], stopMode: 'drain' }],
];
for (const [name, expected] of values) {
  test(`variant ${name} carries its values`, () => {
    assert.equal(variantNamed(name), { name, version: 1, ...expected });
  });
}

for (const name of [
  'preStop=',
  'preStop=soon',
  'surge=0',
  'noSurge=1',
  'gracefulShutdown=later',
  'preStop=2+nothing',
]) {
  test(`variant ${name} is refused`, () => {
    assert.throws(
      () => variantNamed(name),
      (error: unknown) => error instanceof UsageError,
    );
  });
}

const deployment = (changes: Partial<DeploymentFacts>): DeploymentFacts => ({
  kind: 'Deployment',
  images: [],
  generation: 2,
  observedGeneration: 2,
  specReplicas: 2,
  paused: false,
  replicas: 2,
  updated: 2,
  ready: 2,
  available: 2,
  unavailable: 0,
  conditions: [],
  ...changes,
});
const pods = (...states: ('run' | 'stop' | 'end')[]) =>
  states.map((state) => ({
    phase: state === 'end' ? 'Failed' : 'Running',
    terminating: state === 'stop',
  }));
const settledCases: readonly [string, DeploymentFacts | undefined, ReturnType<typeof pods>, boolean][] = [
  ['complete, as many pods as wanted', deployment({}), pods('run', 'run'), true],
  ['scaled down, no pod deleted yet', deployment({ replicas: 2 }), pods('run', 'run', 'run'), false],
  ['one terminates', deployment({}), pods('run', 'run', 'stop'), false],
  ['an ended pod that stays as an object', deployment({}), pods('run', 'run', 'end'), true],
  [
    'the controller has not seen the change',
    deployment({ observedGeneration: 1 }),
    pods('run', 'run'),
    false,
  ],
  ['nothing is known', undefined, [], false],
];
for (const [name, facts, present, expected] of settledCases) {
  test(`settled: ${name}`, () => assert.is(rolloutSettled(facts, present), expected));
}

test('metrics-server asks as often as it is told, and every object carries our label', () => {
  const manifests = metricsServerManifests(10);
  assert.match(JSON.stringify(manifests), /--metric-resolution=10s/);
  for (const { kind, metadata } of manifests)
    assert.is(metadata.labels?.['app.kubernetes.io/managed-by'], 'rollproof', `${kind} ${metadata.name}`);
});

const onKind = (results: Results): Results => ({
  ...results,
  cluster: { ...results.cluster, kind: 'kind', emulated: false },
});

test('measured: runs of one cluster are counted together, clusters stand side by side', () => {
  const embedded = fullResults();
  const kind = onKind(embedded);
  const [first] = kind.scenarios;
  const text = measuredText([kind, kind, embedded]);
  const rounds = first?.rounds?.of ?? 1;
  const row = text.split('\n').find((line) => line.startsWith(`| ${first?.name} |`)) ?? '';
  const [, embeddedCell = '', kindCell = ''] = row.split(' | ');
  assert.match(embeddedCell, `n = ${rounds}`);
  assert.match(kindCell, `n = ${2 * rounds}`);
  for (const { id } of first?.claims ?? []) assert.match(text, `| ${id} |`);
  assert.match(text, 'emulated');
});

test('measured: a scenario that a cluster did not run says so', () => {
  const embedded = { ...fullResults(), scenarios: [] };
  const kind = onKind(fullResults());
  const [first] = kind.scenarios;
  assert.match(measuredText([kind, embedded]), `| ${first?.name} | not run |`);
});

test('measured: a result whose claims have changed since does not count', () => {
  const results = fullResults();
  const [scenario] = results.scenarios;
  const [definition] = scenarios;
  if (!scenario || !definition) throw new Error('the sample holds no scenario');
  const claims = definition.full.claims.map(({ id, that, appliesTo }) => ({
    ...(scenario.claims[0] as (typeof scenario.claims)[number]),
    id,
    appliesTo: appliesTo as (typeof scenario.claims)[number]['appliesTo'],
    expect: that.map(expectationText).join(' and '),
  }));
  const same = { ...results, scenarios: [{ ...scenario, name: definition.id, claims }] };
  assert.is(ofToday(same, scenarios).scenarios.length, 1);
  const changed = { ...same, scenarios: [{ ...scenario, name: definition.id, claims: claims.slice(1) }] };
  assert.is(ofToday(changed, scenarios).scenarios.length, 0);
});

test('measured: what was not measured anew is carried over once, word for word', () => {
  const embedded = fullResults();
  const [scenario] = embedded.scenarios;
  if (!scenario) throw new Error('the sample holds no scenario');
  const named = (...names: string[]) => ({
    ...embedded,
    scenarios: names.map((name) => ({ ...scenario, name })),
  });
  const defined = new Set(['a', 'b']);
  const before = measuredText([named('a', 'b', 'gone')]);
  const earlier = earlierText(before, new Set(['a']), defined);
  assert.match(earlier, /^\| b \| /m);
  assert.match(earlier, /^### b, figures of the last run$/m);
  assert.not.match(earlier, /^\| (a|gone) \| /m);
  const next = `${measuredText([named('a')])}\n${earlier}`;
  assert.is(earlierText(next, new Set(['a']), defined), earlier);
  assert.is(earlierText(next, new Set(['a', 'b']), defined), '');
});

test('docs/scenarios.md is what the definitions say', () => {
  const written = readFileSync(new URL('docs/scenarios.md', root), 'utf8');
  assert.is(
    written.slice(0, written.indexOf(measuredMark)),
    `${definitionsText(scenarios)}\n`,
    'write it anew: npm run scenarios',
  );
});

test.run();
