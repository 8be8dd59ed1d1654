// Who controls an object, and taking or giving back control as selectors and labels ask for.
// Source: pkg/controller/controller_ref_manager.go.

import { type LabelSelector, matchesSelector } from '../../api/label-selector.ts';
import type { ObjectMeta } from '../../api/types.ts';

type Owned = { readonly metadata: ObjectMeta };
type Owner = { readonly apiVersion: string; readonly kind: string; readonly metadata: ObjectMeta };
type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];

export function controllerOf(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller);
}

export function isControlledBy(object: Owned, owner: Owned): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

export function controllerReference(owner: Owner): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

interface Claims<T> {
  /** Owned, with labels that match. */
  readonly owned: T[];
  /** Without a controller, with labels that match: to be adopted. */
  readonly orphans: T[];
  /** Owned, but their labels match no longer: to be released. */
  readonly strangers: T[];
}

export function claim<T extends Owned>(
  owner: Owned,
  selector: LabelSelector | undefined,
  objects: readonly T[],
): Claims<T> {
  const claims: Claims<T> = { owned: [], orphans: [], strangers: [] };
  for (const object of objects) {
    const controller = controllerOf(object);
    const matches = matchesSelector(selector, object.metadata.labels);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches) claims.owned.push(object);
      else if (!owner.metadata.deletionTimestamp) claims.strangers.push(object);
    } else if (matches && !owner.metadata.deletionTimestamp && !object.metadata.deletionTimestamp) {
      claims.orphans.push(object);
    }
  }
  return claims;
}

/** The change that makes `owner` the controller. */
export function adopt(object: Owned, owner: Owner): void {
  object.metadata.ownerReferences = [...(object.metadata.ownerReferences ?? []), controllerReference(owner)];
}

/** The change that ends `owner`'s control. */
export function release(object: Owned, owner: Owner): void {
  const rest = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
  if (rest.length > 0) object.metadata.ownerReferences = rest;
  else delete object.metadata.ownerReferences;
}
