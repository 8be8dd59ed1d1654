// The real kubectl, where there is one on the PATH: with a cache of its own, since it caches discovery by host and port.
// All else of the user's stays as it is: login plugins find their credentials by HOME.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToExit } from '../exec/command.ts';
import { makeTemporaryFolder } from '../exec/temporary-folder.ts';

export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Kubectl extends AsyncDisposable {
  /** Rejects when it cannot be started, does not end within 180 s, is killed or interrupted. */
  run(args: readonly string[], input?: string): Promise<Printed>;
}

const LIMIT_MS = 180_000;
const VERSION_LIMIT_MS = 15_000;

export function openKubectl(
  kubeconfig: string,
  namespace: string,
  signal?: AbortSignal,
  limitMs = LIMIT_MS,
): Kubectl {
  const folder = makeTemporaryFolder('kubectl');
  const config = join(folder, 'config');
  try {
    writeFileSync(config, kubeconfig, { mode: 0o600 });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const first = ['--cache-dir', join(folder, 'cache'), '--namespace', namespace];
  // KUBERC: defaults and aliases of the user's would change what the commands do.
  const env = { KUBECONFIG: config, KUBERC: 'off' };
  return {
    async run(args, input) {
      const ended = await runToExit('kubectl', [...first, ...args], {
        limitMs,
        env,
        signal,
        input,
      });
      return { code: ended.code, out: ended.stdout, err: ended.stderr };
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Opens it when it is first asked for; undefined: there is none on the PATH. What it leaves on the disk is removed by
 * `defer`.
 */
export function kubectlOnce(
  kubeconfig: () => string,
  namespace: string,
  signal: AbortSignal,
  defer: (what: string, undo: () => Promise<void>) => void,
): () => Promise<Kubectl | undefined> {
  const open = async () => {
    if (!(await kubectlIsThere())) return undefined;
    let kubectl: Kubectl | undefined;
    defer("remove kubectl's kubeconfig", async () => kubectl?.[Symbol.asyncDispose]());
    kubectl = openKubectl(kubeconfig(), namespace, signal);
    return kubectl;
  };
  let opened: Promise<Kubectl | undefined> | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}

/** There is one on the PATH, and it answers. */
export async function kubectlIsThere(): Promise<boolean> {
  try {
    return (await runToExit('kubectl', ['version', '--client'], { limitMs: VERSION_LIMIT_MS })).code === 0;
  } catch {
    return false;
  }
}
