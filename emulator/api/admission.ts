// What the admission plug-ins of a plain cluster do to a new pod beyond defaulting: ServiceAccount and Priority.
import { forbidden } from './errors.ts';
import { definitionOf } from './resources.ts';
import type { Storage } from './storage.ts';
import type { Pod } from './types.ts';

// plugin/pkg/admission/priority; pkg/apis/scheduling/types.go.
const priorityClasses: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** Throws 403 for a service account or a priority class that does not exist. */
export function admitPodReferences(storage: Storage, pod: Pod): void {
  const { metadata, spec } = pod;
  if (!spec) return;
  const account = spec.serviceAccountName || 'default';
  if (account !== 'default' && !storage.get(definitionOf('serviceaccounts'), metadata.namespace, account)) {
    throw forbidden(
      definitionOf('pods'),
      metadata.name,
      `error looking up service account ${metadata.namespace}/${account}: serviceaccount "${account}" not found`,
    );
  }
  const className = spec.priorityClassName;
  if (!className) return;
  const priority = priorityClasses[className];
  if (priority === undefined) {
    throw forbidden(definitionOf('pods'), metadata.name, `no PriorityClass with name ${className} was found`);
  }
  spec.priority = priority;
}
