// A pod in which one container waits before it stops and another, which serves it, does not.
import { containerName, declaredPorts, onlyWaits } from '../container.ts';
import { fields, text } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { preStopOf } from '../prestop.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { metricsLike, sideDoor } from '../traffic.ts';
import type { Workload } from '../workload.ts';
import { lingers } from './no-prestop.ts';

export const containerEndsFirst: Rule = {
  id: 'container-ends-first',
  severity: 'warning',
  title: 'second serving container without the hook of the first',
  why: 'All containers of a pod get their hooks and signals at the same time. While the first one sleeps and goes on serving, a second one without a hook has stopped: what the first passes on to it fails.',
  scenario: 'image-change',
  find: ({ workloads, related, kubernetesMinor }: CheckInput) =>
    workloads.flatMap((workload) =>
      workload.traffic.kind === 'service' ? findIn(workload, related, kubernetesMinor) : [],
    ),
  measured: lossesTo(['killed-in-flight', 'app-error']),
};

function findIn(
  workload: Workload,
  related: CheckInput['related'],
  kubernetesMinor: number,
): readonly Draft[] {
  const { object, traffic, containers } = workload;
  const waiting = traffic.containers.find((container) => (preStopOf(container)?.seconds ?? 0) >= 2);
  if (!waiting) return [];
  const { seconds = 0 } = preStopOf(waiting)!;
  return containers.flatMap((container): Draft[] => {
    const serves = declaredPorts(container).some(
      ({ name }) => ![metricsLike, sideDoor].some((names) => names.test(text(name) ?? '')),
    );
    // A sidecar (restartPolicy Always) is stopped after the containers.
    if (container === waiting || container.sidecar || !serves || preStopOf(container)) return [];
    if (onlyWaits(container) || lingers(container, workload, related) || metricsLike.test(container.name))
      return [];
    if (/exporter|metrics|otel|fluent|promtail|vector/i.test(`${container.name} ${container.image}`))
      return [];
    const hook =
      kubernetesMinor >= 30
        ? { sleep: { seconds: Math.ceil(seconds) } }
        : (fields(fields(waiting.value.lifecycle).preStop) as unknown);
    return [
      {
        object,
        path: container.path,
        message: `${containerName(container)} of ${nameOf(object)} stops at once while ${containerName(waiting)} sleeps ${seconds} s and goes on serving: what that one passes on to it fails.`,
        changes: [{ set: [...container.path, 'lifecycle', 'preStop'], value: hook }],
      },
    ];
  });
}
