// Mode `consumer`: pulls one item after the other from the queue and works on it, slowly at first.
import { Agent, request } from 'node:http';
import type { ConsumerPace } from './config.ts';

const IDLE_MS = 50;
const RETRY_MS = 200;
const ANSWER_LIMIT_MS = 2000;

/**
 * Items per second at an age of `ageMs`. Two worked cases with 1 → 10 over 6 s: 5.5 per second after 3 s, 10 from 6 s
 * on.
 */
export function rateAt(ageMs: number, { coldPerSecond, warmPerSecond, warmUpMs }: ConsumerPace): number {
  const warmth = warmUpMs === 0 ? 1 : Math.min(1, Math.max(0, ageMs / warmUpMs));
  return coldPerSecond + (warmPerSecond - coldPerSecond) * warmth;
}

export class Consumer {
  private readonly host: string;
  private readonly port: number;
  private readonly pace: ConsumerPace;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private stopping = false;
  private finished: Promise<void> = Promise.resolve();

  /** `queue`: host:port. */
  constructor(queue: string, pace: ConsumerPace) {
    const separator = queue.lastIndexOf(':');
    this.host = queue.slice(0, separator).replace(/^\[|\]$/g, '');
    this.port = Number(queue.slice(separator + 1));
    this.pace = pace;
  }

  start(): void {
    this.finished = this.work();
  }

  /** Takes nothing more; resolves when the item in hand is finished. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.finished;
    this.agent.destroy();
  }

  private async work(): Promise<void> {
    const bornAtMs = performance.now();
    let freeAtMs = bornAtMs;
    while (!this.stopping) {
      const taken = await this.ask('/take');
      if (taken?.status !== 200) {
        await delay(taken ? IDLE_MS : RETRY_MS);
        continue;
      }
      const { item } = JSON.parse(taken.text) as { item: number };
      const nowMs = performance.now();
      const periodMs = 1000 / rateAt(nowMs - bornAtMs, this.pace);
      // From when the last one was done, so that the way to the queue and back is part of the period.
      freeAtMs = (nowMs - freeAtMs < periodMs ? freeAtMs : nowMs) + periodMs;
      await delay(freeAtMs - nowMs);
      await this.ask(`/done?item=${item}`);
    }
  }

  /** undefined: the queue gave no answer; an item in hand then goes to somebody else when its lease ends. */
  private ask(path: string): Promise<{ status: number; text: string } | undefined> {
    return new Promise((resolve) => {
      const { host, port, agent } = this;
      const asked = request(
        { host, port, agent, path, method: 'POST', timeout: ANSWER_LIMIT_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('error', () => resolve(undefined));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      asked.on('timeout', () => asked.destroy());
      asked.on('error', () => resolve(undefined));
      asked.end();
    });
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
