// A shell that lives in namespaces of its own and runs what it is told, one thing after the other. When its input ends,
// which happens however the harness ends, it ends too, and its namespaces with it.
import { type ChildProcess, spawn } from 'node:child_process';
import { EmulatorError } from '../../errors.ts';

const ANSWER_LIMIT_MS = 10_000;

interface Waiting {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class NamespaceShell {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly waiting: Waiting[] = [];
  private said = '';
  private partial = '';
  private gone = false;

  /** `command` ends in a shell that reads its input: ["unshare", "--net", "--", "sh"]. */
  constructor(command: readonly string[]) {
    const [program = '', ...args] = command;
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.pid = this.child.pid ?? 0;
    this.child.unref();
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) {
      (stream as unknown as { unref?: () => void } | null)?.unref?.();
      stream?.on('error', () => {});
    }
    this.child.stdout?.setEncoding('utf8');
    this.child.stdout?.on('data', (text: string) => this.read(text));
    this.child.stderr?.setEncoding('utf8');
    this.child.stderr?.on('data', (text: string) => {
      this.said = `${this.said}${text}`.slice(-2000);
    });
    this.child.once('error', (error) => this.end(error.message));
    this.child.once('exit', (code, signal) => this.end(`it ended with ${signal ?? code}`));
  }

  get running(): boolean {
    return !this.gone;
  }

  /** Runs shell code. Rejects with its last lines when it fails, and after 10 s. */
  run(what: string, code: string): Promise<void> {
    if (this.gone) return Promise.reject(new EmulatorError(`embedded: ${what}: the namespace is gone.`));
    this.said = '';
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.kill();
        reject(new EmulatorError(`embedded: ${what}: no answer within ${ANSWER_LIMIT_MS / 1000} s.`));
      }, ANSWER_LIMIT_MS);
      this.waiting.push({ what, resolve, reject, timer });
      this.child.stdin?.write(`{ ${code}\n} 2>&1 </dev/null; c=$?; echo; echo "@$c"\n`);
    });
  }

  kill(): void {
    if (this.gone || this.pid === 0) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  private read(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) {
      if (/^@\d+$/.test(line)) this.answered(Number(line.slice(1)));
      else if (line) this.said = `${this.said}${line}\n`.slice(-2000);
    }
  }

  private answered(code: number): void {
    const entry = this.waiting.shift();
    if (!entry) return;
    clearTimeout(entry.timer);
    const said = this.said.trim();
    this.said = '';
    if (code === 0) entry.resolve();
    else entry.reject(new EmulatorError(`embedded: ${entry.what}: ${said || `ended with ${code}`}`));
  }

  private end(why: string): void {
    this.gone = true;
    for (const { what, reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer);
      reject(new EmulatorError(`embedded: ${what}: ${this.said.trim() || why}`));
    }
  }
}
