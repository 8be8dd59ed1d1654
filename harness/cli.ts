// The `rollproof` command: flags, exit codes, and how errors are told.
import { Command, CommanderError } from 'commander';
import { registerCommands } from './commands/index.ts';
import { exitCode, RollproofError } from './model/errors.ts';

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

// A reader that has seen enough (head, a closed pager) must not stop what is being cleaned up.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // Commander has already printed its sentence, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  const debug = program.opts<{ debug?: boolean }>().debug === true;
  if (error instanceof RollproofError) {
    process.stderr.write(`${debug ? error.stack : error.message}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (debug ? error.stack : error.message) : String(error);
  process.stderr.write(
    `rollproof: ${text}\nThis is a fault of rollproof itself; run it again with --debug for the place.\n`,
  );
  return exitCode.faulted;
}
