// A shell that is a container's first process, and passes no signal on to the app that it runs.
import { commandsOf, unquoted } from './shell-script.ts';

/** Commands that only prepare. */
const quick =
  /^(echo|printf|cd|export|set|source|\.|mkdir|cp|mv|rm|ln|chmod|chown|touch|cat|test|\[|sleep|true|exit|umask|ulimit|\w+=\S*)\b/;
/** What a command stands behind in `if`, and what only ends something. */
const keyword = /^((if|elif|then|else|!)\s+)+/;
const closing = /^(fi|esac|\}|\))$/;

const loops = /\b(while|until|for|sleep inf|tail -f)\b/m;
/** `APP & wait`: without a trap the signal ends neither. */
const awaited = /(?:^|&&|;|\n)([^&;|\n]+)&\s*;?\s*wait\b[^;&|]*$/;

interface BehindShell {
  /** The command that runs while the shell waits for it. */
  readonly running: string;
  readonly last: string;
}

/** bash puts the last command in its own place (5.1 and later), where nothing of its output is redirected. */
const isBash = (shell: string): boolean => /(^|\/)bash$/.test(shell);

/** Of `SHELL -c SCRIPT`; undefined: the app gets its signals, or it cannot be told. */
export function behindShell(script: string, shell: string): BehindShell | undefined {
  // Whoever traps signals or execs has thought of it; who waits in a loop is stopped by the kill.
  if (/\b(exec|trap|tini|dumb-init|s6-|supervisord|runsv|gosu|su-exec)\b/.test(script)) return undefined;
  const bare = unquoted(script);
  if (loops.test(bare)) return undefined;
  const behind = awaited.exec(script)?.[1]?.trim();
  if (behind !== undefined) return quick.test(behind) ? undefined : { running: behind, last: 'wait' };
  if (/\bwait\b/.test(bare)) return undefined;
  const commands = commandsOf(script);
  const last = commands.at(-1);
  // What a shell does with the last command of an `if` differs from shell to shell.
  if (last === undefined || closing.test(last) || /&\s*($|\n)/m.test(bare)) return undefined;
  const piped = unquoted(last).includes('|') ? last.split('|').map((part) => part.trim()) : [last];
  // Of a pipe the shell waits for every part.
  if (piped.length > 1) {
    const running = piped.find((part) => !quick.test(part));
    return running === undefined || /["'()]/.test(last) ? undefined : { running, last };
  }
  const running = commands
    .map((part) => part.replace(keyword, ''))
    .findLast((part) => !closing.test(part) && !quick.test(part));
  if (commands.length < 2 || running === undefined || /[^|]\|[^|]/.test(bare)) return undefined;
  return running === last && isBash(shell) && !/[<>]/.test(unquoted(last)) ? undefined : { running, last };
}

/**
 * A single command, whose shell may go on beside it: Debian's sh (dash) does, bash does where output is redirected, that of
 * busybox does not.
 */
export function perhapsBehindShell(script: string, shell: string): string | undefined {
  const commands = commandsOf(script);
  const [only] = commands;
  const bare = unquoted(script);
  if (
    commands.length !== 1 ||
    only === undefined ||
    quick.test(only) ||
    /[|&(){}]/.test(bare.replace(/[<>]&/g, ''))
  )
    return undefined;
  if (/^(exec|trap|tini|dumb-init|s6-\S+|supervisord|runsv|gosu|su-exec)\b/.test(only)) return undefined;
  return !isBash(shell) || /[<>]/.test(bare) ? only : undefined;
}
