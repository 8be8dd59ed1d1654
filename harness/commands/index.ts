// Every command. Only the one that is asked for is loaded: what it needs (clients, schemas, the emulator) takes longer to
// load than a list of commands takes to print.
import type { Command } from 'commander';
import { packageVersion } from '../run/package-version.ts';
import { type CommandName, summaries } from './summaries.ts';

type Register = (program: Command) => void;

const loaders: Readonly<Record<CommandName, () => Promise<Register>>> = {
  init: async () => (await import('./init.ts')).registerInit,
  verify: async () => (await import('./verify.ts')).registerVerify,
  watch: async () => (await import('./watch.ts')).registerWatch,
  tune: async () => (await import('./tune.ts')).registerTune,
  harden: async () => (await import('./harden.ts')).registerHarden,
  list: async () => (await import('./list.ts')).registerList,
  load: async () => (await import('./load.ts')).registerLoad,
  check: async () => (await import('./check.ts')).registerCheck,
  judge: async () => (await import('./judge.ts')).registerJudge,
  report: async () => (await import('./judge.ts')).registerReport,
  audit: async () => (await import('./audit.ts')).registerAudit,
  compare: async () => (await import('./compare.ts')).registerCompare,
  cluster: async () => (await import('./cluster.ts')).registerCluster,
  rbac: async () => (await import('./rbac.ts')).registerRbac,
  cleanup: async () => (await import('./cleanup.ts')).registerCleanup,
};

/** `words`: what was typed. A command that is named before `--` is loaded, the others are a line of the help. */
export async function registerCommands(program: Command, words: readonly string[]): Promise<void> {
  const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  program.version(packageVersion().version, '-V, --version', 'print the version');
  for (const name of Object.keys(summaries) as CommandName[]) {
    if (own.includes(name)) (await loaders[name]())(program);
    else program.command(name).description(summaries[name]);
  }
}
