// Steps on an Argo Rollout, as its kubectl plugin does them (pkg/kubectl-argo-rollouts/cmd). It comes with a CRD: there is no
// strategic merge, so a container is found by its place in the list, and the patch tests that it stands there.
import { FaultError } from '../model/errors.ts';
import { jsonPatch, mergePatch, type StepContext, type StepDetail, workloadPath } from './context.ts';

export interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly [field: string]: unknown;
}
interface Container {
  readonly name: string;
  readonly env?: readonly Variable[] | null;
}
interface Rollout {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly initContainers?: readonly Container[] | null;
      };
    };
  };
}

/** Fields of one container of the template put in place of those that are there. */
export async function changeContainer(
  context: StepContext,
  name: string,
  fieldsOf: (present: Container) => Readonly<Record<string, unknown>>,
): Promise<void> {
  const path = workloadPath(context);
  const { spec } = await context.kube.json<Rollout>('GET', path);
  for (const list of ['containers', 'initContainers'] as const) {
    const containers = spec.template.spec[list] ?? [];
    const index = containers.findIndex((container) => container.name === name);
    const present = containers[index];
    if (!present) continue;
    const at = `/spec/template/spec/${list}/${index}`;
    await context.kube.json('PATCH', path, {
      contentType: jsonPatch,
      body: [
        { op: 'test', path: `${at}/name`, value: name },
        ...Object.entries(fieldsOf(present)).map(([field, value]) => ({
          op: 'add',
          path: `${at}/${field}`,
          value,
        })),
      ],
    });
    return;
  }
  throw new FaultError(`unable to find container named "${name}" of Rollout ${context.workload.name}`);
}

/** Its controller evicts all pods that are older, as many at a time as maxUnavailable lets it, whatever the strategy. */
export async function restartRollout(context: StepContext, at: string): Promise<StepDetail> {
  await context.kube.json('PATCH', workloadPath(context), {
    contentType: mergePatch,
    body: { spec: { restartAt: at } },
  });
  return { restartedAt: at };
}

/**
 * Whether everything that `part` says stands in `whole`, too: the API server fills in defaults of a ReplicaSet's template,
 * and none of a Rollout's.
 */
export function isWithin(part: unknown, whole: unknown): boolean {
  if (part === null || part === undefined) return true;
  if (Array.isArray(part))
    return (
      part.length === 0 ||
      (Array.isArray(whole) &&
        part.length === whole.length &&
        part.every((item, index) => isWithin(item, whole[index])))
    );
  if (typeof part !== 'object') return part === whole;
  if (typeof whole !== 'object' || whole === null) return Object.keys(part).length === 0;
  return Object.entries(part).every(([name, value]) =>
    isWithin(value, (whole as Readonly<Record<string, unknown>>)[name]),
  );
}
