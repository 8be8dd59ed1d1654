// Runs a program of commands: exit codes, and how errors are told.
import { type Command, CommanderError, Help, type Option } from 'commander';
import { exitCode, RollproofError } from '../model/errors.ts';
import { systemFault } from '../model/system-error.ts';

/** Registers the commands and runs the one that was asked for. */
export async function runProgram(
  program: Command,
  register: (program: Command, words: readonly string[]) => void | Promise<void>,
): Promise<void> {
  program
    .option('--debug', 'print stack traces')
    .showHelpAfterError('(add --help for what there is)')
    .configureHelp({ optionDescription })
    .exitOverride();
  await register(program, process.argv.slice(2));
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError('(add --help for what there is)');
  }
  watchOutput();
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error, program.opts<{ debug?: boolean }>().debug === true);
  }
  endSoon();
}

/** What was started has ended by now; what has not is a fault of ours, and nobody should wait for it. */
const LINGER_MS = 2_000;

/** Ends the process also where a handle was left open, and says so. Pods of the embedded cluster end with it. */
function endSoon(): void {
  // Does not keep the process alive itself: it acts only where something else does.
  setTimeout(() => {
    process.stderr.write(
      `rollproof: something was still open ${LINGER_MS / 1000} s after the end (${openInWords()}), and is closed now. This is a fault of rollproof itself; what is said above holds. Please report it with the command.\n`,
    );
    process.exit();
  }, LINGER_MS).unref();
}

/** A default as its flag takes it: none where there is nothing, and a time with its unit. */
function optionDescription(this: Help, option: Option): string {
  const { defaultValue: value } = option;
  const shown = Object.assign(Object.create(option) as Option, {
    defaultValue: value === false || (typeof value === 'object' && isEmpty(value)) ? undefined : value,
    ...(typeof value === 'number' &&
      option.flags.includes('<time>') && { defaultValueDescription: inUnits(value) }),
  });
  return Help.prototype.optionDescription.call(this, shown);
}

const isEmpty = (value: object | null): boolean => Object.keys(value ?? {}).length === 0;
const inUnits = (ms: number): string => (ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`);

/** "TCPSocketWrap, 2 Timeout", as Node.js calls them. */
function openInWords(): string {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count > 1 ? `${count} ${name}` : name)).join(', ');
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
      `rollproof: standard output cannot be written to: ${error.message}. Send it somewhere else (exit code ${exitCode.faulted}, where it would be ${exitCode.ok}).\n`,
    );
  });
  // Where errors are told, nothing is left to tell an error to.
  process.stderr.on('error', () => {});
  process.on('exit', () => {
    if (lost && !process.exitCode) process.exitCode = exitCode.faulted;
  });
}

function report(error: unknown, debug: boolean): number {
  // Commander has already printed its sentence, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  const fault = systemFault(error);
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
