// What k6 runs: one stream of a load plan (environment variable PLAN), counted by k6's own error codes. Built into one
// file by bundled-script.ts; runs in k6's JavaScript, not in Node.
import http, { type RefinedParams, type ResponseType } from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options, Scenario } from 'k6/options';
import type { StreamPlan } from '../../model/load.ts';

declare const __ENV: Record<string, string | undefined>;

const plan = JSON.parse(__ENV.PLAN ?? '{}') as StreamPlan;

/** k6's error codes (grafana.com/docs/k6, "Error codes") by our outcomes; an EOF and much else has none of its own. */
const outcomeOfCode: Readonly<Record<number, string>> = {
  1010: 'dns',
  1020: 'dns',
  1050: 'timeout',
  1100: 'dns',
  1101: 'dns',
  1110: 'dns',
  1200: 'uncoded',
  1201: 'reset',
  1202: 'reset',
  1210: 'uncoded',
  1211: 'timeout',
  1212: 'refused',
  1220: 'reset',
  1300: 'tls',
  1310: 'tls',
  1311: 'tls',
};
const names = [
  'ok',
  'http3xx',
  'http4xx',
  'http5xx',
  'refused',
  'reset',
  'timeout',
  'dns',
  'tls',
  'otherStatus',
  'uncoded',
] as const;
const counters = Object.fromEntries(names.map((name) => [name, new Counter(`outcome_${name}`)])) as Record<
  string,
  Counter
>;

/** k6 keeps a JavaScript engine per virtual user (0.2 MB each, measured): it cannot have as many as our slots. */
const usersLimit = 300;
const users = Math.min(usersLimit, plan.connections);
const maxDuration = `${Math.ceil(plan.maxDurationMs)}ms`;

export const options: Options = {
  scenarios: { load: scenario() },
  noConnectionReuse: plan.lane !== 'kept',
  insecureSkipTLSVerify: plan.insecure,
  discardResponseBodies: true,
  maxRedirects: 0,
  throw: false,
  systemTags: ['error_code', 'status'],
};

const params: RefinedParams<ResponseType> = {
  headers: plan.headers,
  timeout: `${plan.timeoutMs}ms`,
  redirects: 0,
};

export default function request(): void {
  const response = http.request(plan.method, plan.url, plan.body ?? null, params);
  counters[outcomeOf(response.status, response.error_code)]?.add(1);
}

/** k6's summary, reduced to counts, on standard output. */
export function handleSummary(data: {
  metrics: Record<string, { values: Record<string, number> } | undefined>;
}) {
  const count = (metric: string) => data.metrics[metric]?.values.count ?? 0;
  const outcomes: Record<string, number> = {};
  for (const name of names) {
    const value = count(`outcome_${name}`);
    if (value > 0) outcomes[name] = value;
  }
  const summary = { attempts: count('iterations'), dropped: count('dropped_iterations'), outcomes };
  // A line of its own, whatever else is said.
  return { stdout: `\n${JSON.stringify(summary)}\n` };
}

function outcomeOf(status: number, errorCode: number): string {
  // From 1400 on the code only repeats the status.
  if (status === 0 || (errorCode >= 1000 && errorCode < 1400)) return outcomeOfCode[errorCode] ?? 'uncoded';
  if (plan.expectStatus.length > 0 ? plan.expectStatus.includes(status) : status >= 200 && status <= 299)
    return 'ok';
  if (status >= 300 && status <= 399) return 'http3xx';
  if (status >= 400 && status <= 499) return 'http4xx';
  if (status >= 500 && status <= 599) return 'http5xx';
  return 'otherStatus';
}

/** k6 wants whole rates: 0.1 per second is 100 per 1000 s. */
function scenario(): Scenario {
  const perThousandSeconds = (ratePerSecond: number) => Math.round(ratePerSecond * 1000);
  const open = {
    timeUnit: '1000s',
    // All of them before the start: one that is made later takes longer than its arrival can wait.
    preAllocatedVUs: users,
    gracefulStop: `${plan.timeoutMs}ms`,
  };
  const { rate } = plan;
  switch (rate.shape) {
    case 'constant':
      if (rate.ratePerSecond === 0) {
        return {
          executor: 'constant-vus',
          vus: users,
          duration: maxDuration,
          gracefulStop: `${plan.timeoutMs}ms`,
        };
      }
      return {
        executor: 'constant-arrival-rate',
        rate: perThousandSeconds(rate.ratePerSecond),
        duration: maxDuration,
        ...open,
      };
    case 'steps':
      return {
        executor: 'ramping-arrival-rate',
        startRate: perThousandSeconds(rate.steps[0]?.ratePerSecond ?? 0),
        // Each step: a jump in no time, then as long as it holds.
        stages: rate.steps.flatMap((step, index) => [
          { target: perThousandSeconds(step.ratePerSecond), duration: '0s' },
          {
            target: perThousandSeconds(step.ratePerSecond),
            duration: `${Math.max(0, (rate.steps[index + 1]?.atMs ?? plan.maxDurationMs) - step.atMs)}ms`,
          },
        ]),
        ...open,
      };
    case 'ramp':
      return {
        executor: 'ramping-arrival-rate',
        startRate: perThousandSeconds(rate.points[0]?.ratePerSecond ?? 0),
        stages: [
          ...rate.points,
          { atMs: plan.maxDurationMs, ratePerSecond: rate.points.at(-1)?.ratePerSecond ?? 0 },
        ].map((point, index, points) => ({
          target: perThousandSeconds(point.ratePerSecond),
          duration: `${Math.max(0, point.atMs - (points[index - 1]?.atMs ?? 0))}ms`,
        })),
        ...open,
      };
  }
}
