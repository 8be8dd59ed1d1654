// What a load shows of itself while it runs.
import type { Meter } from '../../load/meter.ts';

/** Rate, losses and latency while it runs: rewritten in place on a terminal, else a line a second. */
export class LiveLine {
  readonly #meter: Meter;
  readonly #terminal = process.stderr.isTTY === true;
  readonly #timer: NodeJS.Timeout;
  #before = { attempts: 0, atMs: performance.now() };

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#timer = setInterval(() => this.#show(), this.#terminal ? 250 : 1000);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#terminal) process.stderr.write('\r\x1b[K');
  }

  #show(): void {
    const { attempts, lost, shed, inFlight, p50Ms, p99Ms } = this.#meter.live();
    const now = performance.now();
    const rate = ((attempts - this.#before.attempts) * 1000) / (now - this.#before.atMs);
    this.#before = { attempts, atMs: now };
    const line =
      `${rate.toFixed(rate < 10 ? 1 : 0)} req/s  ${attempts} sent  ${lost} lost  ${shed} shed  ${inFlight} in flight  ` +
      `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms`;
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }
}
