// One container: a process that leads its own group, what it writes, and the commands that are run beside it (probes,
// hooks, kubectl exec). Signals reach it as they would reach PID 1 of a container.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Clock } from './clock.ts';
import type { ContainerLog } from './container-log.ts';
import { joinCommand, type Place, startCommand } from './isolation/place.ts';
import { killMarkedSoon, MARK, newMark } from './marked.ts';
import { getsSignal } from './pid-one.ts';
import { killGroup, type Watchdog } from './watchdog.ts';

export interface Launch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  /** Undefined: no namespaces of its own. */
  readonly place: Place | undefined;
}

interface Exit {
  readonly exitCode: number;
  /** Wall clock, ms. */
  readonly finishedAtMs: number;
}

/** The command could not be started: what the container runtime says about it. */
export class LaunchError extends Error {}

export class ContainerProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its whole group with it. */
  readonly exited: Promise<Exit>;
  /** Resolves when what left that group has been ended, too. */
  readonly swept: Promise<void>;
  /** Resolves when all that it and its children wrote is in the log. */
  readonly logged: Promise<void>;
  private readonly execs = new Set<number>();
  private readonly launch: Launch;
  private readonly watchdog: Watchdog;
  private gone = false;

  private constructor(
    { child, exited, closed }: Started,
    launch: Launch,
    log: ContainerLog,
    clock: Clock,
    watchdog: Watchdog,
  ) {
    this.pid = child.pid as number;
    this.launch = launch;
    this.watchdog = watchdog;
    this.logged = closed.then(() => log.end(clock.wall()));
    this.exited = exited.then((exitCode) => {
      this.gone = true;
      // The kernel kills everything in a container when its first process ends.
      killGroup(this.pid);
      for (const group of this.execs) killGroup(group);
      watchdog.remove(this.pid);
      return { exitCode, finishedAtMs: clock.wall() };
    });
    const mark = launch.env[MARK] ?? '';
    this.swept = this.exited.then(() => killMarkedSoon(mark)).then(() => watchdog.forget(mark));
  }

  /**
   * Throws LaunchError with containerd's words when there is no such program. The program begins when `ready`; what can
   * be prepared before is.
   */
  static async start(
    given: Launch,
    log: ContainerLog,
    clock: Clock,
    watchdog: Watchdog,
    ready: Promise<void> = Promise.resolve(),
  ): Promise<ContainerProcess> {
    const launch = { ...given, env: { ...given.env, [MARK]: newMark() } };
    const { place, workingDirectory, command } = launch;
    const placed = place && startCommand(place, workingDirectory, command, launch.env);
    const toLog = (child: ChildProcess) => {
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream]?.setEncoding('utf8');
        child[stream]?.on('data', (chunk: string) => log.write(stream, chunk, clock.wall()));
        child[stream]?.on('error', () => {});
      }
    };
    const started = await begin(launch, placed, 'ignore', watchdog, toLog, ready);
    return new ContainerProcess(started, launch, log, clock, watchdog);
  }

  get running(): boolean {
    return !this.gone;
  }

  /**
   * To the first process alone, as a container runtime does it. PID 1 of a container does not get a signal that it
   * does not handle: the kernel drops it, and only SIGKILL ends the container.
   */
  signal(signal: NodeJS.Signals): void {
    const tmp = this.launch.env.TMPDIR;
    const seen = tmp !== undefined && this.launch.place?.root ? `/proc/${this.pid}/root${tmp}` : tmp;
    if (this.gone || !getsSignal(this.pid, signal, seen)) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It ended just now.
    }
  }

  kill(): void {
    if (!this.gone) killGroup(this.pid);
  }

  /** Runs a command in the container. It is killed when the container ends. */
  async exec(command: readonly string[], streams: ExecPipes = {}): Promise<Exec> {
    if (this.gone) throw new LaunchError('cannot exec in a stopped container');
    const { place, workingDirectory } = this.launch;
    const placed = place && joinCommand(place, this.pid, workingDirectory, command, this.launch.env);
    const stdin = streams.stdin ? 'pipe' : 'ignore';
    const toStreams = (child: ChildProcess) => {
      if (streams.stdin && child.stdin) {
        child.stdin.on('error', () => {});
        streams.stdin.pipe(child.stdin);
      }
      for (const stream of ['stdout', 'stderr'] as const) {
        const target = streams[stream];
        child[stream]?.on('error', () => {});
        if (target) child[stream]?.pipe(target, { end: false });
        else child[stream]?.resume();
      }
    };
    const { child, closed } = await begin(
      { ...this.launch, command },
      placed,
      stdin,
      this.watchdog,
      toStreams,
    );
    const pid = child.pid as number;
    this.execs.add(pid);
    if (this.gone) killGroup(pid);
    return {
      // Closed and not just ended: the runtime reports an exec when nobody holds its output any more.
      ended: closed.then((exitCode) => {
        killGroup(pid);
        this.execs.delete(pid);
        this.watchdog.remove(pid);
        return exitCode;
      }),
      killFirst: () => {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended just now.
        }
      },
      killAll: () => killGroup(pid),
    };
  }
}

