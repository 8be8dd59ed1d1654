// Services. Source: pkg/apis/core/validation/validation.go ValidateService.
import type { Service } from '../types.ts';
import type { FieldErrors } from './field.ts';
import { dns1123Label, dns1123Subdomain, ipAddress, portNumber, qualifiedName } from './names.ts';
import { portReference } from './numbers.ts';
import { validateLabels } from './selectors.ts';

type Spec = NonNullable<Service['spec']>;

export function validateService(
  errors: FieldErrors,
  { spec = {} }: Service,
  current: Service | undefined,
): void {
  const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
  if (!spec.ports?.length && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    errors.required('spec.ports');
  if (spec.type === 'ExternalName') validateExternalName(errors, spec);
  for (const [index, port] of (spec.ports ?? []).entries()) {
    validatePort(errors, `spec.ports[${index}]`, port, (spec.ports ?? []).length > 1, spec.type);
  }
  uniquePorts(errors, spec.ports ?? []);
  validateLabels(errors, 'spec.selector', spec.selector);
  oneOf(errors, 'spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']);
  oneOf(errors, 'spec.type', spec.type, types);
  validateAddress(errors, spec, current?.spec);
  if (spec.internalTrafficPolicy !== undefined) {
    oneOf(errors, 'spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']);
  }
  if (
    spec.externalTrafficPolicy !== undefined &&
    ((spec.type === 'ClusterIP' && !spec.externalIPs?.length) || spec.type === 'ExternalName')
  ) {
    const text = 'may only be set for externally-accessible services';
    errors.invalid('spec.externalTrafficPolicy', spec.externalTrafficPolicy, text);
  }
  if (spec.trafficDistribution !== undefined) {
    oneOf(errors, 'spec.trafficDistribution', spec.trafficDistribution, [
      'PreferClose',
      'PreferSameZone',
      'PreferSameNode',
    ]);
  }
}

function validateExternalName(errors: FieldErrors, { clusterIP, externalName = '' }: Spec): void {
  // A dot at the end is that of DNS.
  const name = externalName.replace(/\.$/, '');
  if (!name) errors.required('spec.externalName');
  else {
    for (const problem of dns1123Subdomain(name)) errors.invalid('spec.externalName', externalName, problem);
  }
  if (clusterIP) errors.forbidden('spec.clusterIPs[0]', 'may not be set for ExternalName services');
}

function validatePort(
  errors: FieldErrors,
  field: string,
  port: NonNullable<Spec['ports']>[number],
  needsName: boolean,
  type: string | undefined,
): void {
  if (!port.name && needsName) errors.required(`${field}.name`);
  else if (port.name) {
    for (const problem of dns1123Label(port.name)) errors.invalid(`${field}.name`, port.name, problem);
  }
  const number = port.port ?? 0;
  for (const problem of portNumber(number)) errors.invalid(`${field}.port`, number, problem);
  oneOf(errors, `${field}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  portReference(errors, `${field}.targetPort`, port.targetPort);
  if (port.appProtocol !== undefined) {
    for (const problem of qualifiedName(port.appProtocol)) {
      errors.invalid(`${field}.appProtocol`, port.appProtocol, problem);
    }
  }
  if (
    port.nodePort &&
    (type === 'NodePort' || type === 'LoadBalancer') &&
    (port.nodePort < 30_000 || port.nodePort > 32_767)
  ) {
    const range = 'provided port is not in the valid range. The range of valid ports is 30000-32767';
    errors.invalid(`${field}.nodePort`, port.nodePort, range);
  }
  if (port.nodePort && type === 'ClusterIP') {
    errors.forbidden(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'");
  }
}

function uniquePorts(errors: FieldErrors, ports: NonNullable<Spec['ports']>): void {
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, { name, port, protocol }] of ports.entries()) {
    if (name && names.has(name)) errors.duplicate(`spec.ports[${index}].name`, name);
    if (name) names.add(name);
    const key = `${protocol}/${port}`;
    if (numbers.has(key)) {
      // As Go prints the key that it compares.
      errors.duplicate(`spec.ports[${index}]`, {
        Name: '',
        Protocol: protocol,
        AppProtocol: null,
        Port: port,
        TargetPort: 0,
        NodePort: 0,
      });
    }
    numbers.add(key);
  }
}

function validateAddress(errors: FieldErrors, spec: Spec, before: Spec | undefined): void {
  const { clusterIP } = spec;
  if (clusterIP && clusterIP !== 'None') {
    for (const problem of ipAddress(clusterIP)) errors.invalid('spec.clusterIPs[0]', clusterIP, problem);
  }
  if (before?.clusterIP && clusterIP !== before.clusterIP && spec.type !== 'ExternalName') {
    errors.invalid('spec.clusterIPs[0]', [clusterIP], 'may not change once set');
  }
}

function oneOf(
  errors: FieldErrors,
  field: string,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (!supported.includes(value ?? '')) errors.notSupported(field, value, supported);
}
