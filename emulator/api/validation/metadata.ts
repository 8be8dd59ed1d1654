// metadata of every object. Source: apimachinery/pkg/api/validation/objectmeta.go.
import type { ObjectMeta } from '../types.ts';
import type { FieldErrors } from './field.ts';
import { dns1035Label, dns1123Label, dns1123Subdomain, pathSegment, qualifiedName } from './names.ts';
import { validateLabels } from './selectors.ts';

/** Annotations of one object, keys and values together. */
const annotationLimitBytes = 256 * 1024;

export function validateMetadata(errors: FieldErrors, kind: string, metadata: ObjectMeta): void {
  const check = nameRule(kind);
  if (metadata.generateName) {
    // The random part will make a trailing dash right.
    for (const problem of check(metadata.generateName.replace(/-$/, 'a'))) {
      errors.invalid('metadata.generateName', metadata.generateName, problem);
    }
  }
  for (const problem of check(metadata.name)) errors.invalid('metadata.name', metadata.name, problem);
  validateLabels(errors, 'metadata.labels', metadata.labels);
  validateAnnotations(errors, 'metadata.annotations', metadata.annotations);
  validateOwners(errors, metadata.ownerReferences ?? []);
  validateFinalizers(errors, metadata.finalizers ?? []);
}

/** @param current The metadata before the update. */
export function validateMetadataUpdate(errors: FieldErrors, metadata: ObjectMeta, current: ObjectMeta): void {
  if (!current.deletionTimestamp) return;
  const added = (metadata.finalizers ?? []).filter((name) => !current.finalizers?.includes(name));
  if (added.length > 0) {
    errors.forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
    );
  }
}

export function validateAnnotations(
  errors: FieldErrors,
  field: string,
  annotations: Readonly<Record<string, string>> | undefined,
): void {
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of qualifiedName(key.toLowerCase())) errors.invalid(field, key, problem);
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > annotationLimitBytes) {
    errors.causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${annotationLimitBytes} bytes`,
      field,
    });
  }
}

function nameRule(kind: string): (name: string) => string[] {
  switch (kind) {
    case 'Namespace':
      return dns1123Label;
    case 'Service':
      return dns1035Label;
    // "system:node" is a usual one.
    case 'Role':
    case 'RoleBinding':
    case 'ClusterRole':
    case 'ClusterRoleBinding':
      return pathSegment;
    default:
      return dns1123Subdomain;
  }
}

function validateOwners(errors: FieldErrors, owners: NonNullable<ObjectMeta['ownerReferences']>): void {
  const field = 'metadata.ownerReferences';
  let controller: (typeof owners)[number] | undefined;
  for (const owner of owners) {
    for (const part of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (owner[part]) continue;
      errors.invalid(
        `${field}.${part}`,
        owner[part] ?? '',
        part === 'apiVersion' ? 'version must not be empty' : 'must not be empty',
      );
    }
    if (!owner.controller) continue;
    if (controller) {
      errors.invalid(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`,
      );
    }
    controller = owner;
  }
}

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion'];

function validateFinalizers(errors: FieldErrors, finalizers: readonly string[]): void {
  for (const [index, name] of finalizers.entries()) {
    const field = `metadata.finalizers[${index}]`;
    for (const problem of qualifiedName(name)) errors.invalid(field, name, problem);
    if (!name.includes('/') && !standardFinalizers.includes(name)) {
      errors.invalid(field, name, 'name is neither a standard finalizer name nor is it fully qualified');
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.invalid(
      'metadata.finalizers',
      finalizers,
      'finalizer orphan and foregroundDeletion cannot be both set',
    );
  }
}
