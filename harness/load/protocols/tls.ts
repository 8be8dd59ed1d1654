// TLS of a stream of load: what is asked of the server's certificate, and what a refusal means in plain words.
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { UsageError } from '../../model/errors.ts';
import type { StreamPlan } from '../../model/load.ts';

/** Options for tls.connect. Throws a UsageError when a certificate or key of the plan cannot be used. */
export function tlsOptions(plan: StreamPlan, host: string, alpn?: readonly string[]): ConnectionOptions {
  const { tls, headers, insecure } = plan;
  // As browsers do: the name in the Host header, where one is given, is the one that is asked for.
  const hostHeader = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host')?.[1];
  const name = tls?.serverName ?? hostHeader?.replace(/:\d+$/, '') ?? host;
  return {
    ...(contextOf(plan) ?? {}),
    rejectUnauthorized: !(insecure || tls?.insecure),
    ...(isIP(name) === 0 && { servername: name }),
    ...(alpn && { ALPNProtocols: [...alpn] }),
  };
}

/** One context for all connections: reading the authorities once per handshake would be most of its cost. */
function contextOf({ tls }: StreamPlan): ConnectionOptions | undefined {
  if (!tls?.ca && !tls?.cert && !tls?.key) return undefined;
  try {
    return {
      secureContext: createSecureContext({
        ...(tls.ca !== undefined && { ca: tls.ca }),
        ...(tls.cert !== undefined && { cert: tls.cert }),
        ...(tls.key !== undefined && { key: tls.key }),
      }),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `load: the certificate, key or authority given for TLS cannot be used: ${why}. They must be PEM, and key and certificate must belong together.`,
    );
  }
}
