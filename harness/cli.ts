// The `rollproof` command with everything that it can do.
import { Command } from 'commander';
import { registerCommands } from './commands/index.ts';
import { runProgram } from './commands/program.ts';

await runProgram(
  new Command('rollproof').description(
    'Proves, with evidence, whether changing a workload on Kubernetes drops connections, why, and what stops it.',
  ),
  registerCommands,
);
