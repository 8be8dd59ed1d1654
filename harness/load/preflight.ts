// Before any load counts: does the way from this agent to the URL work at all? A node's routing lags behind the
// cluster's state, and a load that starts into that lag would report losses that no step caused.
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { untilDone, WaitError, waitFor } from '../kube/wait.ts';
import type { StreamPlan } from '../model/load.ts';
import type { Route } from './engine.ts';

interface PreflightOptions {
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
  if ((plan.protocol ?? 'http1') !== 'http1') return reach(url, endpoint, signal);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      {
        // The method is not repeated: a preflight must not change anything on the target.
        method: 'GET',
        headers: { host: url.host, ...plan.headers, connection: 'close' },
        agent: false,
        signal,
        // What the certificate says is for the load to find out, and to count.
        rejectUnauthorized: false,
        ...(plan.tls?.cert !== undefined && { cert: plan.tls.cert }),
        ...(plan.tls?.key !== undefined && { key: plan.tls.key }),
        ...(plan.tls?.serverName !== undefined && { servername: plan.tls.serverName }),
        ...(endpoint && { hostname: endpoint.host, port: endpoint.port }),
      },
      (response) => {
        const status = response.statusCode ?? 0;
        const expected =
          plan.expectStatus.length > 0 ? plan.expectStatus.includes(status) : status >= 200 && status < 300;
        const answered = () => {
          clearTimeout(timer);
          response.destroy();
          // An entry answers before it has heard of its routes.
          resolve(plan.entry === undefined || expected ? undefined : `it answered ${status}`);
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

/** Another protocol: that somebody listens is enough, what is spoken is for the load to find out. */
function reach(url: URL, endpoint: Route | undefined, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const host = endpoint?.host ?? url.hostname.replace(/^\[|\]$/g, '');
    const port = endpoint?.port ?? (Number(url.port) || (url.protocol === 'https:' ? 443 : 80));
    const socket = connect({ host, port, signal });
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', (error) => (signal.aborted ? reject(signal.reason) : resolve(error.message)));
  });
}
