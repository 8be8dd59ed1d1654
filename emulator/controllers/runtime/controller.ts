// What every controller gets, and how it sets up its queue and client.
import type { PodUsage } from '../../api/hooks.ts';
import { type Registry, StatusError } from '../../api/types.ts';
import { type Client, createClient } from './client.ts';
import type { StoppableClock } from './clock.ts';
import type { Informers } from './informers.ts';
import type { Latencies } from './latencies.ts';
import { createWorkQueue, defaultRetryDelayMs, type WorkQueue } from './work-queue.ts';

/** CPU and memory of running pods, as metrics-server last saw them. */
export type MetricsSource = () => { readonly pods: readonly PodUsage[] };

export interface ControllerContext {
  readonly registry: Registry;
  readonly informers: Informers;
  readonly clock: StoppableClock;
  /** 0 ≤ n < 1. */
  readonly random: () => number;
  readonly latencies: Latencies;
  readonly metrics: MetricsSource;
  /** Errors that are not the API server's own: defects. */
  readonly onDefect: (controller: string, key: string, error: unknown) => void;
}

export function clientFor(context: ControllerContext, component: string): Client {
  const { registry, clock, random, latencies } = context;
  return createClient({
    registry,
    clock,
    random,
    latencies,
    component,
    qps: latencies.clientQps,
    burst: latencies.clientBurst,
  });
}

export function queueFor(
  context: ControllerContext,
  controller: string,
  sync: (key: string) => Promise<void>,
  options: { workers?: number; retryDelayMs?: (failures: number) => number } = {},
): WorkQueue {
  return createWorkQueue({
    clock: context.clock,
    workers: options.workers ?? 5,
    retryDelayMs: options.retryDelayMs ?? defaultRetryDelayMs,
    sync,
    onError(key, error) {
      const expected = error instanceof StatusError || error instanceof StaleCacheError;
      if (!expected) context.onDefect(controller, key, error);
    },
  });
}

/** The cache does not yet have what the controller itself wrote. */
export class StaleCacheError extends Error {}
