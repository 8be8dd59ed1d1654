// Creating and deleting pods on behalf of an owner, with the events that tell of it.
// Source: RealPodControl in pkg/controller/controller_utils.go.
import { type Draft, type ObjectMeta, type Pod, StatusError } from '../../api/types.ts';
import type { Client } from './client.ts';
import { controllerReference } from './ownership.ts';

type Owner = { readonly apiVersion: string; readonly kind: string; readonly metadata: ObjectMeta };
export interface PodTemplate {
  readonly metadata?: {
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly finalizers?: string[];
  };
  readonly spec?: Pod['spec'];
}

/** A pod from a template; its name is the owner's and five random characters. */
export function podDraft(owner: Owner, template: PodTemplate | undefined): Draft<'pods'> {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(labels ? { labels: { ...labels } } : {}),
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ...(finalizers ? { finalizers: [...finalizers] } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    spec: structuredClone(template?.spec),
  };
}

export async function createPod(client: Client, owner: Owner, draft: Draft<'pods'>): Promise<Pod> {
  try {
    const pod = await client.create('pods', draft);
    client.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    return pod;
  } catch (error) {
    if (error instanceof StatusError && !isNamespaceTerminating(error)) {
      client.event(owner, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
    }
    throw error;
  }
}

/** A pod that is gone already is no error. */
export async function deletePod(client: Client, owner: Owner, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    const deleted = await client.delete('pods', namespace, name, { uid });
    if (deleted) client.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    client.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${error.message}`);
    throw error;
  }
}

export function isNamespaceTerminating(error: StatusError): boolean {
  const causes = (error.details?.causes ?? []) as { reason?: string }[];
  return causes.some(({ reason }) => reason === 'NamespaceTerminating');
}
