// What every route needs.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KubeletHooks } from '../hooks.ts';
import type { KubeObject } from '../objects.ts';
import type { ApiRegistry } from '../registry.ts';
import type { Served } from '../served.ts';
import type { ResourceRequest } from './request.ts';

export interface ServerContext {
  registry: ApiRegistry;
  hooks: KubeletHooks;
  /** "v1.34.4" */
  version: string;
}

/** One request to a resource. */
export interface Exchange extends ResourceRequest {
  context: ServerContext;
  req: IncomingMessage;
  res: ServerResponse;
}

/** The object in the version that was asked for. */
export function asServed(served: Served, object: KubeObject): KubeObject {
  return served.fromStored?.(object) ?? object;
}
