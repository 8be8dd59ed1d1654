// What a container's preStop hook does: how long it sleeps, whether it stops the server, whether its command can run.
import { isShell, type PreStopHook, readPreStop, scriptOf } from '../model/prestop.ts';
import type { Container } from './container.ts';
import { type Fields, fields, text } from './fields.ts';
import { withoutBash, withoutShell } from './image.ts';

export interface PreStop extends PreStopHook {
  readonly hook: Fields;
}

export function preStopOf(container: Container): PreStop | undefined {
  const hook = fields(fields(container.value.lifecycle).preStop);
  const read = readPreStop(hook);
  return read && { ...read, hook };
}

const operators = /^(&&|\|\||[|;&<>]|>>|2>|2>&1)$|[;|&]$|^\$[({A-Z_]/;

/** Commands that end a server, or close its listener, as soon as they run. */
const stopsAtOnce = new RegExp(
  [
    // The servers' own ways.
    /\bnginx\b.*-s\s+(quit|stop)\b/,
    /\b(apachectl|httpd|apache2ctl)\b.*\b(graceful-stop|stop)\b/,
    /\b(catalina|tomcat|jboss-cli|standalone|shutdown)\.sh\b(.*\b(stop|shutdown)\b)?/,
    /\b(pumactl|passenger(-ctl)?|unitd?|caddy|traefik|uwsgi|gunicorn|php-fpm|haproxy)\b.*(\s|-)-?(stop|quit|shutdown)\b/,
    /\b(jcmd|asadmin)\b.*\b(stop|quit)\b/,
    // Signals: to process 1, to a process file's or a name's process.
    /\bkill\b(\s+-{1,2}\S+|\s+-s\s+\S+|\s+--signal[ =]\S+)*\s+(--\s+)?["']?(1\b|-1\b|\$\(|`|\$\{?\w)/,
    /\b(pkill|killall)\b/,
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
const harmless =
  /\b(p?kill|killall)\b(\s+-s)?\s+-?(0|HUP|SIGHUP|1|USR1|SIGUSR1|USR2|SIGUSR2|WINCH|SIGWINCH)\s/;
const shutdownPath = /\/(-\/)?(actuator\/)?(shutdown|quit(quitquit)?|terminate|abort(abortabort)?)\b/i;

/** The command (or request) that stops the server while it is still sent connections: before any wait. */
export function stopsServerAtOnce(preStop: PreStop): string | undefined {
  const path = text(fields(preStop.hook.httpGet).path);
  if (path !== undefined) return shutdownPath.test(path) ? `a request of ${path}` : undefined;
  const script = scriptOf(preStop.command) ?? '';
  const found = stopsAtOnce.exec(script);
  if (!found || harmless.test(`${script} `)) return undefined;
  return /\b(sleep|wait|until|while|for)\b/.test(script.slice(0, found.index)) ? undefined : script.trim();
}

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
