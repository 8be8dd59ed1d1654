// Errors that end a command, each with the exit code of docs: a sentence with the thing, the limit and what to do.

/** Exit codes; when several apply at once the first of {@link exitPrecedence} wins. */
export const exitCode = {
  ok: 0,
  refuted: 1,
  inconclusive: 2,
  faulted: 3,
  usage: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

const exitPrecedence: readonly ExitCode[] = [130, 4, 3, 1, 2, 0];

/** The exit code of a command whose parts ended with these codes. Empty: 0. */
export function combineExitCodes(codes: readonly ExitCode[]): ExitCode {
  return exitPrecedence.find((code) => codes.includes(code)) ?? exitCode.ok;
}

/** An error meant for the user: printed as its message alone (the stack only with --debug). */
export class RollproofError extends Error {
  readonly exitCode: ExitCode;
  constructor(message: string, code: ExitCode, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.exitCode = code;
  }
}

/** Wrong usage or configuration: a flag, a file, a field. Raised before any side effect. Exit code 4. */
export class UsageError extends RollproofError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, exitCode.usage, options);
  }
}

/** The environment or the experiment failed: no verdict can be given. Exit code 3. */
export class FaultError extends RollproofError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, exitCode.faulted, options);
  }
}

/** The user asked to stop; everything that was started has been stopped. Exit code 130. */
export class InterruptedError extends RollproofError {
  constructor(message = 'interrupted') {
    super(message, exitCode.interrupted);
  }
}

/** What was thrown, as text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
