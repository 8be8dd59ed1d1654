// What was started is stopped in the opposite order, all of it, whichever stop fails; the first failure is the one that
// is told. (AsyncDisposableStack does the same and is missing in Node.js 20.)

export class Lifetime {
  private readonly closers: (() => Promise<void> | void)[] = [];
  private closing: Promise<void> | undefined;

  /** Registered before or just after it acts; closed last in, first out. */
  add(closer: () => Promise<void> | void): void {
    this.closers.push(closer);
  }

  /** Safe to call twice: both callers wait for the same end. */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const closer of this.closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
