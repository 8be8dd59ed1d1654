// An image whose name says nothing about what is in it.

import { fields, list } from '../fields.ts';
import { parseImage } from '../image.ts';
import { eventSaid } from '../measured.ts';
import { nameOf, type SourceObject } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { containerName, type Workload } from '../workload.ts';

export const imageTagLatest: Rule = {
  id: 'image-tag-latest',
  severity: 'warning',
  title: 'image tag latest, or none',
  why: 'The same name can mean another image tomorrow: pods of one revision run different code, a rollback to an earlier revision brings back the same image, a rollout to a new build is no change of the manifest, and every start pulls (imagePullPolicy Always) and fails when the registry does.',
  scenario: 'nginx-published',
  find: ({ workloads, objects }: CheckInput) => workloads.flatMap((workload) => findIn(workload, objects)),
  measured: eventSaid('Pulling', 'Pulling image'),
};

function findIn(workload: Workload, objects: readonly SourceObject[]): readonly Draft[] {
  const { object } = workload;
  return [...workload.containers, ...workload.initContainers].flatMap((container) => {
    const image = parseImage(container.image);
    if (!image || image.digest || (image.tag !== undefined && image.tag !== 'latest')) return [];
    if (replacedByKustomize(image.repository, objects)) return [];
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
      },
    ];
  });
}

/** A kustomization among the files that gives the image its tag (or digest). */
function replacedByKustomize(repository: string, objects: readonly SourceObject[]): boolean {
  return objects
    .filter((object) => object.kind === 'Kustomization')
    .flatMap((object) => list(object.value.images).map(fields))
    .some((image) => image.name === repository && Boolean(image.newTag ?? image.digest));
}
