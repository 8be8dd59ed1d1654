// Setting: a PodDisruptionBudget beside the workload.
import type { Manifest } from '../model/manifest.ts';
import type { Setting } from '../model/setting.ts';
import { selectsLabels } from './selector.ts';
import { findWorkload, sizedWorkloads } from './workload.ts';

export const podDisruptionBudget: Setting = {
  name: 'podDisruptionBudget',
  title: 'PodDisruptionBudget',
  why: 'Draining a node evicts all of its pods at once unless a budget says how many may be missing. Rollouts and scaling do not ask it.',
  changes: 'manifest',
  appliesTo: sizedWorkloads,
  conflictsWith: [],
  apply: (manifests, context) => {
    const workload = findWorkload(manifests, context);
    const { name, namespace, labels } = workload.metadata;
    const budgets = manifests.filter(
      (manifest) => manifest.kind === 'PodDisruptionBudget' && manifest.metadata.namespace === namespace,
    );
    const podLabels = workload.spec.template.metadata?.labels ?? {};
    // Two budgets over one pod make every eviction fail, so one that is there stays alone.
    const present = budgets.find((budget) =>
      selectsLabels((budget.spec as { selector?: unknown } | undefined)?.selector, podLabels),
    );
    if (present)
      return { unchanged: `PodDisruptionBudget "${present.metadata.name}" covers its pods already` };
    const budget: Manifest = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: {
        name: freeName(name, budgets),
        ...(namespace && { namespace }),
        ...(labels && { labels: { ...labels } }),
      },
      spec: { maxUnavailable: 1, selector: structuredClone(workload.spec.selector ?? {}) },
    };
    return { manifests: [...manifests, budget] };
  },
};

/** A budget of that name may be there for other pods. */
function freeName(name: string, taken: readonly Manifest[]): string {
  const names = new Set(taken.map(({ metadata }) => metadata.name));
  for (let tried = 1; ; tried++) {
    const candidate = tried === 1 ? name : `${name}-${tried}`;
    if (!names.has(candidate)) return candidate;
  }
}
