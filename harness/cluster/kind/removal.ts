// Takes a cluster of ours down with all that belongs to it, and sweeps away what dead processes left.
import { killGroup, type RunCommand } from '../../exec/command.ts';
import { isAlive } from '../../exec/process-identity.ts';
import { untilDone, WaitError, waitFor } from '../../kube/wait.ts';
import { FaultError } from '../../model/errors.ts';
import { carries, nodeContainers, removeCompanions } from './containers.ts';
import { releaseRecord } from './network.ts';
import { type Ownership, type OwnershipRecord, standingOf, thisProcess } from './ownership.ts';

const DELETE_LIMIT_MS = 120_000;
const CREATOR_LIMIT_MS = 5000;
const POLL_MS = 50;

/**
 * Deletes the record's cluster, the network that came with it and the record. Containers of the same cluster name
 * without the record's token are not ours: then only the record goes. Returns what it did, one line each.
 */
export async function removeCluster(
  run: RunCommand,
  ownership: Ownership,
  record: OwnershipRecord,
): Promise<readonly string[]> {
  await endCreator(record);
  await removeCompanions(run, record.token);
  const containers = await nodeContainers(run, record.name);
  const foreign = containers.filter((container) => !carries(container, record.token));
  const did: string[] = [];
  if (foreign.length > 0) {
    did.push(`left cluster ${record.name} alone: its node ${foreign[0]?.name} is not one of ours`);
  } else if (containers.length > 0) {
    const kubeconfig = `${ownership.folderOf(record.name)}/kubeconfig`;
    await run('kind', ['delete', 'cluster', '--name', record.name, '--kubeconfig', kubeconfig], {
      limitMs: DELETE_LIMIT_MS,
    });
    const left = await nodeContainers(run, record.name);
    if (left.length > 0) {
      const names = left.map((container) => container.name).join(' ');
      throw new FaultError(
        `kind: ${left.length} containers are left after "kind delete cluster". Remove them with: docker rm -f -v ${names}`,
      );
    }
    did.push(`removed cluster ${record.name} (${containers.length} nodes)`);
  }
  await releaseRecord(run, ownership, record);
  return did;
}

/**
 * Removes the clusters whose process has ended without doing so; `kept`: also those that are kept for the next run.
 * Claims each first, so that two processes never sweep the same one. Returns what it did, one line each.
 */
export async function sweep(
  run: RunCommand,
  ownership: Ownership,
  options: { readonly kept: boolean; readonly say: (text: string) => void },
): Promise<readonly string[]> {
  const claimed = await ownership.exclusively(() =>
    ownership.list().flatMap((record) => {
      const standing = standingOf(record);
      if (standing === 'in use' || (standing === 'kept' && !options.kept)) return [];
      const mine: OwnershipRecord = { ...record, owner: thisProcess(), state: 'deleting', keep: false };
      ownership.write(mine);
      return [mine];
    }),
  );
  const did: string[] = [];
  for (const record of claimed) {
    options.say(`removing cluster ${record.name} of an earlier run`);
    did.push(...(await removeCluster(run, ownership, record)));
  }
  return did;
}

/** Load agents that a killed run left beside clusters that are kept and that nobody uses. One line per cluster. */
export async function removeStrayCompanions(
  run: RunCommand,
  ownership: Ownership,
): Promise<readonly string[]> {
  return ownership.exclusively(async () => {
    const did: string[] = [];
    for (const record of ownership.list().filter((one) => standingOf(one) === 'kept')) {
      const removed = await removeCompanions(run, record.token);
      if (removed > 0) did.push(`removed ${removed} load agents beside cluster ${record.name}`);
    }
    return did;
  });
}

/** A `kind create` goes on when the process that started it is killed, and would bring back what is deleted. */
async function endCreator({ creator }: OwnershipRecord): Promise<void> {
  if (!creator || !isAlive(creator)) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    killGroup(creator.pid, signal);
    try {
      await waitFor(
        {
          what: `"kind create" (process ${creator.pid}) to end`,
          limitMs: CREATOR_LIMIT_MS,
          signal: untilDone,
          everyMs: POLL_MS,
        },
        () => (isAlive(creator) ? { seen: `it lives after ${signal}` } : { met: undefined }),
      );
      return;
    } catch (error) {
      // What not even a kill ends hangs in the system: what it has made is removed all the same.
      if (!(error instanceof WaitError)) throw error;
    }
  }
}
