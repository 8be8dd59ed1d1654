import * as assert from 'uvu/assert';
import type { ScenarioResult, Verdict } from '../../harness/model/results.ts';
import { at, clip, count, duration, listed, percent } from '../../harness/words/figures.ts';
import { answerOf, limitsOf, suiteAnswer, suiteHeadline } from '../../reports/answer.ts';
import { beforeAfter, columnsOf, comparisons, mainColumns, worst } from '../../reports/comparison.ts';
import { sampleRun, sampleSuite } from '../data/sample-run.ts';
import { suite } from '../suite.ts';

const test = suite('report: answer');
const { results } = sampleRun();
const scenario = results.scenarios[0]!;

/** The scenario with the losses of lane kept in `hardened` replaced. */
function hardenedLoses(lost: number, verdict: Verdict): ScenarioResult {
  return {
    ...scenario,
    verdict,
    experiments: scenario.experiments.map((experiment) =>
      experiment.variant === 'hardened'
        ? { ...experiment, lanes: { ...experiment.lanes, kept: { ...experiment.lanes.kept!, lost } } }
        : experiment,
    ),
  };
}

test('figures', () => {
  const table: [string, string][] = [
    [count(6000), '6,000'],
    [count(1_234_567), '1,234,567'],
    [count(9.8), '9.80'],
    [duration(0), '0 ms'],
    [duration(0.6), '0.6 ms'],
    [duration(999.6), '1.00 s'],
    [duration(2060), '2.06 s'],
    [duration(27_100), '27.1 s'],
    [duration(125_000), '2 min 5 s'],
    [duration(7_200_000), '2 h'],
    [duration(Number.POSITIVE_INFINITY), 'not measured'],
    [at(-500), '−0.50 s'],
    [percent(0), '0 %'],
    [percent(0.0005), '0.05 %'],
    [percent(0.053), '5.3 %'],
    [percent(0.9999), '100 %'],
    [percent(0.000001), '< 0.001 %'],
    [listed(['a', 'b', 'c']), 'a, b and c'],
    [listed([]), ''],
    [clip('abcdef', 4), 'abc…'],
  ];
  for (const [actual, expected] of table) assert.is(actual, expected);
});

test('the headline says what the verdict says, and no more', () => {
  const table: [ScenarioResult, RegExp][] = [
    [scenario, /^Not safe as it is\. Safe with the 4 settings of “hardened”: nothing was lost\.$/],
    [
      hardenedLoses(1, 'proven'),
      /^Not safe as it is\. Much safer with .* but kept connections lost 1 of 4,940\.$/,
    ],
    [
      hardenedLoses(7, 'refuted'),
      /^Not safe, even with the 4 settings of “hardened”: kept connections lost 7 of/,
    ],
    [{ ...scenario, verdict: 'refuted' }, /^No: /],
    [{ ...scenario, verdict: 'unneeded' }, /no evidence/],
    [
      {
        ...scenario,
        verdict: 'inconclusive',
        experiments: scenario.experiments.map((one) => ({ ...one, valid: false })),
      },
      /^No answer yet: the measurement was not good enough/,
    ],
    [{ ...scenario, verdict: 'inconclusive' }, /^No verdict: what was measured is sound, but not all/],
    [{ ...scenario, verdict: 'faulted' }, /^No answer: the experiment failed/],
    [{ ...scenario, verdict: 'not-run', experiments: [] }, /^Not run/],
    [{ ...scenario, experiments: [], claims: scenario.claims.slice(0, 1) }, /^Yes: the claim holds\.$/],
    [
      {
        ...scenario,
        experiments: [],
        claims: scenario.claims.slice(0, 1),
        question: 'How long must it sleep?',
      },
      /^The claim holds\.$/,
    ],
    [
      {
        ...scenario,
        experiments: [],
        claims: scenario.claims.slice(0, 2).map((claim) => ({ ...claim, expected: 'fails' as const })),
      },
      /^All 2 claims are as expected\.$/,
    ],
  ];
  for (const [given, expected] of table) assert.match(answerOf(given, results).headline, expected);
});

