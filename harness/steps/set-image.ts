// A new image, or new environment, as `kubectl set image` and `kubectl set env` send it: strategic merge patches.
import { UsageError } from '../model/errors.ts';
import { changeContainer, type Variable } from './argo-rollout.ts';
import { isRollout, type StepRunner, strategicMerge, workloadPath } from './context.ts';

export const setImage: StepRunner<'set-image'> = async (step, context) => {
  const image = resolveImage(step.image, context.images);
  const name = step.container ?? context.workload.container;
  if (isRollout(context.workload)) await changeContainer(context, name, () => ({ image }));
  else await patchContainer(context, { name, image });
  return { image, container: name };
};

export const setEnv: StepRunner<'set-env'> = async (step, context) => {
  const { container } = context.workload;
  const env = Object.entries(step.env).map(([name, value]) =>
    value === null ? { name, $patch: 'delete' } : { name, value },
  );
  if (isRollout(context.workload))
    await changeContainer(context, container, (present) => ({ env: withVariables(present.env, step.env) }));
  else await patchContainer(context, { name: container, env });
  return { env: Object.keys(step.env), container };
};

/** Variables keep their place; new ones come last. */
function withVariables(
  present: readonly Variable[] | null | undefined,
  changes: Readonly<Record<string, string | null>>,
): Variable[] {
  const kept = (present ?? []).flatMap((variable) => {
    const value = changes[variable.name];
    return value === undefined ? [variable] : value === null ? [] : [{ name: variable.name, value }];
  });
  const added = Object.entries(changes).flatMap(([name, value]) =>
    value !== null && !kept.some((variable) => variable.name === name) ? [{ name, value }] : [],
  );
  return [...kept, ...added];
}

/** A name of the configuration (next, previous ...) or the image itself (it has a "/" , ":" or "."). */
export function resolveImage(image: string, images: Readonly<Record<string, string>>): string {
  const known = Object.hasOwn(images, image) ? images[image] : undefined;
  if (known) return known;
  if (/[/:.]/.test(image)) return image;
  throw new UsageError(
    `Step set-image: the target has no image "${image}"; it has ${Object.keys(images).join(', ') || 'none'}. Add target.images.${image} to the configuration.`,
  );
}

async function patchContainer(
  context: Parameters<typeof setImage>[1],
  container: { name: string; [field: string]: unknown },
) {
  await context.kube.json('PATCH', workloadPath(context), {
    query: { fieldManager: 'kubectl-set' },
    contentType: strategicMerge,
    body: {
      spec: {
        template: {
          spec: { '$setElementOrder/containers': [{ name: container.name }], containers: [container] },
        },
      },
    },
  });
}
