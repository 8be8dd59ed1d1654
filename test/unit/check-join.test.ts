// Findings beside what was measured: a table of findings, experiments and what may be said of them.
import * as assert from 'uvu/assert';
import { joinFindings } from '../../harness/check/join.ts';
import { rules } from '../../harness/check/rules/index.ts';
import type { Finding } from '../../harness/model/finding.ts';
import type {
  Cause,
  ExperimentResult,
  LaneResult,
  Results,
  ScenarioResult,
} from '../../harness/model/results.ts';
import { suite } from '../suite.ts';

const test = suite('check-join');

const finding = (rule: string): Finding => ({
  rule,
  file: 'm.yaml',
  line: 1,
  column: 1,
  severity: 'error',
  object: 'Deployment web',
  message: 'm',
  why: 'w',
  fix: 'f',
  scenario: rules.find((own) => own.id === rule)?.scenario ?? 'image-change',
});

function lane(causes: Partial<Record<Cause, number>>): LaneResult {
  const lost = Object.values(causes).reduce((sum, count) => sum + count, 0);
  return {
    scheduled: 100,
    attempts: 100,
    shed: 0,
    shedInWindows: 0,
    outcomes: {},
    lost,
    races: 0,
    longestOutageMs: 0,
    recoveredMs: 0,
    lossRate: { share: 0, low95: 0, high95: 0 },
    latencyMs: {} as LaneResult['latencyMs'],
    sendLagMs: {} as LaneResult['sendLagMs'],
    causes,
    windows: [],
  };
}

interface Given {
  readonly causes?: Partial<Record<Cause, number>>;
  readonly settings?: readonly string[];
  readonly valid?: boolean;
  readonly status?: ExperimentResult['status'];
  readonly rollout?: Partial<ExperimentResult['rollout']>;
  readonly measures?: ExperimentResult['measures'];
}
const experiment = ({
  causes = {},
  settings = [],
  valid = true,
  status = 'complete',
  rollout = {},
  measures = {},
}: Given): ExperimentResult => ({
  variant: settings.length > 0 ? 'hardened' : 'baseline',
  settings,
  path: 'cluster-ip',
  agents: 1,
  repeat: 0,
  journal: `${settings.length > 0 ? 'hardened' : 'baseline'}.jsonl`,
  status,
  valid,
  invalid: valid ? [] : ['x'],
  rollout: {
    completedMs: 8000,
    settledMs: 9000,
    minReady: 3,
    maxPodsNotTerminating: 4,
    maxPods: 4,
    capacityLostPodSeconds: 0,
    extraPodSeconds: 0,
    ...rollout,
  },
  control: null,
  clock: { errorMs: 1 },
  durationMs: 30_000,
  loadMs: 20_000,
  lanes: { new: lane(causes) },
  measures,
});

function results(name: string, experiments: readonly ExperimentResult[]): Results {
  const scenario: ScenarioResult = {
    name,
    title: name,
    question: '?',
    verdict: 'proven',
    reason: 'because',
    advice: [],
    claims: [],
    experiments,
  };
  return {
    schemaVersion: 1,
    tool: { name: 'rollproof', version: '0' },
    cluster: {} as Results['cluster'],
    startedAt: '',
    durationMs: 0,
    idleShare: 0,
    runId: 'r',
    reproduce: '',
    scenarios: [scenario],
    exitCode: 0,
  };
}

