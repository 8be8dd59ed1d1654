// A kube-proxy that cannot run in the mode that was asked for: found in its own log while kind is still at work, because
// a cluster without one never gets ready and says nothing of why.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunCommand } from '../../exec/command.ts';
import { FaultError } from '../../model/errors.ts';
import type { ProxyMode } from '../../model/proxy-mode.ts';

interface ProxyGuard {
  /** Aborted when the caller's is, or when kube-proxy was seen to fail. */
  readonly signal: AbortSignal;
  /** Why; undefined: it was not seen to fail. */
  readonly failure: () => FaultError | undefined;
  stop(): void;
}

const POLL_MS = 500;
const LOOK_LIMIT_MS = 10_000;
/** Ended this many times in a row with an error as its last word: a start that is too early ends so once. */
const ENOUGH = 2;
const RUNS = 'kube-proxy-runs';
/** Its log as the kubelet keeps it on the node, so that no API server is needed to read it. */
const LOOK = `for log in /var/log/pods/kube-system_kube-proxy-*/kube-proxy/*.log; do [ -e "$log" ] && tail -n 20 "$log"; done; pidof kube-proxy >/dev/null && echo ${RUNS}; true`;

/** Looks twice a second from now on, until it is stopped. `node`: the first of the cluster, which comes up first. */
export function guardProxy(
  run: RunCommand,
  node: string,
  mode: ProxyMode | undefined,
  signal: AbortSignal,
): ProxyGuard {
  const ended = new AbortController();
  const failed = new AbortController();
  let failure: FaultError | undefined;
  if (mode !== undefined) void follow(mode);
  return {
    signal: AbortSignal.any([signal, failed.signal]),
    failure: () => failure,
    stop: () => ended.abort(),
  };

  async function follow(wanted: ProxyMode): Promise<void> {
    const until = AbortSignal.any([signal, ended.signal]);
    for (let seen = 0; !until.aborted; ) {
      const words = await lastWords();
      seen = words === undefined ? 0 : seen + 1;
      if (words !== undefined && seen >= ENOUGH && !until.aborted) {
        failure = new FaultError(
          `kind: kube-proxy does not run in mode ${wanted} on this machine: it says "${words}". Choose another --proxy-mode, or a machine and a node image that have what it needs.`,
        );
        failed.abort(failure);
        return;
      }
      await sleep(POLL_MS, undefined, { signal: until }).catch(() => {});
    }
  }

  async function lastWords(): Promise<string | undefined> {
    try {
      const { stdout } = await run('docker', ['exec', node, 'sh', '-c', LOOK], { limitMs: LOOK_LIMIT_MS });
      return proxyFailure(stdout);
    } catch {
      // The node is not there yet, or not any more; what is wrong with Docker is told by who makes the cluster.
      return undefined;
    }
  }
}

/** What kube-proxy said last, if that was an error and it does not run. `text`: lines as the kubelet writes them. */
export function proxyFailure(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.includes(RUNS)) return undefined;
  const last = lines.at(-1)?.replace(/^\S+ (stdout|stderr) [FP] /, '');
  if (last === undefined) return undefined;
  const quoted = /\berr="((?:[^"\\]|\\.)*)"/.exec(last)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, '$1');
  return /^[EF]\d{4} /.test(last) ? last.replace(/^.*?\] /, '') : undefined;
}
