// An exec hook is started without a shell, in the container's own image.
import { defaultPreStopSeconds, nativeSleepMinor } from '../../model/prestop.ts';
import { type Container, containerName } from '../container.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { cannotRun, preStopOf } from '../prestop.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const preStopWithoutShell: Rule = {
  id: 'prestop-without-shell',
  severity: 'error',
  title: 'preStop command that cannot run',
  why: 'An exec hook runs in the container’s image and without a shell of its own. A command that cannot start fails at once (event FailedPreStopHook), and the app gets SIGTERM immediately, as if there were no hook.',
  scenario: 'image-change',
  find: ({ workloads, kubernetesMinor }: CheckInput) =>
    workloads.flatMap((workload) => findIn(workload, kubernetesMinor)),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};

function findIn(workload: Workload, kubernetesMinor: number): readonly Draft[] {
  const { object } = workload;
  return workload.containers.flatMap((container) => {
    const preStop = preStopOf(container);
    const reason = preStop && cannotRun(preStop, container.image);
    if (!reason) return [];
    return [
      {
        object,
        path: [...container.path, 'lifecycle', 'preStop'],
        message: `the preStop hook of ${containerName(container)} of ${nameOf(object)} cannot run: ${reason}.`,
        changes: [
          {
            set: [...container.path, 'lifecycle', 'preStop'],
            value: replacement(container, preStop.command, preStop.seconds, kubernetesMinor),
          },
        ],
      },
    ];
  });
}

/** The native sleep where the image is the obstacle or the hook only sleeps; a shell where only that is missing. */
function replacement(
  container: Container,
  command: readonly string[],
  seconds: number | undefined,
  kubernetesMinor: number,
): unknown {
  const shell = { exec: { command: ['/bin/sh', '-c', command.at(-1) ?? ''] } };
  const spelled = { exec: { command: ['/bin/sh', '-c', command.join(' ')] } };
  const withShell = /(^|\/)bash$/.test(command[0] ?? '') ? shell : spelled;
  const hasShell = cannotRun({ command: withShell.exec.command }, container.image) === undefined;
  if (hasShell && (kubernetesMinor < nativeSleepMinor || seconds === undefined)) return withShell;
  return { sleep: { seconds: Math.ceil(seconds ?? defaultPreStopSeconds) } };
}
