// Commands that would signal processes which are not the pod's: a pod sees those of the machine, whose first process is
// not the container's, and where programs of the same name may run that are somebody's.

const SEPARATORS = /[;&|()`'"\n<>]|\$\(/;

/** The part of a command that would do it; undefined: none does. Scripts of an image are not looked into. */
export function signalsOthers(words: readonly string[]): string | undefined {
  const text = words.join(' ');
  const byName = /(?:^|[\s/;&|(`'"])((?:pkill|killall5?)\b[^;&|)`'"\n]*)/.exec(text)?.[1];
  if (byName !== undefined) return byName.trim();
  const calls = [...text.matchAll(/(?:^|[\s/;&|(`'"])kill\s+(.*)/gs)];
  for (const [, rest = ''] of calls) {
    const said = rest.split(SEPARATORS)[0]?.trim() ?? '';
    if (reachesPidOne(said.split(/\s+/))) return `kill ${said}`;
    const found = /\b(?:pidof|pgrep|ps)\b/.exec(rest.split(/[;\n]/)[0] ?? '')?.[0];
    if (found !== undefined) return `kill with ${found}`;
  }
  return /\b(?:pidof|pgrep|ps)\b.*\|\s*xargs\b.*\bkill\b/s.test(text) ? 'xargs kill' : undefined;
}

/** Arguments of kill: [-SIGNAL | -s SIGNAL | -n N] [--] PID… */
function reachesPidOne(words: readonly string[]): boolean {
  let [at, signal] = [0, 'TERM'];
  const [first = ''] = words;
  if (/^-(s|n|-signal)$/.test(first)) [at, signal] = [2, words[1] ?? ''];
  else if (/^-./.test(first) && first !== '--') [at, signal] = [1, first.slice(1)];
  if (words[at] === '--') at++;
  // Signal 0 only asks whether there is a process; -l lists names.
  if (signal === '0' || /^[lL]$/.test(signal)) return false;
  return words.slice(at).some((pid) => pid === '1' || pid === '-1');
}
