// The one seam through which docker and kind are run. An error prints a command line that can be pasted and the last
// lines that the command said.
import { spawn } from 'node:child_process';
import { FaultError, InterruptedError } from '../model/errors.ts';

export interface CommandOptions {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
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

export type CommandEnd = 'not-found' | 'timeout' | number | NodeJS.Signals;

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
    return this.lastLines.at(-1) ?? endInWords(this.end, 0);
  }
}

const LAST_LINES = 12;
/** kind prints little, docker save goes to files: more than this is not read by anybody. */
const OUTPUT_LIMIT = 4_000_000;
const KILL_AFTER_MS = 5000;

/**
 * Runs a command to its end. It leads a process group of its own, so that Ctrl-C on the terminal reaches only us and we
 * stop things in order. Throws CommandError, or InterruptedError when the signal stopped it.
 */
export const runCommand: RunCommand = (file, args, options) =>
  new Promise((resolve, reject) => {
    if (options.signal?.aborted) {
      reject(new InterruptedError());
      return;
    }
    const child = spawn(file, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    let stdout = '';
    let stderr = '';
    let rest = '';
    let stopped: 'timeout' | 'interrupted' | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_LIMIT) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_LIMIT) stderr += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line);
    });
    // A command that ends before it has read its input is not an error of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    if (child.pid !== undefined) options.onStart?.(child.pid);

    const stop = (why: 'timeout' | 'interrupted') => {
      stopped ??= why;
      killGroup(child.pid, 'SIGTERM');
      killTimer ??= setTimeout(() => killGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS);
    };
    const limit = setTimeout(() => stop('timeout'), options.limitMs);
    const interrupt = () => stop('interrupted');
    options.signal?.addEventListener('abort', interrupt, { once: true });

    const settle = (end: CommandEnd) => {
      clearTimeout(limit);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', interrupt);
      if (stopped === 'interrupted') reject(new InterruptedError());
      else if (end === 0) resolve({ stdout, stderr });
      else
        reject(
          new CommandError(
            commandLine(file, args),
            end,
            options.limitMs,
            stderr || (options.secret ? '' : stdout),
          ),
        );
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      stderr ||= error.message;
      settle(error.code === 'ENOENT' ? 'not-found' : 1);
    });
    child.on('close', (code, signal) => settle(stopped === 'timeout' ? 'timeout' : (code ?? signal ?? 1)));
  });

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

export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // already gone
  }
}
