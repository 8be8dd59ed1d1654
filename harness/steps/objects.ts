// Objects by hand: a patch, an apply, the target's workload itself, fields as the API server has them, and requests that
// it must refuse.
import { apiMessage, apiStatus } from '../kube/api-error.ts';
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import { FaultError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { StepContext, StepDetail, StepRunner } from './context.ts';
import { mergePatch, strategicMerge, workloadPath } from './context.ts';
import { withDeletions } from './three-way.ts';

/** Server-side path of the kinds that scenarios patch. */
const pathOf: Readonly<Record<string, string>> = {
  Deployment: '/apis/apps/v1/namespaces/NS/deployments',
  DaemonSet: '/apis/apps/v1/namespaces/NS/daemonsets',
  StatefulSet: '/apis/apps/v1/namespaces/NS/statefulsets',
  Service: '/api/v1/namespaces/NS/services',
  ConfigMap: '/api/v1/namespaces/NS/configmaps',
  Secret: '/api/v1/namespaces/NS/secrets',
  Pod: '/api/v1/namespaces/NS/pods',
  HorizontalPodAutoscaler: '/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers',
  PodDisruptionBudget: '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
  Ingress: '/apis/networking.k8s.io/v1/namespaces/NS/ingresses',
  HTTPRoute: '/apis/gateway.networking.k8s.io/v1/namespaces/NS/httproutes',
  Rollout: `/apis/${rolloutApiVersion}/namespaces/NS/rollouts`,
};

/** Kinds that come with CRDs: the API server has no strategic merge for them. */
const custom: ReadonlySet<string> = new Set(['HTTPRoute', 'Rollout']);

export const patchObject: StepRunner<'patch'> = async (step, context) => {
  const path = objectPath(context, step.kind, step.name);
  await context.kube.json('PATCH', path, {
    contentType: custom.has(step.kind ?? '') ? mergePatch : strategicMerge,
    body: step.patch,
  });
  return { path };
};

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const kubectlApply = { fieldManager: 'kubectl-client-side-apply' };

/**
 * Creates the object, or changes it as `kubectl apply` does on the client's side: what the manifest says wins, what the
 * last applied one said and this one does not is taken away, the rest stays. The object remembers the manifest.
 */
export const applyObject: StepRunner<'apply'> = async (step, context) => {
  const { namespace, workload, kube } = context;
  const { kind = workload.kind, metadata: given } = step.manifest as Partial<Manifest>;
  const { name = workload.name, annotations = {} } = given ?? {};
  const path = objectPath(context, kind, name);
  const metadata = { ...given, name, namespace, annotations };
  const applied = JSON.stringify({ ...step.manifest, kind, metadata });
  const body = {
    ...step.manifest,
    kind,
    metadata: { ...metadata, annotations: { ...annotations, [lastApplied]: `${applied}\n` } },
  };
  const found = await kube.raw('GET', path);
  if (found.status === 404) {
    await kube.json('POST', path.slice(0, path.lastIndexOf('/')), { query: kubectlApply, body });
    return { path, created: true };
  }
  const present = JSON.parse(found.text) as Manifest;
  const before = present.metadata.annotations?.[lastApplied];
  await kube.json('PATCH', path, {
    query: kubectlApply,
    contentType: strategicMerge,
    body: before === undefined ? body : withDeletions(JSON.parse(before), body),
  });
  return { path, created: false };
};

export const expectRefusal: StepRunner<'expect-refusal'> = (step, context) =>
  refusal('expect-refusal', step.message, () =>
    context.kube.json('PATCH', workloadPath(context), { contentType: strategicMerge, body: step.patch }),
  );

export const deploy: StepRunner<'deploy'> = async ({ refusedWith }, context) => {
  const manifest = context.undeployed;
  if (!manifest) {
    throw new FaultError(
      'Step deploy: the workload is there already; the scenario needs target.deployed: false.',
    );
  }
  const path = collectionPath(manifest, context.namespace);
  const create = () => context.kube.json('POST', path, { body: manifest });
  if (refusedWith !== undefined) return { path, ...(await refusal('deploy', refusedWith, create)) };
  await create();
  return { path, created: true };
};

/** The refusal is the result: the answer goes into the journal, and no answer but a refusal is a fault. */
async function refusal(step: string, words: string, act: () => Promise<unknown>): Promise<StepDetail> {
  try {
    await act();
  } catch (error) {
    const status = apiStatus(error);
    if (status === undefined) throw error;
    const message = apiMessage(error);
    return { refused: true, status, message, asExpected: message.includes(words) };
  }
  throw new FaultError(`Step ${step}: the API server took what it should refuse with "${words}".`);
}

/** Where an object of any version is created, served or not: the server's own answer says which. */
function collectionPath({ apiVersion, kind }: Manifest, namespace: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${root}/namespaces/${namespace}/${kind.toLowerCase()}s`;
}

export const readFields: StepRunner<'read-fields'> = async (step, context) => {
  const object = await context.kube.json<unknown>('GET', objectPath(context, step.kind, step.name));
  return Object.fromEntries(
    Object.entries(step.fields).map(([name, path]) => [name, fieldText(object, path)]),
  );
};

/** Text, so that claims can compare it; what is not there is said. */
function fieldText(object: unknown, path: string): string {
  const value = path
    .split('.')
    .reduce<unknown>((inside, key) => (inside as Record<string, unknown> | undefined)?.[key], object);
  if (value === undefined || value === null) return '(none)';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function objectPath(context: StepContext, kind: string | undefined, name: string | undefined): string {
  if (!kind && !name) return workloadPath(context);
  const base = pathOf[kind ?? context.workload.kind];
  if (!base)
    throw new FaultError(
      `Steps cannot change kind ${kind}; they can change ${Object.keys(pathOf).join(', ')}.`,
    );
  return `${base.replace('NS', context.namespace)}/${name ?? context.workload.name}`;
}
