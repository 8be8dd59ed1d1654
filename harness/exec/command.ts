// The one way to run a program to its end: with a limit, a signal and a process group of its own. An error prints a
// command line that can be pasted and the last lines that the program said.
import { execa, execaSync, type Options, type SyncOptions } from 'execa';
import { FaultError, InterruptedError } from '../model/errors.ts';

export interface CommandOptions {
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly input?: string | undefined;
  /** Beside what this process has; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What it prints is a secret: only its standard error is quoted when it fails. */
  readonly secret?: boolean;
  /** Each line of standard error as it comes. */
  readonly onLine?: (line: string) => void;
  /** The process, which leads a group of its own. */
  readonly onStart?: (pid: number) => void;
}
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}
export type RunCommand = (
  file: string,
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandOutput>;

type CommandEnd = 'not-found' | 'timeout' | number | NodeJS.Signals;

export class CommandError extends FaultError {
  readonly end: CommandEnd;
  readonly limitMs: number;
  /** What it said last, oldest line first. */
  readonly lastLines: readonly string[];
  constructor(commandLine: string, end: CommandEnd, limitMs: number, output: string) {
    const lastLines = linesOf(output).slice(-LAST_LINES);
    super(
      [`"${commandLine}" ${endInWords(end, limitMs)}`, ...lastLines.map((line) => `  ${line}`)].join('\n'),
    );
    this.end = end;
    this.limitMs = limitMs;
    this.lastLines = lastLines;
  }
  /** How it ended and what it said last, on one line: `ended with 1 (no such host)`. */
  get inWords(): string {
    const last = this.end === 'not-found' ? undefined : this.lastLines.at(-1);
    return endInWords(this.end, this.limitMs) + (last ? ` (${last})` : '');
  }
  /** Its last words on one line, for a sentence that quotes it. */
  get lastLine(): string {
    return this.lastLines.at(-1) ?? endInWords(this.end, this.limitMs);
  }
  /** What it gives as its error ("Error: …", on one line), where it says so; else its last words. */
  get reason(): string {
    const logged = loggedError(this.lastLines);
    if (logged !== undefined) return cut(logged.replace(/\.$/, ''));
    const at = this.lastLines.findLastIndex((line) => /^error: /i.test(line));
    const said = at === -1 ? [this.lastLine] : this.lastLines.slice(at).filter((line) => !hint.test(line));
    return cut(
      said
        .join(' ')
        .replace(/^error: /i, '')
        .replace(/\.$/, ''),
    );
  }
}

const cut = (text: string): string =>
  text.length > REASON_LENGTH ? `${text.slice(0, REASON_LENGTH)}…` : text;

/** kubectl's log line `E1130 04:16:10.20 130 run.go:72] "command failed" err="…"`, or `err=<`, the text, and ` >`. */
function loggedError(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => /^[EF]\d{4} .*\] ".*" err=["<]/.test(line));
  const [first, ...rest] = at === -1 ? [] : lines.slice(at);
  if (first === undefined) return undefined;
  const said = first.slice(first.indexOf(' err=') + ' err='.length);
  const text = said.startsWith('<') ? rest.filter((line) => line.trim() !== '>').join(' ') : quoted(said);
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** As Go quotes it, which is JSON but for bytes that are no text. */
function quoted(said: string): string {
  try {
    return String(JSON.parse(said));
  } catch {
    return said.replaceAll('"', '');
  }
}

const LAST_LINES = 12;
const REASON_LENGTH = 400;
/** What helm adds to any error. */
const hint = /^Use --debug flag/;
/** kind prints little, docker save goes to files: a program that prints more is out of hand, and is ended. */
const OUTPUT_LIMIT = 64_000_000;
const KILL_AFTER_MS = 5000;

/**
 * Runs a command to its end. It leads a process group of its own, so that Ctrl-C on the terminal reaches only us and we
 * stop things in order. Throws CommandError, or InterruptedError when the signal stopped it.
 */
export const runCommand: RunCommand = async (file, args, options) => {
  const { code, ...output } = await runToExit(file, args, options);
  if (code === 0) return output;
  throw commandError(file, args, code, options, output);
};

/** The same, where an exit code is an answer. Throws CommandError when there is none: not found, too late, killed. */
export async function runToExit(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandOutput & { readonly code: number }> {
  if (options.signal?.aborted) throw new InterruptedError();
  const { onLine } = options;
  const settings: Options = {
    ...shared(options),
    detached: true,
    // A generator sees whole lines; without one, they are only kept.
    ...(onLine && {
      stderr: function* (line: unknown) {
        onLine(String(line));
        yield line;
      },
    }),
  };
  const child = execa(file, args, settings);
  if (child.pid !== undefined) options.onStart?.(child.pid);
  let stopped: 'timeout' | 'interrupted' | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (why: 'timeout' | 'interrupted') => {
    stopped ??= why;
    killGroup(child.pid, 'SIGTERM');
    killTimer ??= setTimeout(() => killGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS);
  };
  const limit = setTimeout(() => stop('timeout'), options.limitMs);
  const interrupt = () => stop('interrupted');
  options.signal?.addEventListener('abort', interrupt, { once: true });
  try {
    const result = await child;
    const output = { stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
    if (stopped === 'interrupted') throw new InterruptedError();
    if (stopped === 'timeout') throw commandError(file, args, 'timeout', options, output);
    return { ...output, code: exitCodeOf(file, args, options, result, output) };
  } finally {
    clearTimeout(limit);
    clearTimeout(killTimer);
    options.signal?.removeEventListener('abort', interrupt);
  }
}

/** For what must be known before anything else can go on, and ends at once: its limit blocks this process. */
export function runSync(
  file: string,
  args: readonly string[],
  options: Pick<CommandOptions, 'limitMs' | 'env' | 'cwd'>,
): CommandOutput {
  const settings: SyncOptions = { ...shared(options), timeout: options.limitMs, killSignal: 'SIGKILL' };
  const result = execaSync(file, args, settings);
  const output = { stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
  if (result.timedOut) throw commandError(file, args, 'timeout', options, output);
  const code = exitCodeOf(file, args, options, result, output);
  if (code === 0) return output;
  throw commandError(file, args, code, options, output);
}

const shared = ({ input = '', env, cwd }: Pick<CommandOptions, 'input' | 'env' | 'cwd'>) => ({
  reject: false as const,
  stripFinalNewline: false,
  maxBuffer: OUTPUT_LIMIT,
  input,
  ...(env && { env }),
  ...(cwd !== undefined && { cwd }),
});

interface Ended {
  readonly code?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly originalMessage?: string | undefined;
  readonly isMaxBuffer?: boolean;
}

function exitCodeOf(
  file: string,
  args: readonly string[],
  options: CommandOptions,
  result: Ended,
  output: CommandOutput,
): number {
  if (result.isMaxBuffer) {
    throw new FaultError(
      `"${commandLine(file, args)}" printed more than ${OUTPUT_LIMIT / 1e6} MB and was ended.`,
    );
  }
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.signal) throw commandError(file, args, result.signal as NodeJS.Signals, options, output);
  const end = result.code === 'ENOENT' ? 'not-found' : 1;
  const said = output.stderr || (result.originalMessage ?? '');
  throw commandError(file, args, end, options, { ...output, stderr: said });
}

function commandError(
  file: string,
  args: readonly string[],
  end: CommandEnd,
  { limitMs, secret }: CommandOptions,
  { stdout, stderr }: CommandOutput,
): CommandError {
  return new CommandError(commandLine(file, args), end, limitMs, stderr || (secret ? '' : stdout));
}

/** As a shell takes it. */
export function commandLine(file: string, args: readonly string[]): string {
  return [file, ...args].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function endInWords(end: CommandEnd, limitMs: number): string {
  if (end === 'not-found') return 'was not found on the PATH';
  if (end === 'timeout') return `did not end within ${limitMs / 1000} s`;
  return typeof end === 'number' ? `ended with ${end}` : `was ended by ${end}`;
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

/** The process and all that it has started, as long as it leads their group. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // already gone
  }
}
