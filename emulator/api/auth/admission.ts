// The door: which requests are looked at at all. The server listens on loopback, where any process of the machine and,
// through a browser, any web page can knock; so the name that was asked for, the page that asks and the token count.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { StatusError } from '../types.ts';
import type { Access, User } from './access.ts';

/** What the server is called besides its addresses: inside of the cluster. */
const ownNames = /^(localhost|kubernetes(\.default(\.svc(\.cluster\.local)?)?)?)$/;

/** Says nothing that a stranger should not know, and is what load balancers and start scripts ask. */
const openPaths = /^\/(healthz|livez|readyz)(\/|$|\?)/;

/** Throws 401 or 403. Undefined: nobody in particular, for what everybody may read. */
export function admitRequest(access: Access, req: IncomingMessage): User | undefined {
  refuseForeignNames(req);
  if (openPaths.test(req.url ?? '/')) return undefined;
  const token = bearerToken(req);
  const user = token === undefined ? undefined : access.authenticate(token);
  if (!user) throw new StatusError(401, 'Unauthorized', 'Unauthorized');
  return user;
}

/** A name that somebody else's DNS has (rebinding), or a page that somebody else serves. */
function refuseForeignNames({ headers }: IncomingMessage): void {
  const host = hostOf(`http://${headers.host ?? ''}`);
  if (host === undefined || !isOwn(host)) {
    throw refusal(`the emulated API server is not called ${JSON.stringify(headers.host ?? '')}`);
  }
  const { origin } = headers;
  if (origin === undefined) return;
  const page = hostOf(origin);
  // Clients of WebSockets say that they are on this machine.
  if (
    page === undefined ||
    !(page === 'localhost' || /^127\./.test(page) || page === '[::1]' || page === host)
  ) {
    throw refusal(`requests of pages at ${JSON.stringify(origin)} are not answered`);
  }
}

function isOwn(host: string): boolean {
  return ownNames.test(host) || isIP(host.replace(/^\[|\]$/g, '')) !== 0;
}

function hostOf(url: string): string | undefined {
  try {
    return new URL(url).hostname || undefined;
  } catch {
    return undefined;
  }
}

function bearerToken({ headers }: IncomingMessage): string | undefined {
  const inHeader = /^bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  if (inHeader !== undefined) return inHeader;
  // Clients of WebSockets that cannot set headers (kubelet/apiserver: base64url.bearer.authorization.k8s.io.TOKEN).
  const protocols = String(headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const named = protocols.find((protocol) => protocol.startsWith(prefix));
  return named === undefined ? undefined : Buffer.from(named.slice(prefix.length), 'base64url').toString();
}

function refusal(why: string): StatusError {
  return new StatusError(403, 'Forbidden', why, {});
}
