// An image whose name says nothing about what is in it.

import { containerName } from '../container.ts';
import { fields, list, textOrNumber } from '../fields.ts';
import { type ImageReference, parseImage } from '../image.ts';
import { eventSaid } from '../measured.ts';
import { belongTogether, groupOf, nameOf, type SourceObject } from '../objects.ts';
import type { Related } from '../related.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const imageTagLatest: Rule = {
  id: 'image-tag-latest',
  severity: 'warning',
  title: 'image tag latest, or none',
  why: 'The same name can mean another image tomorrow: pods of one revision run different code, a rollback to an earlier revision brings back the same image, a rollout to a new build is no change of the manifest, and every start pulls (imagePullPolicy Always) and fails when the registry does.',
  scenario: 'nginx-published',
  find: ({ workloads, related }: CheckInput) => workloads.flatMap((workload) => findIn(workload, related)),
  measured: eventSaid('Pulling', 'Pulling image'),
};

function findIn(workload: Workload, related: Related): readonly Draft[] {
  const { object } = workload;
  return [...workload.containers, ...workload.initContainers].flatMap((container) => {
    const image = parseImage(container.image) ?? behindVariable(container.image);
    if (!image || image.digest || (image.tag !== undefined && image.tag !== 'latest')) return [];
    if (replacedByTool(image.repository, object, related)) return [];
    return [
      {
        object,
        path: [...container.path, 'image'],
        want: 'value' as const,
        message: `${containerName(container)} of ${nameOf(object)} runs image ${container.image}${image.tag ? '' : ', without a tag: latest'}.`,
        changes: [
          {
            set: [...container.path, 'image'],
            value: `${image.repository}:TESTED-VERSION`,
            comment: 'the version that you tested, or its digest',
          },
        ],
        byHand: 'only you know the tag',
      },
    ];
  });
}

/** `registry/$PROJECT/shop:latest`: what stands before the tag is filled in later, the tag is not. */
function behindVariable(image: string): ImageReference | undefined {
  const match = /^([^\s@]*(?:\$\{?\w+\}?|<\w+>)[^\s:@]*):latest$/.exec(image);
  return match ? { repository: match[1]!, tag: 'latest', digest: undefined } : undefined;
}

/** A kustomization or a skaffold configuration around it that gives the image its tag (or digest). */
function replacedByTool(repository: string, object: SourceObject, related: Related): boolean {
  const kustomized = related
    .kind('Kustomization')
    .filter((kustomization) => belongTogether(kustomization, object))
    .flatMap(({ value }) => list(value.images).map(fields))
    .some((image) => {
      const tag = textOrNumber(image.newTag);
      return image.name === repository && Boolean((tag && tag !== 'latest') || image.digest);
    });
  const built = related
    .kind('Config')
    .filter((config) => groupOf(config) === 'skaffold' && belongTogether(config, object))
    .flatMap(({ value }) => list(fields(value.build).artifacts).map(fields))
    .some(({ image }) => image === repository);
  return kustomized || built;
}
