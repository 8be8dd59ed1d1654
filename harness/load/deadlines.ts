// Time limits of the attempts in flight. All attempts of a stream have the same limit, so the order in which they
// started is the order in which they end: a linked list and one timer instead of a timer per request.

export interface Limited {
  deadlineMs: number;
  earlier: Limited | undefined;
  later: Limited | undefined;
}

export class Deadlines<T extends Limited> {
  readonly #clock: () => number;
  readonly #expired: (one: T) => void;
  #first: T | undefined;
  #last: T | undefined;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(clock: () => number, expired: (one: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** `deadlineMs` (ms of the clock) must not lie before that of any other in the list. */
  add(one: T, deadlineMs: number): void {
    one.deadlineMs = deadlineMs;
    one.later = undefined;
    one.earlier = this.#last;
    if (this.#last) this.#last.later = one;
    else this.#first = one;
    this.#last = one;
    if (!this.#timer && !this.#immediate) this.#arm();
  }

  remove(one: T): void {
    if (one.earlier) one.earlier.later = one.later;
    else this.#first = one.later as T | undefined;
    if (one.later) one.later.earlier = one.earlier;
    else this.#last = one.earlier as T | undefined;
    one.earlier = undefined;
    one.later = undefined;
  }

  /** The one whose time ends first, which is in the list no more. */
  takeFirst(): T | undefined {
    const first = this.#first;
    if (first) this.remove(first);
    return first;
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
  }

  #arm(): void {
    const first = this.#first;
    if (!first) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // Judged behind the poll phase: an answer that the kernel already holds is read first, also when we were late.
        this.#immediate = setImmediate(() => this.#expire());
      },
      Math.max(1, Math.ceil(first.deadlineMs - this.#clock())),
    );
  }

  #expire(): void {
    this.#immediate = undefined;
    const now = this.#clock();
    for (let one = this.#first; one && one.deadlineMs <= now; one = this.#first) {
      this.remove(one);
      this.#expired(one);
    }
    if (!this.#timer) this.#arm();
  }
}
