// Somebody's manifests on their way to an experiment: what stays out, and the few fields that cannot stay as they are,
// each with its reason. Everything else runs as it is written. Pure.
import type { Manifest } from '../model/manifest.ts';
import { type AppliedSubstitution, claimTemplatesOf } from './definition.ts';
import { fateOf } from './fates.ts';

interface AsIs {
  readonly manifests: readonly Manifest[];
  readonly substitutions: readonly AppliedSubstitution[];
}

/** `workload`: kind and name of the one under test. */
export function asIs(
  given: readonly Manifest[],
  workload: { readonly kind: string; readonly name: string },
): AsIs {
  const substitutions: AppliedSubstitution[] = [];
  const kept: Manifest[] = [];
  for (const manifest of given) {
    const fate = fateOf(manifest, workload);
    if (fate.is === 'created') kept.push(manifest);
    else
      substitutions.push({
        because: `${manifest.kind} ${manifest.metadata.name} is left out: ${fate.because}.`,
        // Its name says it: what it holds may be nobody's business.
        before: [],
        after: [],
      });
  }
  let manifests: readonly Manifest[] = kept;
  const change = (because: string, how: (manifest: Manifest) => Manifest | undefined) => {
    const pairs = manifests.map((manifest) => [manifest, how(manifest) ?? manifest] as const);
    const changed = pairs.filter(([before, after]) => before !== after);
    if (changed.length === 0) return;
    substitutions.push({
      because,
      before: changed.map(([before]) => before),
      after: changed.map(([, after]) => after),
    });
    manifests = pairs.map(([, after]) => after);
  };
  change('Each experiment has a namespace of its own.', withoutNamespace);
  change(
    'Addresses and ports of a Service are left to the cluster: two experiments are deployed at a time.',
    withoutAddresses,
  );
  change(
    'A claim gets a volume of its own, which is empty: the one that it names belongs to somebody else.',
    withoutVolume,
  );
  change(
    'A claim that a StatefulSet makes for a pod goes with the StatefulSet: nothing of it is left on the cluster.',
    withOwnClaims,
  );
  change('Rights are given to the ServiceAccounts of the experiment’s own namespace.', withOwnSubjects);
  const scaler = given.find(
    ({ kind, spec }) =>
      kind === 'HorizontalPodAutoscaler' &&
      (spec as { scaleTargetRef?: { kind?: string; name?: string } } | undefined)?.scaleTargetRef?.name ===
        workload.name &&
      (spec as { scaleTargetRef?: { kind?: string } }).scaleTargetRef?.kind === workload.kind,
  );
  const least = Number((scaler?.spec as { minReplicas?: number } | undefined)?.minReplicas ?? 1);
  change(
    `HorizontalPodAutoscaler ${scaler?.metadata.name} keeps at least ${least} pods and is left out: the number stands still at that.`,
    (manifest) => {
      if (!scaler || manifest.kind !== workload.kind || manifest.metadata.name !== workload.name) return;
      const spec = manifest.spec as { replicas?: number };
      return (spec.replicas ?? 1) >= least ? undefined : { ...manifest, spec: { ...spec, replicas: least } };
    },
  );
  return { manifests, substitutions };
}

function withoutNamespace(manifest: Manifest): Manifest | undefined {
  if (!manifest.metadata.namespace) return;
  const { namespace: _, ...metadata } = manifest.metadata;
  return { ...manifest, metadata };
}

function withoutAddresses(manifest: Manifest): Manifest | undefined {
  if (manifest.kind !== 'Service') return;
  const spec = { ...(manifest.spec as Record<string, unknown>) };
  let changed = false;
  const drop = (holder: Record<string, unknown>, field: string) => {
    if (holder[field] === undefined) return;
    changed = true;
    delete holder[field];
  };
  if (spec.clusterIP !== 'None' && spec.clusterIP !== '') drop(spec, 'clusterIP');
  for (const field of ['clusterIPs', 'externalIPs', 'loadBalancerIP', 'healthCheckNodePort']) {
    if (field === 'clusterIPs' && spec.clusterIP === 'None') continue;
    drop(spec, field);
  }
  spec.ports = ((spec.ports ?? []) as Record<string, unknown>[]).map((port) => {
    const copy = { ...port };
    drop(copy, 'nodePort');
    return copy;
  });
  return changed ? { ...manifest, spec } : undefined;
}

function withoutVolume(manifest: Manifest): Manifest | undefined {
  const { volumeName, ...spec } = (manifest.spec ?? {}) as Record<string, unknown>;
  if (manifest.kind !== 'PersistentVolumeClaim' || volumeName === undefined) return;
  return { ...manifest, spec };
}

function withOwnClaims(manifest: Manifest): Manifest | undefined {
  const spec = (manifest.spec ?? {}) as {
    persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string } | null;
  };
  const { persistentVolumeClaimRetentionPolicy: policy } = spec;
  if (claimTemplatesOf(manifest).length === 0) return;
  if (policy?.whenDeleted === 'Delete') return;
  const own = { ...policy, whenDeleted: 'Delete' };
  return { ...manifest, spec: { ...spec, persistentVolumeClaimRetentionPolicy: own } };
}

function withOwnSubjects(manifest: Manifest): Manifest | undefined {
  if (manifest.kind !== 'RoleBinding') return;
  const subjects = (manifest.subjects ?? []) as { namespace?: string }[];
  if (!subjects.some(({ namespace }) => namespace)) return;
  return { ...manifest, subjects: subjects.map(({ namespace: _, ...subject }) => subject) };
}
