// What of somebody's manifests cannot be tested, by name and at once: before a cluster is there, and before a time limit
// has to pass. Pure.
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import { podTemplateOf } from './definition.ts';
import { fateOf } from './fates.ts';
import { partitionOf, partitionWarnings } from './partition.ts';
import type { ReadManifest } from './read-manifests.ts';
import { claimsOf, keysOf, referencesOf } from './references.ts';
import { rolloutProblems } from './rollout-problems.ts';

interface WorkloadSpec {
  replicas?: number | null;
  paused?: boolean | null;
  strategy?: Strategy | null;
  updateStrategy?: Strategy | null;
  volumeClaimTemplates?: { metadata: { name: string }; spec: { accessModes?: string[] } }[] | null;
}
interface Strategy {
  type?: string | null;
  rollingUpdate?: {
    maxSurge?: number | string | null;
    maxUnavailable?: number | string | null;
  } | null;
}
type Names = { readonly kind: string; readonly name: string };

/** Throws UsageError with everything that is in the way, a line each. */
export function refuseUntestable(read: readonly ReadManifest[], workload: Names): void {
  const problems = read
    .filter(({ manifest }) => fateOf(manifest, workload).is === 'created' || isNamed(manifest, workload))
    .flatMap((one) => problemsOf(one, read, workload));
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
}

/** Throws UsageError with what is in the way of the workload itself, as `refuseUntestable` does for all objects. */
export function refuseWorkload(workload: ReadManifest, read: readonly ReadManifest[]): void {
  const { kind, metadata } = workload.manifest;
  const problems = changeProblems(workload, read, { kind, name: metadata.name });
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
}

const isNamed = ({ kind, metadata }: Manifest, { kind: wanted, name }: Names): boolean =>
  kind === wanted && metadata.name === name;

function problemsOf(
  { manifest, at }: ReadManifest,
  read: readonly ReadManifest[],
  workload: Names,
): string[] {
  const problems = isNamed(manifest, workload) ? changeProblems({ manifest, at }, read, workload) : [];
  for (const { kind, name, optional, path } of [...referencesOf(manifest), ...claimsOf(manifest)]) {
    const there = read.some(({ manifest: one }) => one.kind === kind && one.metadata.name === name);
    if (!there && !optional && !isGenerated(kind, name))
      problems.push(
        `${at(path)}: ${titleOf(manifest)}: needs ${kind} "${name}", which the manifests do not have; its pods would never start. Add it to them.`,
      );
  }
  for (const { kind, name, key, path } of keysOf(manifest)) {
    const holder = read.find(
      ({ manifest: one }) => one.kind === kind && one.metadata.name === name,
    )?.manifest;
    const { data, binaryData, stringData } = (holder ?? {}) as Partial<Record<string, object | null>>;
    const keys = Object.keys({ ...data, ...binaryData, ...stringData });
    if (holder && !keys.includes(key))
      problems.push(
        `${at(path)}: ${titleOf(manifest)}: needs the key "${key}" of ${kind} "${name}", which has ${keys.join(', ') || 'none'}; its pods would never start.`,
      );
  }
  return problems;
}

const titleOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;

