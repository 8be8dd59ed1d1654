// The real kubectl, where there is one on the PATH: in a home of its own, since it caches discovery by host and port.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultError } from '../model/errors.ts';

export interface Printed {
  /** Exit code; 1 when a signal ended it. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Kubectl extends AsyncDisposable {
  /** Rejects only when it cannot be started or was interrupted. */
  run(args: readonly string[], input?: string): Promise<Printed>;
}

const LIMIT_MS = 180_000;
const VERSION_LIMIT_MS = 15_000;

export function openKubectl(kubeconfig: string, namespace: string, signal?: AbortSignal): Kubectl {
  const home = mkdtempSync(join(tmpdir(), 'rollproof-kubectl-'));
  const config = join(home, 'config');
  writeFileSync(config, kubeconfig, { mode: 0o600 });
  const env = { ...process.env, HOME: home, KUBECONFIG: config };
  return {
    run: (args, input) => runKubectl(['--namespace', namespace, ...args], { env, signal, input }),
    async [Symbol.asyncDispose]() {
      rmSync(home, { recursive: true, force: true });
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
    const kubectl = openKubectl(kubeconfig(), namespace, signal);
    defer("remove kubectl's kubeconfig", async () => kubectl[Symbol.asyncDispose]());
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
    return (await runKubectl(['version', '--client'], { limitMs: VERSION_LIMIT_MS })).code === 0;
  } catch {
    return false;
  }
}

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly input?: string | undefined;
  readonly limitMs?: number;
}

function runKubectl(
  args: readonly string[],
  { env = process.env, signal, input = '', limitMs = LIMIT_MS }: RunOptions,
): Promise<Printed> {
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', args, { env, signal, timeout: limitMs, stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    // A command that ends before it has read its input is not an error of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', (error) =>
      reject(
        signal?.aborted
          ? error
          : new FaultError(`kubectl could not be run: ${error.message}.`, { cause: error }),
      ),
    );
    child.once('close', (code) => resolve({ code: code ?? 1, out, err }));
  });
}
