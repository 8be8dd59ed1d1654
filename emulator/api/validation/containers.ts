// Containers of a pod. Source: pkg/apis/core/validation/validation.go validateContainers.
import type { Container, PodSpec } from '../defaults/pod.ts';
import { canonicalQuantity, parseQuantity } from '../quantity.ts';
import type { FieldErrors } from './field.ts';
import { validateLifecycle, validateProbes } from './handlers.ts';
import { dns1123Label, environmentName, portName, portNumber, qualifiedName } from './names.ts';

export function validateContainers(errors: FieldErrors, field: string, spec: PodSpec): void {
  const names = new Set<string>();
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const graceSeconds = spec.terminationGracePeriodSeconds ?? 30;
  const hostPorts = new Set<string>();
  if (!spec.containers?.length) errors.required(`${field}.containers`);
  for (const [index, container] of (spec.containers ?? []).entries()) {
    const path = `${field}.containers[${index}]`;
    validateContainer(errors, path, container, { names, volumes, hostPorts, spec });
    validateLifecycle(errors, `${path}.lifecycle`, container.lifecycle, graceSeconds);
    validateProbes(errors, path, container);
  }
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const path = `${field}.initContainers[${index}]`;
    validateContainer(errors, path, container, { names, volumes, hostPorts: new Set(), spec });
    validateInitOnly(errors, path, container, graceSeconds);
  }
}

interface PodContext {
  names: Set<string>;
  volumes: ReadonlySet<string>;
  hostPorts: Set<string>;
  spec: PodSpec;
}

function validateContainer(errors: FieldErrors, path: string, container: Container, pod: PodContext): void {
  const { name, image, imagePullPolicy, terminationMessagePolicy } = container;
  if (!name) errors.required(`${path}.name`);
  else for (const problem of dns1123Label(name)) errors.invalid(`${path}.name`, name, problem);
  if (name && pod.names.has(name)) errors.duplicate(`${path}.name`, name);
  pod.names.add(name);
  if (!image) errors.required(`${path}.image`);
  if (terminationMessagePolicy !== 'File' && terminationMessagePolicy !== 'FallbackToLogsOnError') {
    errors.notSupported(`${path}.terminationMessagePolicy`, terminationMessagePolicy, [
      'File',
      'FallbackToLogsOnError',
    ]);
  }
  validatePorts(errors, path, container, pod);
  validateEnvironment(errors, `${path}.env`, container.env ?? []);
  validateMounts(errors, `${path}.volumeMounts`, container.volumeMounts ?? [], pod.volumes);
  if (!['Always', 'IfNotPresent', 'Never'].includes(imagePullPolicy ?? '')) {
    errors.notSupported(`${path}.imagePullPolicy`, imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  }
  validateResources(errors, `${path}.resources`, container.resources ?? {});
  validateSecurity(errors, `${path}.securityContext`, container.securityContext);
}

function validateInitOnly(
  errors: FieldErrors,
  path: string,
  container: Container,
  graceSeconds: number,
): void {
  if (container.restartPolicy === 'Always') {
    validateLifecycle(errors, `${path}.lifecycle`, container.lifecycle, graceSeconds);
    validateProbes(errors, path, container);
    return;
  }
  const text = 'may not be set for init containers without restartPolicy=Always';
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[field]) errors.forbidden(`${path}.${field}`, text);
  }
}

