// Where targets tell their phases: one TCP connection per process, a JSON object per line, stamped on receipt. A
// connection that ends without `closed` is a process that was killed or crashed: phase `gone`.
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';
import { z } from 'zod';
import type { TargetPhase } from '../model/load.ts';
import { Tally } from './tally.ts';

const lineSchema = z.object({
  pod: z.string().min(1).max(253),
  phase: z.enum(['starting', 'listening', 'unready', 'sigterm', 'closed']),
  version: z.string().max(253).optional(),
  /** How long before the line was written the phase began, ms: a link may come up later than the phase. */
  agoMs: z.number().nonnegative().default(0),
});

/** Requests that a pod received, by prefix of their ids (streamPlanSchema.requestIds): their numbers. */
const receivedSchema = z.object({
  pod: z.string().min(1).max(253),
  received: z.record(z.string().max(64), z.array(z.number().int().nonnegative()).max(1000)),
});

const connectionsLimit = 10_000;
const lineLimitBytes = 4096;
/** Phases that wait for the next frame; a target says a handful in its life. */
const waitingLimit = 10_000;

/** A phase with its time on the process's clock (ms), not yet on that of a load. */
interface StampedPhase extends Omit<TargetPhase, 'tMs'> {
  readonly atMs: number;
}

export class PhaseLink {
  readonly #clock: () => number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly deliveries = new Tally();
  #waiting: StampedPhase[] = [];

  constructor(clock: () => number) {
    this.#clock = clock;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = connectionsLimit;
  }

  /** Resolves with the port. */
  listen(port: number, host: string | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host }, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** What was told since the last call. */
  take(): StampedPhase[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let last: z.infer<typeof lineSchema> | undefined;
    socket.on('error', () => undefined);
    const lines = createInterface({ input: socket.pipe(boundedLines(socket)) });
    lines.on('line', (line) => {
      const received = parsed(receivedSchema, line);
      if (received) {
        for (const [prefix, numbers] of Object.entries(received.received))
          this.deliveries.add(prefix, numbers);
        return;
      }
      const told = parsed(lineSchema, line);
      if (!told) {
        socket.destroy();
        return;
      }
      last = told;
      this.#add({ ...told, atMs: this.#clock() - told.agoMs });
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // The last line may still be on its way through the reader.
      setImmediate(() => {
        if (!last || last.phase === 'closed') return;
        this.#add({ ...last, phase: 'gone', atMs: this.#clock() });
      });
    });
  }

  #add({ pod, phase, version, atMs }: StampedPhase): void {
    if (this.#waiting.length >= waitingLimit) return;
    this.#waiting.push({ pod, phase, atMs, ...(version !== undefined && { version }) });
  }
}

function parsed<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Ends a connection whose line has no end. */
function boundedLines(socket: Socket): Transform {
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const newline = chunk.lastIndexOf(10);
      length = newline < 0 ? length + chunk.length : chunk.length - newline - 1;
      if (length > lineLimitBytes) socket.destroy();
      done(null, chunk);
    },
  });
}
