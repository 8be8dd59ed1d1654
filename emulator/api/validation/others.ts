// PodDisruptionBudget, ConfigMap, Secret, Node, Lease, EndpointSlice, Event.
// Source: pkg/apis/{policy,core,coordination,discovery}/validation.
import { equalObjects, isObject, type JsonObject, type KubeObject } from '../objects.ts';
import type { DisruptionBudget, EndpointSlice, Kinds, KubeEvent, Node } from '../types.ts';
import type { FieldErrors } from './field.ts';
import { configKey, ipAddress, qualifiedName } from './names.ts';
import { atMost100Percent, intOrPercent } from './numbers.ts';
import { validateLabelSelector } from './selectors.ts';

export function validateDisruptionBudget(errors: FieldErrors, { spec }: DisruptionBudget): void {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec ?? {};
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.invalid(
      'spec',
      {
        MinAvailable: minAvailable,
        Selector: selector ?? null,
        MaxUnavailable: maxUnavailable,
        UnhealthyPodEvictionPolicy: policy ?? null,
      },
      'minAvailable and maxUnavailable cannot be both set',
    );
  }
  intOrPercent(errors, 'spec.minAvailable', minAvailable);
  atMost100Percent(errors, 'spec.minAvailable', minAvailable);
  intOrPercent(errors, 'spec.maxUnavailable', maxUnavailable);
  atMost100Percent(errors, 'spec.maxUnavailable', maxUnavailable);
  if (policy !== undefined && policy !== 'AlwaysAllow' && policy !== 'IfHealthyBudget') {
    errors.notSupported('spec.unhealthyPodEvictionPolicy', policy, ['AlwaysAllow', 'IfHealthyBudget']);
  }
  validateLabelSelector(errors, 'spec.selector', selector);
}

export function validateConfigMap(
  errors: FieldErrors,
  { data, binaryData, immutable }: Kinds['configmaps'],
  current: Kinds['configmaps'] | undefined,
): void {
  for (const key of Object.keys(data ?? {})) {
    for (const problem of configKey(key)) errors.invalid(`data[${key}]`, key, problem);
    if (binaryData && Object.hasOwn(binaryData, key)) {
      errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
    }
  }
  for (const key of Object.keys(binaryData ?? {})) {
    for (const problem of configKey(key)) errors.invalid(`binaryData[${key}]`, key, problem);
  }
  checkSize(errors, '', [
    ...Object.values(data ?? {}).map((text) => Buffer.byteLength(text)),
    ...Object.values(binaryData ?? {}).map((text) => Buffer.byteLength(text, 'base64')),
  ]);
  if (!current?.immutable) return;
  if (!immutable) errors.forbidden('immutable', 'field is immutable when `immutable` is set');
  if (!equalObjects(data, current.data))
    errors.forbidden('data', 'field is immutable when `immutable` is set');
  if (!equalObjects(binaryData, current.binaryData)) {
    errors.forbidden('binaryData', 'field is immutable when `immutable` is set');
  }
}

const sizeLimitBytes = 1024 * 1024;

function checkSize(errors: FieldErrors, field: string, sizes: readonly number[]): void {
  const size = sizes.reduce((sum, each) => sum + each, 0);
  if (size <= sizeLimitBytes) return;
  errors.causes.push({
    reason: 'FieldValueTooLong',
    message: `Too long: may not be more than ${sizeLimitBytes} bytes`,
    field,
  });
}

/** What a Secret of a type must hold. */
const keysOfType: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

function validateSecretType(errors: FieldErrors, { type, metadata, data }: KubeObject): void {
  const found = isObject(data) ? data : {};
  for (const key of keysOfType[String(type)] ?? []) {
    if (found[key] === undefined) errors.required(`data[${key}]`);
    else if (key.startsWith('.docker') && !isJson(String(found[key]))) {
      errors.invalid(`data[${key}]`, '<secret contents redacted>', 'is no JSON');
    }
  }
  if (type === 'kubernetes.io/basic-auth' && !('username' in found) && !('password' in found)) {
    errors.required('data[username]');
    errors.required('data[password]');
  }
  const account = 'kubernetes.io/service-account.name';
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[account]) {
    errors.required(`metadata.annotations[${account}]`);
  }
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString());
    return true;
  } catch {
    return false;
  }
}

export function validateSecret(
  errors: FieldErrors,
  secret: KubeObject,
  current: KubeObject | undefined,
): void {
  for (const key of Object.keys(isObject(secret.data) ? secret.data : {})) {
    for (const problem of configKey(key)) errors.invalid(`data[${key}]`, key, problem);
  }
  const values = isObject(secret.data) ? Object.values(secret.data) : [];
  checkSize(
    errors,
    'data',
    values.map((text) => Buffer.byteLength(String(text), 'base64')),
  );
  validateSecretType(errors, secret);
  if (current && secret.type !== current.type) errors.invalid('type', secret.type, 'field is immutable');
  if (current?.immutable && !secret.immutable) {
    errors.forbidden('immutable', 'field is immutable when `immutable` is set');
  }
  if (current?.immutable && !equalObjects(secret.data, current.data)) {
    errors.forbidden('data', 'field is immutable when `immutable` is set');
  }
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateNode(errors: FieldErrors, { spec }: Node): void {
  const seen = new Set<string>();
  for (const [index, { key, effect }] of (spec?.taints ?? []).entries()) {
    const field = `metadata.taints[${index}]`;
    for (const problem of qualifiedName(key ?? '')) errors.invalid(`${field}.key`, key ?? '', problem);
    if (!effect) errors.required(`${field}.effect`);
    else if (!taintEffects.includes(effect)) errors.notSupported(`${field}.effect`, effect, taintEffects);
    if (seen.has(`${key}:${effect}`)) errors.duplicate(`${field}`, `${key}:${effect}`);
    seen.add(`${key}:${effect}`);
  }
}

export function validateLease(errors: FieldErrors, { spec }: KubeObject): void {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = (spec ?? {}) as JsonObject;
  if (typeof duration === 'number' && duration <= 0) {
    errors.invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0');
  }
  if (typeof transitions === 'number' && transitions < 0) {
    errors.invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0');
  }
}

export function validateEndpointSlice(
  errors: FieldErrors,
  slice: EndpointSlice,
  current: EndpointSlice | undefined,
): void {
  const types = ['FQDN', 'IPv4', 'IPv6'];
  if (!slice.addressType) errors.required('addressType');
  else if (!types.includes(slice.addressType)) errors.notSupported('addressType', slice.addressType, types);
  for (const [index, { addresses = [] }] of (slice.endpoints ?? []).entries()) {
    const field = `endpoints[${index}].addresses`;
    if (addresses.length === 0) errors.required(field, 'must contain at least 1 address');
    if (slice.addressType !== 'IPv4') continue;
    for (const [number, address] of addresses.entries()) {
      for (const problem of ipAddress(address)) errors.invalid(`${field}[${number}]`, address, problem);
    }
  }
  if (current && slice.addressType !== current.addressType) {
    errors.invalid('addressType', slice.addressType, 'field is immutable');
  }
}

export function validateEvent(errors: FieldErrors, { metadata, involvedObject }: KubeEvent): void {
  const namespace = involvedObject?.namespace ?? '';
  // Events of cluster-scoped objects are in "default".
  const matches = namespace === '' ? metadata.namespace === 'default' : namespace === metadata.namespace;
  if (!matches) errors.invalid('involvedObject.namespace', namespace, 'does not match event.namespace');
}
