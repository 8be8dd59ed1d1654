// What a preStop hook does, as far as its manifest says it: the native sleep, an exec of sleep, or a shell that sleeps.

/** Measured on kind: 1 s loses connections, 5 s none (docs/measured.md); `rollproof tune` measures it on yours. */
export const defaultPreStopSeconds = 5;
/** The sleep action is on by default from this minor version of Kubernetes 1.x on (KEP-3960, beta). */
export const nativeSleepMinor = 30;
/** Kubernetes' own, where a pod says none. */
export const defaultGraceSeconds = 30;

export interface PreStopHook {
  /** Of an exec hook; empty for the others. */
  readonly command: readonly string[];
  /** It sleeps at least this long; undefined: cannot be read from it. */
  readonly seconds: number | undefined;
  /** Only sleeps: a native sleep action does the same. */
  readonly onlySleeps: boolean;
}

/** Undefined: no hook. */
export function readPreStop(preStop: unknown): PreStopHook | undefined {
  const hook = fields(preStop);
  if (Object.keys(hook).length === 0) return undefined;
  if (hook.sleep !== undefined && hook.sleep !== null) {
    const { seconds = 0 } = fields(hook.sleep);
    return {
      command: [],
      seconds: Number.isInteger(seconds) ? Number(seconds) : undefined,
      onlySleeps: true,
    };
  }
  const written = fields(hook.exec).command;
  const command = Array.isArray(written) ? written.map(String) : [];
  const script = scriptOf(command);
  return {
    command,
    seconds: script === undefined ? undefined : sleptSeconds(script),
    onlySleeps: script !== undefined && /^\s*(exec\s+)?(\S*\/)?sleep\s+[\d.]+[smhd]?\s*;?\s*$/.test(script),
  };
}

export const isShell = (program: string): boolean =>
  /^((\/usr)?(\/local)?\/bin\/)?(sh|bash|ash|dash|zsh|ksh)$/.test(program);

/** The words that a shell would get, or the command itself; undefined: a shell without -c. */
export function scriptOf(command: readonly string[]): string | undefined {
  const [program = '', ...rest] = command;
  if (!program) return undefined;
  if (!isShell(program)) return command.join(' ');
  const flag = rest.findIndex((part) => /^-[a-z]*c$/.test(part));
  return flag === -1 ? undefined : rest[flag + 1];
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The sum of a script's sleeps that run in any case; undefined when it has loops, branches or variables there. */
function sleptSeconds(script: string): number | undefined {
  if (/\b(while|until|for|if|case|timeout)\b|\|\||&\s*(\n|$)/.test(script)) return undefined;
  const sleeps = [...script.matchAll(/(?:^|[\s;&(/])sleep\s+(\d+(?:\.\d+)?)([smhd]?)(?=$|[\s;&)])/g)];
  if (sleeps.length === 0) return undefined;
  return sleeps.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitSeconds[unit || 's'] ?? 1), 0);
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
