// One embedded cluster, top to bottom: addresses, store, API server, controllers, routing, nodes; and down again in the
// opposite order, with nothing left.

import type { Server } from 'node:net';
import { createAccess } from './api/auth/access.ts';
import { createAuthority } from './api/auth/certificates.ts';
import { createClusterObjects, publishApiServer } from './api/bootstrap.ts';
import type { KubeletHooks } from './api/hooks.ts';
import { kubeconfigFor } from './api/kubeconfig.ts';
import { type ApiRegistry, createRegistry } from './api/registry.ts';
import { createApiServer } from './api/server.ts';
import { startControllers } from './controllers/index.ts';
import { EmulatorError } from './errors.ts';
import { Lifetime } from './lifetime.ts';
import { machineLimits, tooLittle } from './machine-limits.ts';
import type { AddressBlock } from './node/addresses.ts';
import { guarded, type OnDefect } from './node/background.ts';
import { systemClock } from './node/clock.ts';
import { type IsolationMode, prepareGround, wantedIsolation } from './node/ground.ts';
import { type ImageSource, Images, type PullFailure } from './node/images.ts';
import type { ClusterNetwork } from './node/isolation/network.ts';
import { openInRouter, relay } from './node/isolation/router-sockets.ts';
import type { Chance } from './node/node-context.ts';
import { defaultNodes, emulatedVersion, type NodePlan } from './node/node-object.ts';
import { type Kubelets, startKubelets } from './node/start-kubelets.ts';
import { serveNames } from './proxy/name-server.ts';
import { canListen, type KernelRouting, type Proxies, startProxies } from './proxy/start-proxies.ts';

export interface EmbeddedOptions {
  /** What image names run; asked in order. */
  readonly images: readonly ImageSource[];
  /** Default: one control plane and three workers. */
  readonly nodes?: readonly NodePlan[];
  /** Scales what control plane and nodes need for their work; 1 (the default) as measured on kind. */
  readonly latencyFactor?: number;
  /** By how much (a share) each pod that starts at the same time prolongs the others' start; 0 by default. */
  readonly startContention?: number;
  /** Replays of recordings: how chance fell there. */
  readonly chance?: Chance;
  /** Routing updates on the agent's node lag by this many ms from the start. */
  readonly proxyDelayMs?: number;
  /** How often the HorizontalPodAutoscaler controller looks, and how often usage is scraped; 15 s by default. */
  readonly hpaSyncMs?: number;
  readonly metricsResolutionMs?: number;
  /** Of the API server; 0 (the default): any free one. */
  readonly port?: number;
  /** Whether pods get namespaces of their own; default: what ROLLPROOF_ISOLATION says, else `auto`. */
  readonly isolation?: IsolationMode;
  /** 0 to below 1; default Math.random. */
  readonly random?: () => number;
  /** What a pull of an image that is not mapped says. */
  readonly pullFailure?: (image: string) => PullFailure;
  /** A defect of the emulation, as a sentence. */
  readonly onDefect?: (text: string) => void;
}

/** What this cluster is, for reports. */
export interface ClusterFacts {
  readonly name: string;
  readonly kind: 'embedded';
  /** "v1.34.4" */
  readonly kubernetesVersion: string;
  readonly emulated: true;
  readonly nodes: { readonly name: string; readonly role: string }[];
  readonly proxyMode: string;
  /** The control plane: load agents run there. */
  readonly agentNode: string;
  /** What this machine lacks, in sentences. */
  readonly notes: string[];
}

