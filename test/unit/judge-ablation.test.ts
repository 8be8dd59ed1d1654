import * as assert from 'uvu/assert';
import { judgeAblation } from '../../harness/judge/ablation.ts';
import {
  type ExperimentSaid,
  experimentResult,
  hardenedSettings,
  type LaneSaid,
} from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('judge: ablation');

/** What kind measured (measured-on-kind.md), completed: lost per lane for each combination of the four settings. */
type Cells = Readonly<Record<string, { new: number | LaneSaid; kept: number | LaneSaid }>>;
const kind: Cells = {
  baseline: { new: 320, kept: 76 },
  'only readinessProbe': { new: { lost: 138, cause: 'routed-after-stop' }, kept: 52 },
  'only preStop': { new: 310, kept: { lost: 15, cause: 'kept-connection-cut' } },
  'only gracefulShutdown': { new: 300, kept: 40 },
  'only surge': { new: 325, kept: 70 },
  'without readinessProbe': { new: 290, kept: 20 },
  'without preStop': { new: 0, kept: 0 },
  'without gracefulShutdown': { new: 0, kept: { lost: 11, cause: 'kept-connection-cut' } },
  'without surge': { new: 0, kept: 0 },
  all: { new: 0, kept: 0 },
};

function experiments(cells: Cells, settings = hardenedSettings): ReturnType<typeof experimentResult>[] {
  return Object.entries(cells).map(([label, lanes]) => {
    const [word, name] = label.split(' ');
    const on =
      word === 'only'
        ? [name as string]
        : word === 'without'
          ? settings.filter((one) => one !== name)
          : word === 'all'
            ? settings
            : [];
    const said: ExperimentSaid = { variant: label.replace(' ', ':'), settings: on, lanes };
    return experimentResult(said);
  });
}

test('there is no ablation without single settings', () => {
  assert.is(judgeAblation([]), undefined);
  assert.is(
    judgeAblation(experiments({ baseline: { new: 1, kept: 1 }, all: { new: 0, kept: 0 } })),
    undefined,
  );
});

test('rows in order, with losses and causes per lane', () => {
  const ablation = judgeAblation(experiments(kind).reverse());
  assert.equal(
    ablation?.rows.map((row) => [row.label, row.lanes.new?.lost, row.lanes.kept?.lost]),
    [
      ['baseline', 320, 76],
      ['only readinessProbe', 138, 52],
      ['only preStop', 310, 15],
      ['only gracefulShutdown', 300, 40],
      ['only surge', 325, 70],
      ['all but readinessProbe', 290, 20],
      ['all but preStop', 0, 0],
      ['all but gracefulShutdown', 0, 11],
      ['all but surge', 0, 0],
      ['all', 0, 0],
    ],
  );
  assert.equal(ablation?.rows[1]?.lanes.new?.causes, { 'routed-after-stop': 138 });
});

test('what each setting does in each lane', () => {
  const ablation = judgeAblation(experiments(kind));
  assert.equal(
    ablation?.effects.map(({ setting, lane, effect }) => [lane, setting, effect]),
    [
      ['new', 'readinessProbe', 'needed'],
      ['new', 'preStop', 'not-needed'],
      ['new', 'gracefulShutdown', 'not-needed'],
      ['new', 'surge', 'not-needed'],
      ['kept', 'readinessProbe', 'needed'],
      ['kept', 'preStop', 'helps'],
      ['kept', 'gracefulShutdown', 'needed'],
      ['kept', 'surge', 'not-needed'],
    ],
  );
  const probe = ablation?.effects[0];
  assert.is(
    probe?.text,
    'readinessProbe is needed in lane new: without it 290 of 6,000 are lost (mostly because they were routed to pods that did not listen yet), with all settings 0 of 6,000.',
  );
});

