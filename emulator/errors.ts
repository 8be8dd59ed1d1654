/** What the emulated cluster cannot do here: a sentence with the thing, the limit and what to do. */
export class EmulatorError extends Error {
  override readonly name = 'EmulatorError';
}
