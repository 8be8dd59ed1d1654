// Changes to objects by hand: a patch, an apply, and a request that the API server must refuse.
import { apiMessage, apiStatus } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import type { StepContext, StepRunner } from './context.ts';
import { strategicMerge, workloadPath } from './context.ts';

/** Server-side path of the kinds that scenarios patch. */
const pathOf: Readonly<Record<string, string>> = {
  Deployment: '/apis/apps/v1/namespaces/NS/deployments',
  DaemonSet: '/apis/apps/v1/namespaces/NS/daemonsets',
  Service: '/api/v1/namespaces/NS/services',
  ConfigMap: '/api/v1/namespaces/NS/configmaps',
  Pod: '/api/v1/namespaces/NS/pods',
  HorizontalPodAutoscaler: '/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers',
  PodDisruptionBudget: '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
};

export const patchObject: StepRunner<'patch'> = async (step, context) => {
  const path = objectPath(context, step.kind, step.name);
  await context.kube.json('PATCH', path, { contentType: strategicMerge, body: step.patch });
  return { path };
};

/** Creates the object, or changes it as `kubectl apply` would: what the manifest says wins, the rest stays. */
export const applyObject: StepRunner<'apply'> = async (step, context) => {
  const { kind, metadata } = step.manifest as { kind?: string; metadata?: { name?: string } };
  const path = objectPath(context, kind, metadata?.name);
  const exists = (await context.kube.raw('GET', path)).status !== 404;
  if (exists) {
    await context.kube.json('PATCH', path, { contentType: strategicMerge, body: step.manifest });
  } else {
    await context.kube.json('POST', path.slice(0, path.lastIndexOf('/')), { body: step.manifest });
  }
  return { path, created: !exists };
};

/** The refusal is the result: the answer goes into the journal, and no answer but a refusal is a fault. */
export const expectRefusal: StepRunner<'expect-refusal'> = async (step, context) => {
  try {
    await context.kube.json('PATCH', workloadPath(context), {
      contentType: strategicMerge,
      body: step.patch,
    });
  } catch (error) {
    const status = apiStatus(error);
    if (status === undefined) throw error;
    const message = apiMessage(error);
    return { refused: true, status, message, asExpected: message.includes(step.message) };
  }
  throw new FaultError(
    `Step expect-refusal: the API server took the change that it should refuse with "${step.message}".`,
  );
};

function objectPath(context: StepContext, kind: string | undefined, name: string | undefined): string {
  if (!kind && !name) return workloadPath(context);
  const base = pathOf[kind ?? context.workload.kind];
  if (!base)
    throw new FaultError(
      `Steps cannot change kind ${kind}; they can change ${Object.keys(pathOf).join(', ')}.`,
    );
  return `${base.replace('NS', context.namespace)}/${name ?? context.workload.name}`;
}
