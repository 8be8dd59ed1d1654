// A container that is ready as soon as its process runs gets connections before it listens.

import { type Container, containerName } from '../container.ts';
import { fields } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { asksTheSame, probeOf, secondsToAct } from '../probe.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import { senderName } from '../traffic.ts';
import type { Workload } from '../workload.ts';

export const noReadinessProbe: Rule = {
  id: 'no-readiness-probe',
  severity: 'error',
  title: 'no readinessProbe behind a Service',
  why: 'Without a readinessProbe a container counts as ready when its process runs. Connections are routed to it while it does not listen yet, and are refused: at every rollout, scale-up and restart, for as long as it takes to start.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: lossesTo(['routed-before-listening'], 'readinessProbe'),
};

function findIn(workload: Workload): readonly Draft[] {
  const { traffic, pod, object } = workload;
  // A readiness gate, or a startupProbe, holds the pod back until something outside or the app itself says so.
  if (traffic.kind === 'none' || Array.isArray(pod.readinessGates)) return [];
  return traffic.containers
    .filter((container) => !container.value.readinessProbe && !container.value.startupProbe)
    .map((container) => {
      const port = portOf(workload, container);
      const elsewhere = workload.containers.some(
        (other) => other !== container && other.value.readinessProbe,
      );
      const sole =
        (workload.kind !== 'Deployment' && workload.kind !== 'Rollout') ||
        fields(workload.spec.strategy).type === 'Recreate';
      const cause =
        traffic.kind === 'service'
          ? `${senderName(traffic, object)} sends it connections as soon as its process runs, before port ${port} listens`
          : `whoever connects to its port ${port} is refused until it listens`;
      return {
        object,
        path: container.path,
        severity: elsewhere ? 'note' : severityFor(workload, sole ? 'warning' : 'error'),
        message: `${containerName(container)} of ${nameOf(object)} has no readinessProbe: ${cause}.`,
        changes: [{ set: [...container.path, 'readinessProbe'], value: probeFor(container, port) }],
      };
    });
}

/** Asks what the livenessProbe asks, if there is one, but acts well before it; else whether the port listens. */
function probeFor(container: Container, port: number | string): Record<string, unknown> {
  const own = { tcpSocket: { port } };
  const pace = { periodSeconds: 5, failureThreshold: 2 };
  const liveness = probeOf(container, 'livenessProbe');
  if (!liveness || liveness.handler.exec) return { ...own, ...pace };
  const same = { ...liveness, ...pace };
  const tooClose = asksTheSame(same, liveness, container) && secondsToAct(liveness) <= secondsToAct(same);
  return { ...(tooClose ? own : liveness.handler), ...pace };
}

function portOf({ traffic }: Workload, container: Container): number | string {
  const declared = Array.isArray(container.value.ports) ? container.value.ports.map(fields) : [];
  const ports = traffic.ports.map((port) => port.target);
  const own = ports.find((target) =>
    declared.some((port) => port.containerPort === target || port.name === target),
  );
  const target = own ?? ports.find((port) => typeof port === 'number') ?? ports[0] ?? 80;
  // A name that no container declares would be refused in a probe.
  const known = typeof target === 'number' || declared.some((port) => port.name === target);
  return known ? target : ((declared[0]?.containerPort as number | undefined) ?? 80);
}
