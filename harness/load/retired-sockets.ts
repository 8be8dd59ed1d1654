// Sockets whose response was complete: the server, which was asked to close, closes first and keeps the TIME_WAIT (the
// slot's own listener then ends the socket); one that does not within 200 ms is closed from here, when the next comes or at
// the latest after a second. At most 1000 wait.
// Those that ended in order are given out again, to be connected once more: Node.js allows that once `close` was emitted,
// and a new socket with its streams and listeners costs a fifth of what a new connection costs.
import type { Socket } from 'node:net';

const waitMs = 200;
const limit = 1000;
/** Looked through whenever another comes, and so long after the first of them. */
const sweepMs = 1000;
/** As many as end within a moment at a high rate. */
const spareLimit = 100;

export class RetiredSockets {
  readonly #clock: () => number;
  readonly #reusable: boolean;
  /** Those that wait, oldest first, and until when. */
  readonly #waiting = new Map<Socket, number>();
  readonly #spare: Socket[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `reusable`: they may be connected again; with TLS they may not. */
  constructor(clock: () => number, reusable: boolean) {
    this.#clock = clock;
    this.#reusable = reusable;
  }

  add(socket: Socket): void {
    if (socket.readableEnded) {
      socket.destroy();
      return;
    }
    const now = this.#clock();
    this.#endThoseOver(now);
    if (this.#waiting.size >= limit) this.#endOldest();
    this.#waiting.set(socket, now + waitMs);
    this.#timer ??= setTimeout(() => this.#sweep(), sweepMs);
  }

  /** A socket that was added is closed. `inOrder`: the other side ended it, and nothing was left to be written. */
  closed(socket: Socket, inOrder: boolean): void {
    this.#waiting.delete(socket);
    if (inOrder && this.#reusable && this.#spare.length < spareLimit) this.#spare.push(socket);
  }

  /** One to connect again, as it was made: same options, same listeners. */
  takeSpare(): Socket | undefined {
    return this.#spare.pop();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#waiting.keys()) socket.destroy();
    this.#waiting.clear();
  }

  #endThoseOver(now: number): void {
    for (const [socket, untilMs] of this.#waiting) {
      if (untilMs > now) return;
      this.#waiting.delete(socket);
      socket.destroy();
    }
  }

  #endOldest(): void {
    for (const socket of this.#waiting.keys()) {
      this.#waiting.delete(socket);
      socket.destroy();
      return;
    }
  }

  #sweep(): void {
    this.#endThoseOver(this.#clock());
    this.#timer = this.#waiting.size > 0 ? setTimeout(() => this.#sweep(), waitMs) : undefined;
  }
}
