// Follows a list of objects: lists, watches from there, reconnects where it was, and says when events may be missing.
import { setTimeout as sleep } from 'node:timers/promises';
import { apiStatus } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { messageOf } from '../model/errors.ts';
import type { ApiObject } from './reduce.ts';

type WatchEvent = 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED';

interface WatchSink {
  event(type: WatchEvent, object: ApiObject): void;
  /** The stream was interrupted. `lost`: states between may be missing (the list was read anew). */
  gap(lost: boolean, reason: string, forMs: number): void;
}

export interface RunningWatch {
  /**
   * Reads the list once more and waits (at most `limitMs`) until the stream has delivered that state. Returns the
   * names of objects whose last state did not arrive.
   */
  verify(limitMs: number): Promise<string[]>;
  stop(): void;
}

interface ApiList {
  metadata: { resourceVersion?: string };
  items: ApiObject[];
}

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2000;
/** The server closes after this time by itself; going on from the last resource version loses nothing. */
const SESSION_S = 290;

/** Starts following `path` (for example /api/v1/namespaces/x/pods). Resolves when the first list has been delivered. */
export async function startWatch(
  kube: Kube,
  path: string,
  sink: WatchSink,
  query: Readonly<Record<string, string>> = {},
): Promise<RunningWatch> {
  const known = new Map<string, ApiObject>();
  let resourceVersion = '';
  const ended = new AbortController();

  const first = await kube.json<ApiList>('GET', path, { query });
  adopt(first, 'EXISTING');
  void follow();

  return {
    async verify(limitMs) {
      const list = await kube.json<ApiList>('GET', path, { query });
      const deadline = performance.now() + limitMs;
      for (;;) {
        const missing = list.items
          .filter((item) => !atLeast(known.get(item.metadata.name), item))
          .map((item) => item.metadata.name);
        if (missing.length === 0 || performance.now() > deadline) return missing;
        await sleep(50);
      }
    },
    stop() {
      ended.abort();
    },
  };

  async function follow(): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!ended.signal.aborted) {
      const startedAt = performance.now();
      const end = await session();
      if (ended.signal.aborted) return;
      const lastedMs = performance.now() - startedAt;
      if (end === 'closed' && lastedMs > 1000) {
        retryMs = RETRY_MIN_MS;
        continue;
      }
      const interruptedAt = performance.now();
      await sleep(retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      if (end === 'closed') continue;
      if (end !== 'expired') {
        sink.gap(false, end, performance.now() - interruptedAt);
        continue;
      }
      try {
        adopt(await kube.json<ApiList>('GET', path, { query }), 'ADDED');
        sink.gap(
          true,
          'the resource version had expired; the list was read anew',
          performance.now() - startedAt,
        );
      } catch {
        // The API server is away: the next round tries again and reports.
      }
    }
  }

  /** One watch connection. Resolves with why it ended: "closed", "expired" or an error's message. */
  async function session(): Promise<string> {
    let expired = false;
    const parameters = {
      ...query,
      resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(SESSION_S),
    };
    try {
      await kube.watch<ApiObject>(path, { query: parameters, signal: ended.signal }, ({ type, object }) => {
        if (type === 'ERROR') {
          expired = true;
          return;
        }
        if (object.metadata.resourceVersion) resourceVersion = object.metadata.resourceVersion;
        if (type === 'BOOKMARK') return;
        if (type === 'DELETED') known.delete(object.metadata.name);
        else known.set(object.metadata.name, object);
        sink.event(type, object);
      });
      return expired ? 'expired' : 'closed';
    } catch (error) {
      return expired || apiStatus(error) === 410 ? 'expired' : messageOf(error);
    }
  }

  /** Delivers what a list shows that is not known yet. */
  function adopt(list: ApiList, fresh: WatchEvent): void {
    const present = new Set(list.items.map((item) => item.metadata.name));
    for (const [name, object] of known) {
      if (present.has(name)) continue;
      known.delete(name);
      sink.event('DELETED', object);
    }
    for (const item of list.items) {
      const before = known.get(item.metadata.name);
      known.set(item.metadata.name, item);
      if (before?.metadata.resourceVersion === item.metadata.resourceVersion) continue;
      sink.event(before ? 'MODIFIED' : fresh, item);
    }
    resourceVersion = list.metadata.resourceVersion ?? '';
  }
}

/** Resource versions of etcd are numbers that grow; elsewhere only equality can be told. */
function atLeast(known: ApiObject | undefined, wanted: ApiObject): boolean {
  const [have, want] = [known?.metadata.resourceVersion, wanted.metadata.resourceVersion];
  if (!have || !want) return false;
  return have === want || Number(have) >= Number(want);
}
