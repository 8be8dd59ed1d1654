// Field selectors: which fields each resource can be listed by (registry/*/strategy.go, *ToSelectableFields).
import { badRequest } from './errors.ts';
import { isObject, type KubeObject } from './objects.ts';

const selectable: Record<string, readonly string[]> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  events: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  jobs: ['status.successful'],
};

// Booleans and counters have a value even when the field is absent.
const whenAbsent: Record<string, string> = {
  'spec.unschedulable': 'false',
  'spec.hostNetwork': 'false',
  'status.successful': '0',
};

/** The fieldSelector parameter. Throws 400 for a field that the resource cannot be selected by. */
export function parseFieldSelector(resource: string, text: string | null): (object: KubeObject) => boolean {
  if (!text) return () => true;
  const requirements = text
    .split(/(?<!\\),/)
    .filter(Boolean)
    .map((term) => {
      const match = /^(.+?)(!=|==|=)(.*)$/s.exec(term);
      if (!match) {
        throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      }
      const [, field = '', operator, value = ''] = match;
      const known = field === 'metadata.name' || field === 'metadata.namespace';
      const fields = selectable[resource];
      if (!known && !fields) {
        throw badRequest(
          `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
        );
      }
      if (!known && !fields?.includes(field)) throw badRequest(`field label not supported: ${field}`);
      return { field, wanted: operator !== '!=', value: value.replace(/\\(.)/g, '$1') };
    });
  return (object) =>
    requirements.every(({ field, wanted, value }) => (fieldValue(object, field) === value) === wanted);
}

function fieldValue(object: KubeObject, field: string): string {
  if (field === 'source' && isObject(object.source)) {
    return String(object.source.component || object.reportingComponent || '');
  }
  const path = field === 'status.successful' ? 'status.succeeded' : field;
  let value: unknown = object;
  for (const key of path.split('.')) value = isObject(value) ? value[key] : undefined;
  return String(value ?? whenAbsent[field] ?? '');
}
