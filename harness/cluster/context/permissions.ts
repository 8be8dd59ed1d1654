// What a run does on a cluster that is not its own, asked beforehand: a sentence at the start beats a fault in the middle.
import type { Kube } from '../../kube/client.ts';

interface Permission {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
}

const allow = (verb: string, group: string, resource: string, subresource?: string): Permission => ({
  verb,
  group,
  resource,
  ...(subresource && { subresource }),
});

/** One verb stands for its kind; docs/rbac.yaml lists them all. Across namespaces, because each run makes its own. */
const needed: readonly Permission[] = [
  allow('create', '', 'namespaces'),
  allow('delete', '', 'namespaces'),
  allow('create', '', 'pods'),
  allow('watch', '', 'pods'),
  allow('get', '', 'pods', 'proxy'),
  allow('create', '', 'pods', 'proxy'),
  allow('create', '', 'services'),
  allow('watch', '', 'events'),
  allow('watch', 'discovery.k8s.io', 'endpointslices'),
  allow('create', 'apps', 'deployments'),
  allow('patch', 'apps', 'deployments'),
  allow('watch', 'apps', 'replicasets'),
];

/** In words, "create namespaces"; empty: all there. */
export async function missingPermissions(kube: Kube): Promise<readonly string[]> {
  const allowed = await Promise.all(needed.map((permission) => isAllowed(kube, permission)));
  return needed
    .filter((_, index) => !allowed[index])
    .map(({ verb, resource, subresource }) => `${verb} ${resource}${subresource ? `/${subresource}` : ''}`);
}

async function isAllowed(kube: Kube, permission: Permission): Promise<boolean> {
  const review = await kube.json<{ status?: { allowed?: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: permission },
      },
    },
  );
  return review.status?.allowed ?? false;
}
