// Writes kubernetes.schema.json: names, types and descriptions of every field of the served kinds, read from the models
// of @kubernetes/client-node (generated from Kubernetes v1.34's OpenAPI). Run: node --import tsx THIS_FILE
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as models from '@kubernetes/client-node';
import type { Schema, TypeSchema } from './schema.ts';

/** The types that arrive in request bodies. */
const roots = [
  'V1Namespace',
  'V1Node',
  'V1Pod',
  'V1ReplicationController',
  'V1Service',
  'V1Endpoints',
  'CoreV1Event',
  'V1LimitRange',
  'V1ResourceQuota',
  'V1PersistentVolumeClaim',
  'V1PersistentVolume',
  'V1PodTemplate',
  'V1ConfigMap',
  'V1Secret',
  'V1ServiceAccount',
  'V1Deployment',
  'V1ReplicaSet',
  'V1DaemonSet',
  'V1StatefulSet',
  'V1ControllerRevision',
  'V2HorizontalPodAutoscaler',
  'V1HorizontalPodAutoscaler',
  'V1CronJob',
  'V1Job',
  'V1Lease',
  'V1EndpointSlice',
  'V1Ingress',
  'V1IngressClass',
  'V1NetworkPolicy',
  'V1PodDisruptionBudget',
  'V1Role',
  'V1RoleBinding',
  'V1ClusterRole',
  'V1ClusterRoleBinding',
  'V1PriorityClass',
  'V1StorageClass',
  'V1Scale',
  'V1Eviction',
  'V1Binding',
  'V1SelfSubjectAccessReview',
  'V1SelfSubjectRulesReview',
  'V1SelfSubjectReview',
  'V1SubjectAccessReview',
  'V1LocalSubjectAccessReview',
  'V1TokenReview',
  'AuthenticationV1TokenRequest',
];

interface Model {
  getAttributeTypeMap(): { baseName: string; type: string; format: string }[];
}

export function generateSchema(): Schema {
  const types: Record<string, TypeSchema> = {};
  const waiting = [...roots];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (types[name]) continue;
    const model = (models as unknown as Record<string, Model | undefined>)[name];
    if (!model) throw new Error(`@kubernetes/client-node has no model ${name}`);
    const texts = descriptions(name);
    const type: TypeSchema = { description: texts.own, fields: {} };
    for (const { baseName, type: declared, format } of model.getAttributeTypeMap()) {
      const written = fieldType(name, baseName, declared, format);
      type.fields[baseName] = [written, texts.fields[baseName] ?? ''];
      const referred = /^[[{]?((?:[A-Z][a-z]+)?V\d\w+)[\]}]?$/.exec(written)?.[1];
      if (referred) waiting.push(referred);
    }
    types[name] = type;
  }
  return { types: Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

// client-node calls a quantity a string; these are the ones in the types above.
const quantityFields = new Set([
  'V1ResourceRequirements.limits',
  'V1ResourceRequirements.requests',
  'V1VolumeResourceRequirements.limits',
  'V1VolumeResourceRequirements.requests',
  'V1NodeStatus.capacity',
  'V1NodeStatus.allocatable',
  'V1PodSpec.overhead',
  'V1ContainerStatus.allocatedResources',
  'V1EmptyDirVolumeSource.sizeLimit',
  'V1ResourceFieldSelector.divisor',
  'V2MetricTarget.averageValue',
  'V2MetricTarget.value',
  'V2MetricValueStatus.averageValue',
  'V2MetricValueStatus.value',
  'V2HPAScalingRules.tolerance',
  'V1LimitRangeItem._default',
  'V1LimitRangeItem.default',
  'V1LimitRangeItem.defaultRequest',
  'V1LimitRangeItem.max',
  'V1LimitRangeItem.min',
  'V1LimitRangeItem.maxLimitRequestRatio',
  'V1ResourceQuotaSpec.hard',
  'V1ResourceQuotaStatus.hard',
  'V1ResourceQuotaStatus.used',
  'V1PersistentVolumeSpec.capacity',
  'V1PersistentVolumeClaimStatus.capacity',
  'V1PersistentVolumeClaimStatus.allocatedResources',
]);

function fieldType(owner: string, field: string, declared: string, format: string): string {
  if (quantityFields.has(`${owner}.${field}`)) return declared === 'string' ? 'Quantity' : '{Quantity}';
  const base = declared
    .replace(/^\{ \[key: string\]: (.*); \}$/, '{$1}')
    .replace(/^Set<(.*)>$/, 'Array<$1>')
    .replace(/^Array<(.*)>$/, '[$1]');
  if (base === 'V1MicroTime') return 'MicroTime';
  if (format === 'byte') return base.replace('string', 'bytes');
  if (base === 'number') return format || 'int32';
  if (base === '[number]') return '[int32]';
  return base;
}

const packageFile = createRequire(import.meta.url).resolve('@kubernetes/client-node');

function descriptions(name: string): { own: string; fields: Record<string, string> } {
  const text = readFileSync(join(dirname(packageFile), 'gen/models', `${name}.d.ts`), 'utf8');
  const own = /\/\*\*\n\* (.*)\n\*\/\nexport declare class/.exec(text)?.[1] ?? '';
  const fields: Record<string, string> = {};
  for (const [, description = '', field = ''] of text.matchAll(
    /\/\*\*\n {4}\* (.*)\n {4}\*\/\n {4}'(\w+)'/g,
  )) {
    fields[field] = unescaped(description);
  }
  return { own: unescaped(own), fields };
}

/** The generator of client-node writes quotes as in JSON. */
function unescaped(text: string): string {
  return text.trim().replace(/\\(.)/g, '$1');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = join(dirname(fileURLToPath(import.meta.url)), 'kubernetes.schema.json');
  writeFileSync(file, `${JSON.stringify(generateSchema(), null, 1)}\n`);
}
