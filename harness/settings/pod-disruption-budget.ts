// Setting: a PodDisruptionBudget beside the workload.
import type { Manifest } from '../model/manifest.ts';
import type { Setting } from '../model/setting.ts';
import { findWorkload } from './workload.ts';

export const podDisruptionBudget: Setting = {
  name: 'podDisruptionBudget',
  title: 'PodDisruptionBudget',
  why: 'Draining a node evicts all of its pods at once unless a budget says how many may be missing. Rollouts and scaling do not ask it.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) => {
    const workload = findWorkload(manifests, context);
    const selector = workload.spec.selector ?? {};
    // Two budgets over one pod make every eviction fail, so one that is there stays alone.
    if (manifests.some((manifest) => isBudgetFor(manifest, selector))) return manifests;
    const { name, namespace, labels } = workload.metadata;
    const budget: Manifest = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, ...(namespace && { namespace }), ...(labels && { labels: { ...labels } }) },
      spec: { maxUnavailable: 1, selector: structuredClone(selector) },
    };
    return [...manifests, budget];
  },
};

function isBudgetFor(manifest: Manifest, selector: object): boolean {
  if (manifest.kind !== 'PodDisruptionBudget') return false;
  const spec = manifest.spec as { selector?: object } | undefined;
  return JSON.stringify(spec?.selector) === JSON.stringify(selector);
}
