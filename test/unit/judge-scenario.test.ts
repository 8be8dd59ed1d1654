import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { judgeRun, type RunJournal } from '../../harness/judge/run.ts';
import { judgeScenario } from '../../harness/judge/scenario.ts';
import type { ExperimentResult, LaneResult, Verdict } from '../../harness/model/results.ts';
import { type ScenarioInput, scenarioSchema } from '../../harness/model/scenario.ts';
import { JournalBuilder, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: claims and verdicts');

type ClaimInput = ScenarioInput['claims'][number];
const baselineLoses: ClaimInput = {
  id: 'baseline-loses',
  text: 'Without the settings, new connections are lost.',
  source: 'article',
  appliesTo: { variant: 'baseline', lane: 'new' },
  that: [{ measure: 'lost', atLeast: 1 }],
  role: 'baseline-loses',
};
const baselineCause: ClaimInput = {
  id: 'baseline-cause',
  text: 'They go to pods that do not listen yet.',
  source: 'article',
  appliesTo: { variant: 'baseline', lane: 'new' },
  that: [{ measure: 'cause:routed-before-listening', atLeast: 1 }],
};
const hardenedSafe: ClaimInput = {
  id: 'hardened-safe',
  text: 'With the settings, no new connection is lost.',
  source: 'article',
  appliesTo: { variant: 'hardened', lane: 'new' },
  that: [{ measure: 'lost', atMost: 0 }],
  role: 'hardened-safe',
};
const published: ClaimInput = {
  id: 'article-30s',
  text: 'A pod is ready after about 30 s at best.',
  source: 'article',
  that: [{ measure: 'readyAfterStartMsMin', atLeast: 25_000 }],
  expected: 'fails',
  because: 'the kubelet probes at once',
};

const scenario = (claims: readonly ClaimInput[]) =>
  scenarioSchema.parse({
    id: 'image-change',
    title: 't',
    question: 'q',
    group: 'connections',
    steps: [],
    claims,
  });

const emptyLane = async (): Promise<LaneResult> => {
  const journal = new JournalBuilder().lane('new', { durationMs: 1000 }).endpoints(-1, {});
  return judgeExperiment(await readJournal(journal.lines())).lanes.new as LaneResult;
};
const base = await emptyLane();

interface Said {
  readonly variant: string;
  readonly settings?: readonly string[];
  readonly lost?: number;
  readonly kept?: number;
  readonly cause?: string;
  readonly invalid?: string;
  readonly status?: ExperimentResult['status'];
  readonly repeat?: number;
  readonly measures?: Record<string, number | string>;
  readonly path?: string;
}

function experiment(said: Said): ExperimentResult {
  const { variant, lost = 0, kept, cause = 'routed-before-listening', invalid, status = 'complete' } = said;
  const laneOf = (count: number): LaneResult => ({
    ...base,
    scheduled: 6000,
    attempts: 6000,
    lost: count,
    outcomes: count > 0 ? { ok: 6000 - count, refused: count } : { ok: 6000 },
    causes: count > 0 ? { [cause]: count } : {},
    windows:
      count > 0
        ? [
            {
              startMs: 100,
              endMs: 200,
              lost: count,
              outcomes: { refused: count },
              causes: [
                {
                  cause: cause as 'unknown',
                  lost: count,
                  pods: ['web-1'],
                  facts: [{ text: 'pod web-1 listened from 5.00 s on', line: 7 }],
                  confidence: 'high',
                },
              ],
            },
          ]
        : [],
  });
  const lanes = { new: laneOf(lost), ...(kept !== undefined && { kept: laneOf(kept) }) };
  return {
    variant,
    settings:
      said.settings ??
      (variant === 'baseline' ? [] : ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge']),
    path: said.path ?? 'cluster-ip',
    agents: 1,
    repeat: said.repeat ?? 0,
    journal: `${variant}.ndjson`,
    status,
    valid: status === 'complete' && invalid === undefined,
    invalid: invalid === undefined ? [] : [invalid],
    rollout: {
      completedMs: 6000,
      settledMs: 9000,
      minReady: 3,
      maxPodsNotTerminating: 4,
      maxPods: 6,
      capacityLostPodSeconds: 0,
      extraPodSeconds: 4,
    },
    control: { attempts: 600, lost: 0 },
    clock: { errorMs: 2 },
    durationMs: 30_000,
    loadMs: 28_000,
    lanes,
    measures: {
      'new.lost': lost,
      'new.attempts': 6000,
      'new.cause:routed-before-listening': cause === 'routed-before-listening' ? lost : 0,
      ...(kept !== undefined && { 'kept.lost': kept }),
      minReady: 3,
      ...said.measures,
    },
  };
}

const table: Readonly<
  Record<string, { claims: readonly ClaimInput[]; said: readonly Said[]; verdict: Verdict; reason: RegExp }>
> = {
  proven: {
    claims: [baselineLoses, baselineCause, hardenedSafe],
    said: [{ variant: 'baseline', lost: 320 }, { variant: 'hardened' }],
    verdict: 'proven',
    reason:
      /^Baseline lost 320 of 6,000 \(new\); hardened lost 0 of 6,000 \(new, at most 0.05 %\)\. All 3 claims hold\.$/,
  },
  'unneeded: nothing to protect from, and no cause to name': {
    claims: [baselineLoses, baselineCause, hardenedSafe],
    said: [{ variant: 'baseline' }, { variant: 'hardened' }],
    verdict: 'unneeded',
    reason: /Nothing was lost without the settings \(baseline, lane new\), so there is no evidence/,
  },
  'refuted: hardened loses': {
    claims: [baselineLoses, hardenedSafe],
    said: [
      { variant: 'baseline', lost: 320 },
      { variant: 'hardened', lost: 5 },
    ],
    verdict: 'refuted',
    reason:
      /“With the settings, no new connection is lost” \(lost = 0\). Measured in hardened: lost \(new\) 5 of 6,000. First fact: pod web-1 listened/,
  },
  'refuted although the baseline lost nothing': {
    claims: [baselineLoses, hardenedSafe],
    said: [{ variant: 'baseline' }, { variant: 'hardened', lost: 5 }],
    verdict: 'refuted',
    reason: /Measured in hardened/,
  },
  'refuted: the baseline loses, but not for the reason claimed': {
    claims: [baselineLoses, baselineCause, hardenedSafe],
    said: [{ variant: 'baseline', lost: 5, cause: 'routed-after-stop' }, { variant: 'hardened' }],
    verdict: 'refuted',
    reason: /cause:routed-before-listening ≥ 1/,
  },
  'inconclusive: one measurement was not good enough': {
    claims: [baselineLoses, hardenedSafe],
    said: [
      { variant: 'baseline', lost: 320 },
      { variant: 'hardened', invalid: 'Lane new shed 90 of 6000. Lower the rate.' },
    ],
    verdict: 'inconclusive',
    reason: /^Variant hardened: Lane new shed 90 of 6000. Lower the rate.$/,
  },
  'inconclusive: an invalid run that lost proves nothing either': {
    claims: [hardenedSafe],
    said: [{ variant: 'hardened', lost: 9, invalid: 'The control target lost. Use a less busy machine.' }],
    verdict: 'inconclusive',
    reason: /control target/,
  },
  'inconclusive: the variant did not run': {
    claims: [baselineLoses, hardenedSafe],
    said: [{ variant: 'baseline', lost: 3 }],
    verdict: 'inconclusive',
    reason: /^hardened did not run, so nothing is said of it\. Baseline lost 3 of/,
  },
  'inconclusive: the measure does not exist': {
    claims: [{ ...hardenedSafe, that: [{ measure: 'lostt', atMost: 0 }] }],
    said: [{ variant: 'hardened' }],
    verdict: 'inconclusive',
    reason: /lostt was not measured/,
  },
  'inconclusive: nothing is claimed': {
    claims: [],
    said: [{ variant: 'baseline', lost: 3 }],
    verdict: 'inconclusive',
    reason: /claims nothing/,
  },
  'inconclusive: interrupted': {
    claims: [hardenedSafe],
    said: [
      { variant: 'hardened', status: 'interrupted', invalid: 'Interrupted before its end; run it again.' },
    ],
    verdict: 'inconclusive',
    reason: /Interrupted before its end/,
  },
  faulted: {
    claims: [baselineLoses, hardenedSafe],
    said: [
      { variant: 'baseline', status: 'faulted', invalid: 'The experiment failed: image pull.' },
      { variant: 'hardened', lost: 7 },
    ],
    verdict: 'faulted',
    reason: /^Variant baseline: The experiment failed: image pull.$/,
  },
  'not-run: there is no experiment': {
    claims: [hardenedSafe],
    said: [],
    verdict: 'not-run',
    reason: /No experiment/,
  },
  'proven: a published claim is contradicted, as expected': {
    claims: [hardenedSafe, published],
    said: [{ variant: 'hardened', measures: { readyAfterStartMsMin: 1000 } }],
    verdict: 'proven',
    reason: /The claim holds. 1 published claim is contradicted, as expected./,
  },
  'proven: a published claim that was expected to fail holds': {
    claims: [hardenedSafe, published],
    said: [{ variant: 'hardened', measures: { readyAfterStartMsMin: 31_000 } }],
    verdict: 'proven',
    reason: /1 claim expected to fail held here: “A pod is ready/,
  },
  'inconclusive: a published claim that could not be measured': {
    claims: [hardenedSafe, published],
    said: [{ variant: 'hardened' }],
    verdict: 'inconclusive',
    reason: /readyAfterStartMsMin was not measured/,
  },
  'proven by facts alone': {
    claims: [
      {
        ...hardenedSafe,
        id: 'fact',
        role: 'fact',
        appliesTo: {},
        that: [{ measure: 'minReady', atLeast: 3 }],
      },
    ],
    said: [{ variant: 'hardened' }],
    verdict: 'proven',
    reason: /The claim holds/,
  },
  'a bound without a lane must hold in every lane': {
    claims: [{ ...hardenedSafe, appliesTo: { variant: 'hardened' } }],
    said: [{ variant: 'hardened', kept: 1 }],
    verdict: 'refuted',
    reason: /lost \(new\) 0 of 6,000, lost \(kept\) 1 of 6,000/,
  },
  'a lower bound without a lane must hold in one lane': {
    claims: [{ ...baselineLoses, appliesTo: { variant: 'baseline' } }],
    said: [{ variant: 'baseline', kept: 1 }],
    verdict: 'proven',
    reason: /All|claim holds/,
  },
  'repeats: safe must hold in all of them': {
    claims: [baselineLoses, hardenedSafe],
    said: [0, 1, 2].flatMap((repeat) => [
      { variant: 'baseline', lost: 100 + repeat, repeat },
      { variant: 'hardened', lost: repeat === 2 ? 1 : 0, repeat },
    ]),
    verdict: 'refuted',
    reason: /holds in 2 of 3 \(run 1: .*\) .*\(1 of 3 repeats say refuted\)$/s,
  },
  'repeats: the baseline needs to lose in one of them': {
    claims: [baselineLoses, hardenedSafe],
    said: [0, 1, 2].flatMap((repeat) => [
      { variant: 'baseline', lost: repeat === 1 ? 4 : 0, repeat },
      { variant: 'hardened', repeat },
    ]),
    verdict: 'proven',
    reason: /\(1 of 3 repeats say proven\)$/,
  },
  'repeats: all alike': {
    claims: [baselineLoses, hardenedSafe],
    said: [0, 1].flatMap((repeat) => [
      { variant: 'baseline', lost: 9, repeat },
      { variant: 'hardened', repeat },
    ]),
    verdict: 'proven',
    reason: /Baseline lost 18 of 12,000 .*\(2 of 2 repeats say proven\)$/,
  },
};

for (const [name, { claims, said, verdict, reason }] of Object.entries(table)) {
  test(name, () => {
    const result = judgeScenario(scenario(claims), said.map(experiment));
    assert.is(result.verdict, verdict, result.reason);
    assert.match(result.reason, reason);
  });
}

test('what the cluster cannot run and what could not be deployed', () => {
  const { verdict, reason } = judgeScenario(scenario([hardenedSafe]), [], {
    notRun: 'It needs 3 nodes; there is 1.',
  });
  assert.equal([verdict, reason], ['not-run', 'It needs 3 nodes; there is 1.']);
  const undeployed = judgeScenario(scenario([hardenedSafe]), [experiment({ variant: 'hardened' })], {
    undeployed: [{ variant: 'baseline', reason: 'could not be deployed: ErrImagePull.' }],
  });
  assert.equal(
    [undeployed.verdict, undeployed.reason],
    ['faulted', 'Variant baseline could not be deployed: ErrImagePull.'],
  );
});

test('bounds in words, and what they accept', () => {
  const bounds: [object, number | string, string, 'holds' | 'fails'][] = [
    [{ equals: 3 }, 3, 'm = 3', 'holds'],
    [{ equals: 'a>b' }, 'a>b', 'm = "a>b"', 'holds'],
    [{ equals: 'a>b' }, 'a', 'm = "a>b"', 'fails'],
    [{ atMost: 0 }, 0, 'm = 0', 'holds'],
    [{ atMost: 10 }, 11, 'm ≤ 10', 'fails'],
    [{ atLeast: 1500 }, 1500, 'm ≥ 1,500', 'holds'],
    [{ atLeast: 1, atMost: 2 }, 3, 'm 1 to 2', 'fails'],
    [{ atLeast: 1 }, 'text', 'm ≥ 1', 'fails'],
    [{}, 0, 'm is measured', 'holds'],
  ];
  for (const [bound, value, expect, expected] of bounds) {
    const claim = {
      ...hardenedSafe,
      appliesTo: {},
      role: 'fact' as const,
      that: [{ measure: 'm', ...bound }],
    };
    const { claims } = judgeScenario(scenario([claim]), [
      experiment({ variant: 'x', measures: { m: value } }),
    ]);
    assert.equal([claims[0]?.expect, claims[0]?.result], [expect, expected]);
  }
});

test('advice: a server is told to say goodbye as its protocol does', () => {
  const cut = experiment({ variant: 'hardened', lost: 4, cause: 'kept-connection-cut' });
  for (const [line, way] of [
    ['kept', 'answer each request with Connection: close,'],
    ['grpc-kept', 'send GOAWAY and answer the streams that are under way,'],
    ['websocket-stream', 'send a close frame (1001),'],
  ] as const) {
    const [lane] = Object.values(cut.lanes);
    const { advice } = judgeScenario(scenario([baselineLoses, hardenedSafe]), [
      experiment({ variant: 'baseline', lost: 261 }),
      { ...cut, lanes: { [line]: lane as NonNullable<typeof lane> } },
    ]);
    assert.ok(
      advice.some(
        (text) => text.includes(`lane ${line}: the app closes`) && text.includes(`serving, ${way}`),
      ),
      advice.join('\n'),
    );
  }
});

test('advice: what is still lost, and which settings to keep', () => {
  const { advice } = judgeScenario(scenario([baselineLoses, hardenedSafe]), [
    experiment({ variant: 'baseline', lost: 261 }),
    experiment({
      variant: 'hardened',
      lost: 4,
      cause: 'routed-after-stop',
      measures: { lastNewConnectionAfterDeletionMsMax: 6200 },
    }),
  ]);
  assert.equal(advice, [
    'hardened still loses 4 in lane new: the routing lags longer than the preStop sleep lasts (new connections came up to 6.20 s after the deletion). Lengthen the sleep, and the grace period with it.',
    'Keep readinessProbe: without the settings 261 in lane new were lost because they were routed to pods that did not listen yet, with them none.',
  ]);
});

test('what safety costs', () => {
  const cost = (said: Said[]) => judgeScenario(scenario([]), said.map(experiment)).cost;
  assert.is(cost([{ variant: 'baseline' }]), undefined);
  assert.is(cost([{ variant: 'hardened' }]), undefined);
  assert.is(cost([{ variant: 'baseline' }, { variant: 'hardened', invalid: 'shed' }]), undefined);
  const both = [experiment({ variant: 'baseline' }), experiment({ variant: 'hardened' })] as const;
  const slower = { ...both[1], rollout: { ...both[1].rollout, completedMs: 11_500, extraPodSeconds: 34.5 } };
  const found = judgeScenario(scenario([]), [both[0], slower]).cost;
  assert.equal([found?.extraRolloutMs, found?.extraPodSeconds], [5500, 30.5]);
  assert.is(
    found?.text,
    'hardened took 5.50 s longer to roll out than baseline and used 30.5 pod-seconds more (surge, and pods that wait before they end).',
  );
});

async function runJournal(
  variant: string,
  losses: number,
  change: (journal: JournalBuilder) => void = () => {},
): Promise<RunJournal> {
  const journal = new JournalBuilder({
    variant,
    settings: variant === 'baseline' ? [] : ['readinessProbe'],
    scenario: { claims: [baselineLoses, hardenedSafe] },
    startedAt: variant === 'baseline' ? '2026-01-02T03:04:00.000Z' : '2026-01-02T03:04:30.000Z',
  });
  journal.oldPod('a');
  journal.endpoints(-500, { a: 'ready' });
  journal.lane('new', { losses: lossesBetween(1000, 1000 + losses * 5) });
  change(journal);
  const name = `${variant}.ndjson`;
  return { name, journal: await readJournal(journal.lines(), name) };
}

test('a run: scenarios, times and the exit code', async () => {
  const results = judgeRun([await runJournal('baseline', 10), await runJournal('hardened', 0)]);
  assert.is(results.exitCode, 0);
  assert.equal(
    results.scenarios.map(({ name, verdict, experiments }) => [
      name,
      verdict,
      experiments.map((one) => one.journal),
    ]),
    [['image-change', 'proven', ['baseline.ndjson', 'hardened.ndjson']]],
  );
  assert.is(results.startedAt, '2026-01-02T03:04:00.000Z');
  assert.is(results.durationMs, 30_000 + 21_600);
  assert.is(Math.round(results.idleShare * 100), 22);
  assert.is(results.reproduce, 'rollproof verify');
});

test('exit codes of runs', async () => {
  const codes: [string, RunJournal[], boolean, number][] = [
    ['hardened loses', [await runJournal('baseline', 10), await runJournal('hardened', 1)], false, 1],
    ['unneeded', [await runJournal('baseline', 0), await runJournal('hardened', 0)], false, 0],
    ['unneeded, strict', [await runJournal('baseline', 0), await runJournal('hardened', 0)], true, 2],
    [
      'truncated',
      [
        await runJournal('baseline', 9),
        await runJournal('hardened', 0, (journal) => journal.ends({ truncated: true })),
      ],
      false,
      2,
    ],
    [
      'faulted',
      [
        await runJournal('baseline', 9),
        await runJournal('hardened', 9, (journal) => journal.ends({ status: 'faulted', reason: 'no pod' })),
      ],
      false,
      3,
    ],
    [
      'interrupted',
      [await runJournal('baseline', 9, (journal) => journal.ends({ status: 'interrupted' }))],
      false,
      130,
    ],
  ];
  for (const [name, journals, strict, expected] of codes) {
    assert.is(judgeRun(journals, undefined, { strict }).exitCode, expected, name);
  }
});

test('nothing that ran is no pass', () => {
  const run = {
    schemaVersion: 1 as const,
    runId: 'r',
    tool: { name: 'rollproof', version: '0.1.0' },
    cluster: {
      name: 'x',
      kind: 'kind',
      kubernetesVersion: 'v1.34.4',
      emulated: false,
      nodes: [],
      proxyMode: 'iptables',
      notes: [],
    },
    startedAt: '2026-01-02T03:04:05.000Z',
    durationMs: 1000,
    loadMs: 0,
    stages: [],
    reproduce: 'rollproof verify',
    strict: false,
    interrupted: false,
    notRun: [{ scenario: scenario([]), reason: 'It needs 3 nodes.' }],
    undeployed: [],
    measuredAgain: [],
    journals: [],
  };
  assert.is(judgeRun([], run).exitCode, 2);
  assert.throws(() => judgeRun([]), /no journal to judge/);
});

test('journals of different clusters are not judged together', async () => {
  const other = await runJournal('hardened', 0);
  other.journal.header.cluster.kubernetesVersion = 'v1.33.0';
  const baseline = await runJournal('baseline', 0);
  assert.throws(
    () => judgeRun([baseline, other]),
    /hardened.ndjson: line 1, field cluster: kind v1.33.0, but baseline.ndjson is from kind v1.34.4/,
  );
});

test.run();
