// The direct verdict on somebody's own workload, in the judge, the exit code, the gate and every report.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { compareRuns } from '../../harness/judge/compare.ts';
import { passGate } from '../../harness/judge/gate.ts';
import { judgeRun } from '../../harness/judge/run.ts';
import { historyLine, parseHistory, summarizeRun } from '../../harness/judge/summarize.ts';
import { exitCode } from '../../harness/model/errors.ts';
import type { Results, ScenarioResult } from '../../harness/model/results.ts';
import type { RunFacts, VariantNotRun } from '../../harness/model/run.ts';
import type { ScenarioInput } from '../../harness/model/scenario.ts';
import { answerOf, suiteHeadline } from '../../reports/answer.ts';
import { renderHtml } from '../../reports/html/page.ts';
import { renderTrend } from '../../reports/html/trend.ts';
import { renderJunit } from '../../reports/junit.ts';
import { renderMarkdown } from '../../reports/markdown.ts';
import { renderOpenMetrics } from '../../reports/openmetrics.ts';
import { renderTerminal } from '../../reports/terminal.ts';
import { JournalBuilder, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: the direct verdict');

const settings = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'];

interface Said {
  readonly variant: string;
  /** Lost arrivals of lane new. */
  readonly lost?: number;
  readonly invalid?: boolean;
  readonly repeat?: number;
  /** Of hardened; default: all. */
  readonly on?: readonly string[];
}

const claims: ScenarioInput['claims'] = [
  {
    id: 'baseline-loses-new',
    text: 'As it is, new connections are lost.',
    source: 'test',
    appliesTo: { variant: 'as-is', lane: 'new' },
    that: [{ measure: 'lost', atLeast: 1 }],
    role: 'baseline-loses',
  },
  {
    id: 'hardened-safe-new',
    text: 'With the settings, no new connection is lost.',
    source: 'test',
    appliesTo: { variant: 'hardened', lane: 'new' },
    that: [{ measure: 'lost', atMost: 0 }],
    role: 'hardened-safe',
  },
];

async function judged(
  said: readonly Said[],
  scenario: Partial<ScenarioInput> = { claims },
  variantsNotRun?: readonly VariantNotRun[],
): Promise<Results> {
  const journals = await Promise.all(
    said.map(async ({ variant, lost = 0, invalid = false, repeat = 0, on: applied = settings }) => {
      const on = variant === 'hardened' ? applied : [];
      const journal = new JournalBuilder({ variant, settings: on, scenario, repeat });
      journal.oldPod('a');
      journal.endpoints(-500, { a: 'ready' });
      journal.lane('new', {
        durationMs: 10_000,
        losses: lossesBetween(5000, 5000 + lost * 5),
        ...(invalid && { sendLagMs: { p99: 300 } }),
      });
      const name = `${variant}-${repeat}.ndjson`;
      return { name, journal: await readJournal(journal.lines(), name) };
    }),
  );
  const [first] = journals;
  if (!variantsNotRun || !first) return judgeRun(journals);
  const { header } = first.journal;
  return judgeRun(journals, {
    ...(judgeRun(journals) as unknown as RunFacts),
    cluster: header.cluster,
    loadMs: 0,
    stages: [],
    strict: false,
    interrupted: false,
    notRun: [],
    undeployed: [],
    variantsNotRun: variantsNotRun.map((one) => ({ ...one, scenario: header.scenario.id })),
    measuredAgain: [],
  });
}

const table: Readonly<
  Record<
    string,
    {
      said: readonly Said[];
      direct?: string | undefined;
      verdict: string;
      code: number;
      reason: RegExp;
      headline: RegExp;
      gate: string;
    }
  >
> = {
  'as-is alone, nothing lost': {
    said: [{ variant: 'as-is' }],
    direct: 'safe',
    verdict: 'safe',
    code: exitCode.ok,
    reason: /^As it is, nothing was lost of 2,000 in lane new \(at most 0\.1/,
    headline: /^Safe as it is: nothing was lost\.$/,
    gate: 'passed',
  },
  'as-is alone, something lost': {
    said: [{ variant: 'as-is', lost: 74 }],
    direct: 'loses',
    verdict: 'loses',
    code: exitCode.refuted,
    reason: /^As it is, 74 of 2,000 are lost in lane new \(longest outage 370 ms\)\.$/,
    headline: /^Not safe as it is: new connections lost 74 of 2,000\.$/,
    gate: 'crossed',
  },
  'as-is alone, not measured well enough': {
    said: [{ variant: 'as-is', invalid: true }],
    direct: 'inconclusive',
    verdict: 'inconclusive',
    code: exitCode.inconclusive,
    reason: /^As it is: Stream new sent its requests late/,
    headline: /^No answer yet: the measurement was not good enough\.$/,
    gate: 'undecided',
  },
  'a loss that was measured well counts, whatever came of the other run': {
    said: [
      { variant: 'as-is', lost: 3 },
      { variant: 'as-is', invalid: true, repeat: 1 },
    ],
    direct: 'loses',
    verdict: 'loses',
    code: exitCode.refuted,
    reason: /^As it is, 3 of 2,000 are lost/,
    headline: /^Not safe as it is/,
    gate: 'crossed',
  },
  'nothing lost in one run of two is not safe yet': {
    said: [{ variant: 'as-is' }, { variant: 'as-is', invalid: true, repeat: 1 }],
    direct: 'inconclusive',
    verdict: 'inconclusive',
    code: exitCode.inconclusive,
    reason: /^As it is: Stream new sent/,
    headline: /^No answer yet/,
    gate: 'undecided',
  },
  'loses as it is, nothing with the settings': {
    said: [{ variant: 'as-is', lost: 74 }, { variant: 'hardened' }],
    direct: 'loses',
    verdict: 'proven',
    code: exitCode.refuted,
    reason: /^As-is lost 74 of 2,000 \(new\); hardened lost 0 of 2,000/,
    headline: /^Not safe as it is\. Safe with the 4 settings of “hardened”: nothing was lost\.$/,
    gate: 'crossed',
  },
  'loses as it is and with the settings': {
    said: [
      { variant: 'as-is', lost: 74 },
      { variant: 'hardened', lost: 2 },
    ],
    direct: 'loses',
    verdict: 'refuted',
    code: exitCode.refuted,
    reason: /With the settings, no new connection is lost/,
    headline: /^Not safe as it is, and not with the 4 settings/,
    gate: 'crossed',
  },
  'loses as it is, the settings were not measured well enough': {
    said: [
      { variant: 'as-is', lost: 74 },
      { variant: 'hardened', invalid: true },
    ],
    direct: 'loses',
    verdict: 'loses',
    code: exitCode.refuted,
    reason: /^As it is, 74 of 2,000 are lost in lane new .* Variant hardened: Stream new sent/,
    headline: /^Not safe as it is: new connections lost 74/,
    gate: 'crossed',
  },
  'safe as it is, and with the settings': {
    said: [{ variant: 'as-is' }, { variant: 'hardened' }],
    direct: 'safe',
    verdict: 'safe',
    code: exitCode.ok,
    reason: /^As it is, nothing was lost/,
    headline: /^Safe as it is/,
    gate: 'passed',
  },
  'safe as it is, worse with the settings': {
    said: [{ variant: 'as-is' }, { variant: 'hardened', lost: 9 }],
    direct: 'safe',
    verdict: 'refuted',
    code: exitCode.refuted,
    reason: /With the settings, no new connection is lost.* Measured in hardened: .*9 of 2,000/,
    headline: /^Not safe, even with/,
    gate: 'crossed',
  },
  'the built-in target has no direct verdict': {
    said: [{ variant: 'baseline', lost: 9 }],
    direct: undefined,
    verdict: 'inconclusive',
    code: exitCode.inconclusive,
    reason: /^as-is and hardened did not run, so nothing is said of them\. Baseline lost 9 of 2,000/,
    headline: /^No verdict: what was measured is sound, but not all that is claimed was run\.$/,
    gate: 'undecided',
  },
};

test('settings that change nothing: the losses of two equal variants are not added up', async () => {
  const results = await judged([
    { variant: 'as-is', lost: 74 },
    { variant: 'hardened', lost: 2, on: [] },
  ]);
  const [scenario] = results.scenarios as [ScenarioResult];
  assert.not.match(scenario.advice.join('\n'), /76/);
  assert.match(
    answerOf(scenario, results).headline,
    /^Not safe as it is, and our settings have nothing to add: new connections lost 74 of 2,000\.$/,
  );
});

test('variants that were not measured are in every report, and the gate knows what stands for them', async () => {
  const told = await judged([{ variant: 'as-is', lost: 74 }], { claims }, [
    {
      variant: 'hardened',
      reason: 'not measured: its settings change nothing here, so it is as-is.',
      sameAs: 'as-is',
    },
    {
      variant: 'as-is+minReadySeconds',
      reason: 'not run: our own check finds an error in it (some-rule): why.',
    },
  ]);
  const [scenario] = told.scenarios as [ScenarioResult];
  assert.is(scenario.verdict, 'loses');
  assert.ok(schema(JSON.parse(JSON.stringify(told))), JSON.stringify(schema.errors?.[0]));
  assert.match(
    answerOf(scenario, told).headline,
    /^Not safe as it is, and our settings have nothing to add: /,
  );
  const shown = [
    renderTerminal(told, { colour: false }),
    renderMarkdown(told),
    renderJunit(told),
    renderHtml({ results: told, journals: new Map() }),
  ];
  for (const text of shown) {
    assert.match(text, /hardened was not measured: its settings change nothing here, so it is as-is/);
    assert.match(text, /as-is\+minReadySeconds was not run: our own check finds an error in it/);
  }
  const gate = passGate(told, { maxLost: { new: 0 }, variants: ['hardened'] });
  assert.equal([gate.state, gate.undecided], ['crossed', []]);
  const refused = passGate(told, { maxLost: { new: 0 }, variants: ['as-is+minReadySeconds'] });
  assert.is(refused.state, 'undecided');
});

test('a run that failed says why once: the reason is nothing to change', async () => {
  const [scenario] = (await judged([{ variant: 'as-is' }])).scenarios as [ScenarioResult];
  const reason = 'Variant as-is could not be deployed: pod web-1: ImagePullBackOff.';
  const failed = { ...scenario, verdict: 'faulted' as const, reason, advice: [], experiments: [] };
  const results = { ...(await judged([{ variant: 'as-is' }])), scenarios: [failed] };
  for (const text of [renderTerminal(results, { colour: false }), renderMarkdown(results)]) {
    assert.is(text.split('ImagePullBackOff').length - 1, 1);
    assert.not.match(text, /What to change/);
  }
});

for (const [name, { said, direct, verdict, code, reason, headline, gate }] of Object.entries(table)) {
  test(name, async () => {
    const results = await judged(said);
    const [scenario] = results.scenarios as [ScenarioResult];
    assert.is(scenario.direct?.verdict, direct);
    assert.is(scenario.verdict, verdict, scenario.reason);
    assert.is(results.exitCode, code);
    assert.match(scenario.reason, reason);
    const answer = answerOf(scenario, results);
    assert.match(answer.headline, headline);
    // No claim stands where a reader looks for what to change.
    for (const line of answer.change) assert.not.match(line, /^Fails:|are lost|Without the settings/);
    assert.is(passGate(results, { maxLost: { new: 0 } }).state, gate);
    assert.ok(schema(JSON.parse(JSON.stringify(results))), JSON.stringify(schema.errors?.[0]));
  });
}

const schema = new Ajv2020({ strict: false, validateFormats: false }).compile(
  JSON.parse(readFileSync(new URL('../../reports/json/results.schema.json', import.meta.url), 'utf8')),
);

test('nobody claims of somebody’s own workload that it loses', async () => {
  const [scenario] = (await judged([{ variant: 'as-is' }, { variant: 'hardened' }])).scenarios;
  assert.equal(
    scenario?.claims.map(({ id }) => id),
    ['hardened-safe-new'],
  );
  const [alone] = (await judged([{ variant: 'as-is' }])).scenarios;
  assert.equal(alone?.claims, []);
});

test('a gate that names a variant that did not run says so', async () => {
  const results = await judged([{ variant: 'as-is' }]);
  const gate = passGate(results, { maxLost: { new: 0 }, variants: ['as-is', 'hardened'] });
  assert.is(gate.state, 'undecided');
  assert.match(
    gate.undecided.join(),
    /Variant hardened, which gate\.variants names, did not run; there are as-is/,
  );
});

test('every report says it', async () => {
  const results = await judged([{ variant: 'as-is', lost: 74 }, { variant: 'hardened' }]);
  const terminal = renderTerminal(results, { colour: false }).trimStart().split('\n');
  assert.match(terminal[0] ?? '', /^✕ loses as it is, with the settings ✓ proven {2}image-change/);
  assert.match(renderMarkdown(results), /As it is: ✕ \*\*loses\*\*\. As it is, 74 of 2,000 are lost/);
  assert.match(
    renderJunit(results),
    /<testcase name="as-is: nothing is lost as it is"[^>]*>\s*<failure type="claim" message="loses: As it is, 74/,
  );
  assert.match(
    renderOpenMetrics(results),
    /rollproof_scenario_direct\{scenario="image-change",rollproof_scenario_direct="loses"\} 1/,
  );
  const page = renderHtml({ results, journals: new Map() });
  assert.match(
    page,
    /<span aria-hidden="true">✕<\/span> loses<\/span> <span>as it is, with the settings<\/span>/,
  );
  assert.match(page, /<b>loses<\/b>: your own workload loses as it is/);
  assert.match(page, /<section class="answer bad">/, 'settings that were proven make no green answer of it');
});

test('that something was changed to run it stands where the answer is', async () => {
  const results = await judged([{ variant: 'as-is' }]);
  const [scenario] = results.scenarios as [ScenarioResult];
  const because = 'Ingress web is left out: the load enters at the Service, not in front of it.';
  const experiments = scenario.experiments.map((one) => ({ ...one, substitutions: [{ because, diff: '' }] }));
  const changed = { ...scenario, experiments };
  assert.ok(
    answerOf(changed, results).sure.some(({ text }) =>
      /^your manifests ran with 1 change, each told under “What had to be changed to run it”$/.test(text),
    ),
  );
  assert.not.ok(answerOf(scenario, results).sure.some(({ text }) => /^your manifests ran/.test(text)));
});

test('history, trend and comparison go by it', async () => {
  const [before, after] = [
    await judged([{ variant: 'as-is', lost: 74 }, { variant: 'hardened' }]),
    await judged([{ variant: 'as-is' }, { variant: 'hardened' }]),
  ].map((results) => summarizeRun(results)) as [
    ReturnType<typeof summarizeRun>,
    ReturnType<typeof summarizeRun>,
  ];
  assert.is(before.scenarios[0]?.direct, 'loses');
  assert.equal(parseHistory(`${historyLine(before)}\n`).runs, [before]);
  assert.is(compareRuns(before, after).scenarios[0]?.change, 'better');
  assert.is(compareRuns(after, before).scenarios[0]?.change, 'worse');
  const trend = renderTrend([
    { ...after, startedAt: '2026-01-01T00:00:00.000Z' },
    { ...before, startedAt: '2026-01-02T00:00:00.000Z' },
  ]);
  assert.match(trend, /image-change: safe → loses/);
});

test('a suite of somebody’s own says first whether it is safe', async () => {
  const [lossy] = (await judged([{ variant: 'as-is', lost: 74 }, { variant: 'hardened' }])).scenarios;
  const [safe] = (await judged([{ variant: 'as-is' }])).scenarios;
  assert.ok(lossy && safe);
  assert.is(
    suiteHeadline([lossy, { ...safe, name: 'scale-up' }]),
    'Not safe as it is: it loses in 1 of 2 scenarios (image-change); with the settings nothing was lost in 1 of them.',
  );
  assert.is(suiteHeadline([safe, safe]), 'Safe as it is in all 2 scenarios: nothing was lost.');
});

test.run();
