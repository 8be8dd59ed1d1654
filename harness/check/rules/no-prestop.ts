// A pod gets SIGTERM while routing still sends it connections; a preStop sleep bridges that.
import { defaultPreStopSeconds } from '../../model/prestop.ts';
import { type Container, containerName } from '../container.ts';
import { isDataStore } from '../data-store.ts';
import type { Change } from '../edit.ts';
import { fields, list } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { belongTogether, nameOf } from '../objects.ts';
import { preStopOf, sleepHook } from '../prestop.ts';
import type { Related } from '../related.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import { senderName } from '../traffic.ts';
import type { Workload } from '../workload.ts';

export const noPreStop: Rule = {
  id: 'no-prestop',
  severity: 'warning',
  title: 'no preStop hook behind a Service',
  why: 'A pod gets SIGTERM at the moment in which its removal from the Service begins, and routing takes up to seconds to follow. Until then new connections go to a pod that has stopped listening: refused, or hanging once the pod is gone. An app that goes on serving for that long after SIGTERM needs no hook; the manifest does not show that.',
  scenario: 'image-change',
  find: (input: CheckInput) => input.workloads.flatMap((workload) => findIn(workload, input)),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};

function findIn(workload: Workload, { related, kubernetesMinor }: CheckInput): readonly Draft[] {
  const { traffic, object } = workload;
  if (traffic.kind === 'none' || !traffic.routed || !othersTakeOver(workload)) return [];
  return traffic.containers.flatMap((container) => {
    if (preStopOf(container) || lingers(container, workload, related)) return [];
    const severity = thoughtOf(workload) ? 'note' : severityFor(workload, 'warning');
    return [
      {
        object,
        path: container.path,
        severity: workload.kind === 'StatefulSet' && !traffic.ports.some(isHttp) ? 'note' : severity,
        message: `${containerName(container)} of ${nameOf(object)} has no preStop hook: ${senderName(traffic, object)} goes on sending it new connections for a moment after SIGTERM.`,
        changes: preStopChanges(workload, container, kubernetesMinor),
      },
    ];
  });
}

/** A grace period longer than the default tells of an app that does something at SIGTERM. */
function thoughtOf(workload: Workload): boolean {
  return workload.graceSeconds > 30;
}

/** A hook helps only where another pod can serve in the meantime. */
function othersTakeOver(workload: Workload): boolean {
  switch (workload.kind) {
    case 'Deployment':
      // The one pod of a database: whoever takes over has other data.
      if (isDataStore(workload) && (workload.replicas ?? 1) <= 1) return false;
      return fields(workload.spec.strategy).type !== 'Recreate';
    case 'Rollout':
    case 'other':
      return true;
    case 'DaemonSet':
      return !workload.traffic.nodeLocal;
    case 'StatefulSet':
      // Clients of databases and queues choose their pod (leader, shard); those of others let the Service choose.
      return (workload.replicas ?? 0) > 1 && !isDataStore(workload);
    default:
      return workload.kind satisfies never;
  }
}

function isHttp({ target, name }: { target: number | string; name: string | undefined }): boolean {
  const words = /^(http|https|web|www|grpc|api|ui)(-|$)/;
  return (
    words.test(name ?? '') ||
    words.test(String(target)) ||
    [80, 443, 8080, 8443, 3000].includes(Number(target))
  );
}

/** Flags of servers that serve on after SIGTERM by themselves, and CoreDNS's lameduck in its ConfigMap. */
const lingering =
  /shutdown[-_.]?(delay|wait|send)|lame-?duck|requestAcceptGraceTimeout|graceful[-_.]?shutdown[-_.]?(delay|wait)|drain[-_.]?(delay|wait|time)|(pre|before)[-_.]?(stop|shutdown)[-_.]?(delay|sleep|wait)/i;

/** Istio's proxy drains for 5 s after SIGTERM by default (terminationDrainDuration). */
const lingeringImages = /(^|\/)proxyv2$|^auto$/;

export function lingers(container: Container, workload: Workload, related: Related): boolean {
  const { command, args, env } = container.value;
  const words = [...list(command), ...list(args), ...list(env).map((entry) => fields(entry).name)];
  if (words.some((word) => typeof word === 'string' && lingering.test(word))) return true;
  if (lingeringImages.test(container.image)) return true;
  const mounted = list(workload.pod.volumes).map((volume) => fields(fields(volume).configMap).name);
  return related
    .kind('ConfigMap')
    .some(
      (object) =>
        mounted.includes(object.name) &&
        belongTogether(object, workload.object) &&
        Object.values(fields(object.value.data)).some(
          (text) => typeof text === 'string' && lingering.test(text),
        ),
    );
}

/** The hook, and room for it in the grace period. */
function preStopChanges(
  workload: Workload,
  container: Container,
  kubernetesMinor: number,
): readonly Change[] {
  const value = sleepHook(kubernetesMinor);
  return [{ set: [...container.path, 'lifecycle', 'preStop'], value }, ...roomFor(workload)];
}

export function roomFor(workload: Workload): readonly Change[] {
  if (workload.graceSeconds >= 2 * defaultPreStopSeconds) return [];
  return [{ set: [...workload.podPath, 'terminationGracePeriodSeconds'], value: 30 }];
}
