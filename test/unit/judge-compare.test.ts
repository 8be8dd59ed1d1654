import * as assert from 'uvu/assert';
import { compareRuns } from '../../harness/judge/compare.ts';
import { gateExitCode, passGate } from '../../harness/judge/gate.ts';
import { historyLine, lastGreen, parseHistory, summarizeRun } from '../../harness/judge/summarize.ts';
import type { Results } from '../../harness/model/results.ts';
import { type ExperimentSaid, runResults } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('judge: comparison, gate and history');

const compare = (before: Results, after: Results) => compareRuns(summarizeRun(before), summarizeRun(after));
const hardened = (lanes: ExperimentSaid['lanes'], more: Partial<ExperimentSaid> = {}): ExperimentSaid => ({
  variant: 'hardened',
  lanes,
  ...more,
});

test('two watches: one sentence says whether it helped, with intervals', () => {
  const watched = (lost: number, verdict: 'lost' | 'clean') =>
    runResults([{ variant: 'watched', lanes: { new: lost } }], { verdict });
  const said = (before: Results, after: Results) => compare(before, after).scenarios[0]?.watched;
  assert.is(
    said(watched(200, 'lost'), watched(0, 'clean')),
    'It lost less than before: lane new 200 of 6,000 (3.3 %; 2.9 % to 3.8 %) before, none of 6,000 (at most 0.05 %) now.',
  );
  assert.match(said(watched(20, 'lost'), watched(16, 'lost')) ?? '', /^No difference beyond chance: /);
  assert.match(said(watched(0, 'clean'), watched(40, 'lost')) ?? '', /^It lost more than before: /);
  assert.is(said(runResults([hardened({ new: 0 })]), runResults([hardened({ new: 0 })])), undefined);
});

test('what changed between two runs', () => {
  const table: [string, Results, Results, string, RegExp | undefined][] = [
    ['nothing', runResults([hardened({ new: 0 })]), runResults([hardened({ new: 0 })]), 'same', undefined],
    [
      'one loss where there was none',
      runResults([hardened({ new: 0 })]),
      runResults([hardened({ new: 1 })]),
      'worse',
      /^image-change is worse: proven; hardened, lane new: lost 0 of 6,000 → 1 of 6,000\.$/,
    ],
    [
      'fewer, within chance',
      runResults([hardened({ new: 20 })]),
      runResults([hardened({ new: 16 })]),
      'same',
      undefined,
    ],
    [
      'fewer, beyond chance',
      runResults([hardened({ new: 200 })]),
      runResults([hardened({ new: 20 })]),
      'better',
      /lost 200 of 6,000 → 20 of 6,000/,
    ],
    [
      'a longer outage with as many losses',
      runResults([hardened({ new: { lost: 20, outageMs: 100 } })]),
      runResults([hardened({ new: { lost: 20, outageMs: 900 } })]),
      'worse',
      /longest outage 100 ms → 900 ms/,
    ],
    [
      'another verdict',
      runResults([hardened({ new: 3 })], { verdict: 'refuted' }),
      runResults([hardened({ new: 3 })], { verdict: 'proven' }),
      'better',
      /refuted → proven/,
    ],
    [
      'not judged now',
      runResults([hardened({ new: 0 })]),
      runResults([hardened({ new: 0 }, { invalid: 'shed' })], { verdict: 'inconclusive' }),
      'unclear',
      /not comparable: proven → inconclusive/,
    ],
    [
      'a rollout that takes longer costs, no more',
      runResults([hardened({ new: 0 })]),
      runResults([hardened({ new: 0 }, { rolloutMs: 60_000 })]),
      'same',
      undefined,
    ],
  ];
  for (const [name, before, after, change, sentence] of table) {
    const comparison = compare(before, after);
    assert.is(comparison.scenarios[0]?.change, change, name);
    if (sentence) assert.match(comparison.summary[0] ?? '', sentence, name);
    else assert.equal(comparison.summary, [], name);
  }
});

test('cost is compared too: rollout, extra and lost pod-seconds', () => {
  const { scenarios } = compare(
    runResults([hardened({ new: 0 })]),
    runResults([hardened({ new: 0 }, { rolloutMs: null })]),
  );
  const cost = scenarios[0]?.figures
    .filter((figure) => figure.lane === undefined)
    .map(({ figure, change }) => [figure, change]);
  assert.equal(cost, [
    ['rolloutMs', 'unclear'],
    ['extraPodSeconds', 'same'],
    ['capacityLostPodSeconds', 'same'],
  ]);
});

test('new and gone scenarios; other clusters and versions are said', () => {
  const before = runResults([hardened({ new: 0 })], { scenario: 'scale-up' });
  const after = runResults([hardened({ new: 0 })], {
    cluster: { ...before.cluster, kind: 'embedded', emulated: true },
    tool: { name: 'rollproof', version: '0.2.0', commit: 'abc' },
  });
  const comparison = compare(before, after);
  assert.equal(comparison.summary, ['scale-up is gone; it was proven.', 'image-change is new: proven.']);
  assert.equal(comparison.notes, [
    'Another kind of cluster: kind before, embedded (emulated) after.',
    'Another version of rollproof: 0.1.0 before, 0.2.0 (abc) after.',
  ]);
});

