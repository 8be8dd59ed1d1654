// What a preStop hook does, as far as it can be read: how long it sleeps, and whether its command can run.
import { type Fields, fields, has, integer, list, text } from './fields.ts';
import { withoutBash, withoutShell } from './image.ts';
import type { Container } from './workload.ts';

export interface PreStop {
  readonly hook: Fields;
  readonly command: readonly string[];
  /** At least this long; undefined: cannot be read from it. */
  readonly seconds: number | undefined;
  /** Only sleeps: a native sleep action does the same. */
  readonly onlySleeps: boolean;
}

export function preStopOf(container: Container): PreStop | undefined {
  const hook = fields(fields(container.value.lifecycle).preStop);
  if (Object.keys(hook).length === 0) return undefined;
  if (has(hook.sleep))
    return { hook, command: [], seconds: integer(fields(hook.sleep).seconds), onlySleeps: true };
  const command = list(fields(hook.exec).command).map((part) => text(part) ?? String(part));
  const script = scriptOf(command);
  return {
    hook,
    command,
    seconds: script === undefined ? undefined : sleepSeconds(script),
    onlySleeps: script !== undefined && /^\s*(exec\s+)?\S*sleep\s+[\d.]+[smhd]?\s*;?\s*$/.test(script),
  };
}

const shells = /^(\/usr)?(\/local)?(\/bin\/)?(sh|bash|ash|dash|zsh|ksh)$/;
const operators = /^(&&|\|\||[|;&<>]|>>|2>|2>&1)$|[;|&]$|^\$[({A-Z_]/;

/** The words that a shell would get, or the command itself. */
function scriptOf(command: readonly string[]): string | undefined {
  const [program = '', ...rest] = command;
  if (!program) return undefined;
  if (shells.test(program)) {
    const flag = rest.findIndex((part) => /^-[a-z]*c$/.test(part));
    return flag === -1 ? undefined : rest[flag + 1];
  }
  return command.join(' ');
}

/** Commands that end a server, or close its listener, as soon as they run. */
const stopsAtOnce =
  /\bnginx\b.*-s\s+(quit|stop)\b|\b(apachectl|httpd|apache2ctl)\b.*\b(graceful-stop|stop)\b|\bkill\b(\s+-\S+|\s+-s\s+\S+)?\s+1\b/;

/** The command that stops the server while it is still sent connections: before any wait. */
export function stopsServerAtOnce(preStop: PreStop): string | undefined {
  const script = scriptOf(preStop.command) ?? '';
  const found = stopsAtOnce.exec(script);
  return found && !/\b(sleep|wait|until|while|for)\b/.test(script.slice(0, found.index))
    ? script.trim()
    : undefined;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The sum of a script's sleeps that run in any case; undefined when it has loops, branches or variables there. */
function sleepSeconds(script: string): number | undefined {
  if (/\b(while|until|for|if|case|timeout)\b|\|\||&\s*(\n|$)/.test(script)) return undefined;
  const sleeps = [...script.matchAll(/(?:^|[\s;&(/])sleep\s+(\d+(?:\.\d+)?)([smhd]?)(?=$|[\s;&)])/g)];
  if (sleeps.length === 0) return undefined;
  return sleeps.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitSeconds[unit || 's'] ?? 1), 0);
}

/** Why the hook's command cannot start; undefined when nothing speaks against it. */
export function cannotRun(preStop: PreStop, image: string): string | undefined {
  const [program, ...rest] = preStop.command;
  if (program === undefined) return undefined;
  if (/\s/.test(program.trim()) && rest.length === 0)
    return `"${program}" is one word to Kubernetes, which starts no shell: there is no program of that name`;
  if (!shells.test(program)) {
    const operator = rest.find((part) => operators.test(part));
    if (operator !== undefined)
      return `"${operator}" is passed to ${program} as an argument: Kubernetes starts no shell that would understand it`;
  }
  const needed = shells.test(program) ? program : /(^|\/)sleep$/.test(program) ? program : undefined;
  const reason = needed ? withoutShell(image) : undefined;
  if (needed && reason) return `image ${image} has no ${needed}: ${reason}`;
  if (/(^|\/)bash$/.test(program) && withoutBash(image))
    return `image ${image} has no ${program}: it brings only /bin/sh`;
  return undefined;
}
