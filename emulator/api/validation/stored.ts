// What nobody acts on but everybody applies: Ingresses, network policies, roles and bindings, volumes, classes, quotas,
// ranges, Endpoints. Source: pkg/apis/{networking,rbac,storage,scheduling,core}/validation.
import type { LabelSelector } from '../label-selector.ts';
import { equalObjects, isObject, type KubeObject } from '../objects.ts';
import { parseQuantity } from '../quantity.ts';
import type { FieldErrors } from './field.ts';
import {
  cidr,
  dns1035Label,
  dns1123Subdomain,
  ipAddress,
  pathSegment,
  portName,
  portNumber,
  wildcardSubdomain,
} from './names.ts';
import { validateLabelSelector } from './selectors.ts';

type Rule = (errors: FieldErrors, object: KubeObject, current: KubeObject | undefined) => void;

export const storedKinds: Readonly<Record<string, Rule>> = {
  Ingress: validateIngress,
  IngressClass: validateIngressClass,
  NetworkPolicy: validateNetworkPolicy,
  Role: (errors, role) => validateRules(errors, role, true),
  ClusterRole: (errors, role) => validateRules(errors, role, false),
  RoleBinding: (errors, binding, current) => validateBinding(errors, binding, current, true),
  ClusterRoleBinding: (errors, binding, current) => validateBinding(errors, binding, current, false),
  PersistentVolume: validateVolume,
  StorageClass: validateStorageClass,
  PriorityClass: validatePriorityClass,
  ResourceQuota: validateQuota,
  LimitRange: validateLimitRange,
  Endpoints: validateEndpoints,
};

function problems(errors: FieldErrors, field: string, value: string, rule: (value: string) => string[]) {
  for (const problem of rule(value)) errors.invalid(field, value, problem);
}

function oneOf(errors: FieldErrors, field: string, value: string | undefined, allowed: readonly string[]) {
  if (value === undefined || !allowed.includes(value)) errors.notSupported(field, value ?? '', allowed);
}

interface Backend {
  service?: { name?: string; port?: { name?: string; number?: number } };
  resource?: object;
}

interface IngressSpec {
  ingressClassName?: string;
  defaultBackend?: Backend;
  rules?: { host?: string; http?: { paths?: { path?: string; pathType?: string; backend?: Backend }[] } }[];
  tls?: { hosts?: string[]; secretName?: string }[];
}

const classAnnotation = 'kubernetes.io/ingress.class';

function validateIngress(
  errors: FieldErrors,
  { metadata, spec }: KubeObject,
  current: KubeObject | undefined,
) {
  const { ingressClassName, defaultBackend, rules = [], tls = [] } = (spec ?? {}) as IngressSpec;
  const annotated = metadata.annotations?.[classAnnotation];
  if (
    !current &&
    annotated !== undefined &&
    ingressClassName !== undefined &&
    annotated !== ingressClassName
  ) {
    const text = 'must match `ingressClassName` when both are specified';
    errors.invalid(`annotations.${classAnnotation}`, annotated, text);
  }
  if (rules.length === 0 && !defaultBackend) {
    const text = 'either `defaultBackend` or `rules` must be specified';
    errors.invalid('spec', isObject(spec) ? spec.rules : undefined, text);
  }
  if (defaultBackend) validateBackend(errors, 'spec.defaultBackend', defaultBackend);
  for (const [index, { host, http }] of rules.entries()) {
    if (host) validateHost(errors, `spec.rules[${index}].host`, host);
    // The real one names the first rule, too, whichever it is about.
    if (http) validatePaths(errors, 'spec.rules[0].http', http.paths ?? []);
  }
  for (const [index, { hosts = [], secretName }] of tls.entries()) {
    for (const [number, host] of hosts.entries()) {
      const rule = host.includes('*') ? wildcardSubdomain : dns1123Subdomain;
      problems(errors, `spec.tls[${index}].hosts[${number}]`, host, rule);
    }
    if (secretName) problems(errors, `spec.tls[${index}].secretName`, secretName, dns1123Subdomain);
  }
  if (ingressClassName !== undefined) {
    problems(errors, 'spec.ingressClassName', ingressClassName, dns1123Subdomain);
  }
}

function validateHost(errors: FieldErrors, field: string, host: string) {
  if (ipAddress(host).length === 0) errors.invalid(field, host, 'must be a DNS name, not an IP address');
  problems(errors, field, host, host.includes('*') ? wildcardSubdomain : dns1123Subdomain);
}

