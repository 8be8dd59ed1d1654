// The horizontal pod autoscaler: looks at each autoscaler once per period.
// Source: reconcileAutoscaler in pkg/controller/podautoscaler/horizontal.go.

import { type LabelSelector, matchesSelector } from '../../api/label-selector.ts';
import { equalObjects, timestamp } from '../../api/objects.ts';
import { type Autoscaler, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { groupOf, qualifiedName, type Scalable, scalableOf, sizeOf } from '../runtime/scalable.ts';
import {
  type History,
  type Normalized,
  normalize,
  normalizeWithBehavior,
  rememberScale,
  withDefaultRules,
} from './behavior.ts';
import { type AutoscalerCondition, type AutoscalerStatus, setCondition } from './conditions.ts';
import { evaluateMetric, type MetricResult, type MetricStatus } from './metrics.ts';
import { type CalculatorOptions, defaultCalculatorOptions } from './replica-calculator.ts';

export interface AutoscalerOptions extends CalculatorOptions {
  /** --horizontal-pod-autoscaler-sync-period */
  readonly syncPeriodMs: number;
  /** --horizontal-pod-autoscaler-downscale-stabilization */
  readonly downscaleStabilizationMs: number;
}

export const defaultAutoscalerOptions: AutoscalerOptions = {
  ...defaultCalculatorOptions,
  syncPeriodMs: 15_000,
  downscaleStabilizationMs: 5 * 60_000,
};

interface Scale {
  readonly resource: Scalable;
  /** As messages call it: "deployments.apps". */
  readonly calledAs: string;
  readonly replicas: number;
  readonly selector: LabelSelector | undefined;
}

/** The autoscaler's status as this sync builds it. */
interface Draft {
  readonly autoscaler: Autoscaler;
  readonly conditions: AutoscalerCondition[];
}

export function startAutoscaler(context: ControllerContext, options: AutoscalerOptions): void {
  const { informers, registry, clock, latencies, random } = context;
  const client = clientFor(context, 'horizontal-pod-autoscaler');
  const histories = new Map<string, History>();
  const queue = queueFor(context, 'hpa', sync, { retryDelayMs: () => options.syncPeriodMs });
  informers.on('horizontalpodautoscalers', ({ object }) =>
    // The queue has one fixed interval: also a new autoscaler waits for it.
    queue.addAfter(keyOf(object.metadata.namespace, object.metadata.name), options.syncPeriodMs),
  );

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.budgetSync, random));
    const autoscaler = informers.get('horizontalpodautoscalers', namespace, name);
    if (!autoscaler) {
      histories.delete(key);
      return;
    }
    try {
      await reconcile(key, autoscaler);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    } finally {
      queue.addAfter(key, options.syncPeriodMs);
    }
  }

  async function reconcile(key: string, autoscaler: Autoscaler): Promise<void> {
    const draft: Draft = { autoscaler, conditions: structuredClone(autoscaler.status?.conditions ?? []) };
    const scale = readScale(autoscaler);
    if (typeof scale === 'string') {
      client.event(autoscaler, 'Warning', 'FailedGetScale', scale);
      const text = `the HPA controller was unable to get the target's current scale: ${scale}`;
      condition(draft, 'AbleToScale', 'False', 'FailedGetScale', text);
      return write(draft, autoscaler.status?.currentReplicas ?? 0);
    }
    condition(
      draft,
      'AbleToScale',
      'True',
      'SucceededGetScale',
      "the HPA controller was able to get the target's current scale",
    );
    const current = scale.replicas;
    const history = histories.get(key) ?? {
      recommendations: [{ replicas: current, atMs: clock.nowMs() }],
      scaledUp: [],
      scaledDown: [],
    };
    histories.set(key, history);

    const min = autoscaler.spec?.minReplicas ?? 1;
    const max = autoscaler.spec?.maxReplicas ?? 0;
    if (current === 0 && min !== 0) {
      const text = 'scaling is disabled since the replica count of the target is zero';
      condition(draft, 'ScalingActive', 'False', 'ScalingDisabled', text);
      return write(draft, current, { desired: 0, metrics: [] });
    }
    if (current > max) {
      return rescale(key, draft, scale, max, 'Current number of replicas above Spec.MaxReplicas', []);
    }
    if (current < min) {
      return rescale(key, draft, scale, min, 'Current number of replicas below Spec.MinReplicas', []);
    }
    const proposal = evaluateAll(draft, scale);
    if (proposal.replicas === undefined) {
      await write(draft, current, {
        desired: autoscaler.status?.desiredReplicas ?? 0,
        metrics: proposal.statuses,
      });
      client.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', proposal.error);
      return;
    }
    const desired = limit(draft, history, current, proposal.replicas, { min, max });
    if (desired === current) return write(draft, current, { desired, metrics: proposal.statuses });
    const reason = proposal.replicas > current ? `${proposal.name} above target` : 'All metrics below target';
    return rescale(key, draft, scale, desired, reason, proposal.statuses);
  }

  /** The highest of the metrics' proposals; with a failed one among them no scaling down. */
  function evaluateAll(
    draft: Draft,
    { replicas: current, selector }: Scale,
  ):
    | { replicas: number; name: string; statuses: MetricStatus[] }
    | { replicas: undefined; error: string; statuses: MetricStatus[] } {
    const { namespace } = draft.autoscaler.metadata;
    const input = {
      current,
      pods: informers
        .list('pods', namespace)
        .filter(({ metadata }) => matchesSelector(selector, metadata.labels)),
      usage: context.metrics().pods.filter((each) => each.namespace === namespace),
      nowMs: clock.nowMs(),
      options,
    };
    const metrics = draft.autoscaler.spec?.metrics ?? [];
    const results = metrics.map((metric) => evaluateMetric(metric, input));
    const failed = results.filter((result) => !result.ok);
    for (const { reason, message } of failed) client.event(draft.autoscaler, 'Warning', reason, message);
    const statuses = results.map((result) => (result.ok ? result.status : { type: '' }));
    const best = highest(results);
    const [first] = failed;
    if (first && (!best || best.replicas < current)) {
      const text = `the HPA was unable to compute the replica count: ${first.message}`;
      condition(draft, 'ScalingActive', 'False', first.reason, text);
      const error = `invalid metrics (${failed.length} invalid out of ${metrics.length}), first error is: ${first.error}`;
      return { replicas: undefined, error, statuses };
    }
    const name = best?.name ?? '';
    const text = `the HPA was able to successfully calculate a replica count from ${name}`;
    condition(draft, 'ScalingActive', 'True', 'ValidMetricFound', text);
    return { replicas: best?.replicas ?? 0, name, statuses };
  }

  function limit(
    draft: Draft,
    history: History,
    current: number,
    wanted: number,
    limits: { min: number; max: number },
  ): number {
    const behavior = draft.autoscaler.spec?.behavior;
    const nowMs = clock.nowMs();
    const result: Normalized = behavior
      ? normalizeWithBehavior(
          current,
          wanted,
          limits,
          withDefaultRules(behavior, options.downscaleStabilizationMs),
          history,
          nowMs,
        )
      : normalize(current, wanted, limits, history, options.downscaleStabilizationMs, nowMs);
    condition(draft, 'AbleToScale', 'True', result.ableToScale.reason, result.ableToScale.message);
    const { status, reason, message } = result.limited;
    condition(draft, 'ScalingLimited', status, reason, message);
    return result.replicas;
  }

  async function rescale(
    key: string,
    draft: Draft,
    scale: Scale,
    desired: number,
    reason: string,
    metrics: MetricStatus[],
  ): Promise<void> {
    const { autoscaler } = draft;
    const { namespace } = autoscaler.metadata;
    const target = autoscaler.spec?.scaleTargetRef.name ?? '';
    try {
      const scaled = await client.mutate(scale.resource, namespace, target, (object) => {
        if (object.spec) object.spec.replicas = desired;
      });
      if (!scaled) throw new StatusError(404, 'NotFound', `${scale.calledAs} "${target}" not found`);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const text = `New size: ${desired}; reason: ${reason}; error: ${error.message}`;
      client.event(autoscaler, 'Warning', 'FailedRescale', text);
      const why = `the HPA controller was unable to update the target scale: ${error.message}`;
      condition(draft, 'AbleToScale', 'False', 'FailedUpdateScale', why);
      return write(draft, scale.replicas);
    }
    const done = `the HPA controller was able to update the target scale to ${desired}`;
    condition(draft, 'AbleToScale', 'True', 'SucceededRescale', done);
    client.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${reason}`);
    const behavior = autoscaler.spec?.behavior;
    const history = histories.get(key);
    if (behavior && history) {
      const rules = withDefaultRules(behavior, options.downscaleStabilizationMs);
      rememberScale(history, scale.replicas, desired, rules, clock.nowMs());
    }
    return write(draft, scale.replicas, { desired, metrics, scaledAt: timestamp(clock.nowMs()) });
  }

  /** Without a result the former desired size and metrics stay. */
  async function write(
    { autoscaler, conditions }: Draft,
    current: number,
    result?: { desired: number; metrics: MetricStatus[]; scaledAt?: string },
  ): Promise<void> {
    const { status: former, metadata } = autoscaler;
    const lastScaleTime = result?.scaledAt ?? former?.lastScaleTime;
    const metrics = result ? result.metrics : former?.currentMetrics;
    const status: AutoscalerStatus = {
      ...(former?.observedGeneration === undefined ? {} : { observedGeneration: former.observedGeneration }),
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      ...(current === 0 ? {} : { currentReplicas: current }),
      desiredReplicas: result ? result.desired : (former?.desiredReplicas ?? 0),
      ...(metrics && metrics.length > 0 ? { currentMetrics: metrics } : {}),
      conditions,
    };
    if (equalObjects(former ?? {}, status)) return;
    await client.mutate(
      'horizontalpodautoscalers',
      metadata.namespace,
      metadata.name,
      (object) => {
        object.status = status;
      },
      'status',
    );
  }

  /** The scale subresource is read from the API server, not from a cache; a text says why it cannot be. */
  function readScale({ metadata, spec }: Autoscaler): Scale | string {
    const { kind = '', name = '', apiVersion = '' } = spec?.scaleTargetRef ?? {};
    const group = groupOf(apiVersion);
    const resource = scalableOf(apiVersion, kind);
    if (!resource) return `no matches for kind "${kind}" in group "${group}"`;
    const target = registry.get(resource, metadata.namespace, name);
    const calledAs = qualifiedName(resource, group);
    if (!target) return `${calledAs} "${name}" not found`;
    return { resource, calledAs, ...sizeOf(target) };
  }

  function condition(
    draft: Draft,
    type: 'AbleToScale' | 'ScalingActive' | 'ScalingLimited',
    status: 'True' | 'False',
    reason: string,
    message: string,
  ): void {
    setCondition(draft.conditions, type, status, reason, message, clock.nowMs());
  }
}

function highest(results: readonly MetricResult[]): (MetricResult & { ok: true }) | undefined {
  let best: (MetricResult & { ok: true }) | undefined;
  for (const result of results) {
    if (result.ok && (!best || result.replicas > best.replicas)) best = result;
  }
  return best;
}
