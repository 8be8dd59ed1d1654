// What the API server says to an object before there is a cluster: it is created in an empty one that nobody else sees.
import { checkObject } from './http/body.ts';
import { isObject, type KubeObject } from './objects.ts';
import { createRegistry } from './registry.ts';
import { definitions, groupVersion } from './resources.ts';
import { StatusError } from './types.ts';
import { type Capabilities, unsupportedWords } from './validation/unsupported.ts';

/** Why it is refused (400, 422); undefined: it is taken, or its kind is not one that is known here. */
export function apiRefusalOf(
  object: KubeObject,
  capabilities: Capabilities = { volumes: true, names: true },
): string | undefined {
  const definition = definitions.find(
    (one) => one.kind === object.kind && groupVersion(one) === object.apiVersion,
  );
  if (!definition || definition.refused !== undefined || !isObject(object.metadata)) return undefined;
  const registry = createRegistry({ now: Date.now, random: Math.random, capabilities });
  try {
    const { object: read } = checkObject(structuredClone(object) as never, definition, '');
    const { namespace: _, ...metadata } = read.metadata;
    registry.writes.create(definition, {
      ...read,
      metadata: definition.namespaced ? { ...metadata, namespace: 'default' } : metadata,
    } as KubeObject);
    return undefined;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    // What belongs to a running cluster (a name that is there, a quota) is not about the object, and what the emulation
    // alone cannot do is told by validation/unsupported.ts.
    const isRefused = error.code === 400 || error.code === 422;
    return isRefused && !error.message.includes(unsupportedWords) ? error.message : undefined;
  }
}
