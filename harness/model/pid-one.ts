// A shell that is a container's first process, and passes no signal on to the app that it runs.

/** Commands that only prepare. */
const quick =
  /^(echo|printf|cd|export|set|source|\.|mkdir|cp|mv|rm|ln|chmod|chown|touch|cat|test|\[|sleep|true|umask|ulimit|\w+=\S*)\b/;

interface BehindShell {
  /** The command that runs while the shell waits for it. */
  readonly running: string;
  readonly last: string;
}

/** Of the script of `sh -c SCRIPT`; undefined: the app gets its signals, or it cannot be told. */
export function behindShell(script: string): BehindShell | undefined {
  // Whoever traps signals or execs has thought of it; who waits in a loop is stopped by the kill.
  if (/\b(exec|trap|wait|tini|dumb-init|s6-|supervisord|runsv|gosu|su-exec)\b/.test(script)) return undefined;
  const commands = script
    .split(/&&|\|\||;|\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('#'));
  const running = commands.findLast((part) => !quick.test(part));
  // A single command takes the shell's place in bash, dash and busybox; loops and pipes have no last command to exec.
  if (commands.length < 2 || running === undefined) return undefined;
  if (/\b(while|until|for|sleep inf|tail -f)\b|[^|]\|[^|]|&\s*($|\n)/m.test(script)) return undefined;
  return { running, last: commands.at(-1) as string };
}
