// The Docker containers that are a cluster's nodes, and whose they are.

import type { RunCommand } from '../../exec/command.ts';
import { ownerLabel, ownerMount } from './cluster-config.ts';

const LIMIT_MS = 20_000;
/** kind puts this label on every node container. */
const CLUSTER_LABEL = 'io.x-k8s.kind.cluster';

interface NodeContainer {
  readonly name: string;
  readonly running: boolean;
  readonly mounts: readonly string[];
}

/** Stopped ones too, sorted by name. */
export async function nodeContainers(run: RunCommand, cluster: string): Promise<readonly NodeContainer[]> {
  const { stdout } = await run(
    'docker',
    ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${CLUSTER_LABEL}=${cluster}`],
    { limitMs: LIMIT_MS },
  );
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  const inspected = await run('docker', ['inspect', '--type', 'container', ...ids], { limitMs: LIMIT_MS });
  const containers = JSON.parse(inspected.stdout) as {
    Name: string;
    State?: { Running?: boolean };
    HostConfig?: { Binds?: string[] | null };
    Mounts?: { Destination: string }[];
  }[];
  return containers
    .map((container) => ({
      name: container.Name.replace(/^\//, ''),
      running: container.State?.Running ?? false,
      mounts: [
        ...(container.HostConfig?.Binds ?? []).map((bind) => bind.split(':')[1] ?? ''),
        ...(container.Mounts ?? []).map((mount) => mount.Destination),
      ],
    }))
    .sort((left, right) => left.name.localeCompare(right.name));
}

/** True for a container that was made for the record with this token. */
export function carries(container: NodeContainer, token: string): boolean {
  return container.mounts.includes(ownerMount(token));
}

/** Containers beside the cluster that were started for it (load agents outside), which would hold its network. How many. */
export async function removeCompanions(run: RunCommand, token: string): Promise<number> {
  const { stdout } = await run(
    'docker',
    ['ps', '--all', '--quiet', '--filter', `label=${ownerLabel}=${token}`],
    {
      limitMs: LIMIT_MS,
    },
  );
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await run('docker', ['rm', '--force', '--volumes', ...ids], { limitMs: LIMIT_MS });
  return ids.length;
}
