// What every route needs.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access, User } from '../auth/access.ts';
import type { KubeletHooks } from '../hooks.ts';
import type { FieldManager } from '../managed-fields.ts';
import type { KubeObject } from '../objects.ts';
import type { ApiRegistry } from '../registry.ts';
import type { Served } from '../served.ts';
import type { ResourceRequest } from './request.ts';

export interface ServerContext {
  registry: ApiRegistry;
  hooks: KubeletHooks;
  /** "v1.34.4" */
  version: string;
  access: Access;
}

/** One request to a resource. */
export interface Exchange extends ResourceRequest {
  context: ServerContext;
  /** Who asks; undefined for the few paths that are open to everybody. */
  user: User | undefined;
  req: IncomingMessage;
  res: ServerResponse;
}

/** Who writes: the fieldManager parameter, or the first word of the User-Agent. */
export function managerOf({ req, query, subresource }: Exchange): FieldManager {
  const agent = (req.headers['user-agent'] ?? '').split('/')[0] ?? '';
  return {
    name: query.get('fieldManager') || agent || 'unknown',
    operation: 'Update',
    ...(subresource === 'status' || subresource === 'scale' ? { subresource } : {}),
  };
}

/** The object in the version that was asked for. */
export function asServed(served: Served, object: KubeObject): KubeObject {
  return served.fromStored?.(object) ?? object;
}