test('the gate names the line that was crossed', () => {
  const rules = { variants: ['hardened'] };
  const green = summarizeRun(runResults([hardened({ new: 0, kept: 2 })], { runId: 'run0' }));
  const table: [string, ExperimentSaid[], object, string, RegExp | undefined][] = [
    ['no rule', [hardened({ new: 9 })], {}, 'passed', undefined],
    ['within', [hardened({ new: 0, kept: 3 })], { maxLost: { new: 0, kept: 3 } }, 'passed', undefined],
    [
      'too many lost',
      [hardened({ new: 1 })],
      { maxLost: { new: 0 } },
      'crossed',
      /^image-change, hardened: lane new lost 1 of 6,000, gate\.maxLost\.new allows 0$/,
    ],
    [
      'other variants are not gated',
      [hardened({ new: 0 }), { variant: 'baseline', lanes: { new: 300 } }],
      { maxLost: { new: 0 } },
      'passed',
      undefined,
    ],
    [
      'outage',
      [hardened({ new: { lost: 3, outageMs: 2500 } })],
      { maxOutageMs: 1000 },
      'crossed',
      /lane new had an outage of 2\.50 s, gate\.maxOutageMs allows 1\.00 s/,
    ],
    [
      'each repeat must keep it',
      [hardened({ new: 0 }), hardened({ new: 2 }, { repeat: 1 })],
      { maxLost: { new: 1 } },
      'crossed',
      /hardened, run 2: lane new lost 2/,
    ],
    [
      'not measured well',
      [hardened({ new: 0 }, { invalid: 'Lane new shed 90.' })],
      { maxLost: { new: 0 } },
      'undecided',
      /Lane new shed 90\./,
    ],
    [
      'nothing to look at',
      [{ variant: 'baseline', lanes: { new: 3 } }],
      { maxLost: { new: 0 } },
      'undecided',
      /No experiment of variant hardened ran/,
    ],
    [
      'worse than the last green run',
      [hardened({ new: 4, kept: 2 })],
      { noWorseThanLastGreen: true },
      'crossed',
      /image-change, hardened, lane new: lost 0 of 6,000 → 4 of 6,000, worse than the last green run \(run0, /,
    ],
    [
      'as good as the last green run',
      [hardened({ new: 0, kept: 2 })],
      { noWorseThanLastGreen: true },
      'passed',
      undefined,
    ],
  ];
  for (const [name, said, rule, state, text] of table) {
    const result = passGate(runResults(said), { ...rules, ...rule }, green);
    assert.is(result.state, state, name);
    if (text) assert.match(result.crossed[0]?.text ?? result.undecided[0] ?? '', text, name);
    assert.is(gateExitCode(result), { passed: 0, crossed: 1, undecided: 2 }[result.state], name);
  }
  assert.is(
    passGate(runResults([hardened({ new: 0 })]), { ...rules, noWorseThanLastGreen: true }).state,
    'passed',
    'no green run yet',
  );
});

test('history: appended lines, the last green run of the same kind of cluster', () => {
  const at = (day: number) => `2026-01-0${day}T00:00:00.000Z`;
  const good = runResults([hardened({ new: 0 })], { runId: 'a', startedAt: at(1) });
  const red = runResults([hardened({ new: 5 })], { runId: 'b', startedAt: at(2), exitCode: 1 });
  const emulated = runResults([hardened({ new: 0 })], {
    runId: 'c',
    startedAt: at(3),
    cluster: { ...good.cluster, kind: 'embedded', emulated: true },
  });
  const crossed = runResults([hardened({ new: 0 })], { runId: 'd', startedAt: at(4) });
  const now = summarizeRun(runResults([hardened({ new: 0 })], { runId: 'e', startedAt: at(5) }));
  const gate = passGate(crossed, { variants: ['none'] });
  const text = [
    summarizeRun(good),
    summarizeRun(red),
    summarizeRun(emulated),
    summarizeRun(crossed, gate),
    now,
  ]
    .map((summary) => `${historyLine(summary)}\n`)
    .join('');
  const { runs, warnings } = parseHistory(text);
  assert.equal(warnings, []);
  assert.equal(
    runs.map((run) => [run.runId, run.green]),
    [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
      ['e', true],
    ],
  );
  assert.is(lastGreen(runs, now)?.runId, 'a');
  assert.is(lastGreen([], now), undefined);
  const ofWeb = { ...now, target: 'Deployment/web' };
  const [a] = runs.map((run) => ({ ...run, target: 'Deployment/api' }));
  assert.is(a && lastGreen([a], ofWeb), undefined, 'of another workload');
});

test('history: a last line that was cut off is left out, other damage is refused with its line', () => {
  const line = historyLine(summarizeRun(runResults([hardened({ new: 0 })])));
  const cut = parseHistory(`${line}\n${line.slice(0, 50)}`, 'history.ndjson');
  assert.equal([cut.runs.length, cut.warnings], [1, ['history.ndjson: line 2 was cut off and is left out.']]);
  assert.throws(() => parseHistory(`${line.slice(0, 50)}\n${line}\n`, 'h'), /^h: line 1 is not JSON/);
  assert.throws(() => parseHistory(`{"schemaVersion":1}\n`, 'h'), /^h: line 1, field runId: /);
});

test.run();
