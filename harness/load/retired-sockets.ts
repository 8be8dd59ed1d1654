// Sockets whose response was complete: the server, which was asked to close, closes first and keeps the TIME_WAIT (the
// slot's own listener then ends the socket); one that does not within 200 ms is closed from here. At most 1000 wait.
import type { Socket } from 'node:net';
import { Fifo } from './fifo.ts';

const waitMs = 200;
const limit = 1000;

interface Retired {
  readonly socket: Socket;
  readonly untilMs: number;
}

export class RetiredSockets {
  readonly #clock: () => number;
  readonly #sockets = new Fifo<Retired>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(socket: Socket): void {
    if (socket.readableEnded) {
      socket.destroy();
      return;
    }
    if (this.#sockets.length >= limit) this.#sockets.shift()?.socket.destroy();
    this.#sockets.push({ socket, untilMs: this.#clock() + waitMs });
    this.#timer ??= setTimeout(() => this.#sweep(), waitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (let one = this.#sockets.shift(); one; one = this.#sockets.shift()) one.socket.destroy();
  }

  /** Those that the server has closed are let go with what is over, so that nobody wakes for them. */
  #sweep(): void {
    const now = this.#clock();
    const over = ({ socket, untilMs }: Retired) => untilMs <= now || socket.destroyed;
    for (let one = this.#sockets.peek(); one && over(one); one = this.#sockets.peek()) {
      one.socket.destroy();
      this.#sockets.shift();
    }
    const next = this.#sockets.peek();
    this.#timer = next && setTimeout(() => this.#sweep(), Math.max(1, Math.ceil(next.untilMs - now)));
  }
}
