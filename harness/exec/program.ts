// A program that runs beside us until it is told to end: in a process group of its own, with its lines as they come, and
// with how it ended.
import { execa, type Options } from 'execa';
import { killGroup } from './command.ts';

export interface ProgramOptions {
  /** undefined: what this process has. Given: nothing else. */
  readonly onlyEnv?: Readonly<Record<string, string | undefined>>;
  /** Each line of standard output as it comes. */
  readonly onLine?: (line: string) => void;
  /** false: standard output is not kept, so that it may be endless; `stdout` of its end is empty. */
  readonly keepOutput?: boolean;
}

export interface ProgramEnd {
  /** In words: "ended with 1", "was ended by SIGKILL", "could not be started: spawn k6 ENOENT". */
  readonly how: string;
  readonly stdout: string;
  /** The end of it. */
  readonly stderr: string;
}

export interface Program {
  /** It leads a process group of its own. undefined: it could not be started. */
  readonly pid?: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** A line on its input; nothing when it has ended. */
  write(line: string): void;
  kill(signal: NodeJS.Signals): void;
  /** `signal` (undefined: the end of its input) asks it to end; after `graceMs` it is killed with all that it started. */
  stop(signal: NodeJS.Signals | undefined, graceMs: number): Promise<ProgramEnd>;
}

const OUTPUT_LIMIT = 64_000_000;
const STDERR_CHARS = 2000;

export function startProgram(file: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const { onLine, onlyEnv, keepOutput = true } = options;
  const settings: Options = {
    reject: false,
    detached: true,
    stdin: 'pipe',
    maxBuffer: OUTPUT_LIMIT,
    ...(!keepOutput && { buffer: { stdout: false, stderr: true } }),
    ...(onlyEnv && { env: onlyEnv, extendEnv: false }),
    ...(onLine && {
      stdout: function* (line: unknown) {
        onLine(String(line));
        yield line;
      },
    }),
  };
  const child = execa(file, args, settings);
  // A program that ends before it has read its input is not an error of ours.
  child.stdin?.on('error', () => {});
  const ended = child.then((result): ProgramEnd => {
    const { exitCode, signal, originalMessage } = result;
    const how =
      exitCode !== undefined
        ? `ended with ${exitCode}`
        : signal
          ? `was ended by ${signal}`
          : `could not be started: ${originalMessage ?? 'the system gave no reason'}`;
    return {
      how,
      stdout: String(result.stdout ?? ''),
      stderr: String(result.stderr ?? '').slice(-STDERR_CHARS),
    };
  });
  const kill = (signal: NodeJS.Signals) => killGroup(child.pid, signal);
  return {
    pid: child.pid,
    ended,
    write: (line) => void child.stdin?.write(`${line}\n`),
    kill,
    async stop(signal, graceMs) {
      if (signal) kill(signal);
      else child.stdin?.end();
      const timer = setTimeout(() => kill('SIGKILL'), graceMs);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