interface ExecPipes {
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

interface Exec {
  readonly ended: Promise<number>;
  /** Kills the command but not what it started: an exec probe that timed out ends only with its last child. */
  killFirst(): void;
  killAll(): void;
}

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<number>;
  /** It has ended and nobody holds its output any more. */
  readonly closed: Promise<number>;
}

/** @param connect Takes what it writes, at once: Node.js throws away what nobody reads when a process has ended. */
async function begin(
  launch: Launch,
  placed: readonly string[] | undefined,
  stdin: 'ignore' | 'pipe',
  watchdog: Watchdog,
  connect: (child: ChildProcess) => void,
  ready: Promise<void> = Promise.resolve(),
): Promise<Started> {
  if (!placed) await ready;
  const [program = '', ...args] = placed ?? launch.command;
  const child = spawn(program, args, {
    env: { ...launch.env },
    ...(!placed && launch.workingDirectory !== undefined && { cwd: launch.workingDirectory }),
    stdio: [stdin, 'pipe', 'pipe', ...(placed ? ['pipe' as const] : [])],
    detached: true,
  });
  if (child.pid !== undefined) watchdog.add(child.pid, launch.env[MARK]);
  connect(child);
  // Heard from the beginning: a short program has ended before it is known that it began.
  const started: Started = {
    child,
    exited: new Promise((resolve) => child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal)))),
    closed: new Promise((resolve) =>
      child.once('close', (code, signal) => resolve(exitCodeOf(code, signal))),
    ),
  };
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new LaunchError(launchFailure(program, error))),
    );
  });
  if (placed) await becameProgram(child, ready);
  return started;
}

/** Waits until the chain of programs has become the container's own (emulator/node/isolation/place.ts). */
async function becameProgram(child: ChildProcess, ready: Promise<void>): Promise<void> {
  const line = child.stdio[3] as Duplex;
  let said = '';
  line.setEncoding('utf8');
  line.on('data', (text: string) => {
    said += text;
  });
  line.on('error', () => {});
  const closed = new Promise<void>((resolve) => line.once('close', () => resolve()));
  await Promise.race([ready, closed]);
  line.write('go\n');
  await closed;
  if (said.trim() === '') return;
  killGroup(child.pid as number);
  throw new LaunchError(inRuncsWords(said.trim()));
}

function launchFailure(program: string, error: NodeJS.ErrnoException): string {
  const why =
    error.code === 'ENOENT'
      ? `exec: "${program}": executable file not found in $PATH`
      : `exec: "${program}": ${error.code === 'EACCES' ? 'permission denied' : error.message}`;
  return inRuncsWords(why);
}

const inRuncsWords = (why: string): string =>
  `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${why}: unknown`;

/** A shell's convention, which container runtimes share: 128 + number of the signal. */
function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal ? constants.signals[signal] : 0);
}
