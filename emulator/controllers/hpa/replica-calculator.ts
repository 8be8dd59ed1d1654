// How many replicas a metric asks for. Source: pkg/controller/podautoscaler/{replica_calculator,metrics/utilization}.go.
import type { Pod } from '../../api/types.ts';
import { conditionOf, isTerminating } from '../runtime/pods.ts';
import { amountOf } from '../scheduler/resources.ts';

export interface PodMetric {
  /** Millicores, or thousandths of a byte. */
  readonly valueMilli: number;
  /** When it was taken, Unix ms. */
  readonly atMs: number;
  readonly windowMs: number;
}

export interface CalculatorOptions {
  /** A ratio within 1 ± tolerance changes nothing. */
  readonly tolerance: number;
  /** After a pod's start, CPU counts only from when it was ready for one window. */
  readonly cpuInitializationPeriodMs: number;
  /** A pod that turned unready within this time of its start has never been ready. */
  readonly initialReadinessDelayMs: number;
}

/** Defaults of kube-controller-manager. */
export const defaultCalculatorOptions: CalculatorOptions = {
  tolerance: 0.1,
  cpuInitializationPeriodMs: 5 * 60_000,
  initialReadinessDelayMs: 30_000,
};

export interface Proposal {
  readonly replicas: number;
  /** Percent of the requests, for utilization targets. */
  readonly utilization: number | undefined;
  /** Per pod, in thousandths. */
  readonly averageMilli: number;
}

interface PodGroups {
  readonly readyCount: number;
  /** Their metrics do not count yet. */
  readonly unready: readonly string[];
  /** They have no metric. */
  readonly missing: readonly string[];
}

export interface ResourceTarget {
  readonly resource: string;
  /** Only this container's usage and requests. */
  readonly container?: string;
  /** Percent of the requests; or: */
  readonly utilization?: number;
  /** Per pod, in thousandths. */
  readonly averageMilli?: number;
}

/**
 * ratio = (Σ usage × 100 / Σ requests, cut to whole percent) / target, or mean usage / target value.
 *
 *   within 1 ± 0.1          → as it is
 *   all pods have metrics   → ceil(ratio × ready pods)
 *   else                    → missing pods count as 100 % of their request (or the target, if that is more; for values:
 *                             the target) when ratio < 1, as 0 when ratio > 1; unready ones as 0 when ratio > 1; then
 *                             ceil(new ratio × pods counted), unless the new ratio is within tolerance or points the
 *                             other way
 *
 *   1 pod, 207 % of a target of 50 % → ceil(4.14) = 5;  5 pods at 31 % → ceil(3.1) = 4;  5 at 67 % → ceil(6.7) = 7
 * Throws an Error in Kubernetes' words when nothing can be computed.
 */
export function resourceReplicas(
  current: number,
  target: ResourceTarget,
  pods: readonly Pod[],
  metrics: ReadonlyMap<string, PodMetric>,
  nowMs: number,
  options: CalculatorOptions,
): Proposal {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const groups = groupPods(pods, metrics, target.resource, nowMs, options);
  const values = new Map([...metrics].map(([name, { valueMilli }]) => [name, valueMilli]));
  for (const { metadata } of pods) if (isIgnored(metadata.name)) values.delete(metadata.name);
  const requests = target.utilization === undefined ? undefined : requestsOf(pods, target);
  if (values.size === 0) throw new Error('did not receive metrics for any ready pods');
  const ratioOf = () => usageRatio(values, target, requests);
  const { ratio, utilization, averageMilli } = ratioOf();
  const done = (replicas: number): Proposal => ({ replicas, utilization, averageMilli });
  const isNear = (each: number) => isWithinTolerance(each, options);

  const countUnready = groups.unready.length > 0 && ratio > 1;
  if (!countUnready && groups.missing.length === 0) {
    return done(isNear(ratio) ? current : Math.ceil(ratio * groups.readyCount));
  }
  for (const name of groups.missing) {
    if (ratio < 1) values.set(name, missingUsage(name, target, requests));
    else if (ratio > 1) values.set(name, 0);
  }
  if (countUnready) for (const name of groups.unready) values.set(name, 0);
  const { ratio: newRatio } = ratioOf();
  if (isNear(newRatio) || (ratio < 1 && newRatio > 1) || (ratio > 1 && newRatio < 1)) return done(current);
  const replicas = Math.ceil(newRatio * values.size);
  const turns = (newRatio < 1 && replicas > current) || (newRatio > 1 && replicas < current);
  return done(turns ? current : replicas);

  function isIgnored(name: string): boolean {
    return (
      groups.unready.includes(name) || pods.some((pod) => pod.metadata.name === name && doesNotCount(pod))
    );
  }
}

