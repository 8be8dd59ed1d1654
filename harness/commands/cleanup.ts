// `rollproof cleanup`: removes what runs that were killed have left, and says what it did.
import type { Command } from 'commander';
import { cleanContext } from '../cluster/context/provider.ts';
import { removeOwnImages } from '../cluster/docker-image.ts';
import { defaultStateFolder, Ownership, standingOf } from '../cluster/kind/ownership.ts';
import { removeStrayCompanions, sweep } from '../cluster/kind/removal.ts';
import { CommandError, type RunCommand, runCommand } from '../exec/command.ts';
import { removeAbandonedFolders } from '../exec/temporary-folder.ts';
import { summaries } from './summaries.ts';

export function registerCleanup(program: Command): void {
  program
    .command('cleanup')
    .description(summaries.cleanup)
    .option('--all', 'also the clusters that were kept for the next run, and the images that were built')
    .option(
      '--context <name>',
      'also the namespaces on the cluster of this context (older than five minutes, without agents)',
    )
    .option('--kubeconfig <file>', 'kubeconfig of that context')
    .action(async (options: CleanupFlags) => {
      const lines = await cleanup(runCommand, new Ownership(defaultStateFolder()), options.all ?? false);
      process.stdout.write(`${[...(await onContext(options)), ...lines].join('\n')}\n`);
    });
}

interface CleanupFlags {
  readonly all?: boolean;
  readonly context?: string;
  readonly kubeconfig?: string;
}

async function onContext({ context, kubeconfig }: CleanupFlags): Promise<readonly string[]> {
  if (context === undefined && kubeconfig === undefined) return [];
  const removed = await cleanContext(
    {
      ...(context !== undefined && { context }),
      ...(kubeconfig !== undefined && { kubeconfigFile: kubeconfig }),
    },
    { progress: () => {}, signal: new AbortController().signal },
  );
  return removed.map((name) => `removed namespace ${name}`);
}

/** Returns what it did and what is left, one line each. */
export async function cleanup(
  run: RunCommand,
  ownership: Ownership,
  all: boolean,
): Promise<readonly string[]> {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const did = [
    ...(await sweep(run, ownership, { kept: all, say })),
    ...(await removeStrayCompanions(run, ownership)),
    ...removeAbandonedFolders().map((folder) => `removed folder ${folder}`),
    ...(all ? (await ownImages(run)).map((image) => `removed image ${image}`) : []),
  ];
  if (did.length === 0) did.push('Nothing was left behind.');
  const left = ownership.list().map((record) => {
    const standing = standingOf(record);
    const hint = standing === 'kept' ? ' (rollproof cleanup --all removes it)' : '';
    return `Cluster ${record.name} is ${standing}${hint}.`;
  });
  return [...did, ...left];
}

/** Without Docker there are no images to remove, and that is no error. */
async function ownImages(run: RunCommand): Promise<readonly string[]> {
  try {
    return await removeOwnImages(run);
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}
