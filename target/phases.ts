// Tells the load agent what this process is doing, over one TCP connection with a JSON object per line, so that the
// facts outlive the pod. It never delays or breaks serving: without an agent the words are dropped.
import { connect, type Socket } from 'node:net';
import type { TargetConfig } from './config.ts';

export type ReportedPhase = 'starting' | 'listening' | 'unready' | 'sigterm' | 'closed';

export interface PhaseReporter {
  report(phase: ReportedPhase): void;
  /** Resolves when the kernel has taken every word, or nobody is connected, or after the limit. */
  flush(limitMs: number): Promise<void>;
}

/** About a minute of attempts; an agent that is not there by then does not come. */
const ATTEMPTS = 60;
const RETRY_MS = 250;
const RETRY_LIMIT_MS = 1000;
/** The target says a handful of things in its life. */
const QUEUE_LIMIT = 100;

/**
 * A line: {"pod", "phase", "version", "agoMs"}; agoMs is how long before it was written the phase began (0 unless the
 * connection came up later than the phase).
 */
export function reportPhases(config: TargetConfig): PhaseReporter {
  const separator = config.phases?.lastIndexOf(':') ?? -1;
  if (!config.phases || separator < 1) return { report: () => {}, flush: async () => {} };
  const host = config.phases.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(config.phases.slice(separator + 1));
  const waiting: { phase: ReportedPhase; atMs: number }[] = [];
  let socket: Socket | undefined;
  let written = Promise.resolve();
  open(1);

  return {
    report(phase) {
      if (waiting.length < QUEUE_LIMIT) waiting.push({ phase, atMs: performance.now() });
      send();
    },
    async flush(limitMs) {
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

  function send(): void {
    if (!socket) return;
    const link = socket;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const line = JSON.stringify({
        pod: config.podName,
        phase: next.phase,
        version: config.version,
        agoMs: Math.round(performance.now() - next.atMs),
      });
      written = new Promise((resolve) => {
        link.once('close', () => resolve());
        link.write(`${line}\n`, () => resolve());
      });
    }
  }
}