function validatePaths(
  errors: FieldErrors,
  field: string,
  paths: NonNullable<NonNullable<NonNullable<IngressSpec['rules']>[number]['http']>['paths']>,
) {
  if (paths.length === 0) errors.required(`${field}.paths`);
  for (const [index, { path = '', pathType, backend = {} }] of paths.entries()) {
    const at = `${field}.paths[${index}]`;
    if (pathType === undefined) {
      errors.required(`${at}.pathType`, 'pathType must be specified');
      continue;
    }
    if (pathType === 'ImplementationSpecific') {
      if (path && !path.startsWith('/')) errors.invalid(`${at}.path`, path, 'must be an absolute path');
    } else if (pathType === 'Exact' || pathType === 'Prefix') {
      if (!path.startsWith('/')) errors.invalid(`${at}.path`, path, 'must be an absolute path');
      for (const part of ['//', '/./', '/../', '%2f', '%2F']) {
        if (path.includes(part)) errors.invalid(`${at}.path`, path, `must not contain '${part}'`);
      }
      for (const end of ['/..', '/.']) {
        if (path.endsWith(end)) errors.invalid(`${at}.path`, path, `cannot end with '${end}'`);
      }
    } else errors.notSupported(`${at}.pathType`, pathType, ['Exact', 'ImplementationSpecific', 'Prefix']);
    validateBackend(errors, `${at}.backend`, backend);
  }
}

function validateBackend(errors: FieldErrors, field: string, { service, resource }: Backend) {
  if (service && resource) errors.invalid(field, '', 'cannot set both resource and service backends');
  else if (service) {
    const { name = '', port = {} } = service;
    if (!name) errors.required(`${field}.service.name`);
    else problems(errors, `${field}.service.name`, name, dns1035Label);
    if (port.name && port.number) errors.invalid(field, '', 'cannot set both port name & port number');
    else if (port.name) problems(errors, `${field}.service.port.name`, port.name, portName);
    else if (port.number) {
      for (const problem of portNumber(port.number)) {
        errors.invalid(`${field}.service.port.number`, port.number, problem);
      }
    } else errors.required(field, 'port name or number is required');
  } else if (!resource) errors.invalid(field, '', 'resource or service backend is required');
}

function validateIngressClass(errors: FieldErrors, { spec }: KubeObject, current: KubeObject | undefined) {
  const field = 'spec.controller';
  const { controller = '' } = (spec ?? {}) as { controller?: string };
  const [domain = '', ...path] = controller.split('/');
  if (!controller) errors.required(field);
  else if (!domain || !path.join('/')) {
    errors.invalid(field, controller, 'must be a domain-prefixed path (such as "acme.io/foo")');
  } else problems(errors, field, domain, dns1123Subdomain);
  const before = (current?.spec as { controller?: string } | undefined)?.controller;
  if (current && before !== controller) errors.invalid(field, controller, 'field is immutable');
}

interface Peer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr?: string; except?: string[] };
}

interface PolicySpec {
  podSelector?: LabelSelector;
  policyTypes?: string[];
  ingress?: { from?: Peer[] }[];
  egress?: { to?: Peer[] }[];
}

