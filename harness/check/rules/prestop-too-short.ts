// A sleep of 0 or 1 second ends before routing has followed, and so does a hook that does not wait at all.
import { defaultPreStopSeconds, endsAtOnce, isShell, nativeSleepMinor } from '../../model/prestop.ts';
import { type Container, containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { cannotRun, preStopOf, sleepHook } from '../prestop.ts';
import { type CheckInput, type Rule, severityFor } from '../rule.ts';
import { roomFor } from './no-prestop.ts';

/** Measured on kind (docs/measured.md): 1 s still loses connections. */
const SHORTEST_SECONDS = 2;

export const preStopTooShort: Rule = {
  id: 'prestop-too-short',
  severity: 'warning',
  title: 'preStop hook that ends within a second',
  why: 'Every node’s routing follows the deletion of a pod at its own pace, which takes up to seconds. A hook that ends before that is as good as none: new connections go to a process that has stopped.',
  scenario: 'image-change',
  find: ({ workloads, kubernetesMinor }: CheckInput) =>
    workloads.flatMap((workload) =>
      (workload.traffic.kind === 'none' ? [] : workload.traffic.containers).flatMap((container) => {
        const preStop = preStopOf(container);
        const found = preStop && tooShort(preStop, container, kubernetesMinor);
        if (!found) return [];
        const path = [...container.path, 'lifecycle', 'preStop'];
        const changes: readonly Change[] = [{ set: path, value: found.value }, ...roomFor(workload)];
        return [
          {
            object: workload.object,
            path,
            severity: severityFor(workload, 'warning'),
            message: `the preStop hook of ${containerName(container)} of ${nameOf(workload.object)} ${found.how}: routing takes longer to follow.`,
            changes,
          },
        ];
      }),
    ),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};

/** How it falls short, and the hook that waits; what it does beside that stays. */
function tooShort(
  preStop: NonNullable<ReturnType<typeof preStopOf>>,
  container: Container,
  kubernetesMinor: number,
): { readonly how: string; readonly value: unknown } | undefined {
  const script = endsAtOnce(preStop);
  if (script !== undefined) {
    const [program = ''] = preStop.command;
    const command = [
      ...(isShell(program) ? preStop.command.slice(0, -1) : ['/bin/sh', '-c']),
      `${script.replace(/\s*;$/, '')}; sleep ${defaultPreStopSeconds}`,
    ];
    // A command that cannot start is another rule's finding.
    if (cannotRun(preStop, container.image) || cannotRun({ command }, container.image)) return undefined;
    return { how: `ends at once (${script})`, value: { exec: { command } } };
  }
  if (!preStop.onlySleeps || preStop.seconds === undefined || preStop.seconds >= SHORTEST_SECONDS)
    return undefined;
  return {
    how: `sleeps ${preStop.seconds} s`,
    // A cluster that takes the native one has it.
    value: sleepHook(preStop.hook.sleep === undefined ? kubernetesMinor : nativeSleepMinor),
  };
}
