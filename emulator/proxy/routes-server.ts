// Tells load agents their node's endpoint table: one HTTP stream per agent, one JSON line per change, each the whole
// table. The agent then connects straight to the chosen pod, so that it is the kernel that refuses.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Endpoint, ServicePort } from './service-table.ts';

interface RoutesServerOptions {
  readonly random: () => number;
  /** The first one is also reached at 127.0.0.1. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  /** The table of a node; undefined when there is no such node. */
  readonly tableOf: (node: string) => readonly ServicePort[] | undefined;
  /** Where an endpoint really is. */
  readonly reach: (endpoint: Endpoint) => Endpoint;
  /** Where connections hang: for policy Local without a local endpoint. */
  readonly silent: Endpoint | undefined;
}

interface Subscriber {
  readonly node: string;
  readonly response: ServerResponse;
  /** Session affinity: the endpoint that this client was given, by Service port. */
  readonly chosen: Map<string, string>;
}

const LAST_WORDS_LIMIT_MS = 200;
/** A subscriber that does not read is cut off here; it starts anew with a complete table. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024;

export class RoutesServer {
  private readonly options: RoutesServerOptions;
  private readonly server: Server;
  private readonly subscribers = new Set<Subscriber>();

  private constructor(options: RoutesServerOptions) {
    this.options = options;
    this.server = createServer((request, response) => {
      const node = /^\/routes\/([^/?]+)$/.exec(request.url ?? '')?.[1];
      if (!node || options.tableOf(node) === undefined) {
        response.writeHead(404).end();
        return;
      }
      const subscriber: Subscriber = { node, response, chosen: new Map() };
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.once('close', () => this.subscribers.delete(subscriber));
      response.on('error', () => this.subscribers.delete(subscriber));
      this.subscribers.add(subscriber);
      this.send(subscriber);
    });
  }

  static async listen(options: RoutesServerOptions): Promise<RoutesServer> {
    const routes = new RoutesServer(options);
    await new Promise<void>((resolve, reject) => {
      routes.server.once('error', reject);
      routes.server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    return routes;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  urlFor(node: string): string {
    return `http://127.0.0.1:${this.port}/routes/${node}`;
  }

  /** Whoever comes by a node's port follows that node's rules, wherever it is itself. */
  changed(node: string): void {
    const hasPorts = this.options.tableOf(node)?.some(({ nodePort }) => nodePort !== undefined) ?? false;
    for (const subscriber of this.subscribers)
      if (hasPorts || subscriber.node === node) this.send(subscriber);
  }

  /** In order where the agents read: a stream that is cut off would look like a failure to them. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const ended = [...this.subscribers].map(
      ({ response }) => new Promise<void>((resolve) => response.end(() => resolve())),
    );
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_WORDS_LIMIT_MS);
    });
    await Promise.race([Promise.all(ended), limit]);
    clearTimeout(timer);
    this.server.closeAllConnections();
    await closed;
  }

  private send(subscriber: Subscriber): void {
    const { response } = subscriber;
    if (response.writableLength > MOST_BUFFERED_BYTES) {
      response.destroy();
      return;
    }
    const table = this.options.tableOf(subscriber.node) ?? [];
    response.write(`${JSON.stringify({ services: this.services(table, subscriber) })}\n`);
  }

  private services(
    table: readonly ServicePort[],
    subscriber: Subscriber,
  ): Record<string, readonly Endpoint[]> {
    const services: Record<string, readonly Endpoint[]> = {};
    for (const entry of table) {
      const inside = this.chooseFor(subscriber, `in ${keyOf(entry)}`, entry, entry);
      const name = `${entry.service}.${entry.namespace}`;
      for (const host of [`${name}.svc.cluster.local`, `${name}.svc`, name, entry.clusterIP]) {
        services[`${host}:${entry.port}`] = inside;
      }
    }
    for (const [index, { name, address }] of this.options.nodes.entries())
      for (const entry of this.options.tableOf(name) ?? []) {
        if (entry.nodePort === undefined) continue;
        const outside = this.chooseFor(subscriber, `out ${address} ${keyOf(entry)}`, entry, {
          endpoints: entry.externalEndpoints,
          drops: entry.externalDrops,
        });
        for (const host of index === 0 ? [address, '127.0.0.1'] : [address])
          services[`${host}:${entry.nodePort}`] = outside;
      }
    return services;
  }

  private chooseFor(
    { chosen }: Subscriber,
    key: string,
    { sticky }: ServicePort,
    { endpoints, drops }: Pick<ServicePort, 'endpoints' | 'drops'>,
  ): readonly Endpoint[] {
    const { reach, silent, random } = this.options;
    if (endpoints.length === 0) return drops && silent ? [silent] : [];
    if (!sticky) return endpoints.map(reach);
    const known = endpoints.find(({ ip }) => ip === chosen.get(key));
    const endpoint = known ?? (endpoints[Math.floor(random() * endpoints.length)] as Endpoint);
    chosen.set(key, endpoint.ip);
    return [reach(endpoint)];
  }
}

const keyOf = ({ namespace, service, port }: ServicePort): string => `${namespace}/${service}:${port}`;