test('two settings that need each other', () => {
  const ablation = judgeAblation(experiments(kind));
  assert.equal(
    ablation?.pairs.map(({ lane, settings }) => [lane, ...settings]),
    [['kept', 'readinessProbe', 'gracefulShutdown']],
  );
  const classic: Cells = {
    baseline: { new: 320, kept: 0 },
    'only readinessProbe': { new: 138, kept: 0 },
    'only preStop': { new: 310, kept: 0 },
    all: { new: 0, kept: 0 },
  };
  const two = judgeAblation(experiments(classic, ['readinessProbe', 'preStop']));
  assert.equal(
    two?.pairs.map(({ text }) => text),
    [
      'readinessProbe and preStop need each other in lane new: alone they lose 138 of 6,000 and 310 of 6,000, with all settings nothing is lost.',
    ],
  );
  assert.equal(
    two?.effects.filter(({ lane }) => lane === 'new').map(({ effect }) => effect),
    ['needed', 'needed'],
  );
});

test('advice: what to keep, and what was not needed here', () => {
  const advice = judgeAblation(experiments(kind))?.advice ?? [];
  assert.match(
    advice[0] as string,
    /^Keep readinessProbe\. readinessProbe is needed in lane new: .* readinessProbe is needed in lane kept: /,
  );
  assert.match(
    advice[1] as string,
    /^preStop was not needed here: .*new 0 of 6,000 and kept 0 of 6,000.*elsewhere routing may lag longer/,
  );
  assert.match(advice[2] as string, /^Keep gracefulShutdown\. .*lane kept: without it 11 of 6,000 are lost/);
  assert.match(advice[3] as string, /^surge was not needed here/);
  assert.match(
    advice[4] as string,
    /^Do not leave out preStop and surge together.*--variants readinessProbe\+gracefulShutdown\.$/,
  );
  assert.is(advice.length, 6);
});

test('other effects', () => {
  const b = { 'only b': { new: 300, kept: 0 } };
  const rows: [string, Cells, string][] = [
    ['enough alone', { baseline: { new: 300, kept: 0 }, 'only a': { new: 0, kept: 0 }, ...b }, 'enough'],
    ['worse alone', { baseline: { new: 10, kept: 0 }, 'only a': { new: 300, kept: 0 }, ...b }, 'harms'],
    [
      'the same within chance',
      { baseline: { new: 300, kept: 0 }, 'only a': { new: 295, kept: 0 }, ...b },
      'no-effect',
    ],
    [
      'nothing is ever lost',
      { baseline: { new: 0, kept: 0 }, 'without a': { new: 0, kept: 0 }, all: { new: 0, kept: 0 } },
      'no-effect',
    ],
    [
      'the rows that tell are missing',
      { 'without a': { new: 3, kept: 0 }, 'only a': { new: 4, kept: 0 } },
      'undecided',
    ],
    [
      'one loss: needed, and said to be few',
      { 'without a': { new: 1, kept: 0 }, all: { new: 0, kept: 0 } },
      'needed',
    ],
  ];
  for (const [name, cells, expected] of rows) {
    const ablation = judgeAblation([...experiments(cells, ['a', 'b', 'c'])]);
    const effect = ablation?.effects.find((one) => one.lane === 'new' && one.setting === 'a');
    assert.is(effect?.effect, expected, name);
    if (expected === 'needed') assert.match(effect?.text ?? '', /few losses: repeat to be sure/);
  }
});

test('repeats add up; runs that are not valid stay out', () => {
  const [baseline, only] = experiments({
    baseline: { new: 100, kept: 0 },
    'only preStop': { new: 4, kept: 0 },
  });
  const again = experimentResult({
    variant: 'only:preStop',
    settings: ['preStop'],
    lanes: { new: 6 },
    repeat: 1,
  });
  const bad = experimentResult({
    variant: 'only:preStop',
    settings: ['preStop'],
    lanes: { new: 900 },
    repeat: 2,
    invalid: 'shed',
  });
  const other = experimentResult({ variant: 'only:surge', settings: ['surge'], lanes: { new: 90 } });
  const ablation = judgeAblation([baseline, only, again, bad, other].filter((one) => one !== undefined));
  const row = ablation?.rows.find((one) => one.label === 'only preStop');
  assert.equal(
    [row?.runs, row?.validRuns, row?.lanes.new?.lost, row?.lanes.new?.attempts],
    [3, 2, 10, 12_000],
  );
});

test.run();
