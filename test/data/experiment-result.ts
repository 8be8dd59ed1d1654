// Results of experiments in a few words, for tests of what is derived from them (verdicts, ablation, comparison, gate).
import type { Cause, ExperimentResult, LaneResult, Results } from '../../harness/model/results.ts';
import type { Lane } from '../../harness/model/load.ts';

export interface LaneSaid {
  readonly lost: number;
  readonly attempts?: number;
  readonly cause?: Cause;
  /** Several, of the whole lane (its window has `cause`). */
  readonly causes?: Partial<Record<Cause, number>>;
  readonly outageMs?: number;
}
export interface ExperimentSaid {
  readonly variant: string;
  readonly settings?: readonly string[];
  readonly lanes?: Partial<Record<Lane, number | LaneSaid>>;
  readonly invalid?: string;
  readonly repeat?: number;
  readonly rolloutMs?: number | null;
  readonly path?: string;
}

export const hardenedSettings = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'];
const percentiles = { p50: 1, p90: 2, p99: 3, p999: 4, max: 5 };

function laneResult(said: number | LaneSaid): LaneResult {
  const { lost, attempts = 6000, cause = 'routed-before-listening', outageMs = lost * 5, causes = lost > 0 ? { [cause]: lost } : {} } =
    typeof said === 'number' ? { lost: said } : said;
  const outcomes = lost > 0 ? { ok: attempts - lost, refused: lost } : { ok: attempts };
  const facts = [{ text: 'pod web-1 listened from 5.00 s on', line: 7 }];
  return {
    scheduled: attempts,
    attempts,
    shed: 0,
    shedInWindows: 0,
    outcomes,
    lost,
    races: 0,
    longestOutageMs: outageMs,
    recoveredMs: outageMs,
    lossRate: { share: lost / attempts, low95: 0, high95: 1 },
    latencyMs: percentiles,
    sendLagMs: percentiles,
    causes,
    windows:
      lost > 0
        ? [
            {
              startMs: 3000,
              endMs: 3000 + outageMs,
              lost,
              outcomes: { refused: lost },
              causes: [{ cause, lost, pods: ['web-1'], facts, confidence: 'high' }],
            },
          ]
        : [],
  };
}

export function experimentResult(said: ExperimentSaid): ExperimentResult {
  const { variant, invalid, repeat = 0, rolloutMs = 6000, path = 'cluster-ip' } = said;
  const lanes: Partial<Record<Lane, LaneResult>> = {};
  for (const [lane, one] of Object.entries(said.lanes ?? { new: 0 })) lanes[lane as Lane] = laneResult(one);
  return {
    variant,
    settings: said.settings ?? (variant === 'baseline' ? [] : hardenedSettings),
    path,
    agents: 1,
    repeat,
    journal: `${variant}.ndjson`,
    status: 'complete',
    valid: invalid === undefined,
    invalid: invalid === undefined ? [] : [invalid],
    rollout: {
      completedMs: rolloutMs,
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
    measures: Object.fromEntries(Object.entries(lanes).map(([lane, { lost }]) => [`${lane}.lost`, lost])),
  };
}

export function runResults(
  said: readonly ExperimentSaid[],
  change: Partial<Results> & { readonly verdict?: Results['scenarios'][number]['verdict']; readonly scenario?: string } = {},
): Results {
  const { verdict = 'proven', scenario = 'image-change', ...rest } = change;
  return {
    schemaVersion: 1,
    tool: { name: 'rollproof', version: '0.1.0' },
    cluster: { name: 'rollproof', kind: 'kind', kubernetesVersion: 'v1.34.4', emulated: false, nodes: [], proxyMode: 'iptables', notes: [] },
    startedAt: '2026-01-02T03:04:05.000Z',
    durationMs: 60_000,
    idleShare: 0.2,
    runId: 'run1',
    reproduce: 'rollproof verify',
    scenarios: [
      { name: scenario, title: 't', question: 'q', verdict, reason: 'r', advice: [], claims: [], experiments: said.map(experimentResult) },
    ],
    exitCode: 0,
    ...rest,
  };
}
