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
  const path = object.kind === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template'] : ['spec', 'template'];
  const template = path.reduce((value, key) => fields(value[key]), object.value);
  return Array.isArray(fields(template.spec).containers) ? at(object, path, template) : undefined;
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
