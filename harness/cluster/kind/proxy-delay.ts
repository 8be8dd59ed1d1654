// Makes kube-proxy on one node lag: it is stopped, and let go for a moment only when a routing change has waited for the
// wanted time. A slow or large cluster looks like this from a client. Ends by itself when this process ends.
import { setTimeout as delay } from 'node:timers/promises';
import { startProgram } from '../../exec/program.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';

export interface ProxyDelay {
  /**
   * kube-proxy runs again when this resolves. Safe to call twice. Throws FaultError when it ran freely before it was told
   * to: what was measured since was not delayed.
   */
  end(): Promise<void>;
}

const ANSWER_LIMIT_MS = 10_000;
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const WATCH_RETRY_MS = 200;

/**
 * A change of what is routed that comes while none waits is applied after delayMs; those that come after it, together
 * with it. So the lag of a change is at most delayMs, and that of the first of each burst is exactly that. Takes over
 * `kube` and closes it.
 */
export async function delayProxyOn(
  node: string,
  delayMs: number,
  kube: Kube,
  start: typeof startProgram = startProgram,
): Promise<ProxyDelay> {
  let opening: NodeJS.Timeout | undefined;
  let ended: Promise<void> | undefined;
  const proxy = await holdProxy(node, start).catch((error: unknown) => {
    kube.close();
    throw error;
  });
  const since = performance.now();
  let lost: FaultError | undefined;
  void proxy.ended.then((how) => {
    if (ended) return;
    const afterS = ((performance.now() - since) / 1000).toFixed(1);
    lost = new FaultError(
      `kube-proxy on ${node} was no longer held back after ${afterS} s: what holds it ${how}. What was measured since then was not delayed; measure again.`,
    );
  });
  const changed = () => {
    if (ended) return;
    opening ??= setTimeout(() => {
      opening = undefined;
      proxy.catchUp();
    }, delayMs);
  };
  const changes = await watchSlices(kube, changed).catch(async (error: unknown) => {
    kube.close();
    await proxy.release();
    throw error;
  });
  return {
    end() {
      ended ??= (async () => {
        clearTimeout(opening);
        changes.stop();
        kube.close();
        await proxy.release();
        if (lost) throw lost;
      })();
      return ended;
    },
  };
}

interface HeldProxy {
  /** How what holds it came to its end; also when nobody asked for it. */
  readonly ended: Promise<string>;
  /** Lets it run until its rules are up to date, then stops it again. */
  catchUp(): void;
  /** Lets it run for good and waits until that is done. */
  release(): Promise<void>;
}

/**
 * Stops kube-proxy; a line on its input lets it catch up. The end of its input, by whatever death of ours, lets it run
 * again. It is up to date when its metrics say that no sync is queued that has not been done. Not before 1.5 s: a sync
 * that was stopped halfway ends first, and counts as done although it knows nothing of what was queued meanwhile; the
 * next one comes up to a second later (minSyncPeriod). A change that comes while it runs does not lag.
 */
const HOLD_SCRIPT = `
pid=$(pidof kube-proxy) || { echo none; exit 3; }
trap 'kill -CONT $pid' EXIT
synced() {
  curl --silent --max-time 1 http://127.0.0.1:10249/metrics | awk '
    /^kubeproxy_sync_proxy_rules_last_timestamp_seconds/ { done[$1] = $2 }
    /^kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds/ { sub("queued_", "", $1); queued[$1] = $2 }
    END { for (family in queued) if (done[family] < queued[family]) exit 1 }'
}
kill -STOP $pid
echo held
while read -r _; do
  kill -CONT $pid || exit 4
  sleep 1.5
  for _ in $(seq 50); do synced && break; sleep 0.1; done
  kill -STOP $pid || exit 4
done
`;

async function holdProxy(node: string, start: typeof startProgram): Promise<HeldProxy> {
  let first: (line: string) => void = () => {};
  const answer = new Promise<string>((resolve) => {
    first = resolve;
  });
  const program = start('docker', ['exec', '--interactive', node, 'bash', '-c', HOLD_SCRIPT], {
    onLine: (line) => first(line),
  });
  const ended = program.ended.then(({ how, stderr }) => [how, stderr.trim()].filter(Boolean).join(': '));
  const said = await withLimit(Promise.race([answer, ended]));
  if (said !== 'held') {
    program.kill('SIGKILL');
    throw new FaultError(
      `kind: kube-proxy on ${node} cannot be slowed down: ${said === 'none' ? 'it does not run there' : (said ?? `no answer from the node within ${ANSWER_LIMIT_MS / 1000} s`)}.`,
    );
  }
  return {
    ended,
    catchUp: () => program.write(''),
    release: async () => void (await program.stop(undefined, ANSWER_LIMIT_MS)),
  };
}

interface Slice {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean };
      }[]
    | null;
}

/** The addresses that kube-proxy routes to: the ready ones, or those that serve while they terminate if none is. */
function routed({ endpoints }: Slice): string {
  const all = endpoints ?? [];
  const ready = all.filter(({ conditions }) => conditions?.ready !== false);
  const those = ready.length > 0 ? ready : all.filter(({ conditions }) => conditions?.serving === true);
  return those
    .flatMap(({ addresses }) => addresses)
    .sort()
    .join();
}

/** Calls back when an EndpointSlice changes so that other addresses are routed to; no such change is missed. */
async function watchSlices(kube: Kube, changed: () => void): Promise<{ stop(): void }> {
  const ended = new AbortController();
  const known = new Map<string, string>();
  const nameOf = ({ metadata: { namespace, name } }: Slice) => `${namespace}/${name}`;
  const see = (slice: string, now: string | undefined) => {
    const before = known.get(slice) ?? '';
    if (now === undefined) known.delete(slice);
    else known.set(slice, now);
    if ((now ?? '') !== before) changed();
  };
  const list = () => kube.json<{ metadata: { resourceVersion: string }; items: Slice[] }>('GET', SLICES);
  /** One watch, to its end, whatever that is. */
  const follow = (resourceVersion: string) =>
    kube
      .watch<Slice>(SLICES, { query: { resourceVersion }, signal: ended.signal }, ({ type, object }) => {
        if (type === 'DELETED') see(nameOf(object), undefined);
        else if (type === 'ADDED' || type === 'MODIFIED') see(nameOf(object), routed(object));
      })
      .catch(() => {});
  const { metadata, items } = await list();
  for (const slice of items) known.set(nameOf(slice), routed(slice));
  void (async () => {
    for (let from = metadata.resourceVersion; !ended.signal.aborted; ) {
      await follow(from);
      if (ended.signal.aborted) return;
      await delay(WATCH_RETRY_MS);
      try {
        const now = await list();
        from = now.metadata.resourceVersion;
        const there = new Set(now.items.map(nameOf));
        for (const name of known.keys()) if (!there.has(name)) see(name, undefined);
        for (const slice of now.items) see(nameOf(slice), routed(slice));
      } catch {
        // The API server does not answer: try again, until stop().
      }
    }
  })();
  return {
    stop() {
      ended.abort();
    },
  };
}

async function withLimit<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
