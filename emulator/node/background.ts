// Work that nobody waits for: its failure is a defect to be told, never the end of the process.

/** What a part of the emulation did not expect, as a sentence. */
export type OnDefect = (text: string) => void;

/** The one way in node/ and proxy/ to leave a promise alone. */
export function inBackground(what: string, work: Promise<unknown>, onDefect: OnDefect): void {
  work.catch((error: unknown) => tell(what, error, onDefect));
}

/** For timers and listeners: runs now; what it throws is told. */
export function guarded(what: string, run: () => void, onDefect: OnDefect): void {
  try {
    run();
  } catch (error) {
    tell(what, error, onDefect);
  }
}

function tell(what: string, error: unknown, onDefect: OnDefect): void {
  try {
    onDefect(`embedded: ${what}: ${(error as Error)?.stack ?? String(error)}`);
  } catch (failure) {
    // Whoever is told may throw, as tests do: that is theirs to see, outside of the work that failed.
    queueMicrotask(() => {
      throw failure;
    });
  }
}
