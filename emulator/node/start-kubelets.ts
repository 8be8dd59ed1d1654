// Brings the emulated nodes up: their Node objects, their kubelets, and what the kubelets share.
import type { KubeletHooks } from '../api/hooks.ts';
import type { Pod, Registry } from '../api/types.ts';
import { BackOff } from './back-off.ts';
import { inBackground, type OnDefect } from './background.ts';
import type { Clock } from './clock.ts';
import type { Ground } from './ground.ts';
import type { Images } from './images.ts';
import { Kubelet } from './kubelet.ts';
import { kubeletHooks } from './kubelet-hooks.ts';
import { latencyModel } from './latency.ts';
import type { Chance, IssueToken } from './node-context.ts';
import { keepLease } from './node-lease.ts';
import { type NodePlan, nodeDraft } from './node-object.ts';
import { type MeasuredContainer, Metrics, machine } from './resource-usage.ts';
import { SilentAddresses } from './silent-addresses.ts';

interface KubeletsOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly nodes: readonly NodePlan[];
  readonly ground: Ground;
  readonly images: Images;
  /** Scales what a node needs for its work; 1 as measured. */
  readonly latencyFactor: number;
  /** By how much pods that start at the same time slow each other down. */
  readonly startContention: number;
  readonly chance?: Chance | undefined;
  /** How often usage is scraped, ms; 15 s in metrics-server's deployed manifests. */
  readonly metricsResolutionMs: number;
  readonly onDefect: OnDefect;
  readonly issueToken?: IssueToken | undefined;
  /** Variables for the containers of a node: KUBERNETES_SERVICE_HOST, ROLLPROOF_ROUTES ... */
  readonly environment: (node: NodePlan) => Readonly<Record<string, string>>;
}

export interface Kubelets {
  readonly hooks: KubeletHooks;
  /** Where a pod's port really is; undefined when no pod has this address. */
  reach(podIP: string, port: number): { host: string; port: number } | undefined;
  /** An address that never answers; undefined where that cannot be had. */
  readonly silent: { readonly ip: string; readonly port: number } | undefined;
  /** Kills every pod's processes. */
  close(): Promise<void>;
}

const DISCARD_PORT = 9;

export function startKubelets(options: KubeletsOptions): Kubelets {
  const { registry, clock, random, nodes, ground } = options;
  const { addresses, watchdog, folder, preload, isolation } = ground;
  const silent = new SilentAddresses(clock);
  const nowhere = { ip: addresses.silentAddress, port: DISCARD_PORT };
  // In a network of its own an address that nobody has hangs by itself.
  if (addresses.ownAddresses && !isolation)
    inBackground('the silent address', silent.hold(nowhere.ip, [nowhere.port], 'close'), options.onDefect);
  const { cpus, memoryBytes } = machine();
  const leases = nodes.map((plan, index) => {
    const node = registry.create(
      'nodes',
      nodeDraft({
        plan,
        address: addresses.nodeAddress(index),
        podRange: addresses.podRange(index),
        cpus,
        memoryBytes,
        kubeletPort: 10_250,
        single: nodes.length === 1,
        nowMs: clock.wall(),
      }),
    );
    return keepLease(registry, clock, node);
  });
  const latencies = latencyModel(options.latencyFactor, random, options.startContention);
  const kubelets = nodes.map(
    (plan, index) =>
      new Kubelet({
        name: plan.name,
        index,
        hostIP: addresses.nodeAddress(index),
        registry,
        clock,
        random,
        latencies,
        images: options.images,
        addresses,
        silent,
        watchdog,
        restartBackOff: new BackOff(clock),
        pullBackOff: new BackOff(clock),
        folder,
        preload,
        isolation,
        chance: options.chance ?? {},
        onDefect: options.onDefect,
        issueToken: options.issueToken,
        nameServer: isolation?.network.routerAddress,
        environment: options.environment(plan),
        event: (pod: Pod, type, reason, message) => registry.event(pod, type, reason, message, 'kubelet'),
      }),
  );
  const metrics = new Metrics({
    clock,
    resolutionMs: options.metricsResolutionMs,
    nodes: nodes.map((plan) => plan.name),
    containers: () => kubelets.flatMap(measuredContainers),
  });
  return {
    hooks: kubeletHooks(kubelets, metrics),
    silent: addresses.ownAddresses ? nowhere : undefined,
    reach(podIP, port) {
      for (const kubelet of kubelets) {
        const worker = kubelet.pods().find((candidate) => candidate.runtime.podIP === podIP);
        if (worker) return worker.runtime.reach(port);
      }
      return undefined;
    },
    async close() {
      metrics.close();
      for (const end of leases) end();
      await Promise.all(kubelets.map((kubelet) => kubelet.close()));
      await silent.close();
    },
  };
}

function measuredContainers(kubelet: Kubelet): MeasuredContainer[] {
  return kubelet.pods().flatMap((worker) => {
    const { namespace = '', name } = worker.object.metadata;
    return worker.runtime.processes().map(({ container, runId, pid, startedAtMs }) => ({
      namespace,
      pod: name,
      node: kubelet.node.name,
      container,
      runId,
      startedAtMs,
      group: pid,
    }));
  });
}
