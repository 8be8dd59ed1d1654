// A ControllerRevision as the DaemonSet and the StatefulSet controller make it: a state of their owner, named by its
// hash. Source: pkg/controller/history/controller_history.go.
import type { Draft, Kinds } from '../../api/types.ts';
import { controllerReference } from './ownership.ts';

export function revisionDraft(
  owner: Kinds['daemonsets'] | Kinds['statefulsets'],
  { hash, label, data, revision }: RevisionOf,
): Draft<'controllerrevisions'> {
  const { name, namespace, annotations } = owner.metadata;
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...owner.spec?.template.metadata?.labels, [label]: hash },
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision,
  } as Draft<'controllerrevisions'>;
}

interface RevisionOf {
  readonly hash: string;
  /** The label that carries the hash: each of the two controllers has its own. */
  readonly label: string;
  readonly data: object;
  readonly revision: number;
}
