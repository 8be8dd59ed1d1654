// What the API server answers when it refuses, and how to read it; and that it does not answer at all.
import { FaultError } from '../model/errors.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** An answer outside 200–299. `status` is the HTTP status, `message` the API server's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

/** No answer at all: nobody listens, the connection broke, or the limit passed. */
export class NoAnswerError extends FaultError {
  /** Since the last answer to anybody who shares the connection, ms. */
  readonly silentMs: number;
  /** "connect ECONNREFUSED 127.0.0.1:6443" */
  readonly why: string;
  constructor(request: string, why: string, silentMs: number, options?: ErrorOptions) {
    super(`API server: ${request}: ${why}.`, options);
    this.why = why;
    this.silentMs = silentMs;
  }
}

/** One that restarts is back sooner; what has not answered for so long is away, and nobody waits on for it. */
export const AWAY_AFTER_MS = 20_000;

/** "the API server has not answered for 21 s (connect ECONNREFUSED …)"; undefined: it answers, or is to be asked again. */
export const awayInWords = (error: unknown): string | undefined =>
  error instanceof NoAnswerError && error.silentMs > AWAY_AFTER_MS
    ? `the API server has not answered for ${Math.round(error.silentMs / 1000)} s (${error.why})`
    : undefined;

export function toApiError(answer: Answer): ApiError {
  try {
    const status = JSON.parse(answer.text) as { reason?: string; message?: string };
    return new ApiError(answer.status, status.reason ?? '', status.message ?? answer.text);
  } catch {
    return new ApiError(answer.status, '', answer.text.trim().slice(0, 300) || `HTTP ${answer.status}`);
  }
}

/** The HTTP status of an error of the API; undefined for other errors. */
export const apiStatus = (error: unknown): number | undefined =>
  error instanceof ApiError ? error.status : undefined;

/** The API server's own words, or the error's. */
export const apiMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
