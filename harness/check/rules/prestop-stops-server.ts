// A hook that stops the server instead of waiting until nobody is sent to it any more.
import { stopsServerAtOnce } from '../../model/prestop.ts';
import { type Container, containerName } from '../container.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { cannotRun, preStopOf, sleepHook } from '../prestop.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import { senderName } from '../traffic.ts';
import type { Workload } from '../workload.ts';
import { roomFor } from './no-prestop.ts';

export const preStopStopsServer: Rule = {
  id: 'prestop-stops-server',
  severity: 'warning',
  title: 'preStop hook that stops the server',
  why: 'A preStop hook is there to hold SIGTERM back while the pod is still sent connections. One that stops the server (or asks it to) does the opposite: new connections are refused from that moment on. Sleep instead; SIGTERM, or the container’s stop signal, follows by itself.',
  scenario: 'image-change',
  find: ({ workloads, kubernetesMinor }: CheckInput) =>
    workloads.flatMap((workload) =>
      (workload.traffic.kind === 'none' ? [] : workload.traffic.containers).flatMap((container) =>
        findIn(workload, container, kubernetesMinor),
      ),
    ),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};

function findIn(workload: Workload, container: Container, kubernetesMinor: number): readonly Draft[] {
  const { object, traffic } = workload;
  const preStop = preStopOf(container);
  const how = preStop && stopsServerAtOnce(preStop);
  // A command that cannot start stops nothing: another rule's finding.
  if (!preStop || !how || !traffic.routed || cannotRun(preStop, container.image) || waitsOnSignal(container))
    return [];
  const path = [...container.path, 'lifecycle', 'preStop'];
  return [
    {
      object,
      path,
      // That controller's own pods are few and its project ships the hook so: worth knowing, no alarm.
      severity: /\/wait-shutdown/.test(how) ? 'note' : severityFor(workload, 'warning'),
      message: `the preStop hook of ${containerName(container)} of ${nameOf(object)} stops the server at once (${how}) while ${senderName(traffic, object)} goes on sending it new connections.`,
      changes: [
        {
          set: path,
          value: sleepHook(kubernetesMinor),
          comment: 'if SIGTERM alone does not stop it well, put the command behind the sleep',
        },
        ...roomFor(workload),
      ],
    },
  ];
}

/** The controller of ingress-nginx serves on for so long after the signal that its hook sends. */
function waitsOnSignal({ value }: Container): boolean {
  const args = [value.command, value.args].flatMap((part) => (Array.isArray(part) ? part.map(String) : []));
  return args.some((arg) => /^--shutdown-grace-period=([2-9]|\d{2,})/.test(arg));
}
