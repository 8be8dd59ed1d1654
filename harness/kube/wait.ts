// The one way to wait: look, and look again, until what is waited for is there. A look that fails is "not yet" unless it
// can never succeed, or the API server has been away for too long. Whoever waits gives a limit and a signal, and learns what was seen last.
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultError, InterruptedError, messageOf, UsageError } from '../model/errors.ts';
import { ApiError, awayInWords } from './api-error.ts';

export interface Waiting {
  /** Ends "Waited 120 s for …": "3 pods with role target in NS to be Ready". */
  readonly what: string;
  readonly limitMs: number;
  /** Its abort ends the wait at once, also in the middle of a look, with the signal's reason. */
  readonly signal: AbortSignal;
  /** Between two looks. Default 150 ms. */
  readonly everyMs?: number;
  /** For one look; one that takes longer has failed. Default 5 s. */
  readonly lookLimitMs?: number;
  /** True for a failure of a look that no later look can mend. Default: {@link isFinal}. */
  readonly final?: (error: unknown) => boolean;
  /** What to do about it: a sentence after the error's. */
  readonly hint?: string | (() => string);
}

/** What a look found: there, with what came of it, or not yet, in words for "Last seen: …". */
export type Look<T> = { readonly met: T } | { readonly seen: string };

/** The wait is over and what was waited for is not there: its limit has passed, or it can never come. */
export class WaitError extends FaultError {
  readonly seen: string;
  constructor(message: string, seen: string, options?: ErrorOptions) {
    super(message, options);
    this.seen = seen;
  }
}

/** Thrown by a look: what is waited for can never come. Its message ends "Waited for …: ". */
export class HopelessError extends FaultError {}

/** For undoing, which nothing but its own limit may end. */
export const untilDone: AbortSignal = new AbortController().signal;

/** Throws WaitError; rejects with the signal's reason when it is aborted; other errors of a look when they are final. */
export async function waitFor<T>(
  waiting: Waiting,
  look: (signal: AbortSignal) => Promise<Look<T>> | Look<T>,
): Promise<T> {
  const { what, limitMs, signal, everyMs = 150, lookLimitMs = 5000, final = isFinal } = waiting;
  const startedAt = performance.now();
  const leftMs = () => limitMs - (performance.now() - startedAt);
  let seen = '';
  let failure: unknown;
  do {
    try {
      // The first look is made however short the limit is; none outlasts it.
      const found = await within(Math.min(lookLimitMs, Math.max(leftMs(), 1)), signal, look);
      if ('met' in found) return found.met;
      seen = found.seen;
      failure = undefined;
    } catch (error) {
      signal.throwIfAborted();
      const hopeless = error instanceof HopelessError ? error.message : awayInWords(error);
      if (hopeless !== undefined) {
        const text = `Waited for ${what}: ${sentence(hopeless)}${hintOf(waiting)}`;
        throw new WaitError(text, hopeless, { cause: error });
      }
      if (final(error)) throw error instanceof ApiError ? refused(waiting, error) : error;
      failure = error;
    }
    if (leftMs() > 0) await sleep(Math.min(everyMs, leftMs()), undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
  } while (leftMs() > 0);
  const last = [seen, failure && `the last look failed: ${messageOf(failure)}`].filter(Boolean).join('; ');
  throw new WaitError(
    `Waited ${limitMs / 1000} s for ${what}. Last seen: ${sentence(last || 'nothing')}${hintOf(waiting)}`,
    last,
    { cause: failure },
  );
}

/**
 * A refusal that stands however often one asks (RFC 9110: wrong request, not allowed, no such method), a mistake in the
 * code, and an end that somebody asked for. Not: no answer, 404, 409, 429, 500 and above.
 */
export function isFinal(error: unknown): boolean {
  if (error instanceof ApiError) return refusals.has(error.status);
  // fetch() says with a TypeError that has a cause that the network failed.
  if (error instanceof TypeError) return error.cause === undefined;
  return (
    error instanceof UsageError ||
    error instanceof InterruptedError ||
    error instanceof ReferenceError ||
    error instanceof RangeError
  );
}

const refusals: ReadonlySet<number> = new Set([400, 401, 403, 405, 406, 413, 415, 422, 501]);

const refused = (waiting: Waiting, error: ApiError): WaitError =>
  new WaitError(
    `Waited for ${waiting.what}: the API server refuses to tell (${error.status}): ${sentence(error.message)}${hintOf(waiting)}`,
    error.message,
    { cause: error },
  );

/** One look, cut off at its limit or by the signal even when it heeds neither. */
async function within<T>(
  limitMs: number,
  signal: AbortSignal,
  look: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  // A look may send a request for each kind of object at once.
  setMaxListeners(0, controller.signal);
  // Both reach the look by its signal, and end the race where it does not heed it.
  const cut = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  });
  const interrupt = () => controller.abort(signal.reason);
  const limit = limitMs >= 1000 ? `${limitMs / 1000} s` : `${Math.round(limitMs)} ms`;
  const timer = setTimeout(() => controller.abort(new FaultError(`no answer within ${limit}`)), limitMs);
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await Promise.race([look(controller.signal), cut]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  }
}

const sentence = (text: string): string =>
  /[.!?]$/.test(text.trimEnd()) ? text.trimEnd() : `${text.trimEnd()}.`;

function hintOf({ hint }: Waiting): string {
  const text = typeof hint === 'function' ? hint() : hint;
  return text ? ` ${text}` : '';
}
