// A shell as the first process passes no signal on.
import { behindShell } from '../../model/pid-one.ts';
import { isShell } from '../../model/prestop.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { type Container, containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { list } from '../fields.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const shellIsPid1: Rule = {
  id: 'shell-is-pid-1',
  severity: 'warning',
  title: 'a shell is the first process, and passes no signal on',
  why: 'SIGTERM goes to the first process of a container. A shell that runs several commands waits for the one that runs and passes nothing on: the app never learns that it should stop, and is killed at the end of the grace period with its requests in flight. A longer grace period changes nothing; `exec` before the last command, or an init (tini), does.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap((workload) => workload.containers.flatMap((container) => findIn(workload, container))),
  measured: lossesTo(['grace-exceeded', 'killed-in-flight']),
};

function findIn(workload: Workload, container: Container): readonly Draft[] {
  const { object, pod } = workload;
  const place = scriptPlace(container);
  if (!place || pod.shareProcessNamespace === true) return [];
  const { script, shell, path } = place;
  const behind = behindShell(script, shell);
  if (!behind) return [];
  const { running, last } = behind;
  const serves = workload.traffic.containers.includes(container);
  const simple =
    running === last && /^[\w./$"'{-]/.test(last) && !/[()]|^(if|fi|done|then|else|esac)\b/.test(last);
  const at = script.lastIndexOf(last);
  const changes: readonly Change[] = simple
    ? [
        {
          set: [...container.path, place.field],
          value: list(container.value[place.field]).with(
            place.index,
            `${script.slice(0, at)}exec ${script.slice(at)}`,
          ),
        },
      ]
    : [];
  return [
    {
      object,
      path,
      want: 'value',
      severity: serves ? 'warning' : 'note',
      message: `${containerName(container)} of ${nameOf(object)} runs ${running} under a shell that does not pass SIGTERM on: it is killed at the end of the grace period.`,
      changes,
      advice: '# start the app with exec as the last command of the script, or under an init such as tini',
    },
  ];
}

interface ScriptPlace {
  readonly script: string;
  readonly shell: string;
  readonly field: 'command' | 'args';
  readonly index: number;
  readonly path: FieldPath;
}

/** The script of `sh -c SCRIPT`, in command or split over command and args. */
function scriptPlace({ value, path }: Container): ScriptPlace | undefined {
  const words = (['command', 'args'] as const).flatMap((field) =>
    list(value[field]).map((word, index) => ({ word, field, index, path: [...path, field, index] })),
  );
  const shell = String(words[0]?.word ?? '');
  if (!isShell(shell)) return undefined;
  const flag = words.findIndex(({ word }) => /^-[a-z]*c$/.test(String(word)));
  const found = flag === -1 ? undefined : words[flag + 1];
  return found && typeof found.word === 'string' ? { ...found, script: found.word, shell } : undefined;
}
