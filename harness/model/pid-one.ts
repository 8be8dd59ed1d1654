// A shell that is a container's first process, and passes no signal on to the app that it runs.

/** Commands that only prepare. */
const quick =
  /^(echo|printf|cd|export|set|source|\.|mkdir|cp|mv|rm|ln|chmod|chown|touch|cat|test|\[|sleep|true|umask|ulimit|\w+=\S*)\b/;

const loops = /\b(while|until|for|sleep inf|tail -f)\b/m;
/** `APP & wait`: without a trap the signal ends neither. */
const awaited = /(?:^|&&|;|\n)([^&;|\n]+)&\s*;?\s*wait\b[^;&|]*$/;

interface BehindShell {
  /** The command that runs while the shell waits for it. */
  readonly running: string;
  readonly last: string;
}

/** Of the script of `sh -c SCRIPT`; undefined: the app gets its signals, or it cannot be told. */
export function behindShell(script: string): BehindShell | undefined {
  // Whoever traps signals or execs has thought of it; who waits in a loop is stopped by the kill.
  if (/\b(exec|trap|tini|dumb-init|s6-|supervisord|runsv|gosu|su-exec)\b/.test(script)) return undefined;
  if (loops.test(script)) return undefined;
  const behind = awaited.exec(script)?.[1]?.trim();
  if (behind !== undefined) return quick.test(behind) ? undefined : { running: behind, last: 'wait' };
  if (/\bwait\b/.test(script)) return undefined;
  const commands = script
    .split(/&&|\|\||;|\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('#'));
  const last = commands.at(-1);
  const piped = last?.split('|').map((part) => part.trim());
  if (last === undefined || piped === undefined || /&\s*($|\n)/m.test(script)) return undefined;
  // Of a pipe the shell waits for every part.
  if (piped.length > 1) {
    const running = piped.find((part) => !quick.test(part));
    return running === undefined || /["'()]/.test(last) ? undefined : { running, last };
  }
  const running = commands.findLast((part) => !quick.test(part));
  // A single command takes the shell's place in bash, dash and busybox.
  if (commands.length < 2 || running === undefined || /[^|]\|[^|]/.test(script)) return undefined;
  return { running, last };
}
