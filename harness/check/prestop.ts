// A container's preStop hook where it stands in its manifest, and whether its command can run.
import {
  defaultPreStopSeconds,
  isShell,
  nativeSleepMinor,
  type PreStopHook,
  readPreStop,
} from '../model/prestop.ts';
import type { Container } from './container.ts';
import { type Fields, fields } from './fields.ts';
import { withoutBash, withoutShell } from './image.ts';

interface PreStop extends PreStopHook {
  readonly hook: Fields;
}

/** A hook that sleeps for the usual time: native where that version of Kubernetes 1.x has it. */
export const sleepHook = (kubernetesMinor: number): Fields =>
  kubernetesMinor >= nativeSleepMinor
    ? { sleep: { seconds: defaultPreStopSeconds } }
    : { exec: { command: ['sleep', String(defaultPreStopSeconds)] } };

export function preStopOf(container: Container): PreStop | undefined {
  const hook = fields(fields(container.value.lifecycle).preStop);
  const read = readPreStop(hook);
  return read && { ...read, hook };
}

const operators = /^(&&|\|\||[|;&<>]|>>|2>|2>&1)$|[;|&]$|^\$[({A-Z_]/;

/** Why the hook's command cannot start; undefined when nothing speaks against it. */
export function cannotRun(preStop: Pick<PreStop, 'command'>, image: string): string | undefined {
  const [program, ...rest] = preStop.command;
  if (program === undefined) return undefined;
  if (/\s/.test(program.trim()) && rest.length === 0)
    return `"${program}" is one word to Kubernetes, which starts no shell: there is no program of that name`;
  if (!isShell(program)) {
    const operator = rest.find((part) => operators.test(part));
    if (operator !== undefined)
      return `"${operator}" is passed to ${program} as an argument: Kubernetes starts no shell that would understand it`;
  }
  const needed = isShell(program) ? program : /(^|\/)sleep$/.test(program) ? program : undefined;
  const reason = needed ? withoutShell(image) : undefined;
  if (needed && reason) return `image ${image} has no ${needed}: ${reason}`;
  if (/(^|\/)bash$/.test(program) && withoutBash(image))
    return `image ${image} has no ${program}: it brings only /bin/sh`;
  return undefined;
}
