// An embedded cluster beside which `rollproof watch` runs, with the real kubectl as the one that changes things.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { needsLinux } from './embedded-pods.ts';
import { type Running, root, startRollproof } from './rollproof.ts';

export const lacksForWatch: string | undefined =
  needsLinux ??
  (spawnSync('kubectl', ['version', '--client']).status === 0 ? undefined : 'no "kubectl" on the PATH');

/** Its methods as functions. */
export const bound = (cluster: WatchedCluster) => ({
  nextFolder: () => cluster.nextFolder(),
  args: (...given: Parameters<WatchedCluster['args']>) => cluster.args(...given),
  kubectl: (...words: readonly string[]) => cluster.kubectl(...words),
  kubectlCommand: (...words: readonly string[]) => cluster.kubectlCommand(...words),
  left: (namespace?: string) => cluster.left(namespace),
});

export class WatchedCluster {
  readonly folder = lacksForWatch ? '' : mkdtempSync(join(tmpdir(), 'rollproof-test-watch-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  #up: Running | undefined;
  #runs = 0;

  /** With the workload of target/manifests.yaml, as most people write it. */
  async start(): Promise<void> {
    process.on('exit', () => {
      this.#up?.child.kill('SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    });
    this.#up = startRollproof(['cluster', 'up', '--kubeconfig', this.kubeconfig]);
    for (let tries = 0; !existsSync(this.kubeconfig) && tries < 600; tries++) await sleep(100);
    this.kubectl('apply', '-f', join(root, 'target', 'manifests.yaml'));
    this.kubectl('rollout', 'status', 'deployment/target', '--timeout=60s');
  }

  async end(): Promise<void> {
    this.#up?.child.kill('SIGINT');
    await this.#up?.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  nextFolder(): string {
    return join(this.folder, `run-${++this.#runs}`);
  }

  /** Of `rollproof`. */
  args(out: string, more: readonly string[], services = 'target'): string[] {
    return ['watch', '--kubeconfig', this.kubeconfig, '--service', services, '--out', out, ...more];
  }

  kubectlCommand(...words: readonly string[]): string[] {
    return ['kubectl', '--kubeconfig', this.kubeconfig, ...words];
  }

  kubectl(...words: readonly string[]): string {
    const [file = '', ...args] = this.kubectlCommand(...words);
    return execFileSync(file, args, { encoding: 'utf8', timeout: 60_000 });
  }

  /** What carries our label and is not on its way out. */
  left(namespace = 'default'): string {
    const kinds = 'jobs,deployments,services,configmaps,pods';
    const labelled = 'app.kubernetes.io/managed-by=rollproof';
    return this.kubectl('-n', namespace, 'get', kinds, '-l', labelled, '-o', 'name').trim();
  }
}
