// A field that Kubernetes does not know, where it is plain which one was meant: the setting is not there.
import type { FieldPath } from '../../model/yaml-path.ts';
import { containerName } from '../container.ts';
import { fields, has } from '../fields.ts';
import { meantBy, type Part } from '../known-fields.ts';
import { notMeasurable } from '../measured.ts';
import { groupOf, nameOf } from '../objects.ts';
import { probeKinds } from '../probe.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const unknownField: Rule = {
  id: 'unknown-field',
  severity: 'error',
  title: 'a field that Kubernetes does not know',
  why: 'kubectl refuses the object (strict field validation); Helm and other clients leave the field out without an error, so that what it sets is not there.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) => workloads.filter(isOurs).flatMap(inWorkload),
  measured: notMeasurable,
};

/** Other groups have fields of their own in these places. */
const isOurs = ({ object, kind }: Workload): boolean =>
  groupOf(object) === 'apps' && (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet');

function inWorkload(workload: Workload): readonly Draft[] {
  const { object, spec, specPath, pod, podPath, kind } = workload;
  const found: Draft[] = [];
  const look = (part: Part, of: string, value: unknown, path: FieldPath) => {
    for (const name of Object.keys(fields(value))) {
      const meant = meantBy(part, name);
      if (meant !== undefined)
        found.push({
          object,
          path: [...path, name],
          want: 'key',
          message: `${nameOf(object)}: ${of} has "${name}", which Kubernetes does not know there; ${meant}.`,
          changes: [],
          advice: `# ${meant}`,
        });
    }
  };
  look(kind as Part, 'its spec', spec, specPath);
  for (const name of ['strategy', 'updateStrategy']) {
    look('strategy', `its ${name}`, spec[name], [...specPath, name]);
    const rolling = fields(spec[name]).rollingUpdate;
    look('rollingUpdate', 'its rollingUpdate', rolling, [...specPath, name, 'rollingUpdate']);
  }
  look('pod', 'the spec of its pods', pod, podPath);
  for (const container of [...workload.containers, ...workload.initContainers]) {
    const { value, path } = container;
    const name = containerName(container);
    look('container', name, value, path);
    for (const probe of probeKinds) look('probe', `the ${probe} of ${name}`, value[probe], [...path, probe]);
    const lifecycle = fields(value.lifecycle);
    look('lifecycle', `lifecycle of ${name}`, lifecycle, [...path, 'lifecycle']);
    for (const hook of ['preStop', 'postStart'])
      if (has(lifecycle[hook]))
        look('handler', `the ${hook} hook of ${name}`, lifecycle[hook], [...path, 'lifecycle', hook]);
  }
  return found;
}
