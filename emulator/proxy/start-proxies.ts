// Service routing of the embedded cluster: a kube-proxy per node, the streams that tell agents about it, and the front
// addresses of Services.
import { createServer } from 'node:net';
import type { Registry } from '../api/types.ts';
import { inBackground, type OnDefect } from '../node/background.ts';
import type { Clock } from '../node/clock.ts';
import { Fronts } from './front.ts';
import { kernelRules } from './kernel-rules.ts';
import { NodeProxy } from './node-proxy.ts';
import { RoutesServer } from './routes-server.ts';
import type { Endpoint, ServicePort } from './service-table.ts';

interface ProxiesOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  /** The first one is where agents run and whose rules the front addresses follow. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly latencyFactor: number;
  /** False where nodes and Services have no addresses of their own. */
  readonly ownAddresses: boolean;
  readonly reach: (endpoint: Endpoint) => Endpoint;
  readonly silent: Endpoint | undefined;
  /** Where the cluster has a network of its own: its kernel routes, with nft rules. */
  readonly kernel: KernelRouting | undefined;
  /** Something that cannot be had on this machine, as a sentence. */
  readonly note: (text: string) => void;
  readonly onDefect: OnDefect;
}

export interface KernelRouting {
  apply(rules: string): Promise<void>;
  /** First and last address of the pods of a node. */
  podAddresses(node: number): readonly [string, string];
  /** This machine's own address there: it follows the first node's rules. */
  readonly machineAddress: string;
}

export interface Proxies {
  routesUrl(node: string): string;
  /** Of the server of routes, on 127.0.0.1. */
  readonly routesPort: number;
  /** New rules of this node take effect this much later, ms. */
  delay(node: string, delayMs: number): void;
  close(): Promise<void>;
}

const WATCH_MS = 8;
/** One run of iptables-restore on a small cluster. */
const SYNC_MS = 35;

export async function startProxies(options: ProxiesOptions): Promise<Proxies> {
  const { registry, clock, random, nodes, latencyFactor, ownAddresses, note } = options;
  const proxies = new Map<string, NodeProxy>();
  const routes = await RoutesServer.listen({
    random,
    nodes,
    tableOf: (node) => proxies.get(node)?.table,
    reach: options.reach,
    silent: options.silent,
  });
  const written: string[] = [];
  const affinity = nodes.map(() => new Set<string>());
  const noted = new Set<string>();
  const fronts = new Fronts({
    random,
    reach: options.reach,
    unavailable: (address, port, reason) => {
      const text =
        reason === 'EACCES'
          ? `ports below 1024 are not for this user: no front address for Services on port ${port} (load agents do not need it)`
          : `no front address ${address}:${port}: ${reason}`;
      if (noted.has(text)) return;
      noted.add(text);
      note(text);
    },
  });
  const updateFronts = () => {
    const [first] = nodes;
    const inside = first ? (proxies.get(first.name)?.table ?? []) : [];
    fronts.set([
      ...(ownAddresses && !options.kernel
        ? inside.map(({ clusterIP, port, endpoints, sticky }) => ({
            address: clusterIP,
            port,
            endpoints,
            sticky,
          }))
        : []),
      ...nodes.flatMap(({ name, address }, index) =>
        (proxies.get(name)?.table ?? []).flatMap((entry) => nodePortOf(entry, address, index === 0)),
      ),
    ]);
  };
  const nodePortOf = (entry: ServicePort, address: string, first: boolean) => {
    const { nodePort, externalEndpoints: endpoints, sticky } = entry;
    if (nodePort === undefined) return [];
    return [...(ownAddresses && !options.kernel ? [address] : []), ...(first ? ['127.0.0.1'] : [])].map(
      (where) => ({
        address: where,
        port: nodePort,
        endpoints,
        sticky,
      }),
    );
  };
  const updateKernel = (node: number, table: readonly ServicePort[]) => {
    const { kernel, onDefect } = options;
    const address = nodes[node]?.address;
    if (!kernel || address === undefined) return;
    const rules = kernelRules(
      {
        name: `node${node}`,
        sources: [
          kernel.podAddresses(node).join('-'),
          address,
          ...(node === 0 ? [kernel.machineAddress] : []),
        ],
        nodeAddress: address,
      },
      table,
      affinity[node] as Set<string>,
    );
    if (rules === written[node]) return;
    written[node] = rules;
    inBackground('routing rules', kernel.apply(rules), onDefect);
  };
  for (const [node, { name }] of nodes.entries()) {
    const proxy = new NodeProxy({
      node: name,
      registry,
      clock,
      onDefect: options.onDefect,
      watchMs: WATCH_MS * latencyFactor,
      syncMs: SYNC_MS * latencyFactor,
      applied: (table) => {
        routes.changed(name);
        updateKernel(node, table);
        updateFronts();
      },
    });
    proxies.set(name, proxy);
  }
  return {
    routesUrl: (node) => routes.urlFor(node),
    routesPort: routes.port,
    delay: (node, delayMs) => proxies.get(node)?.delay(delayMs),
    async close() {
      for (const proxy of proxies.values()) proxy.close();
      await Promise.all([routes.close(), fronts.close()]);
    },
  };
}

/** Whether this machine lets this user listen on `port` of the loopback network. */
export function canListen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}