function validateNetworkPolicy(errors: FieldErrors, { spec }: KubeObject) {
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = (spec ?? {}) as PolicySpec;
  validateLabelSelector(errors, 'spec.podSelector', podSelector);
  for (const [index, { from = [] }] of ingress.entries()) validatePeers(`spec.ingress[${index}].from`, from);
  for (const [index, { to = [] }] of egress.entries()) validatePeers(`spec.egress[${index}].to`, to);
  if (policyTypes.length > 2) {
    errors.invalid('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes');
    return;
  }
  for (const [index, type] of policyTypes.entries()) {
    oneOf(errors, `spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']);
  }

  function validatePeers(field: string, peers: readonly Peer[]) {
    for (const [index, { podSelector: pods, namespaceSelector, ipBlock }] of peers.entries()) {
      const at = `${field}[${index}]`;
      if (!pods && !namespaceSelector && !ipBlock) errors.required(at, 'must specify a peer');
      else if (ipBlock && (pods || namespaceSelector)) {
        errors.forbidden(at, 'may not specify both ipBlock and another peer');
      }
      validateLabelSelector(errors, `${at}.podSelector`, pods);
      validateLabelSelector(errors, `${at}.namespaceSelector`, namespaceSelector);
      if (!ipBlock) continue;
      if (!ipBlock.cidr) errors.required(`${at}.ipBlock.cidr`);
      else problems(errors, `${at}.ipBlock.cidr`, ipBlock.cidr, cidr);
      for (const [number, part] of (ipBlock.except ?? []).entries()) {
        problems(errors, `${at}.ipBlock.except[${number}]`, part, cidr);
      }
    }
  }
}

interface PolicyRule {
  verbs?: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

function validateRules(errors: FieldErrors, { rules }: KubeObject, namespaced: boolean) {
  for (const [index, rule] of ((rules ?? []) as PolicyRule[]).entries()) {
    const at = `rules[${index}]`;
    const {
      verbs = [],
      apiGroups = [],
      resources = [],
      resourceNames = [],
      nonResourceURLs: urls = [],
    } = rule;
    if (verbs.length === 0) errors.required(`${at}.verbs`, 'verbs must contain at least one value');
    if (urls.length > 0) {
      if (namespaced) {
        const text = 'namespaced rules cannot apply to non-resource URLs';
        errors.invalid(`${at}.nonResourceURLs`, urls, text);
      }
      if (apiGroups.length + resources.length + resourceNames.length > 0) {
        const text = 'rules cannot apply to both regular resources and non-resource URLs';
        errors.invalid(`${at}.nonResourceURLs`, urls, text);
      }
      continue;
    }
    if (apiGroups.length === 0) {
      errors.required(`${at}.apiGroups`, 'resource rules must supply at least one api group');
    }
    if (resources.length === 0) {
      errors.required(`${at}.resources`, 'resource rules must supply at least one resource');
    }
  }
}

const rbacGroup = 'rbac.authorization.k8s.io';

interface Reference {
  apiGroup?: string;
  kind?: string;
  name?: string;
  namespace?: string;
}

function validateBinding(
  errors: FieldErrors,
  binding: KubeObject,
  current: KubeObject | undefined,
  namespaced: boolean,
) {
  const role = (binding.roleRef ?? {}) as Reference;
  if (role.apiGroup !== rbacGroup) oneOf(errors, 'roleRef.apiGroup', role.apiGroup, [rbacGroup]);
  oneOf(errors, 'roleRef.kind', role.kind, namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']);
  if (!role.name) errors.required('roleRef.name');
  else problems(errors, 'roleRef.name', role.name, pathSegment);
  for (const [index, subject] of ((binding.subjects ?? []) as Reference[]).entries()) {
    validateSubject(errors, `subjects[${index}]`, subject, namespaced);
  }
  if (current && !equalObjects(binding.roleRef, current.roleRef)) {
    errors.invalid('roleRef', binding.roleRef, 'cannot change roleRef');
  }
}

function validateSubject(
  errors: FieldErrors,
  field: string,
  { kind, name, namespace, apiGroup = '' }: Reference,
  namespaced: boolean,
) {
  if (!name) errors.required(`${field}.name`);
  switch (kind) {
    case 'ServiceAccount':
      if (name) problems(errors, `${field}.name`, name, dns1123Subdomain);
      if (apiGroup) oneOf(errors, `${field}.apiGroup`, apiGroup, ['']);
      if (!namespaced && !namespace) errors.required(`${field}.namespace`);
      break;
    case 'User':
    case 'Group':
      oneOf(errors, `${field}.apiGroup`, apiGroup, [rbacGroup]);
      break;
    default:
      oneOf(errors, `${field}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
  }
}

// Fields of a PersistentVolume's spec that say something else than what it is made of.
const volumeFields = [
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
];
const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function validateVolume(errors: FieldErrors, { spec }: KubeObject) {
  const fields = isObject(spec) ? spec : {};
  const modes = (fields.accessModes ?? []) as string[];
  if (modes.length === 0) errors.required('spec.accessModes');
  for (const mode of modes) {
    if (!accessModes.includes(mode)) errors.notSupported('spec.accessModes', mode, accessModes);
  }
  const capacity = isObject(fields.capacity) ? fields.capacity : {};
  if (Object.keys(capacity).length === 0) errors.required('spec.capacity');
  else if (capacity.storage === undefined || Object.keys(capacity).length > 1) {
    errors.notSupported('spec.capacity', Object.keys(capacity)[0], ['storage']);
  }
  const sources = Object.keys(fields).filter((field) => !volumeFields.includes(field));
  if (sources.length === 0) errors.required('spec', 'must specify a volume type');
  for (const source of sources.slice(1)) {
    errors.forbidden(`spec.${source}`, 'may not specify more than 1 volume type');
  }
}

function validateStorageClass(errors: FieldErrors, sc: KubeObject, current: KubeObject | undefined) {
  if (!sc.provisioner) errors.required('provisioner');
  oneOf(errors, 'reclaimPolicy', String(sc.reclaimPolicy), ['Delete', 'Retain']);
  const modes = ['Immediate', 'WaitForFirstConsumer'];
  oneOf(errors, 'volumeBindingMode', String(sc.volumeBindingMode), modes);
  if (!current) return;
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy']) {
    if (!equalObjects(sc[field], current[field])) {
      errors.forbidden(field, `updates to ${field} are forbidden.`);
    }
  }
  if (sc.volumeBindingMode !== current.volumeBindingMode) {
    errors.invalid('volumeBindingMode', sc.volumeBindingMode, 'field is immutable');
  }
}

