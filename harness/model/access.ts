// One line of a proxy's access log, whatever its form: what it answered, whom it asked for that, and how often.
import { z } from 'zod';

export const accessFormats = [
  'traefik-json',
  'traefik-clf',
  'nginx',
  'haproxy',
  'envoy',
  'envoy-json',
] as const;
export type AccessFormat = (typeof accessFormats)[number];

/**
 * Whose the answer is. `app`: a pod gave it; `refused`: no connection to the pod; `cut`: the pod ended it before the answer
 * was whole; `timeout`: the pod did not answer in time; `no-endpoint`: there was no pod to ask; `no-route`: no rule of the
 * entry's fits; `client`: the client had gone; `proxy`: the entry gave it for one of these reasons, it does not say which.
 */
export const answerers = [
  'app',
  'refused',
  'cut',
  'timeout',
  'no-endpoint',
  'no-route',
  'client',
  'proxy',
  'unknown',
] as const;
export type Answerer = (typeof answerers)[number];

export const accessLineSchema = z.object({
  format: z.enum(accessFormats),
  /** As the proxy wrote it, ms since 1970; of the request's start or end, to the second in some forms. */
  atMs: z.number(),
  status: z.number().int(),
  answered: z.enum(answerers),
  /** host:port that was asked last; undefined: none, or the form does not say it. */
  upstream: z.string().optional(),
  /** Those asked before it, in order. */
  before: z.array(z.string()).optional(),
  /** How often the request was sent again after the first time. */
  retries: z.number().int().nonnegative(),
  durationMs: z.number().nonnegative().optional(),
  /** Termination state (HAProxy) or response flags (Envoy), as they stand. */
  flags: z.string().optional(),
  requestId: z.string().optional(),
});
export type AccessLine = z.infer<typeof accessLineSchema>;
