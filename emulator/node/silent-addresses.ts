// Addresses of pods that are gone: on a real node their network is torn down and a SYN gets no answer. Here a listener
// whose queue is full and that never accepts makes the kernel drop SYNs, so that connections hang until they time out.
import { connect } from 'node:net';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from './clock.ts';

/**
 * Node accepts whatever its event loop sees, so the listeners live in a thread that never gets back to its loop: it
 * waits for orders in Atomics.wait, inside the callback of the listener before. The thread goes with the process.
 */
const holder = `
const { workerData, receiveMessageOnPort } = require('node:worker_threads');
const net = require('node:net');
const { port, signal } = workerData;
const held = new Map();
const flags = new Int32Array(signal);
function serve() {
  for (;;) {
    const order = receiveMessageOnPort(port)?.message;
    if (!order) {
      Atomics.wait(flags, 0, 0);
      Atomics.store(flags, 0, 0);
    } else if (order.close) {
      held.get(order.id)?.close();
      held.delete(order.id);
    } else {
      const server = net.createServer();
      const done = (error) => {
        if (!error) held.set(order.id, server);
        port.postMessage({ id: order.id, error });
        serve();
      };
      server.once('error', (error) => done(error.code));
      server.listen({ host: order.host, port: order.port, backlog: 1 }, () => done());
      return;
    }
  }
}
serve();
`;

/** Linux keeps backlog + 1 connections in the queue and drops the SYNs after them. */
const FILL_CONNECTIONS = 2;
const FILL_LIMIT_MS = 500;
/** Longer than any client of ours waits for a connection. */
const HELD_MS = 30_000;
const MOST_HELD = 256;

interface Held {
  readonly ids: readonly number[];
  readonly cancel: () => void;
}

export class SilentAddresses {
  private readonly clock: Clock;
  private worker: Worker | undefined;
  private port: MessagePort | undefined;
  private readonly flags = new Int32Array(new SharedArrayBuffer(4));
  private readonly answers = new Map<number, (error: string | undefined) => void>();
  private readonly held = new Map<string, Held>();
  private lastId = 0;
  private closed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Starts the thread, so that the first use need not wait for it. */
  start(): void {
    if (this.worker) return;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.on('message', ({ id, error }: { id: number; error?: string }) => {
      this.answers.get(id)?.(error);
      this.answers.delete(id);
    });
    this.worker = new Worker(holder, {
      eval: true,
      workerData: { port: port2, signal: this.flags.buffer },
      transferList: [port2],
    });
    this.worker.unref();
    port1.unref();
  }

  /**
   * From now on `ports` of `address` neither answer nor refuse, for 30 s or until the cluster ends. A port that is in
   * use is left out.
   */
  async hold(
    address: string,
    ports: readonly number[],
    until: 'timeout' | 'close',
    released?: () => void,
  ): Promise<void> {
    // A pod that was ending when the cluster did: a new thread and its timer would outlive it.
    if (this.closed) return;
    if (this.held.has(address)) this.release(address);
    while (this.held.size >= MOST_HELD) this.release(this.held.keys().next().value as string);
    this.start();
    const ids: number[] = [];
    const cancel =
      until === 'close'
        ? () => {}
        : this.clock.after(HELD_MS, () => {
            this.release(address);
            released?.();
          });
    this.held.set(address, { ids, cancel });
    await Promise.all(
      ports.map(async (port) => {
        const id = ++this.lastId;
        const error = await this.order({ id, host: address, port });
        if (error) return;
        if (this.held.get(address)?.ids !== ids) return this.closeListener(id);
        ids.push(id);
        for (let i = 0; i < FILL_CONNECTIONS; i++) await fill(address, port);
      }),
    );
  }

  /** The address is needed again, or the cluster ends. */
  release(address: string): void {
    const entry = this.held.get(address);
    if (!entry) return;
    this.held.delete(address);
    entry.cancel();
    for (const id of entry.ids) this.closeListener(id);
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const address of [...this.held.keys()]) this.release(address);
    for (const answer of this.answers.values()) answer('closed');
    this.answers.clear();
    this.port?.close();
    // Awaited, so it has to keep the process alive for once.
    this.worker?.ref();
    await this.worker?.terminate();
    this.worker = undefined;
  }

  private order(order: { id: number; host: string; port: number }): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.answers.set(order.id, resolve);
      this.tell(order);
    });
  }

  private closeListener(id: number): void {
    this.tell({ id, close: true });
  }

  private tell(order: object): void {
    this.port?.postMessage(order);
    Atomics.store(this.flags, 0, 1);
    Atomics.notify(this.flags, 0);
  }
}

/** One connection that stays in the listener's queue: the kernel completes it, nobody takes it. */
function fill(host: string, port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = () => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(FILL_LIMIT_MS, end);
    socket.once('connect', end);
    socket.once('error', end);
  });
}