/** Why a change of the workload under test would show nothing, or never end. */
function changeProblems(
  { manifest, at }: ReadManifest,
  read: readonly ReadManifest[],
  workload: Names,
): string[] {
  const say = (path: FieldPath, sentence: string) => `${at(path)}: ${titleOf(manifest)}: ${sentence}`;
  const problems: string[] = [];
  const spec = (manifest.spec ?? {}) as WorkloadSpec;
  if (manifest.kind === 'Rollout')
    problems.push(...rolloutProblems(manifest, read).map(({ path, sentence }) => say(path, sentence)));
  if (spec.updateStrategy?.type === 'OnDelete')
    problems.push(
      say(
        ['spec', 'updateStrategy', 'type'],
        'updateStrategy OnDelete replaces no pod by itself, so a rollout would never end. Use RollingUpdate to test one.',
      ),
    );
  const held = partitionOf(manifest);
  if (held && held.reached <= 0)
    problems.push(
      say(
        ['spec', 'updateStrategy', 'rollingUpdate', 'partition'],
        `partition ${held.partition} of ${held.replicas} replica${held.replicas === 1 ? '' : 's'} keeps every pod at its revision, so a change would replace no pod. Set it below the number of replicas to test one.`,
      ),
    );
  if (spec.paused) problems.push(say(['spec', 'paused'], 'is paused, so a change would replace no pod.'));
  if (spec.replicas === 0 && !scaledBy(read, workload))
    problems.push(say(['spec', 'replicas'], 'has 0 replicas: there is no pod that could answer.'));
  for (const claim of claimsOf(manifest))
    if (accessModes(read, claim.name).includes('ReadWriteOncePod') && !deletesFirst(spec, manifest.kind))
      problems.push(
        say(
          claim.path,
          `PersistentVolumeClaim ${claim.name} is ReadWriteOncePod: the new pod waits for the volume that the old pod holds, and the old one goes only when the new one is ready. Use strategy Recreate, or a StatefulSet.`,
        ),
      );
  return problems;
}

/** Each namespace has one. */
export const isGenerated = (kind: string, name: string): boolean =>
  kind === 'ConfigMap' && name === 'kube-root-ca.crt';

const scaledBy = (read: readonly ReadManifest[], { kind, name }: Names): boolean =>
  read.some(({ manifest }) => {
    if (manifest.kind !== 'HorizontalPodAutoscaler') return false;
    const ref = (manifest.spec as { scaleTargetRef?: { kind?: string; name?: string } } | undefined)
      ?.scaleTargetRef;
    return ref?.kind === kind && ref.name === name;
  });

const accessModes = (read: readonly ReadManifest[], claim: string): readonly string[] => {
  const found = read.find(
    ({ manifest }) => manifest.kind === 'PersistentVolumeClaim' && manifest.metadata.name === claim,
  );
  return (found?.manifest.spec as { accessModes?: string[] } | undefined)?.accessModes ?? [];
};

/** Whether the old pod goes before the new one comes. */
function deletesFirst({ strategy, updateStrategy }: WorkloadSpec, kind: string): boolean {
  if (kind === 'StatefulSet') return true;
  if (kind === 'DaemonSet') return (updateStrategy?.rollingUpdate?.maxSurge ?? 0) === 0;
  return strategy?.type === 'Recreate';
}

/** What may stand still once it runs, or is left out of what it measures: said before anything does. */
export function standstills(manifests: readonly Manifest[], workload: Names): string[] {
  const found = manifests.find((manifest) => isNamed(manifest, workload));
  if (!found) return [];
  const spec = (found.spec ?? {}) as WorkloadSpec;
  const read = manifests.map((manifest) => ({ manifest, at: () => '' }));
  if (found.kind === 'StatefulSet') return partitionWarnings(found);
  if (deletesFirst(spec, found.kind)) return [];
  return claimsOf(found)
    .filter(({ name }) => accessModes(read, name).includes('ReadWriteOnce'))
    .map(
      ({ name }) =>
        `${found.kind} ${workload.name} mounts PersistentVolumeClaim ${name}, which is ReadWriteOnce: a new pod on another node waits for the volume that the old pod holds, and the old one goes only when the new one is ready. A rolling update can stand still for ever; use strategy Recreate, or a StatefulSet.`,
    );
}

