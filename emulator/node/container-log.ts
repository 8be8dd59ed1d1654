// What a container wrote: the newest lines in a bounded ring, and whoever follows it.

interface LogLine {
  readonly wallMs: number;
  /** Without the line end. */
  readonly text: string;
  /** It had none: the container ended in the middle of a line. */
  readonly open?: true;
}

/** Kubernetes rotates at 10 Mi and keeps five; a run of ours needs far less. */
const MOST_BYTES = 1024 * 1024;
/** A line without an end is cut here, as containerd cuts it into parts. */
const LONGEST_LINE = 16 * 1024;

export class ContainerLog {
  private lines: LogLine[] = [];
  private first = 0;
  private bytes = 0;
  private ended = false;
  private readonly partial = { stdout: '', stderr: '' };
  private readonly waiting = new Set<() => void>();

  /** Takes a chunk as it came from the process. */
  write(stream: 'stdout' | 'stderr', chunk: string, wallMs: number): void {
    const parts = (this.partial[stream] + chunk).split('\n');
    let rest = parts.pop() ?? '';
    for (const text of parts) this.push({ wallMs, text });
    while (rest.length > LONGEST_LINE) {
      this.push({ wallMs, text: rest.slice(0, LONGEST_LINE) });
      rest = rest.slice(LONGEST_LINE);
    }
    this.partial[stream] = rest;
    if (parts.length > 0) this.wake();
  }

  /** The container has ended: nothing more comes. */
  end(wallMs: number): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.partial[stream]) this.push({ wallMs, text: this.partial[stream], open: true });
      this.partial[stream] = '';
    }
    this.ended = true;
    this.wake();
  }

  /** The lines that are kept. */
  all(): readonly LogLine[] {
    return this.lines.slice(this.first);
  }

  /** Lines from `line` (counted from the container's first) on; with `follow` it waits for more until the end. */
  async *read(line: number, follow: boolean, signal: AbortSignal): AsyncGenerator<LogLine> {
    let next = Math.max(line, this.dropped());
    while (!signal.aborted) {
      next = Math.max(next, this.dropped());
      const found = this.lines[this.first + next - this.dropped()];
      if (found) {
        next++;
        yield found;
        continue;
      }
      if (!follow || this.ended) return;
      await this.more(signal);
    }
  }

  /** Number of lines ever written. */
  get count(): number {
    return this.droppedLines + this.lines.length - this.first;
  }

  private droppedLines = 0;
  private dropped(): number {
    return this.droppedLines;
  }

  private push(line: LogLine): void {
    this.lines.push(line);
    this.bytes += line.text.length + 1;
    while (this.bytes > MOST_BYTES) {
      this.bytes -= (this.lines[this.first]?.text.length ?? 0) + 1;
      this.first++;
      this.droppedLines++;
    }
    // Compacting now and then keeps dropping lines cheap.
    if (this.first > 1000) {
      this.lines = this.lines.slice(this.first);
      this.first = 0;
    }
  }

  private wake(): void {
    for (const resolve of [...this.waiting]) resolve();
  }

  private more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
