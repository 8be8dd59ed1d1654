// The one way for a step to change what must be put back: the undo is registered before the change is made, so that
// there is no moment at which an end leaves it behind.
import type { Kube } from '../kube/client.ts';
import type { StepContext } from './context.ts';

interface Undoable<T> {
  /** "uncordon node worker-2": for "Could not …". */
  readonly undo: string;
  readonly act: () => Promise<T>;
  /** `kube` works after the experiment. Also called when `act` failed or never ran. */
  readonly putBack: (kube: Kube) => Promise<void>;
}

export async function undoable<T>(context: StepContext, { undo, act, putBack }: Undoable<T>): Promise<T> {
  context.signal.throwIfAborted();
  context.defer(undo, putBack);
  return act();
}
