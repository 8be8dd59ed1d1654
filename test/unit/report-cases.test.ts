// A scenario's own cases and the substitutions of published manifests in every report.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { judgeScenario } from '../../harness/judge/scenario.ts';
import type { ExperimentResult, Results } from '../../harness/model/results.ts';
import { scenarioSchema } from '../../harness/model/scenario.ts';
import { renderForAgent } from '../../reports/agent.ts';
import { answerOf } from '../../reports/answer.ts';
import { caseRows, substitutionsShown } from '../../reports/cases.ts';
import { beforeAfter } from '../../reports/comparison.ts';
import { renderHtml } from '../../reports/html/page.ts';
import { renderJson } from '../../reports/json/render.ts';
import { renderMarkdown } from '../../reports/markdown.ts';
import { experimentResult, runResults } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('report: cases');
const version = {
  because: 'The version is gone.',
  diff: '--- before.yaml\n+++ after.yaml\n-old\n+new <b>\n',
};
const tag = { because: 'It has no tag.', diff: '-image: nginx\n+image: nginx:1 ````\n' };

const experiments: readonly ExperimentResult[] = [
  {
    ...experimentResult({ variant: 'refused', settings: [], lanes: {}, rolloutMs: null }),
    case: { title: 'As it stands' },
  },
  {
    ...experimentResult({ variant: 'runs', settings: [], lanes: { new: 12 } }),
    case: { title: 'As far as it runs', role: 'before' },
    substitutions: [version],
    measures: { placements: '1/1/1, 3/0/0' },
  },
  {
    ...experimentResult({ variant: 'repaired', settings: [] }),
    case: { title: 'Repaired', role: 'after' },
    substitutions: [version, tag],
  },
];
const run = runResults([]);
const results: Results = {
  ...run,
  scenarios: [{ ...(run.scenarios[0] as Results['scenarios'][number]), experiments }],
};
const [scenario] = results.scenarios as [Results['scenarios'][number]];

test('beside each case stands what showed of it alone', () => {
  const claim = (id: string, variant: string, result: 'holds' | 'fails') => ({
    id,
    text: `${id} is so.`,
    source: 's',
    appliesTo: { variant },
    expected: result,
    expect: 'e',
    measured: 'm',
    result,
    facts: [],
  });
  const claims = [
    claim('a', 'refused', 'holds'),
    claim('b', 'refused', 'fails'),
    claim('c', 'runs', 'holds'),
  ];
  assert.match(
    renderMarkdown({ ...results, scenarios: [{ ...scenario, claims }] }),
    '| a is so. Not so: b is so. |',
  );
  const page = renderHtml({
    results: { ...results, scenarios: [{ ...scenario, claims }] },
    journals: new Map(),
  });
  assert.match(page, '<li>a is so.</li><li>Not so: b is so.</li>');
});

test('one row per case: what it is, what it lost, where the pods were', () => {
  assert.equal(
    caseRows(scenario).map(({ name, title, lost, complete, placements }) => [
      name,
      title,
      lost,
      complete,
      placements,
    ]),
    [
      ['refused', 'As it stands', 'nothing fired at it', 'not reached', '–'],
      ['runs', 'As far as it runs', '12 of 6,000 (new)', '6.00 s', '1/1/1, 3/0/0'],
      ['repaired', 'Repaired', '0 of 6,000 (new)', '6.00 s', '–'],
    ],
  );
  assert.equal(caseRows(runResults([{ variant: 'baseline' }]).scenarios[0] as typeof scenario), []);
});

test('each substitution once, with the variants that ran with it', () => {
  assert.equal(
    substitutionsShown(scenario).map(({ because, variants }) => [because, variants]),
    [
      ['The version is gone.', ['runs', 'repaired']],
      ['It has no tag.', ['repaired']],
    ],
  );
});

test('the two to compare are those that the scenario names; without names there is no before and after', () => {
  const { before, after } = beforeAfter(scenario);
  assert.equal([before?.variant, after?.variant], ['runs', 'repaired']);
  const unnamed = experiments.map((one) => ({ ...one, case: { title: 'x' } }));
  assert.is(beforeAfter({ experiments: unnamed }).after, undefined);
});

test('the answer speaks of the case, not of settings that it does not have', () => {
  const { headline, change } = answerOf(scenario, results);
  assert.is(headline, 'Not safe as it is. Safe with variant repaired: nothing was lost.');
  assert.equal(change, ['Do as variant repaired does.']);
});

test('what cases lose is no advice about settings, but the repaired one still losing is', () => {
  const definition = scenarioSchema.parse({
    id: 'x',
    title: 't',
    question: 'q',
    group: 'rollout',
    steps: [],
    claims: [],
  });
  assert.equal(judgeScenario(definition, experiments).advice, []);
  const lossy = experiments.map((one) => ({ ...one, lanes: experiments[1]?.lanes ?? {} }));
  const { advice } = judgeScenario(definition, lossy);
  assert.is(advice.length, 1);
  assert.match(advice[0] ?? '', /^repaired still loses 12 in lane new/);
});

test('Markdown: a table of cases, and each diff in a fence that it cannot leave', () => {
  const text = renderMarkdown(results);
  assert.match(text, '| `refused` | As it stands | nothing fired at it |');
  assert.match(text, '- The version is gone. Run with it: `runs`, `repaired`.\n\n```diff\n--- before.yaml');
  assert.match(text, '`````diff\n-image: nginx\n+image: nginx:1 ````\n`````');
});

test('HTML: the same, escaped, and no word of settings', () => {
  const page = renderHtml({ results, journals: new Map() });
  assert.match(page, 'What had to be changed to run it');
  assert.match(
    page,
    '<b>The version is gone.</b> <small>Run with it: <code>runs</code>, <code>repaired</code></small>',
  );
  assert.match(page, '+new &lt;b&gt;');
  assert.match(page, '<caption>The cases of this scenario');
  assert.match(page, 'Repaired: nothing lost');
  assert.not.match(page, 'Apply these 0 settings');
});

test('where the facts say what helps, no report says beside it what usually does', () => {
  const remedy = {
    id: 'hook-too-short' as const,
    explains: ['routed-after-stop' as const],
    found: 'the preStop hook of container app sleeps 1 s, which is too short',
    todo: 'Let it sleep 5 s.',
    facts: [],
  };
  const lanes = { new: { lost: 12, cause: 'routed-after-stop' as const } };
  const own = { ...experimentResult({ variant: 'as-is', settings: [], lanes }), remedies: [remedy] };
  const one: Results = { ...run, scenarios: [{ ...scenario, experiments: [own] }] };
  for (const text of [
    renderHtml({ results: one, journals: new Map() }),
    renderForAgent({ results: one, folder: 'o' }),
  ]) {
    assert.match(
      text,
      /[Ww]hat helps: the preStop hook of container app sleeps 1 s, which is too short\. Let it sleep 5 s\./,
    );
    assert.not.match(text, /[Ww]hat helps: a preStop/);
  }
});

test('results.json stays what its schema says', () => {
  const file = new URL('../../reports/json/results.schema.json', import.meta.url);
  const ajv = new Ajv2020({ formats: { 'date-time': true }, allowUnionTypes: true });
  const validate = ajv.compile(JSON.parse(readFileSync(file, 'utf8')));
  assert.ok(validate(JSON.parse(renderJson(results))), JSON.stringify(validate.errors));
});

test.run();
