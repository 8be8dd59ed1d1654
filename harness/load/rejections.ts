// What a client meets at a Service without endpoints where a kernel routes: kube-proxy's rule has the node answer with an
// ICMP error, and a kernel sends a client no more than one a second of them, after six at once (net.ipv4.icmp_ratelimit
// 1000, XRLIM_BURST_FACTOR 6 in net/ipv4/icmp.c; not on the loopback interface). Beyond that nothing comes back, and the
// client's SYN is sent again. Seen on kind at 100 new connections per second: seven refused, all others after 1 or 2 s.

const EVERY_MS = 1000;
const AT_ONCE = 6;

/** How many rejections a node still sends to one client. `now` in ms, of any beginning. */
export class Rejections {
  readonly #now: () => number;
  #saved = AT_ONCE * EVERY_MS;
  #lastMs: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lastMs = now();
  }

  /** Whether one is sent now. */
  take(): boolean {
    const now = this.#now();
    this.#saved = Math.min(AT_ONCE * EVERY_MS, this.#saved + now - this.#lastMs);
    this.#lastMs = now;
    if (this.#saved < EVERY_MS) return false;
    this.#saved -= EVERY_MS;
    return true;
  }
}

/** A SYN that nothing answered is sent again after this long, the first four times (Linux 6.5 and later), ms. */
const SYN_AGAIN_MS = 1000;
const EVEN_TRIES = 4;

/** `tries`: how many SYNs have been sent. */
export const synAgainMs = (tries: number): number => SYN_AGAIN_MS * 2 ** Math.max(0, tries - EVEN_TRIES);