const highestOfUsers = 1_000_000_000;
const systemClasses = ['system-cluster-critical', 'system-node-critical'];

function validatePriorityClass(errors: FieldErrors, pc: KubeObject, current: KubeObject | undefined) {
  const { name } = pc.metadata;
  const value = (pc.value ?? 0) as number;
  if (name.startsWith('system-')) {
    if (!systemClasses.includes(name)) {
      errors.forbidden(
        'metadata.name',
        `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`,
      );
    }
  } else if (value > highestOfUsers) {
    errors.forbidden('value', `maximum allowed value of a user defined priority is ${highestOfUsers}`);
  }
  const policies = ['Never', 'PreemptLowerPriority'];
  oneOf(errors, 'preemptionPolicy', String(pc.preemptionPolicy), policies);
  if (current && value !== (current.value ?? 0)) {
    errors.forbidden('value', 'may not be changed in an update.');
  }
}

type Amounts = Record<string, string>;

function validateQuota(errors: FieldErrors, { spec }: KubeObject) {
  for (const [name, amount] of Object.entries((spec as { hard?: Amounts } | undefined)?.hard ?? {})) {
    if ((parseQuantity(amount)?.nano ?? 0n) < 0n) {
      errors.invalid(`spec.hard[${name}]`, amount, 'must be greater than or equal to 0');
    }
  }
}

interface LimitItem {
  type?: string;
  min?: Amounts;
  max?: Amounts;
  default?: Amounts;
  defaultRequest?: Amounts;
}

function validateLimitRange(errors: FieldErrors, { spec }: KubeObject) {
  const types = new Set<string>();
  for (const [index, item] of ((spec as { limits?: LimitItem[] } | undefined)?.limits ?? []).entries()) {
    const at = `spec.limits[${index}]`;
    const { type = '', min = {}, max = {}, default: limit = {}, defaultRequest = {} } = item;
    if (types.has(type)) errors.duplicate(`${at}.type`, type);
    types.add(type);
    if (type === 'Pod') {
      for (const field of ['default', 'defaultRequest'] as const) {
        if (Object.keys(item[field] ?? {}).length > 0) {
          errors.forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'");
        }
      }
    }
    const above = (left: Amounts, right: Amounts, name: string) =>
      left[name] !== undefined &&
      right[name] !== undefined &&
      (parseQuantity(left[name])?.nano ?? 0n) > (parseQuantity(right[name])?.nano ?? 0n);
    const names = new Set([min, max, limit, defaultRequest].flatMap((each) => Object.keys(each)));
    for (const name of names) {
      const refuse = (field: string, value: string | undefined, text: string) =>
        errors.invalid(`${at}.${field}[${name}]`, value, text);
      const { [name]: least } = min;
      const { [name]: most } = max;
      const { [name]: byDefault } = limit;
      const { [name]: asked } = defaultRequest;
      if (above(min, max, name)) refuse('min', least, `min value ${least} is greater than max value ${most}`);
      if (above(min, defaultRequest, name)) {
        refuse('defaultRequest', asked, `min value ${least} is greater than default request value ${asked}`);
      }
      if (above(defaultRequest, max, name)) {
        refuse('defaultRequest', asked, `default request value ${asked} is greater than max value ${most}`);
      }
      if (above(defaultRequest, limit, name)) {
        const text = `default request value ${asked} is greater than default limit value ${byDefault}`;
        refuse('defaultRequest', asked, text);
      }
      if (above(min, limit, name)) {
        refuse('default', least, `min value ${least} is greater than default value ${byDefault}`);
      }
      if (above(limit, max, name)) {
        refuse('default', most, `default value ${byDefault} is greater than max value ${most}`);
      }
    }
  }
}

function validateEndpoints(errors: FieldErrors, { subsets }: KubeObject) {
  interface Subset {
    addresses?: { ip?: string }[];
    notReadyAddresses?: { ip?: string }[];
    ports?: { port?: number }[];
  }
  for (const [index, subset] of ((subsets ?? []) as Subset[]).entries()) {
    const at = `subsets[${index}]`;
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
    if (addresses.length + notReadyAddresses.length === 0) {
      errors.required(at, 'must specify `addresses` or `notReadyAddresses`');
    }
    for (const field of ['addresses', 'notReadyAddresses'] as const) {
      for (const [number, { ip = '' }] of (subset[field] ?? []).entries()) {
        problems(errors, `${at}.${field}[${number}].ip`, ip, ipAddress);
      }
    }
    for (const [number, { port = 0 }] of ports.entries()) {
      for (const problem of portNumber(port)) errors.invalid(`${at}.ports[${number}].port`, port, problem);
    }
  }
}