export interface EmbeddedCluster extends AsyncDisposable {
  readonly info: ClusterFacts;
  /** "http://127.0.0.1:PORT" */
  readonly url: string;
  /** For requests to it; the kubeconfig has it, too. */
  readonly token: string;
  readonly registry: ApiRegistry;
  readonly images: Images;
  kubeconfig(): string;
  /** Where an agent on this node reads its endpoint table. */
  routesUrl(node: string): string;
  /** Routing updates of this node lag by so many ms from now on; 0 lets out what is held back. */
  delayProxy(node: string, delayMs: number): void;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** No cluster of a test lives that long. */
const certificateLifeMs = 365 * 86_400_000;
const DEFAULT_PERIOD_MS = 15_000;
const DNS_PORT = 53;

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const {
    nodes = defaultNodes,
    latencyFactor = 1,
    hpaSyncMs = DEFAULT_PERIOD_MS,
    metricsResolutionMs = DEFAULT_PERIOD_MS,
    random = Math.random,
    port = 0,
    onDefect = (text: string) => process.stderr.write(`${text}\n`),
  } = options;
  const [first] = nodes;
  if (!first) throw new EmulatorError('embedded: a cluster needs at least one node.');
  const clock = systemClock;
  const lacking = tooLittle(machineLimits());
  if (lacking) throw new EmulatorError(lacking);
  const lifetime = new Lifetime();
  const close = () => lifetime.close();
  try {
    const ground = await prepareGround(wantedIsolation(options.isolation), nodes.length, random(), lifetime);
    const { addresses } = ground;
    const authority = createAuthority('kubernetes-ca');
    const registry = createRegistry({
      now: () => Date.now(),
      random,
      capabilities: {
        volumes: ground.isolation?.roots ?? false,
        names: ground.isolation !== undefined,
      },
      allocateClusterIP: (taken) => addresses.allocateService(taken),
      rootCertificate: authority.cert,
    });
    const access = createAccess(registry);
    const apiService = createClusterObjects(registry);
    const images = new Images(options.images, options.pullFailure);
    const notes = [
      ...ground.notes,
      ...(ground.isolation ? [] : await notesOn(addresses)),
      ...cycleNotes(hpaSyncMs, metricsResolutionMs),
    ];
    let kubelets: Kubelets | undefined;
    const hooks = later(() => kubelets?.hooks);
    const certificate = authority.issue({
      hosts: [
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        'kubernetes.default.svc.cluster.local',
      ],
      addresses: [
        '127.0.0.1',
        ...(apiService.spec?.clusterIP ? [apiService.spec.clusterIP] : []),
        ...(ground.isolation ? [ground.isolation.network.routerAddress] : []),
      ],
      validToMs: Date.now() + certificateLifeMs,
    });
    const api = await createApiServer({
      registry,
      access,
      certificate,
      version: emulatedVersion,
      ...hooks,
    }).listen(port);
    lifetime.add(() => api.close());
    const nodeNames = nodes.map((plan, index) => ({
      name: plan.name,
      address: addresses.nodeAddress(index),
    }));
    const proxies: Proxies = await startProxies({
      registry,
      clock,
      random,
      nodes: nodeNames,
      latencyFactor,
      ownAddresses: addresses.ownAddresses,
      reach: (endpoint) => {
        const place = kubelets?.reach(endpoint.ip, endpoint.port);
        return place ? { ...endpoint, ip: place.host, port: place.port } : endpoint;
      },
      silent: addresses.ownAddresses ? { ip: addresses.silentAddress, port: 9 } : undefined,
      kernel: ground.isolation && kernelRouting(ground.isolation.network),
      note: (text) => void notes.push(text),
      onDefect,
    });
    lifetime.add(() => proxies.close());
    const seen = ground.isolation
      ? await insideNetwork(
          ground.isolation.network,
          registry,
          api.url,
          proxies.routesPort,
          lifetime,
          onDefect,
        )
      : { api: new URL(api.url).host, routes: `127.0.0.1:${proxies.routesPort}` };
    const apiUrl = new URL(`http://${seen.api}`);
    publishApiServer(registry, apiUrl.hostname, Number(apiUrl.port));
    const started = startKubelets({
      registry,
      clock,
      random,
      nodes,
      ground,
      images,
      latencyFactor,
      startContention: options.startContention ?? 0,
      chance: options.chance,
      metricsResolutionMs,
      onDefect,
      issueToken: (pod, audiences, expirationSeconds) => {
        const { namespace = '', name, uid } = pod.metadata;
        const account = registry.get('serviceaccounts', namespace, pod.spec?.serviceAccountName || 'default');
        return (
          account &&
          access.issue({
            namespace,
            name: account.metadata.name,
            uid: account.metadata.uid,
            ...(audiences && { audiences }),
            expirationSeconds,
            pod: { name, uid },
          }).token
        );
      },
      environment: (plan) => ({
        // Where pods have no network of their own, the Service's address may need a port below 1024.
        KUBERNETES_SERVICE_HOST: (ground.isolation && apiService.spec?.clusterIP) || apiUrl.hostname,
        KUBERNETES_SERVICE_PORT: ground.isolation ? '443' : apiUrl.port,
        ROLLPROOF_ROUTES: `http://${seen.routes}/routes/${plan.name}`,
      }),
    });
    kubelets = started;
    lifetime.add(() => started.close());
    const controllers = startControllers({
      registry,
      random,
      latencyFactor,
      hpaSyncMs,
      metrics: () => started.hooks.metrics(),
      onDefect: (controller, key, error) =>
        onDefect(
          `embedded: defect in controller ${controller} (${key}): ${(error as Error)?.stack ?? error}`,
        ),
    });
    lifetime.add(() => controllers.stop());
    if (options.proxyDelayMs) proxies.delay(first.name, options.proxyDelayMs);
    return {
      info: {
        name: 'embedded',
        kind: 'embedded',
        kubernetesVersion: emulatedVersion,
        emulated: true,
        nodes: nodes.map(({ name, role }) => ({ name, role })),
        proxyMode: 'emulated iptables',
        agentNode: first.name,
        notes,
      },
      url: api.url,
      token: api.token,
      registry,
      images,
      kubeconfig: () =>
        kubeconfigFor({ url: api.url, token: api.token, certificateAuthority: authority.cert }),
      routesUrl: (node) => proxies.routesUrl(node),
      delayProxy: (node, delayMs) => proxies.delay(node, delayMs),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    // What failed first is what is told.
    await close().catch(() => {});
    throw error;
  }
}

const kernelRouting = (network: ClusterNetwork): KernelRouting => ({
  apply: (rules) => network.apply(rules),
  podAddresses: (node) => network.addresses.podAddresses(node),
  machineAddress: network.machineAddress,
});

/** What pods reach in a network of their own: the API server, the routes of agents, names. */
async function insideNetwork(
  network: ClusterNetwork,
  registry: ApiRegistry,
  apiUrl: string,
  routesPort: number,
  lifetime: Lifetime,
  onDefect: OnDefect,
): Promise<{ api: string; routes: string }> {
  const { udp, tcp } = await openInRouter(network.enterRouter, network.routerAddress, DNS_PORT, 2);
  lifetime.add(() => new Promise((resolve) => udp.close(() => resolve())));
  serveNames(
    udp,
    {
      service: (namespace, name) => registry.get('services', namespace, name),
      slices: (namespace, service) =>
        registry
          .list('endpointslices', namespace)
          .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service),
    },
    (run) => guarded('the name server', run, onDefect),
  );
  const relays = [Number(new URL(apiUrl).port), routesPort].map((port, index) =>
    relay(tcp[index] as Server, port),
  );
  lifetime.add(() => {
    for (const each of relays) each.close();
  });
  const [api, routes] = relays;
  return { api: api?.address ?? '', routes: routes?.address ?? '' };
}

