// The `rollproof` command: flags, exit codes, and how errors are told.
import { Command, CommanderError } from 'commander';
import { registerCommands } from './commands/index.ts';
import { exitCode, RollproofError } from './model/errors.ts';
import { systemFault } from './model/system-error.ts';

const program = new Command('rollproof')
  .description(
    'Proves, with evidence, whether changing a workload on Kubernetes drops connections, why, and what stops it.',
  )
  .option('--debug', 'print stack traces')
  .showHelpAfterError('(add --help for what there is)')
  .exitOverride();
registerCommands(program);
for (const command of program.commands) {
  command.exitOverride().showHelpAfterError('(add --help for what there is)');
}

watchOutput();
try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/**
 * A reader that has seen enough (head, a closed pager) must not stop what is being cleaned up. Output that cannot be
 * written for another reason is said once; the run goes on, for what it measures is kept in files.
 */
function watchOutput(): void {
  let lost = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || lost) return;
    lost = true;
    process.stderr.write(
      `rollproof: standard output cannot be written to: ${error.message}. Send it somewhere else (exit code ${exitCode.faulted}).\n`,
    );
  });
  // Where errors are told, nothing is left to tell an error to.
  process.stderr.on('error', () => {});
  process.on('exit', () => {
    if (lost && !process.exitCode) process.exitCode = exitCode.faulted;
  });
}

function report(error: unknown): number {
  // Commander has already printed its sentence, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  const fault = systemFault(error);
  const debug = program.opts<{ debug?: boolean }>().debug === true;
  if (error instanceof RollproofError) {
    process.stderr.write(`${debug ? error.stack : error.message}\n`);
    return error.exitCode;
  }
  if (fault) {
    process.stderr.write(`rollproof: ${debug ? fault.stack : fault.message}\n`);
    return fault.exitCode;
  }
  const text = error instanceof Error ? (debug ? error.stack : error.message) : String(error);
  process.stderr.write(
    `rollproof: ${text}\nThis is a fault of rollproof itself; run it again with --debug for the place.\n`,
  );
  return exitCode.faulted;
}
