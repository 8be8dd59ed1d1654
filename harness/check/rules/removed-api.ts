// An object that the API server does not know any more.
import type { FieldPath } from '../../model/yaml-path.ts';
import type { Change } from '../edit.ts';
import { type Fields, fields, has, list, text } from '../fields.ts';
import { refusedWith } from '../measured.ts';
import { nameOf, type SourceObject } from '../objects.ts';
import { removedApi } from '../removed-apis.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';

export const removedApiVersion: Rule = {
  id: 'removed-api-version',
  severity: 'error',
  title: 'API version that is gone',
  why: 'The API server refuses the object ("no matches for kind"): nothing of it is applied, and an update of what an older cluster still runs fails.',
  scenario: 'nginx-published',
  find: ({ objects, kubernetesMinor }: CheckInput) =>
    objects.flatMap((object) => findIn(object, kubernetesMinor)),
  measured: refusedWith(404),
};

function findIn(object: SourceObject, kubernetesMinor: number): readonly Draft[] {
  const { apiVersion, kind, base } = object;
  const removed = removedApi(apiVersion, kind);
  if (!removed || kubernetesMinor < removed.removedInMinor) return [];
  const { replacement, removedInMinor } = removed;
  const path = [...base, 'apiVersion'];
  return [
    {
      object,
      path,
      want: 'value',
      message: `${nameOf(object)}: ${apiVersion} was removed in Kubernetes 1.${removedInMinor}; ${
        replacement ? `use ${replacement}` : 'nothing takes its place (Pod Security Admission does its work)'
      }.`,
      changes: replacement ? [{ set: path, value: replacement }, ...conversion(object, replacement)] : [],
      advice: '# delete the whole object',
    },
  ];
}

/** The fields that the new version has otherwise. */
function conversion(object: SourceObject, replacement: string): readonly Change[] {
  const spec = fields(object.value.spec);
  const specPath = [...object.base, 'spec'];
  switch (object.kind) {
    case 'Deployment':
    case 'DaemonSet':
    case 'ReplicaSet':
    case 'StatefulSet':
      return selectorChanges(spec, specPath);
    case 'Ingress':
      return ingressChanges(spec, specPath);
    case 'HorizontalPodAutoscaler':
      return object.apiVersion === 'autoscaling/v2beta1' ? metricChanges(spec, specPath) : [];
    case 'CustomResourceDefinition':
      return [{ set: specPath, value: definitionSpec(spec) }];
    case 'MutatingWebhookConfiguration':
    case 'ValidatingWebhookConfiguration':
      return webhookChanges(object);
    default:
      return replacement === 'certificates.k8s.io/v1' && !has(spec.signerName)
        ? [{ set: [...specPath, 'signerName'], value: 'kubernetes.io/kube-apiserver-client' }]
        : [];
  }
}

/** Required since apps/v1beta2, and no longer taken from the template. */
function selectorChanges(spec: Fields, specPath: FieldPath): readonly Change[] {
  const labels = fields(fields(fields(spec.template).metadata).labels);
  return has(spec.selector) ? [] : [{ set: [...specPath, 'selector'], value: { matchLabels: labels } }];
}

function ingressChanges(spec: Fields, specPath: FieldPath): readonly Change[] {
  const whole: Change[] = has(spec.backend)
    ? [
        { remove: [...specPath, 'backend'] },
        { set: [...specPath, 'defaultBackend'], value: backend(spec.backend) },
      ]
    : [];
  const perPath = list(spec.rules).flatMap((rule, ruleIndex) =>
    list(fields(fields(rule).http).paths).flatMap((entry, pathIndex): Change[] => {
      const at = [...specPath, 'rules', ruleIndex, 'http', 'paths', pathIndex];
      const { pathType, path, backend: old } = fields(entry);
      return [
        ...(has(path) ? [] : [{ set: [...at, 'path'], value: '/' }]),
        ...(has(pathType) ? [] : [{ set: [...at, 'pathType'], value: 'ImplementationSpecific' }]),
        { set: [...at, 'backend'], value: backend(old) },
      ];
    }),
  );
  return [...whole, ...perPath];
}

function backend(value: unknown): unknown {
  const { serviceName, servicePort, ...rest } = fields(value);
  if (!has(serviceName)) return rest;
  return {
    service: {
      name: serviceName,
      port: typeof servicePort === 'number' ? { number: servicePort } : { name: servicePort },
    },
  };
}

/** autoscaling/v2beta1 → v2: the figures moved into `target`. */
function metricChanges(spec: Fields, specPath: FieldPath): readonly Change[] {
  return list(spec.metrics).flatMap((entry, index): Change[] => {
    const metric = fields(entry);
    const at = [...specPath, 'metrics', index];
    const type = text(metric.type) ?? '';
    const key = type.charAt(0).toLowerCase() + type.slice(1);
    const old = fields(metric[key]);
    const target = metricTarget(old);
    if (!has(metric[key]) || !target) return [];
    if (key === 'resource' || key === 'containerResource')
      return [
        {
          set: [...at, key],
          value: { name: old.name, ...(has(old.container) && { container: old.container }), target },
        },
      ];
    const name = {
      name: old.metricName,
      ...(has(old.selector ?? old.metricSelector) && { selector: old.selector ?? old.metricSelector }),
    };
    const described = has(old.target) ? { describedObject: old.target } : {};
    return [{ set: [...at, key], value: { ...described, metric: name, target } }];
  });
}

function metricTarget(old: Fields): unknown {
  if (has(old.targetAverageUtilization))
    return { type: 'Utilization', averageUtilization: old.targetAverageUtilization };
  if (has(old.targetAverageValue)) return { type: 'AverageValue', averageValue: old.targetAverageValue };
  if (has(old.averageValue)) return { type: 'AverageValue', averageValue: old.averageValue };
  return has(old.targetValue) ? { type: 'Value', value: old.targetValue } : undefined;
}

/** apiextensions v1 has a schema per version; one that was never written may keep unknown fields. */
function definitionSpec(spec: Fields): unknown {
  const {
    version,
    versions,
    validation,
    subresources,
    additionalPrinterColumns,
    preserveUnknownFields: _,
    ...rest
  } = spec;
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const schema = fields(validation).openAPIV3Schema ?? open;
  const named =
    list(versions).length > 0 ? list(versions).map(fields) : [{ name: version, served: true, storage: true }];
  return {
    ...rest,
    scope: rest.scope ?? 'Namespaced',
    versions: named.map((own) => ({
      ...own,
      schema: fields(own).schema ?? { openAPIV3Schema: schema },
      ...(has(subresources) && { subresources }),
      ...(has(additionalPrinterColumns) && {
        additionalPrinterColumns: list(additionalPrinterColumns).map((column) => {
          const { JSONPath, ...kept } = fields(column);
          return { ...kept, jsonPath: JSONPath ?? kept.jsonPath };
        }),
      }),
    })),
  };
}

/** Required in v1 and without default there. */
function webhookChanges(object: SourceObject): readonly Change[] {
  return list(object.value.webhooks).flatMap((entry, index): Change[] => {
    const webhook = fields(entry);
    const at = [...object.base, 'webhooks', index];
    return [
      ...(has(webhook.sideEffects) ? [] : [{ set: [...at, 'sideEffects'], value: 'None' }]),
      ...(has(webhook.admissionReviewVersions)
        ? []
        : [{ set: [...at, 'admissionReviewVersions'], value: ['v1', 'v1beta1'] }]),
    ];
  });
}
