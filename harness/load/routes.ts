// The node's endpoint table where no kernel routes for the agent (the emulated cluster): a never-ending stream of
// JSON lines, each the complete table; a new connection goes to a random endpoint of its service.
import { type ClientRequest, get } from 'node:http';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Route } from './engine.ts';

const lineSchema = z.object({
  services: z.record(
    z.string(),
    z.array(z.object({ ip: z.string(), port: z.number().int(), pod: z.string().optional() })),
  ),
});
type Endpoint = { readonly ip: string; readonly port: number; readonly pod?: string | undefined };

const reconnectMs = 100;

export class Routes {
  readonly #url: string;
  readonly #random: () => number;
  #services: Readonly<Record<string, readonly Endpoint[]>> = {};
  #request: ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #problem: string | undefined;
  #known: () => void = () => undefined;
  readonly #first = new Promise<void>((resolve) => {
    this.#known = resolve;
  });

  /** `random`: 0 to below 1. */
  constructor(url: string, random: () => number = Math.random) {
    this.#url = url;
    this.#random = random;
    this.#follow();
  }

  /** Waits for the first table; false when there was none within the limit. */
  async ready(limitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), limitMs);
    });
    const ready = await Promise.race([this.#first.then(() => true), limit]);
    clearTimeout(timer);
    return ready;
  }

  /** What is wrong with the table that came last; it is not used, the one before it stays. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** A function that picks an endpoint for each new connection, or `undefined` when the table does not know the address. */
  of(host: string, port: number): (() => Route | undefined) | undefined {
    const key = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!(key in this.#services)) return undefined;
    return () => {
      const endpoints = this.#services[key] ?? [];
      const chosen = endpoints[Math.floor(this.#random() * endpoints.length)];
      return (
        chosen && { host: chosen.ip, port: chosen.port, ...(chosen.pod !== undefined && { pod: chosen.pod }) }
      );
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }

  /** The last table stays valid while the stream is away, as a node keeps its rules. */
  #follow(): void {
    let over = false;
    const again = () => {
      if (over || this.#closed) return;
      over = true;
      this.#timer = setTimeout(() => this.#follow(), reconnectMs);
    };
    this.#request = get(this.#url, (response) => {
      const lines = createInterface({ input: response });
      lines.on('line', (line) => this.#read(line));
      // The reader passes on the errors of what it reads.
      lines.on('error', again);
      response.on('error', again);
      response.on('close', again);
    });
    this.#request.on('error', again);
  }

  #read(line: string): void {
    if (line.trim() === '') return;
    let table: unknown;
    try {
      table = JSON.parse(line);
    } catch {
      // A line cut off by the end of the stream; the next connection begins with a complete table.
      return;
    }
    const read = lineSchema.safeParse(table);
    if (!read.success) {
      const [issue] = read.error.issues;
      this.#problem = `${issue?.path.join('.') || 'the line'}: ${issue?.message ?? 'not an endpoint table'}`;
      return;
    }
    this.#problem = undefined;
    this.#services = read.data.services;
    this.#known();
  }
}
