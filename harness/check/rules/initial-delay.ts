// A fixed delay is a guess of the slowest start; a startupProbe waits as long as the app really needs.

import { type Container, containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { fields } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { type Probe, probeOf, secondsToAct } from '../probe.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import type { Workload } from '../workload.ts';
import { givesUpBeforeReady } from './liveness-before-ready.ts';

/** From here on a delay costs more than the start-up it hides: every pod of every rollout waits for it. */
const readinessDelaySeconds = 15;
const livenessDelaySeconds = 30;

export const initialDelay: Rule = {
  id: 'initial-delay-instead-of-startup-probe',
  severity: 'warning',
  title: 'long initialDelaySeconds instead of a startupProbe',
  why: 'initialDelaySeconds is waited for even when the app is up after one second, at every pod of every rollout and after every restart; and when a start takes longer than was guessed, the livenessProbe kills the app before it is up. A startupProbe asks often, ends with the first success, and holds the other probes back until then.',
  scenario: 'readiness-arithmetic',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: notMeasurable,
};

function findIn(workload: Workload): readonly Draft[] {
  return workload.containers.flatMap((container) => {
    if (container.value.startupProbe || givesUpBeforeReady(container) !== undefined) return [];
    const readiness = probeOf(container, 'readinessProbe');
    const liveness = probeOf(container, 'livenessProbe');
    const slowReady =
      readiness !== undefined &&
      readiness.initialDelaySeconds >= readinessDelaySeconds &&
      workload.traffic.containers.includes(container);
    const slowLive = liveness !== undefined && liveness.initialDelaySeconds >= livenessDelaySeconds;
    if (slowReady) return [draft(workload, container, 'readinessProbe', readiness)];
    if (slowLive) return [draft(workload, container, 'livenessProbe', liveness)];
    return [];
  });
}

function draft(
  workload: Workload,
  container: Container,
  kind: 'readinessProbe' | 'livenessProbe',
  probe: Probe,
): Draft {
  const { object } = workload;
  const cost =
    kind === 'readinessProbe'
      ? 'no pod gets ready sooner, however fast it starts'
      : `a start that takes longer than ${probe.initialDelaySeconds + secondsToAct(probe)} s is killed, and a hang in the first ${probe.initialDelaySeconds} s goes unnoticed`;
  return {
    object,
    path: [...container.path, kind, 'initialDelaySeconds'],
    severity:
      kind === 'readinessProbe' && workload.kind === 'Deployment' ? severityFor(workload, 'warning') : 'note',
    message: `the ${kind} of ${containerName(container)} of ${nameOf(object)} waits ${probe.initialDelaySeconds} s (initialDelaySeconds) and there is no startupProbe: ${cost}.`,
    changes: changesFor(container, probe),
  };
}

/** As much time as the delay and the probe's own patience gave, and every fixed delay gone. */
function changesFor(container: Container, probe: Probe): readonly Change[] {
  const delays = (['readinessProbe', 'livenessProbe'] as const)
    .filter((kind) => fields(container.value[kind]).initialDelaySeconds !== undefined)
    .map((kind) => ({ remove: [...container.path, kind, 'initialDelaySeconds'] }));
  const longest = Math.max(
    ...(['readinessProbe', 'livenessProbe'] as const).map((kind) => {
      const own = probeOf(container, kind);
      return own ? own.initialDelaySeconds + secondsToAct(own) : 0;
    }),
  );
  const periodSeconds = 2;
  const startupProbe = {
    ...probe.handler,
    periodSeconds,
    ...(probe.timeoutSeconds > 1 && { timeoutSeconds: Math.min(probe.timeoutSeconds, periodSeconds) }),
    failureThreshold: Math.ceil(longest / periodSeconds),
  };
  return [...delays, { set: [...container.path, 'startupProbe'], value: startupProbe }];
}
