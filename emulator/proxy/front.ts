// An address per Service for clients that are no load agents of ours (curl, k6, other pods): a listener on the
// Service's own loopback address that picks an endpoint per connection and passes bytes on. Without endpoints it does
// not listen, so that the kernel refuses. The difference to kube-proxy: a client is connected before the pod is.
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from './service-table.ts';

interface FrontPort {
  /** Where it listens. */
  readonly address: string;
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
  readonly sticky: boolean;
}

interface FrontsOptions {
  readonly random: () => number;
  readonly reach: (endpoint: Endpoint) => Endpoint;
  /** A port on which it may not listen, with the reason: said once. */
  readonly unavailable: (address: string, port: number, reason: string) => void;
}

interface Listener {
  endpoints: readonly Endpoint[];
  sticky: boolean;
  readonly chosen: Map<string, string>;
  readonly server: Server;
}

export class Fronts {
  private readonly options: FrontsOptions;
  private readonly listeners = new Map<string, Listener>();
  private readonly refused = new Set<string>();
  private readonly sockets = new Set<Socket>();

  constructor(options: FrontsOptions) {
    this.options = options;
  }

  /** Listens where there are endpoints, and nowhere else. Connections that exist stay. */
  set(ports: readonly FrontPort[]): void {
    const wanted = new Map(
      ports
        .filter(({ endpoints }) => endpoints.length > 0)
        .map((port) => [`${port.address}:${port.port}`, port]),
    );
    for (const [key, listener] of this.listeners) {
      if (wanted.has(key)) continue;
      this.listeners.delete(key);
      listener.server.close();
    }
    for (const [key, port] of wanted) {
      const listener = this.listeners.get(key);
      if (listener) {
        listener.endpoints = port.endpoints;
        listener.sticky = port.sticky;
      } else if (!this.refused.has(key)) this.listen(key, port);
    }
  }

  async close(): Promise<void> {
    const servers = [...this.listeners.values()].map(({ server }) => server);
    this.listeners.clear();
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }

  private listen(key: string, { address, port, endpoints, sticky }: FrontPort): void {
    const server = createServer({ allowHalfOpen: true }, (client) => this.pass(listener, client));
    const listener: Listener = { endpoints, sticky, chosen: new Map(), server };
    this.listeners.set(key, listener);
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (this.listeners.get(key) === listener) this.listeners.delete(key);
      if (error.code === 'ERR_SERVER_NOT_RUNNING') return;
      this.refused.add(key);
      this.options.unavailable(address, port, error.code ?? error.message);
    });
    server.listen({ host: address, port });
    server.unref();
  }

  private pass(listener: Listener, client: Socket): void {
    const endpoint = this.choose(listener, client.remoteAddress ?? '');
    this.track(client);
    client.on('error', () => {});
    if (!endpoint) {
      client.resetAndDestroy();
      return;
    }
    const { ip, port } = this.options.reach(endpoint);
    const pod = connect({ host: ip, port, allowHalfOpen: true });
    this.track(pod);
    // A reset on one side is a reset on the other: an orderly end would hide it.
    pod.once('error', () => client.resetAndDestroy());
    client.once('error', () => pod.resetAndDestroy());
    pod.once('close', () => client.destroySoon());
    client.once('close', () => pod.destroySoon());
    client.pipe(pod);
    pod.pipe(client);
  }

  private choose(listener: Listener, from: string): Endpoint | undefined {
    const { endpoints, sticky, chosen } = listener;
    const known = sticky ? endpoints.find(({ ip }) => ip === chosen.get(from)) : undefined;
    const endpoint = known ?? endpoints[Math.floor(this.options.random() * endpoints.length)];
    if (sticky && endpoint) chosen.set(from, endpoint.ip);
    return endpoint;
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
