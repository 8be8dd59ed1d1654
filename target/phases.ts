// Tells the load agent what this process is doing, over one TCP connection with a JSON object per line, so that the
// facts outlive the pod. It never delays or breaks serving: without an agent the words are dropped.
import { connect, type Socket } from 'node:net';
import type { TargetConfig } from './config.ts';

export type ReportedPhase = 'starting' | 'listening' | 'unready' | 'sigterm' | 'closed';

interface PhaseReporter {
  report(phase: ReportedPhase): void;
  /** A request with an id of the load's was received: "PREFIX.NUMBER". Others are none of ours. */
  received(requestId: string): void;
  /** Resolves when the kernel has taken every word, or nobody is connected, or after the limit. */
  flush(limitMs: number): Promise<void>;
}

/** About a minute of attempts; an agent that is not there by then does not come. */
const ATTEMPTS = 60;
const RETRY_MS = 250;
const RETRY_LIMIT_MS = 1000;
/** As the load agent writes them (harness/load/request-id.ts). */
const requestIdForm = /^(rp-[a-z0-9/+:.-]{1,60})\.(\d{9})$/;
/** A process that is killed takes with it what it has not told. */
const COUNTED_EVERY_MS = 50;
const NUMBERS_PER_LINE = 200;
/** The target says a handful of things in its life. */
const QUEUE_LIMIT = 100;

/**
 * A line: {"pod", "phase", "version", "agoMs"}; agoMs is how long before it was written the phase began (0 unless the
 * connection came up later than the phase).
 */
export function reportPhases(config: TargetConfig): PhaseReporter {
  const separator = config.phases?.lastIndexOf(':') ?? -1;
  if (!config.phases || separator < 1) return { report: () => {}, received: () => {}, flush: async () => {} };
  const host = config.phases.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(config.phases.slice(separator + 1));
  const waiting: { phase: ReportedPhase; atMs: number }[] = [];
  let socket: Socket | undefined;
  let written = Promise.resolve();
  let counted = new Map<string, number[]>();
  let countedTimer: NodeJS.Timeout | undefined;
  open(1);

  return {
    report(phase) {
      if (waiting.length < QUEUE_LIMIT) waiting.push({ phase, atMs: performance.now() });
      send();
    },
    received(requestId) {
      const [, prefix = '', number] = requestIdForm.exec(requestId) ?? [];
      if (number === undefined) return;
      const numbers = counted.get(prefix) ?? [];
      counted.set(prefix, numbers);
      numbers.push(Number(number));
      if (numbers.length >= NUMBERS_PER_LINE) sendCounted();
      else if (!countedTimer) countedTimer = setTimeout(sendCounted, COUNTED_EVERY_MS).unref();
    },
    async flush(limitMs) {
      sendCounted();
      await Promise.race([written, new Promise<void>((resolve) => setTimeout(resolve, limitMs))]);
    },
  };

  function open(attempt: number): void {
    const candidate = connect({ host, port, noDelay: true });
    // The link alone must not keep the process from ending.
    candidate.unref();
    candidate.on('connect', () => {
      socket = candidate;
      send();
    });
    candidate.on('error', () => {});
    candidate.on('close', () => {
      socket = undefined;
      if (attempt >= ATTEMPTS) return;
      setTimeout(() => open(attempt + 1), Math.min(RETRY_LIMIT_MS, RETRY_MS * attempt)).unref();
    });
    candidate.resume();
  }

  /** What was received without a link is not told: the agent is not there, or not any more. */
  function sendCounted(): void {
    clearTimeout(countedTimer);
    countedTimer = undefined;
    if (counted.size === 0) return;
    const received = Object.fromEntries(counted);
    counted = new Map();
    write({ pod: config.podName, received });
  }

  function write(line: object): void {
    if (!socket) return;
    const link = socket;
    // Called back also when the link breaks before.
    written = new Promise((resolve) => link.write(`${JSON.stringify(line)}\n`, () => resolve()));
  }

  function send(): void {
    if (!socket) return;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      write({
        pod: config.podName,
        phase: next.phase,
        version: config.version,
        agoMs: Math.round(performance.now() - next.atMs),
      });
    }
  }
}