/** Deleted and failed pods count nowhere; pending ones and, for CPU, those that were not ready for a window are unready. */
export function groupPods(
  pods: readonly Pod[],
  metrics: ReadonlyMap<string, PodMetric>,
  resource: string,
  nowMs: number,
  options: CalculatorOptions,
): PodGroups {
  const unready: string[] = [];
  const missing: string[] = [];
  let readyCount = 0;
  for (const pod of pods) {
    const { name } = pod.metadata;
    if (doesNotCount(pod)) continue;
    const metric = metrics.get(name);
    if (pod.status?.phase === 'Pending') unready.push(name);
    else if (!metric) missing.push(name);
    else if (resource === 'cpu' && isUnready(pod, metric, nowMs, options)) unready.push(name);
    else readyCount++;
  }
  return { readyCount, unready, missing };
}

/** Both ends belong to it: 1.1 and 0.9 change nothing. */
function isWithinTolerance(ratio: number, { tolerance }: CalculatorOptions): boolean {
  return 1 - tolerance <= ratio && ratio <= 1 + tolerance;
}

function doesNotCount(pod: Pod): boolean {
  return isTerminating(pod) || pod.status?.phase === 'Failed';
}

function isUnready(pod: Pod, metric: PodMetric, nowMs: number, options: CalculatorOptions): boolean {
  const ready = conditionOf(pod, 'Ready');
  const startTime = pod.status?.startTime;
  if (!ready || !startTime) return true;
  const startMs = Date.parse(startTime);
  const changedMs = Date.parse(ready.lastTransitionTime ?? '');
  if (startMs + options.cpuInitializationPeriodMs > nowMs) {
    return ready.status === 'False' || metric.atMs < changedMs + metric.windowMs;
  }
  return ready.status === 'False' && startMs + options.initialReadinessDelayMs > changedMs;
}

function usageRatio(
  values: ReadonlyMap<string, number>,
  target: ResourceTarget,
  requests: ReadonlyMap<string, number> | undefined,
): { ratio: number; utilization: number | undefined; averageMilli: number } {
  if (target.utilization === undefined) {
    const total = [...values.values()].reduce((sum, value) => sum + value, 0);
    const averageMilli = Math.trunc(total / values.size);
    return { ratio: averageMilli / (target.averageMilli ?? 0), utilization: undefined, averageMilli };
  }
  let used = 0;
  let requested = 0;
  let count = 0;
  for (const [name, value] of values) {
    const request = requests?.get(name);
    if (request === undefined) continue;
    used += value;
    requested += request;
    count++;
  }
  if (requested === 0) throw new Error('no metrics returned matched known pods');
  const utilization = Math.trunc((used * 100) / requested);
  return { ratio: utilization / target.utilization, utilization, averageMilli: Math.trunc(used / count) };
}

function missingUsage(
  name: string,
  target: ResourceTarget,
  requests: ReadonlyMap<string, number> | undefined,
): number {
  if (target.utilization === undefined) return target.averageMilli ?? 0;
  const percent = Math.max(100, target.utilization);
  return Math.trunc(((requests?.get(name) ?? 0) * percent) / 100);
}

function requestsOf(pods: readonly Pod[], { resource, container }: ResourceTarget): Map<string, number> {
  return new Map(
    pods.map((pod) => {
      const { name } = pod.metadata;
      const containers = pod.spec?.containers ?? [];
      const counted =
        container === undefined ? containers : containers.filter((each) => each.name === container);
      if (counted.length === 0) throw new Error(`container ${container} not found in Pod ${name}`);
      const milli = counted.map((each) => {
        const request = each.resources?.requests?.[resource];
        if (request === undefined) {
          throw new Error(`missing request for ${resource} in container ${each.name} of Pod ${name}`);
        }
        return amountOf(resource, request) * (resource === 'cpu' ? 1 : 1000);
      });
      return [name, milli.reduce((total, each) => total + each, 0)];
    }),
  );
}