/** What this machine lacks, for reports. */
async function notesOn(addresses: AddressBlock): Promise<string[]> {
  if (!addresses.ownAddresses) {
    return [
      'this system has one loopback address: pods share it, each on ports of its own, and a pod that is gone refuses instead of hanging.',
    ];
  }
  if (await canListen(80, addresses.silentAddress)) return [];
  return [
    'this user may not listen on ports below 1024: Services on such ports have no front address (load agents need none).',
  ];
}

function cycleNotes(hpaSyncMs: number, metricsResolutionMs: number): string[] {
  if (hpaSyncMs === DEFAULT_PERIOD_MS && metricsResolutionMs === DEFAULT_PERIOD_MS) return [];
  const seconds = (ms: number) => `${ms / 1000} s`;
  return [
    `The autoscaler looks every ${seconds(hpaSyncMs)} and usage is measured every ${seconds(metricsResolutionMs)} (the defaults are ${seconds(DEFAULT_PERIOD_MS)}).`,
  ];
}

/** The API server is up before the kubelets are: until then their part of the API answers that it is not there. */
function later(hooks: () => KubeletHooks | undefined): KubeletHooks {
  const ready = (): KubeletHooks => {
    const found = hooks();
    if (!found) throw new EmulatorError('embedded: the nodes are not up yet.');
    return found;
  };
  return {
    podProxy: (...args) => ready().podProxy(...args),
    podLogs: (...args) => ready().podLogs(...args),
    podExec: (...args) => ready().podExec(...args),
    podConnect: async (...args) => ready().podConnect(...args),
    metrics: () => hooks()?.metrics() ?? { pods: [], nodes: [] },
  };
}
