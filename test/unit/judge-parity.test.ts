// What compare-twin steps recorded becomes measures; what this machine could not measure is not-run, with the reason.
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { judgeScenario } from '../../harness/judge/scenario.ts';
import { type ScenarioInput, scenarioSchema } from '../../harness/model/scenario.ts';
import { answerOf } from '../../reports/answer.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: parity');

const noDifference: ScenarioInput['claims'][number] = {
  id: 'no-difference',
  text: 'Nothing differs.',
  source: 'documentation',
  that: [{ measure: 'differences', equals: 0 }, { measure: 'differenceList' }, { measure: 'kubectlVersion' }],
};
const served: ScenarioInput['claims'][number] = {
  id: 'served',
  text: 'Requests were sent.',
  source: 'documentation',
  that: [{ measure: 'attempts', atLeast: 1 }],
};

type Detail = Readonly<Record<string, unknown>>;

async function judged(claims: ScenarioInput['claims'], details: readonly Detail[]) {
  const journal = new JournalBuilder();
  journal.step(
    900,
    { step: 'twin' },
    950,
    details.some(({ notRun }) => notRun) ? details[0] : { kubectlVersion: 'v1.33.1' },
  );
  details.forEach((detail, index) => {
    journal.step(
      1000 + index * 100,
      { step: 'compare-twin', as: `action ${index + 1}` },
      1050 + index * 100,
      detail,
    );
  });
  journal.lane('new', { durationMs: 4000 });
  const experiment = judgeExperiment(await readJournal(journal.lines()));
  const scenario = scenarioSchema.parse({
    id: 'parity',
    title: 't',
    question: 'q?',
    group: 'rollout',
    steps: [],
    claims,
  });
  return { experiment, result: judgeScenario(scenario, [experiment]) };
}

test('differences are counted over all comparisons, and listed', async () => {
  const { experiment, result } = await judged(
    [noDifference],
    [
      { as: 'action 1', compared: 300, differences: [] },
      {
        as: 'action 2',
        compared: 310,
        differences: ['spec.paused: ours true, kubectl’s missing', 'x: ours 1, kubectl’s 2'],
      },
    ],
  );
  const { comparisons, fieldsCompared, differences, differenceList, kubectlVersion } = experiment.measures;
  assert.equal([comparisons, fieldsCompared, differences, kubectlVersion], [2, 610, 2, 'v1.33.1']);
  assert.is(
    differenceList,
    'action 2: spec.paused: ours true, kubectl’s missing; action 2: x: ours 1, kubectl’s 2',
  );
  assert.is(result.verdict, 'refuted');
  assert.match(result.claims[0]?.measured ?? '', /differences 2.*spec\.paused/);
});

test('none at all is proven, and says so', async () => {
  const { experiment, result } = await judged([noDifference], [{ as: 'a', compared: 300, differences: [] }]);
  assert.is(experiment.measures.differenceList, 'none');
  assert.is(result.verdict, 'proven');
});

const missing = { notRun: 'there is no kubectl on the PATH' };

test('without kubectl that claim is not-run, and the verdict rests on the others', async () => {
  const { experiment, result } = await judged([noDifference, served], [missing]);
  assert.is(experiment.measures.differences, undefined);
  assert.equal(
    result.claims.map(({ id, result: one }) => [id, one]),
    [
      ['no-difference', 'not-run'],
      ['served', 'holds'],
    ],
  );
  assert.is(result.claims[0]?.measured, 'not measured: there is no kubectl on the PATH');
  assert.is(result.verdict, 'proven');
  assert.match(result.reason, /The claim holds\. Not run: “Nothing differs” \(.*no kubectl on the PATH/);
  const { headline, sure } = answerOf(result, {
    cluster: {
      emulated: true,
      kubernetesVersion: 'v1.34.4',
      name: 'x',
      kind: 'embedded',
      nodes: [],
      proxyMode: '',
      notes: [],
    },
  });
  assert.is(headline, 'The claim that could be tested here holds.');
  assert.match(sure.map(({ text }) => text).join(), /1 of 2 claims came out as expected, 1 not run/);
});

test('a scenario of which nothing could be tested is not-run', async () => {
  const { result } = await judged([noDifference], [missing]);
  assert.is(result.verdict, 'not-run');
  assert.match(result.reason, /no kubectl on the PATH/);
});

test('a comparison that never came is undecided: no data is no pass', async () => {
  const { result } = await judged([noDifference], []);
  assert.is(result.claims[0]?.result, 'undecided');
  assert.is(result.verdict, 'inconclusive');
});

test.run();
