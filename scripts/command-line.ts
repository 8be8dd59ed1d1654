// How the scripts take their command lines: --help tells what there is, and what is wrong is one sentence, exit code 4.
import { type Command, CommanderError } from 'commander';
import { exitCode, RollproofError } from '../harness/model/errors.ts';

/** Parses this process's arguments. Ends the process after --help (0) and after a wrong flag (4). */
export function parseCommandLine(command: Command): Command {
  command
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, `${command.name()}: `)),
    })
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride();
  try {
    return command.parse(process.argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? exitCode.ok : exitCode.usage);
  }
}

/** Runs a script's body, whose result is the exit code; an error that is meant for the user is told as its sentence. */
export async function runScript(act: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await act();
  } catch (error) {
    if (!(error instanceof RollproofError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
