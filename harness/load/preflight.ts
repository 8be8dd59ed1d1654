// Before any load counts: does the way from this agent to the URL work at all? A node's routing lags behind the
// cluster's state, and a load that starts into that lag would report losses that no step caused.
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamPlan } from '../model/load.ts';
import type { Route } from './slot.ts';

export interface PreflightOptions {
  readonly limitMs: number;
  /** Picks an endpoint for a connection: "none" when the service has none, undefined for the URL's own host. */
  readonly route: () => Route | 'none' | undefined;
}

const RETRY_MS = 100;

/** Asks until there is an answer, whatever its status. Returns what was seen last when the limit is over. */
export async function preflight(
  plan: StreamPlan,
  { limitMs, route }: PreflightOptions,
): Promise<string | undefined> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const problem = await ask(plan, route);
    if (problem === undefined || performance.now() > deadline) return problem;
    await sleep(RETRY_MS);
  }
}

function ask(plan: StreamPlan, route: PreflightOptions['route']): Promise<string | undefined> {
  const url = new URL(plan.url);
  const endpoint = route();
  if (endpoint === 'none') return Promise.resolve('its service has no endpoint');
  return new Promise((resolve) => {
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      {
        // The method is not repeated: a preflight must not change anything on the target.
        method: 'GET',
        headers: { ...plan.headers, host: url.host, connection: 'close' },
        agent: false,
        timeout: plan.timeoutMs,
        rejectUnauthorized: !plan.insecure,
        ...(endpoint && { hostname: endpoint.host, port: endpoint.port }),
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(undefined));
        response.on('error', (error) => resolve(error.message));
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${plan.timeoutMs} ms`)));
    request.on('error', (error) => resolve(error.message));
    request.end();
  });
}
