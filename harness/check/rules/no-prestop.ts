// A pod gets SIGTERM while routing still sends it connections; a preStop sleep bridges that.

import type { Change } from '../edit.ts';
import { fields, list } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf, type SourceObject, sameNamespace } from '../objects.ts';
import { preStopOf, stopsServerAtOnce } from '../prestop.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import { senderName } from '../traffic.ts';
import { type Container, containerName, type Workload } from '../workload.ts';

/** Measured on kind: 1 s loses connections, 5 s none (docs/measured.md); `rollproof tune` measures it on yours. */
export const preStopSeconds = 5;
/** Since this minor version the sleep action is on by default (KEP-3960). */
const nativeSleepMinor = 30;

export const noPreStop: Rule = {
  id: 'no-prestop',
  severity: 'warning',
  title: 'no preStop hook behind a Service',
  why: 'A pod gets SIGTERM at the moment in which its removal from the Service begins, and routing takes up to seconds to follow. Until then new connections go to a pod that has stopped listening: refused, or hanging once the pod is gone. An app that goes on serving for that long after SIGTERM needs no hook; the manifest does not show that.',
  scenario: 'image-change',
  find: (input: CheckInput) => input.workloads.flatMap((workload) => findIn(workload, input)),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};

function findIn(workload: Workload, { objects, kubernetesMinor }: CheckInput): readonly Draft[] {
  const { traffic, object } = workload;
  if (traffic.kind === 'none' || !traffic.routed || !othersTakeOver(workload)) return [];
  const sender = traffic.kind === 'service' ? senderName(traffic) : 'its Service';
  return traffic.containers.flatMap((container) => {
    const preStop = preStopOf(container);
    const stopped = preStop && stopsServerAtOnce(preStop);
    if ((preStop && !stopped) || lingers(container, workload, objects)) return [];
    const what = stopped
      ? `has a preStop hook that stops the server at once (${stopped}): ${sender} goes on sending it new connections for a moment.`
      : `has no preStop hook: ${sender} goes on sending it new connections for a moment after SIGTERM.`;
    return [
      {
        object,
        path: stopped ? [...container.path, 'lifecycle', 'preStop'] : container.path,
        severity: thoughtOf(workload) && !stopped ? 'note' : severityFor(workload, 'warning'),
        message: `${containerName(container)} of ${nameOf(object)} ${what}`,
        changes: stopped
          ? [
              {
                set: [...container.path, 'lifecycle', 'preStop'],
                value: { exec: { command: ['/bin/sh', '-c', `sleep ${preStopSeconds}; ${stopped}`] } },
              },
              ...roomFor(workload),
            ]
          : preStopChanges(workload, container, kubernetesMinor),
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
      return fields(workload.spec.strategy).type !== 'Recreate';
    case 'DaemonSet':
      return !workload.traffic.nodeLocal;
    case 'StatefulSet':
      // Clients of databases and queues choose their pod (leader, shard); only those of HTTP let the Service choose.
      return (workload.replicas ?? 0) > 1 && workload.traffic.ports.some(isHttp);
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
const lingeringImages = /(^|\/)istio\/proxyv2\b|^auto$/;

function lingers(container: Container, workload: Workload, objects: readonly SourceObject[]): boolean {
  const { command, args, env } = container.value;
  const words = [...list(command), ...list(args), ...list(env).map((entry) => fields(entry).name)];
  if (words.some((word) => typeof word === 'string' && lingering.test(word))) return true;
  if (lingeringImages.test(container.image)) return true;
  const mounted = list(workload.pod.volumes).map((volume) => fields(fields(volume).configMap).name);
  return objects.some(
    (object) =>
      object.kind === 'ConfigMap' &&
      mounted.includes(object.name) &&
      sameNamespace(object, workload.object) &&
      Object.values(fields(object.value.data)).some(
        (text) => typeof text === 'string' && lingering.test(text),
      ),
  );
}

/** The hook, and room for it in the grace period. */
export function preStopChanges(
  workload: Workload,
  container: Container,
  kubernetesMinor: number,
): readonly Change[] {
  const hook =
    kubernetesMinor >= nativeSleepMinor
      ? { sleep: { seconds: preStopSeconds } }
      : { exec: { command: ['sleep', String(preStopSeconds)] } };
  return [{ set: [...container.path, 'lifecycle', 'preStop'], value: hook }, ...roomFor(workload)];
}

function roomFor(workload: Workload): readonly Change[] {
  if (workload.graceSeconds >= 2 * preStopSeconds) return [];
  return [{ set: [...workload.podPath, 'terminationGracePeriodSeconds'], value: 30 }];
}
