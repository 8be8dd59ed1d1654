// What one experiment creates in a namespace of somebody's cluster: marked as it is created, by whoever creates it, and
// removed again. Everything belongs to the load agents' Job, so that it also goes when nobody is left to remove it.
import { toApiError } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { createObjectClient } from '../kube/objects.ts';
import type { RequestOptions } from '../kube/request-options.ts';
import { untilDone, WaitError, waitFor } from '../kube/wait.ts';
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import { FaultError } from '../model/errors.ts';
import { label, type Manifest, managedBy } from '../model/manifest.ts';

interface Belongings {
  /** Creates through it are marked; everything else is the client's own. */
  marking(kube: Kube): Kube;
  /** What is created from now on goes when this object does. */
  belongTo(owner: Manifest): void;
  /** Deletes all of it and waits until it is gone. Throws FaultError that names what is left. */
  remove(kube: Kube, limitMs: number): Promise<void>;
}

interface Created {
  readonly what: string;
  readonly uid: string;
  /** Of one object. */
  readonly path: string;
}

const collection = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/namespaces\/(?<namespace>[^/]+)\/[a-z]+$/;
/** Kinds that are looked through by label as well: an answer to a create may have been lost. */
const sweptPaths = [
  '/apis/batch/v1/namespaces/NS/jobs',
  '/apis/apps/v1/namespaces/NS/deployments',
  '/apis/apps/v1/namespaces/NS/daemonsets',
  '/apis/apps/v1/namespaces/NS/statefulsets',
  `/apis/${rolloutApiVersion}/namespaces/NS/rollouts`,
  '/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers',
  '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
  '/api/v1/namespaces/NS/services',
  '/api/v1/namespaces/NS/configmaps',
  // Made by a StatefulSet.
  '/api/v1/namespaces/NS/persistentvolumeclaims',
];
/** These go with their owners; they are waited for. */
const waitedPaths = ['/apis/apps/v1/namespaces/NS/replicasets', '/api/v1/namespaces/NS/pods'];
const POLL_MS = 250;
const ASK_LIMIT_MS = 4000;

export function belongingsIn({
  namespace,
  runId,
  experiment,
}: {
  readonly namespace: string;
  readonly runId: string;
  readonly experiment: string;
}): Belongings {
  const created: Created[] = [];
  let owner: Manifest | undefined;
  const marks = { [label.managedBy]: managedBy, [label.run]: runId, [label.experiment]: experiment };

  const marked = (body: unknown): unknown => {
    const object = body as Manifest;
    return {
      ...object,
      metadata: {
        ...object.metadata,
        labels: { ...object.metadata?.labels, ...marks },
        ...(owner && { ownerReferences: [ownerReference(owner)] }),
      },
    };
  };
  const isCreate = (method: string, path: string) =>
    method === 'POST' && collection.exec(path)?.groups?.namespace === namespace;
  const note = (path: string, object: unknown) => {
    const { kind, metadata } = object as Partial<Manifest>;
    // No object in the answer: the label finds it.
    if (metadata?.name && typeof metadata.uid === 'string')
      created.push({ what: `${kind} ${metadata.name}`, uid: metadata.uid, path: `${path}/${metadata.name}` });
  };

  const marking = (kube: Kube): Kube => {
    const raw: Kube['raw'] = async (method, path, options) => {
      if (!isCreate(method, path)) return kube.raw(method, path, options);
      const answer = await kube.raw(method, path, { ...options, body: marked(options?.body) });
      if (answer.status < 300) note(path, parsed(answer.text));
      return answer;
    };
    const json: Kube['json'] = async <T>(
      method: string,
      path: string,
      options?: Parameters<Kube['json']>[2],
    ) => {
      if (!isCreate(method, path)) return kube.json<T>(method, path, options);
      const answer = await kube.json<T>(method, path, { ...options, body: marked(options?.body) });
      note(path, answer);
      return answer;
    };
    return {
      ...kube,
      raw,
      json,
      objects: createObjectClient(json),
      during: (signal) => marking(kube.during(signal)),
    };
  };

  return {
    marking,
    belongTo(object) {
      owner = object;
    },
    async remove(kube, limitMs) {
      const refused: string[] = [];
      for (const { what, uid, path } of created.toReversed()) {
        const body = { propagationPolicy: 'Background', preconditions: { uid } };
        const answer = await answered(`${what} to be deleted`, limitMs, (options) =>
          kube.raw('DELETE', path, { body, ...options }),
        );
        // 404: gone already; 409: another object has its name by now.
        if (answer.status > 299 && answer.status !== 404 && answer.status !== 409)
          refused.push(`${what} (${answer.status}: ${answer.text.slice(0, 200)})`);
      }
      let left: readonly string[] = [];
      const what = `what this run made in namespace ${namespace} to be gone`;
      await waitFor({ what, limitMs, signal: untilDone, everyMs: POLL_MS }, async (signal) => {
        const found = await leftOver(kube, { signal, timeoutMs: ASK_LIMIT_MS });
        left = found;
        if (found.length === 0) return { met: undefined };
        await Promise.allSettled(found.map((path) => deleteAt(kube, path, signal)));
        return { seen: found.join(', ') };
      }).catch((error: unknown) => {
        // What was seen last is told below; what nobody could look at, here.
        if (!(error instanceof WaitError) || error.cause !== undefined || left.length === 0) throw error;
      });
      if (left.length > 0 || refused.length > 0) {
        const names = [...refused, ...left.map((path) => path.split('/').slice(-2).join(' '))];
        throw new FaultError(
          `Namespace ${namespace}: ${names.join(', ')} could not be removed within ${limitMs / 1000} s. Look with: kubectl -n ${namespace} get all -l ${label.run}=${runId}`,
        );
      }
    },
  };

  /** Paths of what is still there and carries our labels. */
  async function leftOver(kube: Kube, options: Asking): Promise<string[]> {
    const query = { labelSelector: `${label.run}=${runId},${label.experiment}=${experiment}` };
    const lists = await Promise.all(
      [...sweptPaths, ...waitedPaths].map(async (pattern) => {
        const path = pattern.replace('NS', namespace);
        const answer = await kube.raw('GET', path, { query, ...options });
        // A kind that may not be looked at, or that this cluster does not have: nothing of ours is of it.
        if (answer.status === 403 || answer.status === 404) return [];
        if (answer.status !== 200) throw toApiError(answer);
        const { items } = JSON.parse(answer.text) as { items: { metadata: { name: string } }[] };
        return items.map(({ metadata }) => `${path}/${metadata.name}`);
      }),
    );
    return lists.flat();
  }
}

type Asking = Required<Pick<RequestOptions, 'signal' | 'timeoutMs'>>;

/** Asked again while the API server restarts, until it counts as away. */
const answered = <T>(what: string, limitMs: number, ask: (options: Asking) => Promise<T>): Promise<T> =>
  waitFor({ what, limitMs, signal: untilDone, everyMs: POLL_MS, lookLimitMs: limitMs }, async (signal) => ({
    met: await ask({ signal, timeoutMs: ASK_LIMIT_MS }),
  }));

async function deleteAt(kube: Kube, path: string, signal: AbortSignal): Promise<void> {
  if (path.includes('/replicasets/')) return;
  // What they serve is no longer of interest.
  const grace = path.includes('/pods/') ? { gracePeriodSeconds: 1 } : {};
  await kube.raw('DELETE', path, { body: { propagationPolicy: 'Background', ...grace }, signal });
}

const ownerReference = ({ apiVersion, kind, metadata }: Manifest) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: String(metadata.uid),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
