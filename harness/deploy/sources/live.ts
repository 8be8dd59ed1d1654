// A workload as it runs on a cluster: read with its Service and what its pods mount, and stripped of what the cluster
// wrote into it, so that it can be created again somewhere else.
import type { TargetConfiguration } from '../../config/schema.ts';
import { toApiError } from '../../kube/api-error.ts';
import type { Kube } from '../../kube/client.ts';
import { rolloutApiVersion, rolloutHashLabel } from '../../model/argo-rollout.ts';
import { UsageError } from '../../model/errors.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import { unknownRollouts } from '../argo-rollouts.ts';
import { podTemplateOf } from '../definition.ts';
import type { ReadManifest } from '../read-manifests.ts';
import { claimsOf, type Reference, referencesOf } from '../references.ts';

export interface LiveSource {
  /** Connects to the cluster of the kubeconfig. */
  connect(): Promise<Kube>;
  /** --copy-secrets: Secrets that the pods mount are read, too. */
  readonly copySecrets: boolean;
  /** Nothing is to run: Secrets are neither needed nor asked about. */
  readonly withoutSecrets?: boolean;
}

interface Kinds {
  readonly path: string;
  readonly kind: string;
  readonly apiVersion: string;
}
const kinds: Readonly<Record<'deployment' | 'statefulSet' | 'daemonSet' | 'rollout', Kinds>> = {
  deployment: { path: 'apis/apps/v1', kind: 'Deployment', apiVersion: 'apps/v1' },
  statefulSet: { path: 'apis/apps/v1', kind: 'StatefulSet', apiVersion: 'apps/v1' },
  daemonSet: { path: 'apis/apps/v1', kind: 'DaemonSet', apiVersion: 'apps/v1' },
  rollout: { path: `apis/${rolloutApiVersion}`, kind: 'Rollout', apiVersion: rolloutApiVersion },
};

