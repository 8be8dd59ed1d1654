// OpenMetrics text for nightly trends: one gauge per figure, labelled by what was run. (OpenMetrics 1.0)
import type { ExperimentResult, LaneResult, Results } from '../harness/model/results.ts';
import { directVerdicts, verdicts } from '../harness/model/results.ts';

type Labels = Readonly<Record<string, string>>;
interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly unit?: string;
  readonly type?: 'gauge' | 'info' | 'stateset';
  readonly samples: readonly (readonly [labels: Labels, value: number, suffix?: string])[];
}

/** Every figure that is exported, as OpenMetrics text and by OTLP: names and labels are the same in both. */
export const metricFamilies = (results: Results): readonly MetricFamily[] => [
  runInfo(results),
  verdictStates(results),
  directStates(results),
  ...laneFamilies(results),
  ...rolloutFamilies(results),
];

export function renderOpenMetrics(results: Results): string {
  const families = metricFamilies(results);
  const atSeconds = Date.parse(results.startedAt) / 1000;
  const stamp = Number.isFinite(atSeconds) ? ` ${atSeconds}` : '';
  const lines = families
    .filter((family) => family.samples.length > 0)
    .flatMap((family) => [
      `# TYPE ${family.name} ${family.type ?? 'gauge'}`,
      ...(family.unit ? [`# UNIT ${family.name} ${family.unit}`] : []),
      `# HELP ${family.name} ${escaped(family.help)}`,
      ...family.samples.map(
        ([labels, value, suffix = '']) =>
          `${family.name}${suffix}${labelText(labels)} ${number(value)}${stamp}`,
      ),
    ]);
  return `${[...lines, '# EOF'].join('\n')}\n`;
}

function runInfo({ tool, cluster, runId }: Results): MetricFamily {
  return {
    name: 'rollproof_run',
    type: 'info',
    help: 'What ran, and where.',
    samples: [
      [
        {
          run: runId,
          version: tool.version,
          commit: tool.commit ?? '',
          cluster: cluster.kind,
          kubernetes: cluster.kubernetesVersion,
          emulated: String(cluster.emulated),
          proxy_mode: cluster.proxyMode,
        },
        1,
        '_info',
      ],
    ],
  };
}

function verdictStates({ scenarios }: Results): MetricFamily {
  const name = 'rollproof_scenario_verdict';
  return {
    name,
    type: 'stateset',
    help: 'The verdict of each scenario.',
    samples: scenarios.flatMap((scenario) =>
      verdicts.map(
        (verdict) =>
          [{ scenario: scenario.name, [name]: verdict }, verdict === scenario.verdict ? 1 : 0] as const,
      ),
    ),
  };
}

function directStates({ scenarios }: Results): MetricFamily {
  const name = 'rollproof_scenario_direct';
  return {
    name,
    type: 'stateset',
    help: 'Whether the own workload is safe as it is.',
    samples: scenarios.flatMap(({ name: scenario, direct }) =>
      direct
        ? directVerdicts.map(
            (verdict) => [{ scenario, [name]: verdict }, verdict === direct.verdict ? 1 : 0] as const,
          )
        : [],
    ),
  };
}

const labelsOf = (scenario: string, experiment: ExperimentResult): Labels => ({
  scenario,
  variant: experiment.variant,
  path: experiment.path,
  agents: String(experiment.agents),
  repeat: String(experiment.repeat),
});

function laneFamilies({ scenarios }: Results): readonly MetricFamily[] {
  const lanes = scenarios.flatMap((scenario) =>
    scenario.experiments.flatMap((experiment) =>
      Object.entries(experiment.lanes).map(([lane, result]) => ({
        labels: { ...labelsOf(scenario.name, experiment), lane },
        result,
      })),
    ),
  );
  const gauge = (
    name: string,
    help: string,
    value: (result: LaneResult) => number,
    unit?: string,
  ): MetricFamily => ({
    name,
    help,
    ...(unit ? { unit } : {}),
    samples: lanes.map(({ labels, result }) => [labels, value(result)] as const),
  });
  const quantiles = ['p50', 'p90', 'p99', 'p999', 'max'] as const;
  return [
    gauge('rollproof_attempts', 'Requests that were made.', (result) => result.attempts),
    gauge('rollproof_lost', 'Attempts that got no expected answer.', (result) => result.lost),
    {
      name: 'rollproof_outcomes',
      help: 'Attempts by how they ended.',
      samples: lanes.flatMap(({ labels, result }) =>
        Object.entries(result.outcomes).map(([outcome, n]) => [{ ...labels, outcome }, n] as const),
      ),
    },
    {
      name: 'rollproof_lost_by_cause',
      help: 'Lost attempts by cause.',
      samples: lanes.flatMap(({ labels, result }) =>
        Object.entries(result.causes).map(([cause, n]) => [{ ...labels, cause }, n] as const),
      ),
    },
    gauge(
      'rollproof_loss_ratio',
      'Lost attempts as a share of all.',
      (result) => result.lossRate.share,
      'ratio',
    ),
    gauge(
      'rollproof_loss_high95_ratio',
      'Upper end of the 95 % interval of the loss rate.',
      (result) => result.lossRate.high95,
      'ratio',
    ),
    gauge(
      'rollproof_longest_outage_seconds',
      'Longest time without any success.',
      (result) => result.longestOutageMs / 1000,
      'seconds',
    ),
    gauge('rollproof_shed', 'Arrivals for which no slot was free.', (result) => result.shed),
    {
      name: 'rollproof_answer_time_seconds',
      help: 'Answer time from the due time, by percentile.',
      unit: 'seconds',
      samples: lanes.flatMap(({ labels, result }) =>
        quantiles.map(
          (percentile) => [{ ...labels, percentile }, result.latencyMs[percentile] / 1000] as const,
        ),
      ),
    },
  ];
}

function rolloutFamilies({ scenarios }: Results): readonly MetricFamily[] {
  const experiments = scenarios.flatMap((scenario) =>
    scenario.experiments.map((experiment) => ({ labels: labelsOf(scenario.name, experiment), experiment })),
  );
  const gauge = (
    name: string,
    help: string,
    value: (experiment: ExperimentResult) => number | null,
    unit?: string,
  ): MetricFamily => ({
    name,
    help,
    ...(unit ? { unit } : {}),
    samples: experiments.flatMap(({ labels, experiment }) => {
      const measured = value(experiment);
      return measured === null ? [] : [[labels, measured] as const];
    }),
  });
  return [
    gauge('rollproof_experiment_valid', '1 when the measurement was good enough.', ({ valid }) =>
      valid ? 1 : 0,
    ),
    gauge(
      'rollproof_rollout_complete_seconds',
      'From the first step to the rollout’s completion.',
      ({ rollout }) => (rollout.completedMs === null ? null : rollout.completedMs / 1000),
      'seconds',
    ),
    gauge('rollproof_ready_pods_min', 'Lowest number of ready pods.', ({ rollout }) => rollout.minReady),
    gauge(
      'rollproof_capacity_lost_pod_seconds',
      'Wanted but not ready pods × time.',
      ({ rollout }) => rollout.capacityLostPodSeconds,
      'seconds',
    ),
    gauge(
      'rollproof_capacity_extra_pod_seconds',
      'Pods above the wanted number × time.',
      ({ rollout }) => rollout.extraPodSeconds,
      'seconds',
    ),
  ];
}

function labelText(labels: Labels): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const number = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
};