test('only proven and unneeded scenarios are called safe', () => {
  for (const verdict of ['refuted', 'inconclusive', 'faulted', 'not-run'] as const) {
    const { headline } = answerOf({ ...scenario, verdict }, results);
    assert.not.match(headline, /(^|[^t] )[Ss]afe with|nothing was lost/, verdict);
  }
});

test('lanes are never added up: each has its own line', () => {
  const answer = answerOf(scenario, results);
  for (const line of answer.safe) {
    assert.equal(
      line.lanes.map(({ lane }) => lane),
      ['new', 'kept'],
    );
    for (const { lane, lost, attempts } of line.lanes) {
      const result = worst(line.column, lane)!.result;
      assert.equal([lost, attempts], [result.lost, result.attempts]);
    }
  }
  for (const lane of ['new', 'kept'] as const) {
    const shares = answer.why.filter((line) => line.lane === lane).reduce((sum, line) => sum + line.share, 0);
    assert.ok(Math.abs(shares - 1) < 1e-9, `${lane} ${shares}`);
  }
});

test('how sure: emulation, noise, bounds and failed validity are said', () => {
  const texts = (given: ScenarioResult, emulated = false) =>
    answerOf(given, { cluster: { ...results.cluster, emulated } })
      .sure.map((line) => `${line.tone}: ${line.text}`)
      .join('\n');
  assert.match(texts(scenario), /good: real Kubernetes v1\.34\.4/);
  assert.match(texts(scenario, true), /warn: emulated Kubernetes/);
  assert.match(texts(scenario), /0 lost means: below 0\.06 %/);
  assert.match(texts(scenario), /one run per variant/);
  const noisy = {
    ...scenario,
    experiments: scenario.experiments.map((one) => ({ ...one, control: { attempts: 100, lost: 3 } })),
  };
  assert.match(texts(noisy), /warn: the control target.*lost 6 of 200/);
  assert.match(
    texts(sampleRun({ verdict: 'inconclusive' }).results.scenarios[0]!),
    /warn: 2 experiments of 2 were not valid/,
  );
  const repeated = sampleRun({ repeats: 3 }).results.scenarios[0]!;
  assert.match(texts(repeated), /nothing lost in 3 of 3 runs with hardened/);
});

test('several repeats: the worst one speaks', () => {
  const repeated = sampleRun({ repeats: 3 }).results.scenarios[0]!;
  const { before } = beforeAfter(repeated);
  const lost = before!.experiments.map((experiment) => experiment.lanes.new!.lost);
  assert.is(worst(before!, 'new')!.result.lost, Math.max(...lost));
});

test('a run that was not valid does not speak while others are', () => {
  const { before } = beforeAfter(sampleRun({ repeats: 3 }).results.scenarios[0]!);
  const [most, ...others] = before!.experiments.toSorted((a, b) => b.lanes.new!.lost - a.lanes.new!.lost);
  const column = { ...before!, experiments: [{ ...most!, valid: false }, ...others] };
  assert.is(worst(column, 'new')!.experiment, others[0]);
  const none = { ...before!, experiments: [{ ...most!, valid: false }] };
  assert.is(worst(none, 'new')!.experiment.repeat, most!.repeat);
});

test('before is the variant without settings, after is hardened or the fullest', () => {
  const table: [string[], string | undefined, string | undefined][] = [
    [['baseline', 'hardened'], 'baseline', 'hardened'],
    [['hardened', 'baseline'], 'baseline', 'hardened'],
    [['only:preStop', 'without:preStop'], 'only:preStop', 'without:preStop'],
    [['baseline'], 'baseline', undefined],
  ];
  for (const [variants, before, after] of table) {
    const given = beforeAfter(sampleRun({ variants }).results.scenarios[0]!);
    assert.equal([given.before?.variant, given.after?.variant], [before, after], variants.join());
  }
});

test('many variants: only before and after stand beside each other', () => {
  const variants = ['baseline', 'only:preStop', 'only:surge', 'without:surge', 'hardened'];
  const given = sampleRun({ variants }).results.scenarios[0]!;
  assert.is(columnsOf(given).length, 5);
  assert.equal(
    mainColumns(given).map(({ variant }) => variant),
    ['baseline', 'hardened'],
  );
});

