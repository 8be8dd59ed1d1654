// The counts of a load that has ended: for people, and as JSON.
import { isLost, type LostInterval, outcomes, type StreamEnd, type StreamPlan } from '../../model/load.ts';
import { counterWords } from '../../words/names.ts';
import type { Told } from './told.ts';

export function tableOf(end: StreamEnd, record: Told): string {
  const percent = (count: number) =>
    end.attempts > 0 ? `${((count * 100) / end.attempts).toFixed(3)} %` : '';
  const lost = outcomes.reduce(
    (sum, outcome) => sum + (isLost(outcome) ? (end.outcomes[outcome] ?? 0) : 0),
    0,
  );
  const rows: [string, string, string][] = [
    ['scheduled', String(end.scheduled), ''],
    [
      'attempts',
      String(end.attempts),
      `${((end.attempts * 1000) / Math.max(1, end.durationMs)).toFixed(1)} per second`,
    ],
    ['shed', String(end.shed), end.shed > 0 ? 'no slot was free: raise --slots or --connections' : ''],
    ...outcomes
      .filter((outcome) => (end.outcomes[outcome] ?? 0) > 0)
      .map((outcome): [string, string, string] => [
        outcome,
        String(end.outcomes[outcome]),
        percent(end.outcomes[outcome] ?? 0),
      ]),
    ...[...record.tlsReasons].map(([reason, count]): [string, string, string] => [
      '  tls',
      String(count),
      reason,
    ]),
    ['lost', String(lost), percent(lost)],
    ...(end.races > 0
      ? [['races', String(end.races), 'of the lost, on idle kept connections'] as [string, string, string]]
      : []),
    ...(record.longest
      ? [
          ['longest outage', outageText(record.longest), `${record.longest.lost} lost`] as [
            string,
            string,
            string,
          ],
        ]
      : []),
  ];
  for (const [name, count] of Object.entries(end.counters ?? {})) {
    if (count > 0) rows.push([counterWords[name] ?? name, String(count), '']);
  }
  const { latencyMs: latency, sendLagMs: lag } = end;
  const width = Math.max(...rows.map(([, value]) => value.length));
  const lines = rows.map(([name, value, note]) =>
    `${name.padEnd(name.length > 15 ? name.length + 1 : 16)}${value.padStart(width)}  ${note}`.trimEnd(),
  );
  const times = (values: readonly [string, number][]) =>
    values.map(([name, ms]) => `${name} ${ms.toFixed(2)}`).join('  ');
  lines.push(
    `latency, ms     ${times([
      ['p50', latency.p50],
      ['p90', latency.p90],
      ['p99', latency.p99],
      ['p99.9', latency.p999],
      ['max', latency.max],
    ])}`,
    `send lag, ms    ${times([
      ['p50', lag.p50],
      ['p99', lag.p99],
      ['max', lag.max],
    ])}`,
  );
  return `${lines.join('\n')}\n`;
}

const outageText = (interval: LostInterval): string =>
  interval.endMs === null
    ? `from ${(interval.startMs / 1000).toFixed(3)} s to the end`
    : `${(interval.endMs - interval.startMs).toFixed(1)} ms`;

export function jsonOf(url: string, plan: StreamPlan, end: StreamEnd, record: Told): Record<string, unknown> {
  return {
    schemaVersion: 1,
    url,
    lane: end.lane,
    protocol: plan.protocol ?? 'http1',
    ...(plan.rate.shape === 'constant' && { ratePerSecond: plan.rate.ratePerSecond }),
    timeoutMs: plan.timeoutMs,
    scheduled: end.scheduled,
    attempts: end.attempts,
    shed: end.shed,
    inFlight: end.inFlight,
    outcomes: Object.fromEntries(outcomes.map((outcome) => [outcome, end.outcomes[outcome] ?? 0])),
    races: end.races,
    phases: end.phases,
    failures: record.failures.map((failure) => ({ tMs: failure.dueMs, ...failure })),
    failuresDropped: end.failuresDropped,
    intervals: record.intervals,
    intervalsDropped: record.intervalsDropped,
    buckets: [...record.buckets.values()]
      .sort((a, b) => a.i - b.i)
      .map((bucket) => ({ startMs: bucket.i * 100, ...bucket })),
    connectionsOpened: end.connectionsOpened,
    ...(end.counters && { counters: end.counters }),
    ...(end.lane === 'stream' && { lives: record.lives }),
    latencyMs: end.latencyMs,
    serviceMs: end.serviceMs,
    sendLagMs: end.sendLagMs,
    durationMs: end.durationMs,
    brokenIdentities: end.brokenIdentities,
  };
}
