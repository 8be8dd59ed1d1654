// The API server of the embedded cluster: HTTP and HTTPS on loopback, in memory, in the words of Kubernetes v1.34.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Access, createAccess } from './auth/access.ts';
import { admitRequest } from './auth/admission.ts';
import type { Certificate } from './auth/certificates.ts';
import type { KubeletHooks } from './hooks.ts';
import type { ServerContext } from './http/context.ts';
import { listenForBoth } from './http/listener.ts';
import { sendError } from './http/responses.ts';
import { route } from './http/route.ts';
import { createUpgrades } from './http/upgrade.ts';
import type { ApiRegistry } from './registry.ts';

interface ApiServerOptions extends KubeletHooks {
  registry: ApiRegistry;
  /** Who may come in; default: whoever has the token that listen() returns. */
  access?: Access;
  /** For https on the same port, as pods use it; without it there is http alone. */
  certificate?: Certificate;
  /** The Kubernetes version that is emulated. Default "v1.34.4". */
  version?: string;
}

interface ListeningApiServer {
  /** "http://127.0.0.1:PORT" */
  readonly url: string;
  /** Of the administrator: requests without it (or a service account's) get 401. */
  readonly token: string;
  /** Ends watches and open connections too. */
  close(): Promise<void>;
}

interface ApiServer {
  /** Port 0: any free one. The host stays on loopback. */
  listen(port?: number, host?: string): Promise<ListeningApiServer>;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { registry, version = 'v1.34.4', certificate, ...hooks } = options;
  const access = options.access ?? createAccess(registry, registry.now);
  const context: ServerContext = { registry, hooks, version, access };
  return {
    async listen(port = 0, host = '127.0.0.1') {
      if (!/^127\.|^localhost$|^::1$/.test(host)) {
        throw new Error(`the emulated API server is for this machine: listen on 127.0.0.0/8, not on ${host}`);
      }
      const upgrades = createUpgrades(context);
      const handle = (req: IncomingMessage, res: ServerResponse) => {
        respond(context, req, res).catch((error: unknown) => sendError(req, res, error));
      };
      const plain = createServer(handle);
      const secure = certificate && createSecureServer(certificate, handle);
      for (const server of secure ? [plain, secure] : [plain]) {
        server.on('upgrade', (req, socket, head) => upgrades.upgrade(req, socket, head));
        // Clients keep their connections for long; a server that closes first would race with their next request.
        server.keepAliveTimeout = 600_000;
        server.requestTimeout = 0;
      }
      const listener = listenForBoth(plain, secure);
      await new Promise<void>((resolve, reject) => {
        listener.server.once('error', reject);
        listener.server.listen(port, host, resolve);
      });
      const address = listener.server.address() as AddressInfo;
      const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return {
        url: `http://${shownHost}:${address.port}`,
        token: access.adminToken,
        close: () =>
          new Promise<void>((resolve) => {
            upgrades.close();
            listener.server.close(() => resolve());
            listener.closeAll();
          }),
      };
    },
  };
}

async function respond(context: ServerContext, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const user = admitRequest(context.access, req);
  await route(context, user, req, res);
}
