// metrics.k8s.io/v1beta1: what `kubectl top` and the HPA read, from the real usage of the pods' processes.
import { methodNotAllowed, notFound } from '../errors.ts';
import type { NodeUsage, PodUsage } from '../hooks.ts';
import { parseLabelSelector } from '../label-selector.ts';
import type { KubeObject } from '../objects.ts';
import { timestamp } from '../objects.ts';
import type { Exchange } from './context.ts';
import { sendJson } from './responses.ts';

export function handleMetrics(exchange: Exchange): void {
  const { req, res, served, name, query } = exchange;
  if (req.method !== 'GET') throw methodNotAllowed();
  const selects = parseLabelSelector(query.get('labelSelector'));
  const items = usage(exchange).filter((item) => selects(item as unknown as KubeObject));
  if (name === undefined) {
    sendJson(res, 200, {
      kind: `${served.kind}List`,
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: {},
      items,
    });
    return;
  }
  const item = items.find(({ metadata }) => metadata.name === name);
  if (!item) throw notFound(served, `${exchange.namespace ? `${exchange.namespace}/` : ''}${name}`);
  sendJson(res, 200, item);
}

function usage({ context, served, namespace }: Exchange) {
  const { pods, nodes } = context.hooks.metrics();
  const { registry } = context;
  if (served.resource === 'nodes') {
    return nodes.map((node) => ({
      ...head(
        'NodeMetrics',
        node,
        registry.get('nodes', undefined, node.name)?.metadata.labels,
        registry.now(),
      ),
      usage: amounts(node),
    }));
  }
  return pods
    .filter((pod) => namespace === undefined || pod.namespace === namespace)
    .map((pod) => ({
      ...head(
        'PodMetrics',
        pod,
        registry.get('pods', pod.namespace, pod.name)?.metadata.labels,
        registry.now(),
      ),
      containers: pod.containers.map((container) => ({ name: container.name, usage: amounts(container) })),
    }));
}

function head(
  kind: string,
  measured: PodUsage | NodeUsage,
  labels: Record<string, string> | undefined,
  nowMs: number,
) {
  return {
    kind,
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: {
      name: measured.name,
      ...('namespace' in measured ? { namespace: measured.namespace } : {}),
      creationTimestamp: timestamp(nowMs),
      ...(labels ? { labels } : {}),
    },
    timestamp: measured.timestamp,
    window: `${measured.windowSeconds}s`,
  };
}

/** As metrics-server writes them: nano cores and KiB. */
function amounts({ cpuNanocores, memoryBytes }: { cpuNanocores: number; memoryBytes: number }) {
  return { cpu: `${Math.round(cpuNanocores)}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}