test('a suite is counted in scenarios, the worst named first', () => {
  const suiteResults = sampleSuite(7).results;
  assert.is(
    suiteHeadline(suiteResults.scenarios),
    '4 of 7 scenarios proven; 1 refuted (scale-down), 1 inconclusive (drain-node) and 1 not-run (autoscale).',
  );
  assert.is(suiteHeadline([]), 'No scenario was run, so nothing is proven.');
  const answer = suiteAnswer(suiteResults);
  assert.equal(
    answer.attention.map(({ name }) => name),
    ['scale-down', 'drain-node', 'autoscale'],
  );
  assert.is(answer.lossy, 6);
  assert.match(answer.safe[0]!, /6 of 6 scenarios lost connections/);
  assert.match(answer.safe[1]!, /Of 5 well-measured scenarios, none lost requests with the settings/);
  assert.equal(answer.settings, ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge']);
});

test('a suite advises only settings behind which nothing was lost, and counts what was measured again', () => {
  const lossy = { ...hardenedLoses(3, 'proven'), name: 'lossy' };
  const settings = lossy.experiments.map((one) => ({
    ...one,
    settings: one.settings.length ? ['noSurge'] : [],
  }));
  const again = {
    variant: 'hardened',
    setAside: 'a.disturbed-1',
    journal: 'a',
    reasons: ['Sent late. Slow down.'],
  };
  const { results: sample } = sampleRun();
  const answer = suiteAnswer({
    ...sample,
    scenarios: [scenario, { ...lossy, experiments: settings, measuredAgain: [again] }],
  });
  assert.not.ok(answer.settings.includes('noSurge'), answer.settings.join());
  assert.ok(answer.settings.includes('preStop'));
  assert.ok(answer.sure.some(({ text }) => text === '1 experiment disturbed and measured again'));
  const [single] = [answerOf({ ...scenario, measuredAgain: [again] }, sample)];
  assert.ok(
    single.sure.some(({ text }) => text === 'hardened was measured again: before, sent late (a.disturbed-1)'),
  );
});

test('limits: what was not measured is said', () => {
  const text = (given: typeof results) => limitsOf(given).join('\n');
  assert.match(text(results), /Measured on one cluster: rollproof/);
  assert.match(text(results), /ran once/);
  assert.not.match(text(sampleRun({ repeats: 2 }).results), /ran once/);
  assert.match(text(results), /No long requests/);
  assert.match(text(sampleRun({ emulated: true }).results), /This was emulated Kubernetes/);
  assert.match(text(sampleSuite(7).results), /Not run, so not proven: autoscale/);
  const unaligned = {
    ...results,
    scenarios: [
      {
        ...scenario,
        experiments: scenario.experiments.map((one) => ({
          ...one,
          clock: { errorMs: Number.POSITIVE_INFINITY },
        })),
      },
    ],
  };
  assert.match(text(unaligned), /clocks .* were not aligned/);
});

test('paths are shown apart, and the one that lost most decides what is said first', () => {
  const over = (path: string, lost: number) =>
    hardenedLoses(lost, 'refuted').experiments.map((experiment) => ({ ...experiment, path }));
  const both = {
    ...hardenedLoses(0, 'refuted'),
    experiments: [...over('cluster-ip', 0), ...over('outside', 7)],
  };
  assert.equal(
    comparisons(both).map(({ before, after }) => [before?.label, after?.label]),
    [
      ['baseline, cluster-ip', 'hardened, cluster-ip'],
      ['baseline, outside', 'hardened, outside'],
    ],
  );
  assert.is(beforeAfter(both).after?.label, 'hardened, outside');
  const answer = answerOf(both, results);
  assert.match(answer.headline, /^Not safe, even with .* kept connections lost 7 of/);
  assert.equal(
    answer.safe.map(({ column, role }) => `${role}: ${column.label}`),
    [
      'before: baseline, cluster-ip',
      'after: hardened, cluster-ip',
      'before: baseline, outside',
      'after: hardened, outside',
    ],
  );
  const three = { ...both, experiments: [...both.experiments, ...over('node-port', 0)] };
  assert.is(mainColumns(three).length, 6, 'no path is left out');
});

test.run();
