// What a workload's pods need beside their images: objects that they name and that must be there before they start.
import type { Manifest } from '../model/manifest.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import { claimTemplatesOf, podTemplateOf } from './definition.ts';

export interface Reference {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount';
  readonly name: string;
  readonly optional: boolean;
  /** Of the manifest. */
  readonly path: FieldPath;
}

interface Named {
  name?: string | null;
  optional?: boolean | null;
}
interface KeyRef extends Named {
  key?: string | null;
}
interface Items extends Named {
  items?: { key: string }[] | null;
}
interface Volume {
  name?: string;
  configMap?: Items | null;
  secret?: (Items & { secretName?: string | null }) | null;
  persistentVolumeClaim?: { claimName: string } | null;
  projected?: { sources?: { configMap?: Items; secret?: Items }[] | null } | null;
}
interface Env {
  valueFrom?: { configMapKeyRef?: KeyRef; secretKeyRef?: KeyRef } | null;
}
interface WithEnv {
  env?: Env[] | null;
  envFrom?: { configMapRef?: Named; secretRef?: Named }[] | null;
}

/** ConfigMaps, Secrets and the ServiceAccount of a workload's (or a Pod's) pods, each once. */
export function referencesOf(manifest: Manifest): Reference[] {
  const [spec, base] = podSpecOf(manifest);
  if (!spec) return [];
  const found: Reference[] = [];
  const add = (kind: Reference['kind'], named: Named | null | undefined, path: FieldPath) => {
    const name = named?.name;
    if (!name || found.some((one) => one.kind === kind && one.name === name)) return;
    found.push({ kind, name, optional: named.optional === true, path: [...base, ...path] });
  };
  for (const [index, volume] of ((spec.volumes ?? []) as Volume[]).entries()) {
    const at = ['volumes', index];
    add('ConfigMap', volume.configMap, at);
    if (volume.secret)
      add('Secret', { name: volume.secret.secretName ?? null, optional: volume.secret.optional ?? null }, at);
    for (const source of volume.projected?.sources ?? []) {
      add('ConfigMap', source.configMap, at);
      add('Secret', source.secret, at);
    }
  }
  for (const field of ['initContainers', 'containers'] as const)
    for (const [index, container] of ((spec[field] ?? []) as WithEnv[]).entries()) {
      for (const [number, { valueFrom }] of (container.env ?? []).entries()) {
        add('ConfigMap', valueFrom?.configMapKeyRef, [field, index, 'env', number]);
        add('Secret', valueFrom?.secretKeyRef, [field, index, 'env', number]);
      }
      for (const [number, from] of (container.envFrom ?? []).entries()) {
        add('ConfigMap', from.configMapRef, [field, index, 'envFrom', number]);
        add('Secret', from.secretRef, [field, index, 'envFrom', number]);
      }
    }
  // A kubelet starts a pod without one, too.
  for (const [index, secret] of ((spec.imagePullSecrets ?? []) as Named[]).entries())
    add('Secret', { ...secret, optional: true }, ['imagePullSecrets', index]);
  const account = spec.serviceAccountName as string | undefined;
  if (account && account !== 'default') add('ServiceAccount', { name: account }, ['serviceAccountName']);
  return found;
}

/** A key that a variable or a mounted file is made of. */
interface KeyReference {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly key: string;
  readonly path: FieldPath;
}

/** Keys of ConfigMaps and Secrets without which no container starts. */
export function keysOf(manifest: Manifest): KeyReference[] {
  const [spec, base] = podSpecOf(manifest);
  const found: KeyReference[] = [];
  const add = (
    kind: KeyReference['kind'],
    { name, optional }: Named,
    key: string | null | undefined,
    path: FieldPath,
  ) => {
    if (name && key && optional !== true) found.push({ kind, name, key, path: [...base, ...path] });
  };
  for (const [index, { configMap, secret, projected }] of ((spec?.volumes ?? []) as Volume[]).entries()) {
    const at = ['volumes', index];
    for (const { key } of configMap?.items ?? []) add('ConfigMap', configMap ?? {}, key, at);
    for (const { key } of secret?.items ?? [])
      add('Secret', { name: secret?.secretName ?? null, optional: secret?.optional ?? null }, key, at);
    for (const source of projected?.sources ?? []) {
      for (const { key } of source.configMap?.items ?? []) add('ConfigMap', source.configMap ?? {}, key, at);
      for (const { key } of source.secret?.items ?? []) add('Secret', source.secret ?? {}, key, at);
    }
  }
  for (const field of ['initContainers', 'containers'] as const)
    for (const [index, { env }] of ((spec?.[field] ?? []) as WithEnv[]).entries())
      for (const [number, { valueFrom }] of (env ?? []).entries()) {
        const at = [field, index, 'env', number];
        const { configMapKeyRef: own, secretKeyRef: secret } = valueFrom ?? {};
        if (own) add('ConfigMap', own, own.key, at);
        if (secret) add('Secret', secret, secret.key, at);
      }
  return found;
}

/** PersistentVolumeClaims that the pods mount, without those that a StatefulSet makes. */
export function claimsOf(manifest: Manifest): Reference[] {
  const [spec, base] = podSpecOf(manifest);
  // Its controller puts a claim of its own in place of a volume that has a template's name.
  const own = new Set(claimTemplatesOf(manifest).map(({ metadata }) => metadata.name));
  return ((spec?.volumes ?? []) as Volume[]).flatMap(({ name = '', persistentVolumeClaim }, index) =>
    persistentVolumeClaim && !own.has(name)
      ? [
          {
            kind: 'PersistentVolumeClaim' as const,
            name: persistentVolumeClaim.claimName,
            optional: false,
            path: [...base, 'volumes', index],
          },
        ]
      : [],
  );
}

function podSpecOf(manifest: Manifest): [Record<string, unknown> | undefined, FieldPath] {
  if (manifest.kind === 'Pod') return [manifest.spec as Record<string, unknown> | undefined, ['spec']];
  return [podTemplateOf(manifest)?.spec, ['spec', 'template', 'spec']];
}
