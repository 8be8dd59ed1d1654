/** What the emulated cluster cannot do here: a sentence with the thing, the limit and what to do. */
export class EmulatorError extends Error {
  override readonly name: string = 'EmulatorError';
}

/** It was asked for something that there is not: an option, a variable of the environment. */
export class EmulatorUsageError extends EmulatorError {
  override readonly name = 'EmulatorUsageError';
}
