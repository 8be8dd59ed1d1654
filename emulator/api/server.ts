// The API server of the embedded cluster: HTTP on loopback, in memory, in the words of Kubernetes v1.34.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeletHooks } from './hooks.ts';
import type { ServerContext } from './http/context.ts';
import { createExecServer } from './http/exec.ts';
import { sendError } from './http/responses.ts';
import { route } from './http/route.ts';
import type { ApiRegistry } from './registry.ts';

export interface ApiServerOptions extends KubeletHooks {
  registry: ApiRegistry;
  /** The Kubernetes version that is emulated. Default "v1.34.4". */
  version?: string;
}

export interface ListeningApiServer {
  /** "http://127.0.0.1:PORT" */
  readonly url: string;
  /** Ends watches and open connections too. */
  close(): Promise<void>;
}

export interface ApiServer {
  /** Port 0: any free one. The host stays on loopback: there is no authentication. */
  listen(port?: number, host?: string): Promise<ListeningApiServer>;
}

export function createApiServer({ registry, version = 'v1.34.4', ...hooks }: ApiServerOptions): ApiServer {
  const context: ServerContext = { registry, hooks, version };
  return {
    async listen(port = 0, host = '127.0.0.1') {
      if (!/^127\.|^localhost$|^::1$/.test(host)) {
        throw new Error(
          `the emulated API server has no authentication: listen on 127.0.0.0/8, not on ${host}`,
        );
      }
      const exec = createExecServer(context);
      const server = createServer((req, res) => {
        route(context, req, res).catch((error: unknown) => sendError(req, res, error));
      });
      server.on('upgrade', (req, socket, head) => exec.upgrade(req, socket, head));
      // Clients keep their connections for long; a server that closes first would race with their next request.
      server.keepAliveTimeout = 600_000;
      server.requestTimeout = 0;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, resolve);
      });
      const address = server.address() as AddressInfo;
      const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return {
        url: `http://${shownHost}:${address.port}`,
        close: () =>
          new Promise<void>((resolve) => {
            exec.close();
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      };
    },
  };
}
