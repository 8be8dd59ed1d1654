// What one experiment creates in a namespace of somebody's cluster: marked as it is created, by whoever creates it, and
// removed again. Everything belongs to the load agents' Job, so that it also goes when nobody is left to remove it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Kube } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import { label, type Manifest, managedBy } from '../model/manifest.ts';

export interface Belongings {
  /** Creates through it are marked; everything else is the client's own. */
  readonly kube: Kube;
  /** What is created from now on goes when this object does. */
  belongTo(owner: Manifest): void;
  /** Deletes all of it and waits until it is gone. Throws FaultError that names what is left. */
  remove(limitMs: number): Promise<void>;
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
  '/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers',
  '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
  '/api/v1/namespaces/NS/services',
  '/api/v1/namespaces/NS/configmaps',
];
const POLL_MS = 250;

export function belongingsIn(
  kube: Kube,
  { namespace, runId, experiment }: { namespace: string; runId: string; experiment: string },
): Belongings {
  const created: Created[] = [];
  let owner: Manifest | undefined;
  const marks = { [label.managedBy]: managedBy, [label.run]: runId, [label.experiment]: experiment };
  const ours = `${label.run}=${runId},${label.experiment}=${experiment}`;

  const marked = <T>(body: T): T => {
    const object = body as Manifest;
    const { metadata } = object;
    return {
      ...object,
      metadata: {
        ...metadata,
        labels: { ...metadata?.labels, ...marks },
        ...(owner && { ownerReferences: [ownerReference(owner)] }),
      },
    } as T;
  };
  const note = (path: string, text: string) => {
    try {
      const { kind, metadata } = JSON.parse(text) as Manifest & { metadata: { uid?: string } };
      if (metadata.uid)
        created.push({
          what: `${kind} ${metadata.name}`,
          uid: metadata.uid,
          path: `${path}/${metadata.name}`,
        });
    } catch {
      // No object in the answer; the label finds it.
    }
  };
  const here = (method: string, path: string) =>
    method === 'POST' && collection.exec(path)?.groups?.namespace === namespace;

  const raw: Kube['raw'] = async (method, path, options) => {
    if (!here(method, path)) return kube.raw(method, path, options);
    const answer = await kube.raw(method, path, { ...options, body: marked(options?.body) });
    if (answer.status < 300) note(path, answer.text);
    return answer;
  };
  const json: Kube['json'] = async <T>(
    method: string,
    path: string,
    options?: Parameters<Kube['json']>[2],
  ) => {
    if (!here(method, path)) return kube.json<T>(method, path, options);
    const answer = await kube.json<T>(method, path, { ...options, body: marked(options?.body) });
    note(path, JSON.stringify(answer));
    return answer;
  };
  const create = async (object: KubernetesObject, ...rest: unknown[]) => {
    const answer = await (kube.objects.create as (...all: unknown[]) => Promise<KubernetesObject>).call(
      kube.objects,
      marked(object),
      ...rest,
    );
    const { kind = '', metadata } = answer;
    const self = await pathOf(kube, { ...object, ...answer } as Manifest, namespace);
    if (metadata?.uid && self)
      created.push({ what: `${kind || object.kind} ${metadata.name}`, uid: metadata.uid, path: self });
    return answer;
  };
  const objects = Object.create(kube.objects, { create: { value: create } }) as Kube['objects'];

  return {
    kube: { ...kube, raw, json, objects },
    belongTo(object) {
      owner = object;
    },
    async remove(limitMs) {
      const deadline = performance.now() + limitMs;
      const problems: string[] = [];
      for (const { what, uid, path } of created.toReversed()) {
        const answer = await kube.raw('DELETE', path, {
          body: { propagationPolicy: 'Background', preconditions: { uid } },
        });
        // 409: another object has its name by now.
        if (answer.status > 299 && answer.status !== 404 && answer.status !== 409)
          problems.push(`${what} (${answer.status} ${answer.text.slice(0, 200)})`);
      }
      let left = await leftOver();
      while (left.length > 0 && performance.now() < deadline) {
        for (const path of left) {
          await kube.raw('DELETE', path, {
            body: {
              propagationPolicy: 'Background',
              ...(/\/pods\/[^/]+$/.test(path) && { gracePeriodSeconds: 1 }),
            },
          });
        }
        await sleep(POLL_MS);
        left = await leftOver();
      }
      if (left.length > 0 || problems.length > 0) {
        throw new FaultError(
          `Namespace ${namespace}: ${[...problems, ...left.map((path) => path.split('/').slice(-2).join(' '))].join(', ')} could not be removed within ${limitMs / 1000} s. Look with: kubectl -n ${namespace} get all -l ${label.run}=${runId}`,
        );
      }
    },
  };

  /** Paths of what is still there and carries our labels; pods of workloads that are gone take a moment. */
  async function leftOver(): Promise<string[]> {
    const lists = await Promise.all(
      [...sweptPaths, '/api/v1/namespaces/NS/pods'].map(async (pattern) => {
        const path = pattern.replace('NS', namespace);
        const answer = await kube.raw('GET', path, { query: { labelSelector: ours } });
        if (answer.status !== 200) return [];
        const { items } = JSON.parse(answer.text) as { items: { metadata: { name: string } }[] };
        return items.map(({ metadata }) => `${path}/${metadata.name}`);
      }),
    );
    return lists.flat();
  }
}

const ownerReference = ({ apiVersion, kind, metadata }: Manifest) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: String(metadata.uid),
});

/** Asks the API server how it calls the kind. */
async function pathOf(
  kube: Kube,
  { apiVersion, kind, metadata }: Manifest,
  namespace: string,
): Promise<string | undefined> {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const answer = await kube.raw('GET', root);
  if (answer.status !== 200) return undefined;
  const { resources } = JSON.parse(answer.text) as { resources?: { name: string; kind: string }[] };
  const found = resources?.find((one) => one.kind === kind && !one.name.includes('/'));
  return found && `${root}/namespaces/${namespace}/${found.name}/${metadata.name}`;
}