function validatePorts(errors: FieldErrors, path: string, container: Container, pod: PodContext): void {
  const names = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const field = `${path}.ports[${index}]`;
    if (port.name) {
      const problems = portName(port.name);
      for (const problem of problems) errors.invalid(`${field}.name`, port.name, problem);
      if (problems.length === 0 && names.has(port.name)) errors.duplicate(`${field}.name`, port.name);
      names.add(port.name);
    }
    if (!port.containerPort) errors.required(`${field}.containerPort`);
    else checkPort(errors, `${field}.containerPort`, port.containerPort);
    if (port.hostPort) checkPort(errors, `${field}.hostPort`, port.hostPort);
    if (port.protocol !== 'TCP' && port.protocol !== 'UDP' && port.protocol !== 'SCTP') {
      errors.notSupported(`${field}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
    }
    if (pod.spec.hostNetwork && port.hostPort && port.hostPort !== port.containerPort) {
      errors.invalid(
        `${field}.hostPort`,
        port.hostPort,
        'must match `containerPort` when `hostNetwork` is true',
      );
    }
    if (!port.hostPort) continue;
    const taken = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
    if (pod.hostPorts.has(taken)) errors.duplicate(`${field}.hostPort`, taken);
    pod.hostPorts.add(taken);
  }
}

function checkPort(errors: FieldErrors, field: string, port: number): void {
  for (const problem of portNumber(port)) errors.invalid(field, port, problem);
}

// downward API fields (pkg/apis/core/validation: validEnvDownwardAPIFieldPathExpressions).
const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function validateEnvironment(
  errors: FieldErrors,
  field: string,
  variables: NonNullable<Container['env']>,
): void {
  for (const [index, { name, value, valueFrom }] of variables.entries()) {
    const path = `${field}[${index}]`;
    if (!name) errors.required(`${path}.name`);
    else for (const problem of environmentName(name)) errors.invalid(`${path}.name`, name, problem);
    if (!valueFrom) continue;
    const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom;
    const sources = Object.keys(valueFrom).length;
    if (fieldRef) {
      const mapped = /^metadata\.(labels|annotations)\['.+'\]$/.test(fieldRef.fieldPath ?? '');
      if (!fieldRef.fieldPath) errors.required(`${path}.valueFrom.fieldRef.fieldPath`);
      else if (!mapped && !environmentFields.includes(fieldRef.fieldPath)) {
        errors.invalid(
          `${path}.valueFrom.fieldRef.fieldPath`,
          fieldRef.fieldPath,
          `error converting fieldPath: field label not supported: ${fieldRef.fieldPath}`,
        );
      }
    }
    if (resourceFieldRef && !resourceFieldRef.resource) {
      errors.required(`${path}.valueFrom.resourceFieldRef.resource`);
    }
    if (configMapKeyRef && !configMapKeyRef.key) errors.required(`${path}.valueFrom.configMapKeyRef.key`);
    if (secretKeyRef && !secretKeyRef.key) errors.required(`${path}.valueFrom.secretKeyRef.key`);
    if (sources === 0) {
      errors.invalid(
        `${path}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      );
    } else if (value)
      errors.invalid(`${path}.valueFrom`, '', 'may not be specified when `value` is not empty');
    else if (sources > 1) {
      errors.invalid(`${path}.valueFrom`, '', 'may not have more than one field specified at a time');
    }
  }
}

function validateMounts(
  errors: FieldErrors,
  field: string,
  mounts: NonNullable<Container['volumeMounts']>,
  volumes: ReadonlySet<string>,
): void {
  const paths = new Set<string>();
  for (const [index, { name, mountPath, subPath, subPathExpr }] of mounts.entries()) {
    const path = `${field}[${index}]`;
    if (subPath && subPathExpr) {
      errors.invalid(`${path}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive');
    }
    for (const [part, text] of [['subPath', subPath] as const, ['subPathExpr', subPathExpr] as const]) {
      if (!text) continue;
      if (text.startsWith('/')) errors.invalid(`${path}.${part}`, text, 'must be a relative path');
      else if (text.split('/').includes('..'))
        errors.invalid(`${path}.${part}`, text, "must not contain '..'");
    }
    if (!name) errors.required(`${path}.name`);
    if (!volumes.has(name)) errors.notFound(`${path}.name`, name ?? '');
    if (!mountPath) errors.required(`${path}.mountPath`);
    else if (paths.has(mountPath)) errors.invalid(`${path}.mountPath`, mountPath, 'must be unique');
    paths.add(mountPath);
  }
}

const standardResources = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/;

function validateResources(
  errors: FieldErrors,
  field: string,
  { limits = {}, requests = {} }: NonNullable<Container['resources']>,
): void {
  for (const [kind, amounts] of [['limits', limits] as const, ['requests', requests] as const]) {
    for (const [resource, amount] of Object.entries(amounts)) {
      const path = `${field}.${kind}[${resource}]`;
      for (const problem of qualifiedName(resource)) errors.invalid(path, resource, problem);
      if (!resource.includes('/') && !standardResources.test(resource)) {
        errors.invalid(path, resource, 'must be a standard resource type or fully qualified');
        errors.invalid(path, resource, 'must be a standard resource for containers');
      }
      if ((parseQuantity(amount)?.nano ?? 0n) < 0n) {
        errors.invalid(path, canonicalQuantity(amount), 'must be greater than or equal to 0');
      }
    }
  }
  for (const [resource, amount] of Object.entries(requests)) {
    const limit = limits[resource];
    if (limit === undefined) continue;
    if ((parseQuantity(amount)?.nano ?? 0n) > (parseQuantity(limit)?.nano ?? 0n)) {
      errors.invalid(
        `${field}.requests`,
        canonicalQuantity(amount),
        `must be less than or equal to ${resource} limit of ${canonicalQuantity(limit)}`,
      );
    }
  }
}

function validateSecurity(errors: FieldErrors, field: string, context: Container['securityContext']): void {
  for (const id of ['runAsUser', 'runAsGroup'] as const) {
    const value = context?.[id];
    if (value !== undefined && (value < 0 || value > 2_147_483_647)) {
      errors.invalid(`${field}.${id}`, value, 'must be between 0 and 2147483647, inclusive');
    }
  }
  if (context?.allowPrivilegeEscalation === false && context.privileged) {
    errors.invalid(field, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
  }
}
