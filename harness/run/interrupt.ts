// Ctrl-C and SIGTERM: the first asks everything to stop in order, a third gives up waiting for that.
import { setMaxListeners } from 'node:events';
import { InterruptedError } from '../model/errors.ts';

interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

const GIVE_UP_AFTER = 3;

/** `say` gets a sentence for the user on each signal. */
export function onInterrupt(say: (text: string) => void): Interrupt {
  const controller = new AbortController();
  // Every wait of a run listens; their number is bounded by the experiments, not by Node's default of 10.
  setMaxListeners(0, controller.signal);
  let received = 0;
  const listener = () => {
    received++;
    if (received === 1) {
      say('Interrupted: stopping the load and removing what was started ...');
      controller.abort(new InterruptedError());
    } else if (received < GIVE_UP_AFTER) {
      say('Still cleaning up. Press Ctrl-C again to stop waiting; later run `rollproof cleanup`.');
    } else {
      process.exit(130);
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

interface OrderlyInterrupt extends Interrupt {
  /** Aborted by the first signal: what goes on is to come to its end in order. `signal` is aborted by the second. */
  readonly stopping: AbortSignal;
}

/** For what has something to tell when it is stopped: once ends in order, twice aborts, a third time gives up waiting. */
export function onInterruptInOrder(
  say: (text: string) => void,
  forward: (signal: NodeJS.Signals) => void,
): OrderlyInterrupt {
  const stopping = new AbortController();
  const aborting = new AbortController();
  setMaxListeners(0, stopping.signal, aborting.signal);
  let received = 0;
  const listener = (signal: NodeJS.Signals) => {
    received++;
    if (received < GIVE_UP_AFTER) forward(signal);
    if (received === 1) {
      say('Stopping: what was measured is reported. Once more and it is not.');
      stopping.abort(new InterruptedError());
    } else if (received < GIVE_UP_AFTER) {
      say('Interrupted: removing what was started ...');
      aborting.abort(new InterruptedError());
    } else process.exit(130);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listener);
  return {
    stopping: stopping.signal,
    signal: aborting.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}
