// Streams that the target holds open, whatever they are spoken in, so that a stop can end them in order.
import type { TargetConfig } from './config.ts';

interface OpenStream {
  /** In order, as its protocol says it: close 1001, the end of the events with a hint, a status in the trailers. */
  end(): void;
}

export class Streams {
  private readonly config: TargetConfig;
  private readonly streams = new Set<OpenStream>();
  private ending = false;

  constructor(config: TargetConfig) {
    this.config = config;
  }

  get open(): number {
    return this.streams.size;
  }

  /** Returns what takes it out again, once it has ended. */
  add(stream: OpenStream): () => void {
    this.streams.add(stream);
    const { connectionAgeMs } = this.config;
    const timer =
      connectionAgeMs > 0
        ? setTimeout(() => stream.end(), connectionAgeMs * (0.9 + Math.random() * 0.2)).unref()
        : undefined;
    if (this.ending) setImmediate(() => stream.end());
    return () => {
      clearTimeout(timer);
      this.streams.delete(stream);
    };
  }

  /** Also those that are opened from now on. */
  end(): void {
    this.ending = true;
    for (const stream of this.streams) stream.end();
  }
}

/** Calls `send` with 1 (or `from` + 1), 2, 3 ... at once and then every `everyMs`, by the clock and not by the last one. */
export function everyInterval(everyMs: number, from: number, send: (number: number) => void): () => void {
  let number = from;
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const next = (): void => {
    send(++number);
    const dueAt = startedAt + (number - from) * everyMs;
    timer = setTimeout(next, Math.max(1, dueAt - performance.now()));
  };
  next();
  return () => clearTimeout(timer);
}
