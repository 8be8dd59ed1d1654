// Objects of any kind by what their manifests say: where a kind is served is asked of the API server (discovery).
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError } from './api-error.ts';
import type { RequestOptions } from './request-options.ts';

/** What names an object. */
export interface ObjectName {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

interface Passing {
  readonly signal?: AbortSignal | undefined;
}

export interface ObjectClient {
  create(object: ObjectName, options?: Passing): Promise<KubernetesObject>;
  read(object: ObjectName, options?: Passing): Promise<KubernetesObject>;
  /** In the background: what belongs to it goes after it. */
  delete(object: ObjectName, options?: Passing): Promise<void>;
  /** API path of the object, or of its collection when it has no name. Throws ApiError 404 for a kind that is not served. */
  path(object: ObjectName, options?: Passing): Promise<string>;
}

interface ResourceList {
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
  }[];
}

export function createObjectClient(
  json: <T>(method: string, path: string, options?: RequestOptions) => Promise<T>,
): ObjectClient {
  const served = new Map<string, ResourceList>();

  async function collection(
    { apiVersion = 'v1', kind = '', metadata }: ObjectName,
    { signal }: Passing,
  ): Promise<string> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const list = served.get(apiVersion) ?? (await json<ResourceList>('GET', root, { signal }));
    const found = list.resources.find((one) => one.kind === kind && !one.name.includes('/'));
    // Kinds come with their definitions: only what was found is remembered.
    if (!found) throw new ApiError(404, 'NotFound', `the server has no kind ${kind} in ${apiVersion}`);
    served.set(apiVersion, list);
    const within = found.namespaced ? `/namespaces/${metadata?.namespace || 'default'}` : '';
    return `${root}${within}/${found.name}`;
  }

  const path: ObjectClient['path'] = async (object, options = {}) => {
    const name = object.metadata?.name;
    const all = await collection(object, options);
    return name ? `${all}/${encodeURIComponent(name)}` : all;
  };

  return {
    path,
    async create(object, options = {}) {
      return json('POST', await collection(object, options), { ...options, body: object });
    },
    async read(object, options = {}) {
      return json('GET', await path(object, options), options);
    },
    async delete(object, options = {}) {
      await json('DELETE', await path(object, options), {
        ...options,
        body: { propagationPolicy: 'Background' },
      });
    },
  };
}
