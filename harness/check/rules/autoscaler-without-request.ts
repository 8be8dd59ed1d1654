// An autoscaler on the utilization of CPU or memory, and pods that ask for none.
import { containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { fields, has, list, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf, partnerName, type SourceObject } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const autoscalerWithoutRequest: Rule = {
  id: 'autoscaler-without-request',
  severity: 'warning',
  title: 'autoscaler on CPU, and no CPU request',
  why: 'Utilization is a share of what the pods ask for. When a container asks for none the autoscaler cannot compute it (event FailedGetResourceMetric) and never scales. A LimitRange of the namespace may fill it in; the manifests do not show that.',
  scenario: 'autoscale',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap((workload) =>
      workload.autoscaler?.kind === 'HorizontalPodAutoscaler' ? findIn(workload, workload.autoscaler) : [],
    ),
  measured: notMeasurable,
};

function findIn(workload: Workload, autoscaler: SourceObject): readonly Draft[] {
  const { object } = workload;
  return metricsOf(autoscaler).flatMap(({ resource, only }) =>
    workload.containers
      .filter(({ name }) => only === undefined || name === only)
      .filter(({ value }) => {
        const { requests, limits } = fields(value.resources);
        return !has(fields(requests)[resource]) && !has(fields(limits)[resource]);
      })
      .map((container) => {
        const path = [...container.path, 'resources', 'requests', resource];
        const changes: readonly Change[] = [
          {
            set: path,
            value: resource === 'cpu' ? '100m' : '128Mi',
            comment: 'what it needs on an ordinary day; the autoscaler counts in shares of this',
          },
        ];
        return {
          object,
          other: autoscaler,
          path: container.path,
          message: `${partnerName(autoscaler, object)} scales ${nameOf(object)} by its ${resource} utilization, and ${containerName(container)} requests no ${resource}: it never scales.`,
          changes,
          byHand: 'only you know what it needs',
        };
      }),
  );
}

/** Resources whose utilization counts, and of which container. No metric at all means CPU at 80 %. */
function metricsOf(
  autoscaler: SourceObject,
): readonly { readonly resource: string; readonly only?: string }[] {
  const spec = fields(autoscaler.value.spec);
  const metrics = list(spec.metrics).map(fields);
  if (metrics.length === 0) return [{ resource: 'cpu' }];
  return metrics.flatMap((metric) => {
    const source = fields(metric.type === 'ContainerResource' ? metric.containerResource : metric.resource);
    const target = fields(source.target);
    const resource = text(source.name);
    const used = has(target.averageUtilization) || has(source.targetAverageUtilization);
    if ((resource !== 'cpu' && resource !== 'memory') || !used) return [];
    const only = text(source.container);
    return [only === undefined ? { resource } : { resource, only }];
  });
}