const hardened = experiment({ settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'] });
const table: [string, string, string, readonly ExperimentResult[], string, RegExp][] = [
  [
    'lost to the cause',
    'no-readiness-probe',
    'image-change',
    [experiment({ causes: { 'routed-before-listening': 7 } }), hardened],
    'confirmed',
    /^Variant baseline lost 7 of 100 in lane new to routed-before-listening\. Scenario image-change, shown by 1 of 1 experiment\.$/,
  ],
  [
    'lost to another cause',
    'no-readiness-probe',
    'image-change',
    [experiment({ causes: { 'routed-after-stop': 7 } })],
    'not-confirmed',
    /lost 0 of 100/,
  ],
  [
    'only with the setting that removes it',
    'no-prestop',
    'image-change',
    [hardened],
    'not-measured',
    /none of its experiments can show this risk/,
  ],
  [
    'one of two runs',
    'no-prestop',
    'image-change',
    [experiment({}), experiment({ causes: { 'killed-in-flight': 1 } })],
    'confirmed',
    /1 of 2 experiments/,
  ],
  [
    'not valid',
    'no-prestop',
    'image-change',
    [experiment({ causes: { 'routed-after-stop': 7 }, valid: false })],
    'not-measured',
    /no valid measurement: because/,
  ],
  [
    'faulted',
    'no-prestop',
    'image-change',
    [experiment({ causes: { 'routed-after-stop': 7 }, status: 'faulted' })],
    'not-measured',
    /no valid measurement/,
  ],
  [
    'another scenario',
    'recreate-strategy',
    'image-change',
    [experiment({})],
    'not-measured',
    /Scenario recreate was not run: rollproof verify --scenario recreate/,
  ],
  [
    'no pod ready',
    'recreate-strategy',
    'recreate',
    [experiment({ rollout: { minReady: 0 } })],
    'confirmed',
    /at least 0 ready pods/,
  ],
  [
    'always a pod ready',
    'recreate-strategy',
    'recreate',
    [experiment({})],
    'not-confirmed',
    /at least 3 ready pods/,
  ],
  [
    'a rollout that stuck',
    'surge-blocked-by-anti-affinity',
    'placement-required',
    [experiment({ rollout: { completedMs: null } })],
    'confirmed',
    /was not complete after 30\.0 s/,
  ],
  [
    'a rollout that did not',
    'surge-blocked-by-anti-affinity',
    'placement-required',
    [experiment({})],
    'not-confirmed',
    /complete after 8\.00 s/,
  ],
  [
    'capacity',
    'autoscaler-with-replicas',
    'autoscale-reapply',
    [experiment({ rollout: { capacityLostPodSeconds: 4.25 } })],
    'confirmed',
    /4\.3 pod-seconds/,
  ],
  [
    'what no experiment can tell',
    'image-tag-latest',
    'nginx-published',
    [experiment({})],
    'not-measured',
    /none of its experiments/,
  ],
  [
    'the API server refuses it',
    'removed-api-version',
    'nginx-published',
    [
      experiment({}),
      experiment({ measures: { 'step:1.status': 404, 'step:1.refused': 1, 'step:1.message': 'not found' } }),
    ],
    'confirmed',
    /^The API server refused variant baseline: 404, “not found”\. Scenario nginx-published, shown by 1 of 1 experiment\.$/,
  ],
  [
    'the API server refuses something else',
    'removed-api-version',
    'nginx-published',
    [experiment({ measures: { 'step:1.status': 422, 'step:1.refused': 1, 'step:1.message': 'invalid' } })],
    'not-measured',
    /none of its experiments/,
  ],
  [
    'the scheduler says so',
    'surge-blocked-by-host-port',
    'nginx-published',
    [
      experiment({ rollout: { completedMs: null } }),
      experiment({ measures: { 'eventMessage:FailedScheduling': "1 node(s) didn't have free ports." } }),
    ],
    'confirmed',
    /^Variant baseline, event FailedScheduling: “1 node\(s\) didn't have free ports”\. .* 1 of 1 experiment/,
  ],
  [
    'the kubelet pulls',
    'image-tag-latest',
    'nginx-published',
    [experiment({ measures: { 'eventMessage:Pulling': 'Pulling image "nginx"' } })],
    'confirmed',
    /event Pulling: “Pulling image "nginx"”/,
  ],
  [
    'a rule of another version',
    'no-such-rule',
    'image-change',
    [experiment({})],
    'not-measured',
    /not known to this version/,
  ],
];

for (const [name, rule, scenario, experiments, evidence, text] of table) {
  test(`${rule}: ${name}`, () => {
    const [joined] = joinFindings([finding(rule)], results(scenario, experiments));
    assert.is(joined!.evidence, evidence);
    assert.match(joined!.text, text);
    assert.is(joined!.journals.length > 0, evidence !== 'not-measured');
  });
}

test('findings keep their order and all get an answer', () => {
  const findings = rules.map((rule) => finding(rule.id));
  assert.equal(
    joinFindings(findings, results('image-change', [experiment({})])).map((joined) => joined.finding.rule),
    rules.map((rule) => rule.id),
  );
});

test.run();
