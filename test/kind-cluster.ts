// A kind cluster that a test file makes by hand, as its owner would: rollproof meets it as somebody's. It goes with the file,
// also where a test failed. ROLLPROOF_TEST_KUBECONFIG names one that is up (`npm test` makes it once for the files that take it
// in turn: test/kind-shared.ts): then it is used, and left as it was found.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
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
  /** For whatever the test writes; it goes with the file. */
  readonly folder: string;
  /** Of its administrator. */
  readonly kubeconfig: string;
  /** Nothing where one is given. */
  create(wanted: Wanted, signal?: AbortSignal): Promise<void>;
  /** Names of the nodes, the control plane first. */
  nodes(): readonly string[];
  /** Cluster and folder. On a given cluster what the file made: `made` are kubectl's words, such as `namespace/shop`. */
  remove(made?: readonly string[]): void;
}

/** Names the variable that gives a cluster to a file. */
export const GIVEN_CLUSTER = 'ROLLPROOF_TEST_KUBECONFIG';
/** Long enough for a machine on which other clusters run. */
const LIMIT_MS = 200_000;

/** Makes nothing yet. `skip`: the reason why the file's tests do not run; then there is no folder either. */
export function clusterByHand(purpose: string, skip: string | undefined): ClusterByHand {
  const given = skip ? undefined : process.env[GIVEN_CLUSTER];
  const name = given ? clusterIn(given) : `rollproof-${purpose}-${process.pid}`;
  const folder = skip ? '' : mkdtempSync(join(tmpdir(), `rollproof-test-${purpose}-`));
  const kubeconfig = given ?? join(folder, 'kubeconfig');
  let made = false;
  const end = () => {
    if (made) spawnSync('kind', ['delete', 'cluster', '--name', name], { stdio: 'ignore' });
    made = false;
    rmSync(folder, { recursive: true, force: true });
  };
  // uvu has no place for that but the end of the process.
  if (!skip) process.on('exit', end);
  return {
    name,
    folder,
    kubeconfig,
    async create({ nodes, images }, signal) {
      if (given) return;
      const kind = (...args: readonly string[]) => runCommand('kind', args, { limitMs: LIMIT_MS, signal });
      // As rollproof chooses it for its own clusters.
      const { name: image } = await chooseNodeImage(runCommand, undefined);
      made = true;
      const place = ['--name', name, '--kubeconfig', kubeconfig, '--wait', '120s'];
      const shape = [...configFlags(folder, nodes), ...(image ? ['--image', image] : [])];
      await kind('create', 'cluster', ...place, ...shape);
      // kind waits for its control plane only; nothing can be scheduled on a worker that is not Ready.
      const wait = ['wait', '--for=condition=Ready', 'nodes', '--all', `--timeout=${LIMIT_MS / 1000}s`];
      const inside = ['exec', `${name}-control-plane`, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf'];
      await runCommand('docker', [...inside, ...wait], { limitMs: LIMIT_MS, signal });
      for (const one of images) await kind('load', 'docker-image', one, '--name', name);
    },
    nodes() {
      const { stdout } = spawnSync('kind', ['get', 'nodes', '--name', name], { encoding: 'utf8' });
      const isWorker = (node: string) => (node.endsWith('-control-plane') ? 0 : 1);
      return stdout
        .split('\n')
        .filter(Boolean)
        .sort((a, b) => isWorker(a) - isWorker(b) || a.localeCompare(b));
    },
    remove(what = []) {
      if (given && what.length > 0) {
        const words = ['delete', ...what, '--ignore-not-found', '--timeout', `${LIMIT_MS / 1000}s`];
        const { status, stderr } = spawnSync('kubectl', ['--kubeconfig', kubeconfig, ...words], {
          encoding: 'utf8',
        });
        if (status !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr}`);
      }
      end();
    },
  };
}

/** A reason to skip; undefined: it is there. */
export const lacksKubectl = (): string | undefined =>
  spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'no "kubectl" on the PATH';

/** The name of the cluster that a kubeconfig of kind's is for: its context is "kind-NAME". */
export function clusterIn(kubeconfig: string): string {
  const { 'current-context': context } = parse(readFileSync(kubeconfig, 'utf8')) as {
    'current-context': string;
  };
  return context.replace(/^kind-/, '');
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
