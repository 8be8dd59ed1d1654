// Before any load counts: does the way from this agent to the URL work at all? A node's routing lags behind the
// cluster's state, and a load that starts into that lag would report losses that no step caused.
import http from 'node:http';
import https from 'node:https';
import { untilDone, WaitError, waitFor } from '../kube/wait.ts';
import type { StreamPlan } from '../model/load.ts';
import type { Route } from './slot.ts';

export interface PreflightOptions {
  readonly limitMs: number;
  /** Picks an endpoint for a connection: "none" when the service has none, undefined for the URL's own host. */
  readonly route: () => Route | 'none' | undefined;
}

const RETRY_MS = 100;
/** An answer has come with its head; its end is waited for only to leave the server in peace. */
const BODY_LIMIT_MS = 500;

/** Asks until there is an answer, whatever its status. Returns what was seen last when the limit is over. */
export async function preflight(
  plan: StreamPlan,
  { limitMs, route }: PreflightOptions,
): Promise<string | undefined> {
  try {
    await waitFor(
      {
        what: plan.url,
        limitMs,
        everyMs: RETRY_MS,
        lookLimitMs: plan.timeoutMs,
        signal: untilDone,
      },
      async (signal) => {
        const problem = await ask(plan, route, signal);
        return problem === undefined ? { met: undefined } : { seen: problem };
      },
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof WaitError)) throw error;
    return error.seen;
  }
}

function ask(
  plan: StreamPlan,
  route: PreflightOptions['route'],
  signal: AbortSignal,
): Promise<string | undefined> {
  const url = new URL(plan.url);
  const endpoint = route();
  if (endpoint === 'none') return Promise.resolve('its service has no endpoint');
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      {
        // The method is not repeated: a preflight must not change anything on the target.
        method: 'GET',
        headers: { ...plan.headers, host: url.host, connection: 'close' },
        agent: false,
        signal,
        rejectUnauthorized: !plan.insecure,
        ...(endpoint && { hostname: endpoint.host, port: endpoint.port }),
      },
      (response) => {
        const answered = () => {
          clearTimeout(timer);
          response.destroy();
          resolve(undefined);
        };
        // A stream that never ends is an answer, too.
        const timer = setTimeout(answered, BODY_LIMIT_MS);
        response.resume();
        response.on('end', answered);
        response.on('error', (error) => {
          clearTimeout(timer);
          resolve(error.message);
        });
      },
    );
    request.on('error', (error) => (signal.aborted ? reject(signal.reason) : resolve(error.message)));
    request.end();
  });
}
