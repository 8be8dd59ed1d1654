// Source ports that the agent hands out itself, so that connection tracking can be read by them: each new connection is
// bound to the port that has rested longest towards its destination. A port is one of a 5-tuple: towards two
// destinations it may be in use at once, towards one it never is.
import type { SourcePortRange, StreamPlan } from '../model/load.ts';

/** A port that the kernel does not give (somebody else's, or still resting) is passed over, this often. */
export const PORTS_TRIED = 5;

export const isPortTaken = ({ code }: { readonly code?: string }): boolean =>
  code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL';

/**
 * A closed connection holds its port for this long: TIME_WAIT, which the kernel does not shorten (TCP_TIMEWAIT_LEN).
 * Entries of connection tracking rest up to 120 s (nf_conntrack_tcp_timeout_time_wait); a SYN on one that has been
 * closed replaces it by a new one, with a choice of its own (nf_conntrack_proto_tcp.c), so it need not be waited for.
 */
export const TIME_WAIT_MS = 60_000;

/**
 * After a connection that the other side neither closed nor refused its entry stays as it was, with the pod that was chosen
 * then: after SYNs without an answer for 120 s (nf_conntrack_tcp_timeout_syn_sent), after our FIN, which the kernel repeats
 * for up to a minute, as long again (…_fin_wait). A new connection from that port would be sent to that pod, which is gone.
 */
export const SILENT_REST_MS = 185_000;

/**
 * Ports in the order in which they came to rest. Tens of thousands rest for a minute each: as objects they would all grow
 * old on the heap.
 */
class RestingPorts {
  #ports = new Uint16Array(256);
  #since = new Float64Array(256);
  #first = 0;
  #length = 0;

  push(port: number, sinceMs: number): void {
    if (this.#length === this.#ports.length) this.#grow();
    const at = (this.#first + this.#length++) % this.#ports.length;
    this.#ports[at] = port;
    this.#since[at] = sinceMs;
  }

  /** Of the one that has rested longest, ms; undefined: none rests. */
  get sinceMs(): number | undefined {
    return this.#length === 0 ? undefined : this.#since[this.#first];
  }

  /** The one that has rested longest. */
  shift(): number | undefined {
    if (this.#length === 0) return undefined;
    const port = this.#ports[this.#first];
    this.#first = (this.#first + 1) % this.#ports.length;
    this.#length--;
    return port;
  }

  #grow(): void {
    const [ports, since] = [new Uint16Array(this.#length * 2), new Float64Array(this.#length * 2)];
    for (let index = 0; index < this.#length; index++) {
      const from = (this.#first + index) % this.#length;
      ports[index] = this.#ports[from] as number;
      since[index] = this.#since[from] as number;
    }
    [this.#ports, this.#since, this.#first] = [ports, since, 0];
  }
}

class Destination {
  /** The next port that was never used towards it. */
  next: number;
  readonly used = new RestingPorts();
  readonly silent = new RestingPorts();
  constructor(from: number) {
    this.next = from;
  }
}

export class SourcePorts {
  readonly #range: SourcePortRange;
  readonly #reserved: ReadonlySet<number>;
  readonly #clock: () => number;
  readonly #destinations = new Map<string, Destination>();
  #shortestRestMs = Number.POSITIVE_INFINITY;

  /** `reserved`: ports that somebody listens on. `clock`: monotonic, ms. */
  constructor(range: SourcePortRange, reserved: Iterable<number> = [], clock = () => performance.now()) {
    this.#range = range;
    this.#reserved = new Set(reserved);
    this.#clock = clock;
  }

  /** undefined: all are in use towards this destination, or rest after a silence. */
  take(destination: string): number | undefined {
    const own = this.#of(destination);
    while (own.next <= this.#range.to) {
      const port = own.next++;
      if (!this.#reserved.has(port)) return port;
    }
    const silentSinceMs = own.silent.sinceMs;
    const isRipe = silentSinceMs !== undefined && this.#clock() - silentSinceMs >= SILENT_REST_MS;
    const resting = isRipe ? own.silent : own.used;
    const { sinceMs } = resting;
    if (sinceMs !== undefined) this.#shortestRestMs = Math.min(this.#shortestRestMs, this.#clock() - sinceMs);
    return resting.shift();
  }

  /** The connection's socket is closed. `silent`: it is from here that it ended, and the other side said nothing. */
  release(destination: string, port: number, silent = false): void {
    const own = this.#of(destination);
    (silent ? own.silent : own.used).push(port, this.#clock());
  }

  /** The shortest time after which a port was used again towards the same destination; Infinity: none was. */
  get shortestRestMs(): number {
    return this.#shortestRestMs;
  }

  #of(destination: string): Destination {
    const found = this.#destinations.get(destination) ?? new Destination(this.#range.from);
    this.#destinations.set(destination, found);
    return found;
  }
}

/**
 * Why the ports do not suffice for these streams, each with its peak rate of new connections per second; undefined:
 * they do. A port that is used at a time t is free again at t + how long its connection lasts + TIME_WAIT.
 */
export function portsMissing(
  streams: readonly (Pick<StreamPlan, 'url' | 'lane' | 'timeoutMs' | 'connections'> & {
    readonly ratePerSecond: number;
  })[],
  range: SourcePortRange,
): string | undefined {
  const ports = range.to - range.from + 1;
  const byDestination = new Map<string, number>();
  for (const { url, lane, ratePerSecond, connections } of streams) {
    const { host } = new URL(url);
    // What is open at once lies in the slots; what was open within TIME_WAIT rests.
    const resting = lane === 'kept' ? 0 : ratePerSecond * (TIME_WAIT_MS / 1000);
    byDestination.set(host, (byDestination.get(host) ?? 0) + resting + Math.min(connections, ports));
  }
  const [host, needed] = [...byDestination].sort(([, a], [, b]) => b - a)[0] ?? ['', 0];
  if (needed <= ports) return undefined;
  return `one load agent has ${ports} source ports and would need ${Math.ceil(needed)} towards ${host}: a port rests for ${TIME_WAIT_MS / 1000} s after its connection. Use more load agents (--agents ${Math.ceil(needed / ports)}) or a lower rate`;
}
