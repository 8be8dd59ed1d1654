// One lifetime: what is started is registered before it acts, and the end is always the same, whatever the way out:
// abort, await what is at work, undo in reverse. (AsyncDisposableStack, which Node 20 lacks, would undo without awaiting.)
import { setMaxListeners } from 'node:events';
import { FaultError, InterruptedError, messageOf } from './errors.ts';

interface LifetimeOptions {
  /** Its abort ends this one, too, with the same reason. */
  readonly parent?: AbortSignal | undefined;
  /** How long work may take to heed the abort, ms. What takes longer is given up, and finds everything refused. */
  readonly settleLimitMs?: number;
  /** For each undo, ms. */
  readonly undoLimitMs?: number;
}

/** What went wrong at the end: "uncordon node worker-2" and why. */
export interface Trouble {
  readonly what: string;
  readonly why: string;
}

type Undo = (signal: AbortSignal) => Promise<void> | void;

export class Lifetime implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #settleLimitMs: number;
  readonly #undoLimitMs: number;
  readonly #work = new Map<Promise<unknown>, string>();
  readonly #undos: { readonly what: string; readonly undo: Undo }[] = [];
  readonly #parent: AbortSignal | undefined;
  readonly #follow = () => this.#controller.abort(this.#parent?.reason);
  #ended: Promise<readonly Trouble[]> | undefined;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor({ parent, settleLimitMs = 15_000, undoLimitMs = 30_000 }: LifetimeOptions = {}) {
    this.#settleLimitMs = settleLimitMs;
    this.#undoLimitMs = undoLimitMs;
    this.#parent = parent;
    // Every wait listens; their number is bounded by what is at work, not by Node's default of 10.
    setMaxListeners(0, this.#controller.signal);
    if (parent?.aborted) this.#follow();
    else parent?.addEventListener('abort', this.#follow, { once: true });
  }

  /** Aborted by the first failure, the parent, the limit, or the end: its reason is why. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends with `error` unless it has ended `ms` from now. */
  limit(ms: number, error: Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail(error), ms);
  }

  /** Everything is to end because of this; only the first counts. */
  fail(error: unknown): void {
    this.#controller.abort(error);
  }

  /** To be called before what it undoes is done. Throws when nothing may be done any more. */
  defer(what: string, undo: Undo): void {
    if (this.#closed) throw new InterruptedError(`"${what}" came after the end`);
    this.#undos.push({ what, undo });
  }

  /** Work that whoever calls waits for: rejects at the abort, though the work is awaited at the end all the same. */
  async run<T>(what: string, act: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    this.signal.throwIfAborted();
    const work = Promise.resolve().then(() => act(this.signal));
    this.#register(what, work);
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(this.signal.reason);
      this.signal.addEventListener('abort', abort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } finally {
      this.signal.removeEventListener('abort', abort);
    }
  }

  /** Work that goes on beside all else; its failure is everybody's. */
  meanwhile(what: string, act: (signal: AbortSignal) => Promise<void>): void {
    if (this.signal.aborted) return;
    const work = Promise.resolve().then(() => act(this.signal));
    this.#register(what, work);
    work.catch((error: unknown) => this.fail(error));
  }

  #register(what: string, work: Promise<unknown>): void {
    const done = () => this.#work.delete(work);
    this.#work.set(work, what);
    work.then(done, done);
  }

  /** Abort, await, undo. Never throws; safe to call twice. Returns what went wrong on the way. */
  end(): Promise<readonly Trouble[]> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #end(): Promise<readonly Trouble[]> {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener('abort', this.#follow);
    this.fail(new InterruptedError('it is over'));
    const troubles = await this.#settled();
    for (let one = this.#undos.pop(); one; one = this.#undos.pop()) {
      const { what, undo } = one;
      try {
        await withinLimit((signal) => undo(signal), this.#undoLimitMs);
      } catch (error) {
        troubles.push({ what, why: messageOf(error) });
      }
    }
    this.#closed = true;
    return troubles;
  }

  async #settled(): Promise<Trouble[]> {
    if (this.#work.size === 0) return [];
    const all = async () => {
      // What is at work may have begun more before it saw the abort.
      while (this.#work.size > 0) await Promise.allSettled([...this.#work.keys()]);
    };
    try {
      await withinLimit(all, this.#settleLimitMs);
      return [];
    } catch {
      const why = `it did not end within ${this.#settleLimitMs / 1000} s after it was told to`;
      return [...this.#work.values()].map((what) => ({ what, why }));
    }
  }
}

/** Rejects after `limitMs` also where `act` does not heed its signal. */
export async function withinLimit<T>(
  act: (signal: AbortSignal) => Promise<T> | T,
  limitMs: number,
  error: Error = new FaultError(`not done within ${limitMs / 1000} s`),
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      controller.abort(error);
      reject(error);
    }, limitMs);
  });
  try {
    return await Promise.race([Promise.resolve(act(controller.signal)), over]);
  } finally {
    clearTimeout(timer);
  }
}
