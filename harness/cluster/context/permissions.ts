// What a run does on a cluster that is not its own, asked beforehand: a sentence at the start beats a fault in the middle.
import type { Kube } from '../../kube/client.ts';
import type { Right } from './rights.ts';

export interface Denied {
  /** In words: "create namespaces", "get pods/proxy". Empty: everything that is required is there. */
  readonly required: readonly string[];
  /** The same of what a run can do without. */
  readonly optional: readonly string[];
  /** What cannot be done for want of the optional ones, each said once. */
  readonly without: readonly string[];
}

interface Question {
  readonly right: Right;
  readonly verb: string;
  readonly resource: string;
}

/** Asks for every verb, so that everything that lacks is named at once. */
export async function deniedRights(
  kube: Kube,
  rights: readonly Right[],
  namespace: string | undefined,
): Promise<Denied> {
  const questions: Question[] = rights.flatMap((right) =>
    right.resources.flatMap((resource) => right.verbs.map((verb) => ({ right, verb, resource }))),
  );
  const allowed = await Promise.all(questions.map((question) => isAllowed(kube, question, namespace)));
  const denied = questions.filter((_, index) => !allowed[index]);
  const words = (some: readonly Question[]) => [
    ...new Set(some.map(({ right, verb, resource }) => `${verb} ${resource}${groupOf(right, resource)}`)),
  ];
  const optional = denied.filter(({ right }) => right.without !== undefined);
  return {
    required: words(denied.filter(({ right }) => right.without === undefined)),
    optional: words(optional),
    without: [...new Set(optional.map(({ right }) => right.without as string))],
  };
}

/** Said where the name alone would mislead. */
const groupOf = ({ group }: Right, resource: string): string =>
  group === 'metrics.k8s.io' && resource === 'pods' ? '.metrics.k8s.io' : '';

async function isAllowed(
  kube: Kube,
  { right, verb, resource: full }: Question,
  namespace: string | undefined,
): Promise<boolean> {
  const [resource, subresource] = full.split('/', 2);
  const review = await kube.json<{ status?: { allowed?: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: {
          resourceAttributes: {
            verb,
            group: right.group,
            resource,
            ...(subresource !== undefined && { subresource }),
            ...(namespace !== undefined && !right.cluster && { namespace }),
          },
        },
      },
    },
  );
  return review.status?.allowed ?? false;
}
