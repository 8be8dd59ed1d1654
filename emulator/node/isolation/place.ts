// How a container's process gets into its namespaces: a chain of programs that replace one another, so that the process
// that is started is the container's first process. On descriptor 3 it says why it could not start, waits for the word
// to go, and closes it by becoming the program.

import { quote, type RootPlan, rootScript } from './container-root.ts';
import type { PodNetwork } from './network.ts';
import type { Programs } from './programs.ts';

/** The namespaces of one container. */
export interface Place {
  readonly programs: Programs;
  readonly network: PodNetwork | undefined;
  /** Undefined: it sees the machine's file system. */
  readonly root: RootPlan | undefined;
  readonly preload: string;
  readonly points: readonly string[];
}

const notFound = `echo "exec: \\"$1\\": executable file not found in \\$PATH" >&3`;
type Env = Readonly<Record<string, string>>;

/** What a shell hands on. Others ("data-1", "spring.profiles.active") it drops without a word. */
const shellName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A program that puts into the environment what the shell before it has dropped; empty: nothing. */
function addsDropped(programs: Programs, env: Env): string {
  const dropped = Object.entries(env).filter(([name]) => !shellName.test(name));
  if (dropped.length === 0) return '';
  return `${programs.env} -- ${dropped.map(([name, value]) => quote(`${name}=${value}`)).join(' ')} `;
}

/** $1: working folder, the rest: the command. */
const becomeProgram = (programs: Programs, env: Env): string =>
  `{ cd "$1" 2>/dev/null || { mkdir -p "$1" && cd "$1"; } 2>&3 || exit 127; }; shift; read -r go <&3 || exit 127; command -v "$1" >/dev/null 2>&1 || { ${notFound}; exit 127; }; exec ${addsDropped(programs, env)}"$@" 3>&-`;

/** The command that starts a container. Descriptor 3 is to be a two-way pipe. */
export function startCommand(
  place: Place,
  workingDirectory: string | undefined,
  command: readonly string[],
  env: Env,
): readonly string[] {
  const { programs, network, root } = place;
  const become = becomeProgram(programs, env);
  const inside = [workingDirectory ?? '/', ...command];
  const enter = network?.enter ?? [];
  if (!root) return [...enter, programs.sh, '-c', become, 'container', ...inside];
  const make = rootScript(root, programs, place.preload, place.points);
  const script = `{ ${make}; } >&3 2>&3 || exit 127; exec ${programs.chroot} ${quote(`${root.top}/r`)} ${programs.sh} -c ${quote(become)} container "$@"`;
  return [...enter, programs.unshare, '--mount', '--', programs.sh, '-c', script, 'container', ...inside];
}

/** The command that runs something in a container whose first process is `pid`. */
export function joinCommand(
  place: Place,
  pid: number,
  workingDirectory: string | undefined,
  command: readonly string[],
  env: Env,
): readonly string[] {
  const { programs } = place;
  return [
    programs.nsenter,
    `--target=${pid}`,
    ...(place.network ? ['--net', '--uts'] : []),
    // The shell that follows needs a working folder that it can see.
    ...(place.root ? ['--mount', `--root=/proc/${pid}/root`, `--wd=/proc/${pid}/root`] : []),
    '--',
    programs.sh,
    '-c',
    becomeProgram(programs, env),
    'container',
    workingDirectory ?? '/',
    ...command,
  ];
}
