// A volume that one node, or one pod, may write, and a rollout that starts the new pod beside the old one.
import { fields, list } from '../fields.ts';
import { rolloutStuck } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import type { Related } from '../related.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { rollingUpdateOf, singleWriterClaim, type Workload } from '../workload.ts';

export const surgeBlockedByVolume: Rule = {
  id: 'surge-blocked-by-volume',
  severity: 'warning',
  title: 'rolling update with a volume of one node',
  why: 'A ReadWriteOnce volume is attached to one node at a time, a ReadWriteOncePod volume is used by one pod. A rolling update that starts the new pod first waits for the volume, and the old pod, which holds it, is stopped only when the new one is ready: on another node the rollout never ends. Two pods on one node write the same files.',
  scenario: 'image-change',
  find: ({ workloads, related }: CheckInput) => workloads.flatMap((workload) => findIn(workload, related)),
  measured: rolloutStuck,
};

function findIn(workload: Workload, related: Related): readonly Draft[] {
  const { object, pod, specPath } = workload;
  const rolling = rollingUpdateOf(workload);
  const used = rolling && singleWriterClaim(object, pod, related);
  // A claim that is not among the files may be one of many nodes.
  if (!rolling || !used?.claim || rolling.surge === 0) return [];
  const modes = list(fields(used.claim.value.spec).accessModes).join(', ');
  const path = [...specPath, 'strategy'];
  return [
    {
      object,
      other: used.claim,
      path,
      severity: modes === 'ReadWriteOncePod' ? 'error' : 'warning',
      message: `${nameOf(object)} rolls by starting a new pod beside the old one (maxSurge ${rolling.surge}), and ${partnerName(used.claim, object)} is ${modes || 'for one node'}: on another node the new pod waits for ever.`,
      changes: workload.kind === 'Deployment' ? [{ set: path, value: { type: 'Recreate' } }] : [],
      advice: '# take the old pod away first (maxSurge 0, maxUnavailable 1), or use a volume of many nodes',
    },
  ];
}
