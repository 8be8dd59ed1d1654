// Makes kube-proxy on one node lag: it is stopped, and let go for a moment only when a routing change has waited for the
// wanted time. A slow or large cluster looks like this from a client. Ends by itself when this process ends.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Watch } from '@kubernetes/client-node';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';

export interface ProxyDelay {
  /** kube-proxy runs again when this resolves. Safe to call twice. */
  end(): Promise<void>;
}

/**
 * Long enough for kube-proxy to read what has happened and to write its rules: it syncs at once after a quiet time, and
 * at most once a second (minSyncPeriod).
 */
const OPEN_MS = 1500;
const ANSWER_LIMIT_MS = 10_000;
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const WATCH_RETRY_MS = 200;

/**
 * A change that comes while none waits is applied after delayMs; those that come after it, together with it. So the lag
 * of a change is at most delayMs, and that of the first of each burst is exactly that. Takes over `kube` and closes it.
 */
export async function delayProxyOn(node: string, delayMs: number, kube: Kube): Promise<ProxyDelay> {
  const proxy = await holdProxy(node);
  let ended: Promise<void> | undefined;
  let opening: NodeJS.Timeout | undefined;
  let closing: NodeJS.Timeout | undefined;
  const changes = watchSlices(kube, () => {
    if (ended || opening) return;
    opening = setTimeout(() => {
      opening = undefined;
      proxy.signal('CONT');
      clearTimeout(closing);
      closing = setTimeout(() => proxy.signal('STOP'), OPEN_MS);
    }, delayMs);
  });
  proxy.signal('STOP');
  return {
    end() {
      ended ??= (async () => {
        clearTimeout(opening);
        clearTimeout(closing);
        changes.stop();
        kube.close();
        await proxy.release();
      })();
      return ended;
    },
  };
}

interface HeldProxy {
  signal(name: 'STOP' | 'CONT'): void;
  /** Lets it run and waits until that is done. */
  release(): Promise<void>;
}

/** Reads a signal's name per line. The end of its input, by whatever death of ours, lets kube-proxy run again. */
const HOLD_SCRIPT = `
pid=$(pidof kube-proxy) || { echo none; exit 3; }
trap 'kill -CONT $pid' EXIT
echo held
while read -r name; do kill -"$name" $pid || exit 4; done
`;

async function holdProxy(node: string): Promise<HeldProxy> {
  const child = spawn('docker', ['exec', '--interactive', node, 'bash', '-c', HOLD_SCRIPT], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  const exited = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  const lines = createInterface({ input: child.stdout });
  const first = await withLimit(
    new Promise<string>((resolve) => {
      lines.once('line', resolve);
      void exited.then(() => resolve('nothing'));
    }),
  );
  if (first !== 'held') {
    child.kill('SIGKILL');
    throw new FaultError(
      `kind: kube-proxy on ${node} cannot be slowed down: ${first ?? 'no'} answer from the node.`,
    );
  }
  return {
    signal: (name) => void child.stdin.write(`${name}\n`),
    async release() {
      child.stdin.end();
      if ((await withLimit(exited.then(() => 'exited'))) === undefined) child.kill('SIGKILL');
    },
  };
}

/** Calls back for every change of an EndpointSlice from now on; a change may be reported twice, none is missed. */
function watchSlices(kube: Kube, changed: () => void): { stop(): void } {
  const watch = new Watch(kube.config);
  let stopped = false;
  let request: AbortController | undefined;
  let first = true;
  void (async () => {
    while (!stopped) {
      try {
        const { metadata } = await kube.json<{ metadata: { resourceVersion: string } }>('GET', SLICES);
        // What happened while no watch was open counts as a change.
        if (!first) changed();
        first = false;
        await new Promise<void>((resolve) => {
          const { resourceVersion } = metadata;
          watch
            .watch(
              SLICES,
              { resourceVersion },
              () => changed(),
              () => resolve(),
            )
            .then(
              (controller) => {
                request = controller;
                if (stopped) controller.abort();
              },
              () => resolve(),
            );
        });
      } catch {
        // The API server does not answer: try again until end().
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_RETRY_MS));
    }
  })();
  return {
    stop() {
      stopped = true;
      request?.abort();
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
