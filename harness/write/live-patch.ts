// Settings for a workload that is known from its cluster alone: the patch, to be applied by whoever may. Pure.
import { stringify } from 'yaml';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import type { Manifest } from '../model/manifest.ts';
import { operationsBetween, strategicPatch } from './difference.ts';
import { type Apply, objectName, type WritePlan } from './plan.ts';

export function livePlan(
  read: readonly ReadManifest[],
  apply: Apply,
  workload: { readonly kind: string; readonly name: string },
  namespace: string,
): WritePlan {
  const before = read.map(({ manifest }) => manifest);
  const after = apply(before);
  const index = before.findIndex(
    ({ kind, metadata }) => kind === workload.kind && metadata.name === workload.name,
  );
  // Kinds that come with a CRD have no strategic merge.
  const operations = workload.kind === 'Rollout' && operationsBetween(before[index], after[index]);
  const patch = operations
    ? operations.length > 0
      ? operations
      : undefined
    : strategicPatch(before[index], after[index]);
  const added = after.slice(before.length).map((object) => ({
    ...object,
    metadata: { ...object.metadata, namespace },
  }));
  const yaml = (value: unknown) => stringify(value, { lineWidth: 0 });
  const target = `${workload.kind.toLowerCase()} ${workload.name} --namespace ${namespace}`;
  return {
    files: [],
    notes: added.map((object) => `${objectName(object)} is one object more: kubectl apply -f FILE.`),
    patch: {
      text: [patch === undefined ? '' : yaml(patch), ...added.map((object) => yaml(object))]
        .filter(Boolean)
        .join('---\n'),
      command: `kubectl patch ${target} --type ${operations ? 'json' : 'strategic'} --patch-file FILE`,
    },
    manifests: after.map((manifest: Manifest) => ({
      manifest,
      at: () => `cluster, namespace ${namespace}, ${objectName(manifest)}`,
    })),
  };
}
