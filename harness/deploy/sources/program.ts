// Manifests that another program prints: what it says when it fails is the user's to mend.
import { CommandError, runCommand } from '../../exec/command.ts';
import { UsageError } from '../../model/errors.ts';
import { RENDER_LIMIT_MS } from '../../model/rendering.ts';

/** Standard output of the program. Throws UsageError with its last line. */
export async function rendered({
  program,
  args,
  what,
  missing,
  signal,
}: {
  readonly program: string;
  readonly args: readonly string[];
  /** Names what was read, in messages. */
  readonly what: string;
  /** The sentence for when there is no such program. */
  readonly missing: string;
  readonly signal: AbortSignal;
}): Promise<string> {
  try {
    const { stdout } = await runCommand(program, args, { limitMs: RENDER_LIMIT_MS, signal });
    return stdout;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.end === 'not-found') throw new UsageError(missing, { cause: error });
    if (error.end === 'timeout')
      throw new UsageError(`${what}: ${program} did not end within ${RENDER_LIMIT_MS / 1000} s.`, {
        cause: error,
      });
    throw new UsageError(`${what} cannot be rendered: ${error.reason}.`, {
      cause: error,
    });
  }
}
