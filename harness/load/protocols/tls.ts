// TLS of a stream of load: what is asked of the server's certificate, and what a refusal means in plain words.
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls';
import { UsageError } from '../../model/errors.ts';
import { certificateCounter, type StreamPlan } from '../../model/load.ts';

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

/**
 * Node tells a RST right behind bytes of a handshake as a clean end. The kernel knows: a connection that was reset has no
 * peer any more. Says, once the handshake has failed, whether it was reset.
 */
export function resetInHandshake(socket: TLSSocket): () => boolean {
  let reset = false;
  // Before Node's own listener, which destroys the socket; nobody may have asked for the address earlier: it is kept.
  socket.prependOnceListener('end', () => {
    reset = socket.remoteAddress === undefined;
  });
  return () => reset;
}

/** More certificates than a rollout shows; connections beyond are counted together. */
const certificatesMost = 20;

/** How many connections were shown which certificate: whether a new one is in use, and from when to when not yet. */
export class CertificatesSeen {
  readonly #connections = new Map<string, { name: string; count: number }>();

  /** The handshake is done. */
  saw(socket: TLSSocket): void {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return;
    const { fingerprint256 } = certificate;
    const known = this.#connections.get(fingerprint256);
    if (known) known.count++;
    else if (this.#connections.size < certificatesMost)
      this.#connections.set(fingerprint256, { name: nameOf(certificate), count: 1 });
    else {
      const others = this.#connections.get('') ?? { name: `${certificateCounter}others`, count: 0 };
      others.count++;
      this.#connections.set('', others);
    }
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#connections.values()].map(({ name, count }) => [name, count]));
  }
}

const nameOf = ({ fingerprint256, validTo }: { fingerprint256: string; validTo: string }): string => {
  const until = new Date(validTo);
  const said = Number.isNaN(until.getTime()) ? validTo : until.toISOString().slice(0, 19);
  return `${certificateCounter}${fingerprint256.replaceAll(':', '').slice(0, 8).toLowerCase()} (valid until ${said}Z)`;
};
