// A run of `rollproof verify` that a script makes, on a kind cluster that stays for the next one.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindProvider } from '../harness/cluster/kind/provider.ts';
import { runToExit } from '../harness/exec/command.ts';
import { exitCode, FaultError } from '../harness/model/errors.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const RUN_LIMIT_MS = 3 * 3_600_000;

const say = (text: string) => void process.stderr.write(`${text}\n`);

/** Brings it up where it is not, and leaves it to the run that comes next. */
export async function keptKind(
  signal: AbortSignal,
): Promise<{ readonly nodes: readonly string[]; readonly kubeconfig: string }> {
  const cluster = await kindProvider({ keep: true }).create({ progress: say, signal });
  const [nodes, kubeconfig] = [cluster.info.nodes.map(({ name }) => name), cluster.kubeconfig()];
  await cluster[Symbol.asyncDispose]();
  return { nodes, kubeconfig };
}

/**
 * Into `out`, where a run that was cut off goes on. Verdicts are of no interest, inconclusive ones included; throws
 * FaultError where it could not be made.
 */
export async function verifyRun(
  cluster: 'kind' | 'embedded',
  out: string,
  flags: readonly string[],
  signal: AbortSignal,
  onStart?: (pid: number) => void,
): Promise<void> {
  const resume = existsSync(join(out, 'journals'));
  mkdirSync(out, { recursive: true });
  const args = [
    ...[join(root, 'scripts', 'rollproof.mjs'), 'verify', '--cluster', cluster],
    ...(cluster === 'kind' ? ['--keep-cluster'] : []),
    ...[resume ? '--resume' : '--out', out, ...flags],
  ];
  const { code, stdout } = await runToExit(process.execPath, args, {
    limitMs: RUN_LIMIT_MS,
    signal,
    onLine: say,
    ...(onStart && { onStart }),
  });
  if (code > exitCode.inconclusive) throw new FaultError(`verify ended with ${code}.\n${stdout}`);
}
