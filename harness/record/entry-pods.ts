// An entry's own pods: what becomes of them and of their endpoints, as for the target's, and what they write about
// requests that went wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { apiStatus } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import type { AccessFormat } from '../model/access.ts';
import { messageOf } from '../model/errors.ts';
import type { FactsKind } from '../model/facts.ts';
import { accessLine } from './access-log/index.ts';
import type { JournalWriter } from './journal-writer.ts';
import { reduceObject } from './reduce.ts';
import { type RunningWatch, startWatch } from './watch.ts';

interface EntryPods {
  /** Name of the entry. */
  readonly entry: string;
  /** NAMESPACE/NAME of the Service in front of them. */
  readonly service: string;
  /** Their namespace is watched already, because it is the experiment's own. */
  readonly watched: boolean;
  /** Undefined: found out from the lines. */
  readonly format: AccessFormat | undefined;
}

interface FollowedEntry {
  /** Reads what was written since, and ends. */
  stop(): Promise<void>;
}

const EVERY_MS = 500;
const READ_LIMIT_MS = 5000;
/** Of one reading: what is beyond it is not of one half of a second of load. */
const LOG_LIMIT_BYTES = 4_000_000;

/** Nothing that goes wrong here makes the measurement worthless: without it causes have less to stand on, and that is noted. */
export async function followEntryPods(
  kube: Kube,
  { entry, service, watched, format }: EntryPods,
  journal: JournalWriter,
): Promise<FollowedEntry> {
  const [namespace = '', name = ''] = service.split('/');
  const note = (text: string) => journal.write({ type: 'note', level: 'info', text });
  const watches: RunningWatch[] = [];
  let labelSelector = '';
  try {
    const { spec } = await kube.json<{ spec?: { selector?: Record<string, string> } }>(
      'GET',
      `/api/v1/namespaces/${namespace}/services/${name}`,
    );
    labelSelector = Object.entries(spec?.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    if (!watched) {
      const pods = `/api/v1/namespaces/${namespace}/pods`;
      const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
      watches.push(await watch('Pod', pods, labelSelector));
      watches.push(await watch('EndpointSlice', slices, `kubernetes.io/service-name=${name}`));
    }
  } catch (error) {
    note(
      `Entry ${entry}: its own pods cannot be watched (${messageOf(error)}), so losses are put to hops by the target’s pods alone.`,
    );
  }
  const ended = new AbortController();
  const readers = new Map<string, LogReader>();
  let silent = false;
  let first = true;
  const look = async () => {
    if (labelSelector === '' || silent) return;
    try {
      const { items } = await kube.json<{ items: { metadata: { name: string } }[] }>(
        'GET',
        `/api/v1/namespaces/${namespace}/pods`,
        { query: { labelSelector }, timeoutMs: READ_LIMIT_MS },
      );
      for (const { metadata } of items) {
        const reader = readers.get(metadata.name) ?? new LogReader(namespace, metadata.name, !first);
        readers.set(metadata.name, reader);
        await read(reader);
      }
      first = false;
    } catch (error) {
      if (apiStatus(error) !== 403) return;
      silent = true;
      note(`Entry ${entry}: its access log may not be read (${messageOf(error)}).`);
    }
  };
  const following = (async () => {
    while (!ended.signal.aborted) {
      await look();
      await sleep(EVERY_MS, undefined, { signal: ended.signal }).catch(() => {});
    }
    await look();
  })();
  return {
    async stop() {
      ended.abort();
      await following;
      for (const one of watches) one.stop();
    },
  };

  async function read(reader: LogReader): Promise<void> {
    for (const line of await reader.since(kube)) {
      const said = accessLine(line, format);
      if (said && isTelling(said)) journal.write({ type: 'access', entry, pod: reader.pod, said });
    }
  }

  function watch(kind: FactsKind, path: string, selector: string): Promise<RunningWatch> {
    return startWatch(
      kube,
      path,
      {
        event(event, object) {
          const facts = reduceObject(kind, object);
          if (facts?.kind === 'Pod') record({ ...facts, role: 'entry' });
          else if (facts?.kind === 'EndpointSlice') record({ ...facts, service });
          function record(own: NonNullable<typeof facts>) {
            const { name: object_, namespace: within = '', uid, resourceVersion } = object.metadata;
            journal.write({
              type: 'watch',
              event,
              namespace: within,
              name: object_,
              uid,
              resourceVersion,
              facts: own,
            });
          }
        },
        gap: () => {},
      },
      { labelSelector: selector },
    );
  }
}

/** An error, or a request that was sent more than once: what says nothing of a loss is not kept. */
const isTelling = ({ status, retries, answered }: { status: number; retries: number; answered: string }) =>
  status < 200 || status >= 400 || retries > 0 || answered === 'client';

/** A pod's log from where it was read last: the API server gives whole lines with the time at which each was written. */
class LogReader {
  readonly pod: string;
  readonly #path: string;
  #since: string | undefined;
  #last = '';

  /** `fresh`: it came while we looked, so that all of its log is of interest. */
  constructor(namespace: string, pod: string, fresh: boolean) {
    this.pod = pod;
    if (fresh) this.#since = new Date(0).toISOString();
    this.#path = `/api/v1/namespaces/${namespace}/pods/${pod}/log`;
  }

  async since(kube: Kube): Promise<string[]> {
    const answer = await kube.raw('GET', this.#path, {
      query: {
        timestamps: 'true',
        limitBytes: String(LOG_LIMIT_BYTES),
        ...(this.#since === undefined ? { tailLines: '1' } : { sinceTime: this.#since }),
      },
      timeoutMs: READ_LIMIT_MS,
    });
    if (answer.status === 403) throw Object.assign(new Error('forbidden'), { status: 403 });
    if (answer.status !== 200) return [];
    const fresh: string[] = [];
    for (const line of answer.text.split('\n')) {
      const space = line.indexOf(' ');
      const time = line.slice(0, space);
      if (space < 0 || time <= this.#last) continue;
      this.#last = time;
      // What was written before the first look is of no load of ours.
      if (this.#since !== undefined) fresh.push(line.slice(space + 1));
    }
    if (this.#last === '' && this.#since !== undefined) return fresh;
    this.#since = this.#last === '' ? new Date(Date.now() - 1000).toISOString() : this.#last;
    return fresh;
  }
}
