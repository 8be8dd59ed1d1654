// Docker's network "kind": kind makes it with the first cluster and leaves it behind. It goes with the last cluster of
// ours when there was none before, and nobody else uses it.
import { CommandError, type RunCommand } from '../../exec/command.ts';
import type { Ownership, OwnershipRecord } from './ownership.ts';

const NETWORK = 'kind';
const LIMIT_MS = 20_000;

/** Its id; null: there is none. */
export async function networkId(run: RunCommand): Promise<string | null> {
  const { stdout } = await run(
    'docker',
    ['network', 'ls', '--no-trunc', '--filter', `name=^${NETWORK}$`, '--format', '{{.ID}}'],
    { limitMs: LIMIT_MS },
  );
  return stdout.trim() || null;
}

/**
 * Removes the record of a cluster that is gone, and the network when it came with it. Both at once: of two clusters that
 * end at the same time, the one whose record goes last must see that it is the last.
 */
export async function releaseRecord(
  run: RunCommand,
  ownership: Ownership,
  record: OwnershipRecord,
): Promise<void> {
  await ownership.exclusively(async () => {
    // As it is now: another cluster that ended in the meantime may have handed the duty over.
    const { networkBefore } = ownership.read(record.name) ?? record;
    if (networkBefore === null) {
      const others = ownership.list().filter((other) => other.name !== record.name);
      // The network that we made goes with the last of our clusters: hand the duty over.
      for (const other of others) ownership.update(other.name, { networkBefore: null });
      if (others.length === 0) await removeNetwork(run);
    }
    ownership.remove(record.name);
  });
}

async function removeNetwork(run: RunCommand): Promise<void> {
  if ((await networkId(run)) === null) return;
  const users = await run('docker', ['ps', '--all', '--quiet', '--filter', `network=${NETWORK}`], {
    limitMs: LIMIT_MS,
  });
  if (users.stdout.trim() !== '') return;
  try {
    await run('docker', ['network', 'rm', NETWORK], { limitMs: LIMIT_MS });
  } catch (error) {
    // Somebody began to use it in between: then it is theirs.
    if (!(error instanceof CommandError)) throw error;
  }
}
