// A kind cluster that a test file makes by hand, as its owner would: rollproof meets it as somebody's. It goes with the file,
// also where a test failed.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseNodeImage } from '../harness/cluster/kind/node-image.ts';
import { runCommand } from '../harness/exec/command.ts';

interface Wanted {
  /** Roles of the nodes; default: one that is everything. */
  readonly nodes?: readonly ('control-plane' | 'worker')[];
  /** Images that Docker has and the nodes are to have. */
  readonly images: readonly string[];
}

interface ClusterByHand {
  readonly name: string;
  /** For whatever the test writes; it goes with the cluster. */
  readonly folder: string;
  /** Of its administrator. */
  readonly kubeconfig: string;
  create(wanted: Wanted): Promise<void>;
  /** Cluster and folder. */
  remove(): void;
}

/** Long enough for a machine on which other clusters run. */
const LIMIT_MS = 200_000;

/** Makes nothing yet. `skip`: the reason why the file's tests do not run; then there is no folder either. */
export function clusterByHand(purpose: string, skip: string | undefined): ClusterByHand {
  const name = `rollproof-${purpose}-${process.pid}`;
  const folder = skip ? '' : mkdtempSync(join(tmpdir(), `rollproof-test-${purpose}-`));
  const kubeconfig = join(folder, 'kubeconfig');
  let made = false;
  const remove = () => {
    if (made) spawnSync('kind', ['delete', 'cluster', '--name', name], { stdio: 'ignore' });
    made = false;
    rmSync(folder, { recursive: true, force: true });
  };
  // uvu has no place for that but the end of the process.
  if (!skip) process.on('exit', remove);
  return {
    name,
    folder,
    kubeconfig,
    async create({ nodes, images }) {
      // As rollproof chooses it for its own clusters.
      const { name: image } = await chooseNodeImage(runCommand, undefined);
      made = true;
      const place = ['--name', name, '--kubeconfig', kubeconfig, '--wait', '120s'];
      kind(
        'create',
        'cluster',
        ...place,
        ...configFlags(folder, nodes),
        ...(image ? ['--image', image] : []),
      );
      for (const one of images) kind('load', 'docker-image', one, '--name', name);
    },
    remove,
  };
}

/** A reason to skip; undefined: it is there. */
export const lacksKubectl = (): string | undefined =>
  spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'no "kubectl" on the PATH';

function kind(...args: readonly string[]): void {
  execFileSync('kind', args, { stdio: 'pipe', timeout: LIMIT_MS });
}

function configFlags(folder: string, nodes: Wanted['nodes']): string[] {
  if (!nodes) return [];
  const file = join(folder, 'kind.yaml');
  const config = {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    nodes: nodes.map((role) => ({ role })),
  };
  writeFileSync(file, JSON.stringify(config));
  return ['--config', file];
}
