// The pods that an object makes, whatever its kind calls them.
import type { FieldPath } from '../model/yaml-path.ts';
import { type Fields, fields } from './fields.ts';
import type { SourceObject } from './objects.ts';

interface PodTemplate {
  readonly path: FieldPath;
  readonly labels: Fields;
  readonly annotations: Fields;
  readonly pod: Fields;
}

/** Undefined: it has none (or an Argo Rollout's stands in the Deployment that it names). */
export function podTemplateOf(object: SourceObject): PodTemplate | undefined {
  if (object.kind === 'Pod') return at(object, [], object.value);
  const path = podPathOf(object).slice(0, -1);
  const template = path.reduce<Fields>((value, key) => fields(value[String(key)]), object.value);
  return Array.isArray(fields(template.spec).containers) ? at(object, path, template) : undefined;
}

/** Where the pod's spec stands in the object. */
export function podPathOf({ kind }: SourceObject): FieldPath {
  if (kind === 'Pod') return ['spec'];
  return [...(kind === 'CronJob' ? ['spec', 'jobTemplate'] : []), 'spec', 'template', 'spec'];
}

function at(object: SourceObject, path: FieldPath, template: Fields): PodTemplate {
  const metadata = fields(template.metadata);
  return {
    path: [...object.base, ...path, 'spec'],
    labels: fields(metadata.labels),
    annotations: fields(metadata.annotations),
    pod: fields(template.spec),
  };
}
