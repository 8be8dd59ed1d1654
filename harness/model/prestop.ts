// What a preStop hook does, as far as its manifest says it: the native sleep, an exec of sleep, a shell that sleeps, or a
// command that stops the server.
import { commandsOf } from './shell-script.ts';

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
  /** Of an httpGet hook. */
  readonly path?: string;
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
  const { path } = fields(hook.httpGet);
  const written = fields(hook.exec).command;
  const command = Array.isArray(written) ? written.map(String) : [];
  const script = scriptOf(command);
  return {
    command,
    seconds: script === undefined ? undefined : sleptSeconds(script),
    ...(typeof path === 'string' && { path }),
    onlySleeps: script !== undefined && /^\s*(exec\s+)?(\S*\/)?sleep\s+[\d.]+[smhd]?\s*;?\s*$/.test(script),
  };
}

/** Commands that end a server, or close its listener, as soon as they run. */
const stopsAtOnce = new RegExp(
  [
    // The servers' own ways.
    /\bnginx\b.*-s\s+(quit|stop)\b/,
    /\b(apachectl|httpd|apache2ctl)\b.*\b(graceful-stop|stop)\b/,
    /\b(catalina|tomcat|jboss-cli|standalone|shutdown)\.sh\b(.*\b(stop|shutdown)\b)?/,
    /\b(pumactl|passenger(-ctl)?|unitd?|caddy|traefik|uwsgi|gunicorn|php-fpm|haproxy)\b.*(\s|-)-?(stop|quit|shutdown)\b/,
    /\b(jcmd|asadmin)\b.*\b(stop|quit)\b/,
    // ingress-nginx' own: it sends SIGTERM to the controller and returns when nginx is gone.
    /(^|\s)\/wait-shutdown(?=\s|;|$)/,
    // Signals: to process 1, to a process file's or a name's process.
    /\bkill\b(\s+-{1,2}\S+|\s+-s\s+\S+|\s+--signal[ =]\S+)*\s+(--\s+)?["']?(1\b|-1\b|\$\(|`|\$\{?\w)/,
    /\b(pkill|killall5?)\b/,
    // Supervisors.
    /\bsupervisorctl\b.*\b(stop|shutdown)\b/,
    /\b(service|rc-service|invoke-rc\.d)\s+\S+\s+stop\b|\bsystemctl\s+stop\b|\bs6-svc\s+(-\w+\s+)*-\w*[dO]|\bs6-svscanctl\b|\bsv\s+(down|stop|force-stop)\b|\bpm2\s+(stop|kill|delete)\b/,
    // A request that tells the app to stop.
    /\b(curl|wget|http|nc)\b.*\/(-\/)?(actuator\/)?(shutdown|quit(quitquit)?|stop|terminate|exit|abort|abortabortabort)\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
);
/** Signals that only ask for something (reload, reopen logs), and looks whether a process is there. */
const harmless = /\b(p?kill|killall)\s+(-s\s+|--signal[ =]|-)(0|HUP|SIGHUP|1|USR1|SIGUSR1|USR2|SIGUSR2)\s/;
const shutdownPath = /\/(-\/)?(actuator\/)?(shutdown|quit(quitquit)?|terminate|abort(abortabort)?)\b/i;

/** The command (or request) that stops the server while it is still sent connections: before any wait. */
export function stopsServerAtOnce({
  command,
  path,
}: Pick<PreStopHook, 'command' | 'path'>): string | undefined {
  if (path !== undefined) return shutdownPath.test(path) ? `a request of ${path}` : undefined;
  const script = scriptOf(command) ?? '';
  for (const part of commandsOf(script)) {
    const found = stopsAtOnce.exec(part);
    if (found && !harmless.test(`${part} `))
      return waits.test(part.slice(0, found.index)) ? undefined : script.trim();
    if (waits.test(part)) return undefined;
  }
  return undefined;
}
const waits = /\b(sleep|wait|until|while|for)\b/;

/** Commands that do something small and end: nothing of them waits. */
const returnsAtOnce = /^(touch|echo|printf|true|:|rm|mkdir|cp|mv|ln|date|logger|sync)(\s|$)/;

/** The script of a hook that ends as soon as it has run, by the commands that it consists of; undefined: it may wait. */
export function endsAtOnce({ command }: Pick<PreStopHook, 'command'>): string | undefined {
  const script = scriptOf(command)?.trim();
  if (!script || /[$`(){}|&]/.test(script.replaceAll('&&', ';'))) return undefined;
  const parts = script.split(/;|&&|\n/).map((part) => part.trim().replace(/^\S*\//, ''));
  const small = parts.filter((part) => part !== '' && !/^sleep\s+[01](\.\d+)?s?$/.test(part));
  return small.length > 0 && small.every((part) => returnsAtOnce.test(part)) ? script : undefined;
}

export const isShell = (program: string): boolean =>
  /^((\/usr)?(\/local)?\/bin\/)?(sh|bash|ash|dash|zsh|ksh)$/.test(program);

/** The words that a shell would get, or the command itself; undefined: a shell without -c. */
function scriptOf(command: readonly string[]): string | undefined {
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
