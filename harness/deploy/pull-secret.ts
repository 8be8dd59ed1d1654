// The Secret for the registry of our image, copied to where our pods are. Its content is never recorded.
import { apiMessage } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { createObjects } from './apply.ts';

/** Where it is looked for, unless its name says otherwise. */
const DEFAULT_NAMESPACE = 'default';

/** "name" or "namespace/name". */
export function pullSecretNamed(text: string): {
  readonly namespace: string | undefined;
  readonly name: string;
} {
  const [first = '', second] = text.split('/', 2);
  return second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
}

/** Throws FaultError when it is not there, or is none for a registry. */
export async function copyPullSecret(kube: Kube, secret: string | undefined, into: string): Promise<void> {
  if (secret === undefined) return;
  const { namespace = DEFAULT_NAMESPACE, name } = pullSecretNamed(secret);
  const found = await kube
    .json<Manifest & { type?: string; data?: unknown }>(
      'GET',
      `/api/v1/namespaces/${namespace}/secrets/${name}`,
    )
    .catch((error: unknown) => {
      throw new FaultError(
        `agent.pullSecret: Secret ${namespace}/${name} cannot be read: ${apiMessage(error)}.`,
        {
          cause: error,
        },
      );
    });
  if (!/^kubernetes\.io\/docker(configjson|cfg)$/.test(found.type ?? '')) {
    throw new FaultError(
      `agent.pullSecret: Secret ${namespace}/${name} has type ${found.type}; one for a registry has kubernetes.io/dockerconfigjson.`,
    );
  }
  const { type, data } = found;
  await createObjects(kube, [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: into }, type, data },
  ]);
}