export async function readLive(
  target: TargetConfiguration,
  { at, live }: { at(path: FieldPath): string; readonly live: LiveSource },
): Promise<ReadManifest[]> {
  const namespace = target.namespace ?? 'default';
  const field = (['deployment', 'statefulSet', 'daemonSet', 'rollout'] as const).find((one) => target[one]);
  if (!field) throw new UsageError(`${at(['target'])}: target names no workload.`);
  const kube = await live.connect();
  const read: ReadManifest[] = [];
  try {
    const get = async (path: string, kind: string, apiVersion: string, name: string) => {
      const answer = await kube.raw('GET', path);
      const where = `${at(['target', field])}: target.${field}`;
      if (answer.status === 404)
        throw new UsageError(
          `${where}: ${(kind === 'Rollout' && (await unknownRollouts(kube))) || `namespace ${namespace} of the cluster has no ${kind} "${name}".`}`,
        );
      if (answer.status !== 200)
        throw new UsageError(
          `${where}: ${kind} ${name} of namespace ${namespace} cannot be read: the API server answered ${answer.status}.`,
        );
      return { ...(JSON.parse(answer.text) as Manifest), apiVersion, kind };
    };
    const name = target[field] as string;
    const { path, kind, apiVersion } = kinds[field];
    const plural = `${kind.toLowerCase()}s`;
    const workload = stripped(
      await get(`/${path}/namespaces/${namespace}/${plural}/${name}`, kind, apiVersion, name),
    );
    const add = (manifest: Manifest) =>
      read.push({
        manifest,
        at: () => `cluster, namespace ${namespace}, ${manifest.kind} ${manifest.metadata.name}`,
      });
    add(workload);
    const list = await kube.json<{ items: Manifest[] }>('GET', `/api/v1/namespaces/${namespace}/services`);
    const labels = podTemplateOf(workload)?.metadata?.labels ?? {};
    for (const service of list.items.map(strippedService).filter((one) => selects(one, labels))) add(service);
    for (const { kind: needed, name: needs, optional } of [
      ...referencesOf(workload),
      ...claimsOf(workload),
    ]) {
      if (needed === 'Secret' && live.withoutSecrets) continue;
      if (needed === 'Secret' && !live.copySecrets)
        throw new UsageError(
          `${at(['target', field])}: target.${field}: ${kind} ${name} needs Secret "${needs}" of namespace ${namespace}. Allow its copy into the run's namespace with --copy-secrets; it is never recorded.`,
        );
      const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/${pluralOf(needed)}/${needs}`);
      if (answer.status === 404 && optional) continue;
      if (answer.status !== 200)
        throw new UsageError(
          `${at(['target', field])}: target.${field}: ${kind} ${name} needs ${needed} "${needs}" of namespace ${namespace}, which cannot be read (status ${answer.status}).`,
        );
      const object = stripped({ ...(JSON.parse(answer.text) as Manifest), apiVersion: 'v1', kind: needed });
      add(needed === 'ServiceAccount' ? withoutTokens(object) : object);
    }
  } finally {
    kube.close();
  }
  return read;
}

/** The workloads of a namespace that can be put under test. */
export async function readNames(
  connect: LiveSource['connect'],
  namespace: string,
): Promise<{ readonly field: string; readonly kind: string; readonly name: string }[]> {
  const kube = await connect();
  try {
    const lists = await Promise.all(
      (['deployment', 'statefulSet', 'daemonSet', 'rollout'] as const).map(async (field) => {
        const { kind, path } = kinds[field];
        const answer = await kube.raw('GET', `/${path}/namespaces/${namespace}/${kind.toLowerCase()}s`);
        // Most clusters do not know the kind, and whoever may not list it names one.
        if (field === 'rollout' && answer.status !== 200) return [];
        if (answer.status !== 200) throw toApiError(answer);
        const { items } = JSON.parse(answer.text) as { items: Manifest[] };
        return items.map(({ metadata }) => ({ field, kind, name: metadata.name }));
      }),
    );
    return lists.flat();
  } finally {
    kube.close();
  }
}

const pluralOf = (kind: Reference['kind']): string => `${kind.toLowerCase()}s`;

const selects = (service: Manifest, labels: Readonly<Record<string, string>>): boolean => {
  const { selector } = (service.spec ?? {}) as { selector?: Record<string, string> };
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
};

/** What a controller or the API server writes, and names of people's tools. */
const writtenAnnotations =
  /^(deployment\.kubernetes\.io\/|rollout\.argoproj\.io\/|argo-rollouts\.argoproj\.io\/managed-by-rollouts$|pv\.kubernetes\.io\/|volume\.(beta\.)?kubernetes\.io\/|kubectl\.kubernetes\.io\/last-applied-configuration|deprecated\.daemonset|meta\.helm\.sh\/)/;

export function stripped(object: Manifest): Manifest {
  const { status: _, ...rest } = structuredClone(object) as Manifest & { status?: unknown };
  const { name, labels, annotations } = rest.metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !writtenAnnotations.test(key));
  return {
    ...rest,
    metadata: {
      name,
      ...(labels && { labels }),
      ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
    },
  };
}

/** The copy gets tokens of its own; Secrets to pull images with are asked for by the pods. */
function withoutTokens({ secrets: _, imagePullSecrets: __, ...account }: Manifest): Manifest {
  return account as Manifest;
}

function strippedService(object: Manifest): Manifest {
  const service = stripped({ ...object, apiVersion: 'v1', kind: 'Service' });
  const {
    clusterIPs: _,
    ipFamilies: __,
    ipFamilyPolicy: ___,
    ...spec
  } = (service.spec ?? {}) as Record<string, unknown>;
  const { selector } = spec as { selector?: Record<string, string> };
  if (!selector || !(rolloutHashLabel in selector)) return { ...service, spec };
  // The controller of Argo Rollouts points it at the pods of one template.
  const { [rolloutHashLabel]: ____, ...own } = selector;
  return { ...service, spec: { ...spec, selector: own } };
}