/** What stands between the target's Service and its pods. Throws UsageError. */
export function refuseUnreachable(service: ReadManifest, workload: Manifest, port: number): void {
  const { manifest, at } = service;
  const spec = (manifest.spec ?? {}) as {
    type?: string | null;
    clusterIP?: string | null;
    externalName?: string | null;
    selector?: Record<string, string> | null;
    ports?: { port?: number; protocol?: string | null; targetPort?: number | string | null }[] | null;
  };
  const refuse = (path: FieldPath, sentence: string): never => {
    throw new UsageError(`${at(path)}: Service ${manifest.metadata.name}: ${sentence}`);
  };
  if (spec.type === 'ExternalName')
    refuse(['spec', 'type'], `is an ExternalName (${spec.externalName ?? ''}): it has no pods to change.`);
  if (spec.clusterIP === 'None')
    refuse(
      ['spec', 'clusterIP'],
      'is headless (clusterIP: None): clients choose pods by DNS, and rollproof measures what goes by a ClusterIP. Name a Service that has one.',
    );
  const selector = Object.entries(spec.selector ?? {});
  if (selector.length === 0) refuse(['spec', 'selector'], 'has no selector, so no pod is behind it.');
  const labels = podTemplateOf(workload)?.metadata?.labels ?? {};
  const differs = selector.filter(([key, value]) => labels[key] !== value);
  if (differs.length > 0)
    refuse(
      ['spec', 'selector', differs[0]?.[0] ?? ''],
      `its selector matches no pod of ${workload.kind} ${workload.metadata.name}: it wants ${differs.map(([key, value]) => `${key}=${value}`).join(', ')}, the pods have ${
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(', ') || 'no labels'
      }.`,
    );
  const index = (spec.ports ?? []).findIndex((one) => one.port === port);
  const wanted = spec.ports?.[index]?.targetPort;
  const named = portNames(workload);
  if (typeof wanted === 'string' && !/^\d+$/.test(wanted) && !named.includes(wanted))
    refuse(
      ['spec', 'ports', index, 'targetPort'],
      `sends to the port "${wanted}", and no container of ${workload.kind} ${workload.metadata.name} has a port of that name (they have ${named.join(', ') || 'none with a name'}): it would have no endpoint.`,
    );
}

/** Sidecars among the init containers serve, too. */
function portNames(workload: Manifest): string[] {
  const spec = podTemplateOf(workload)?.spec as
    | Readonly<Record<'containers' | 'initContainers', { ports?: { name?: string }[] | null }[] | undefined>>
    | undefined;
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ name }) => name ?? []),
  );
}

/** What pods wait for on a cluster of our own, where no controller of somebody's is, and nothing but what comes with it. */
export const missingOnOurs = (manifests: readonly Manifest[]): string[] =>
  manifests.flatMap((manifest) =>
    [
      ...gatesOf(manifest).map(
        (gate) =>
          `its pods have the readiness gate "${gate}", which nobody sets on this cluster: they would never be Ready`,
      ),
      ...neverPlaced(manifest),
    ].map((sentence) => `${titleOf(manifest)}: ${sentence}.`),
  );

/** Why no pod of it would get to a node. */
function neverPlaced(manifest: Manifest): string[] {
  const { schedulerName, schedulingGates, priorityClassName, runtimeClassName } = (podTemplateOf(manifest)
    ?.spec ?? {}) as {
    schedulerName?: string | null;
    schedulingGates?: { name: string }[] | null;
    priorityClassName?: string | null;
    runtimeClassName?: string | null;
  };
  const found: string[] = [];
  if (schedulerName && schedulerName !== 'default-scheduler')
    found.push(`its pods wait for the scheduler "${schedulerName}", which nobody runs on this cluster`);
  for (const { name } of schedulingGates ?? [])
    found.push(`its pods have the scheduling gate "${name}", which nobody removes on this cluster`);
  if (priorityClassName && !priorityClassName.startsWith('system-'))
    found.push(`its pods need PriorityClass "${priorityClassName}", which this cluster does not have`);
  if (runtimeClassName)
    found.push(`its pods need RuntimeClass "${runtimeClassName}", which this cluster does not have`);
  return found;
}

export function gatesOf(workload: Manifest): string[] {
  const spec = podTemplateOf(workload)?.spec as
    | { readinessGates?: { conditionType: string }[] | null }
    | undefined;
  return (spec?.readinessGates ?? []).map(({ conditionType }) => conditionType);
}
