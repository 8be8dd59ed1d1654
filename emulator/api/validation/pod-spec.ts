// The spec of a pod or of a template. Source: pkg/apis/core/validation/validation.go ValidatePodSpec.
import type { PodSpec } from '../defaults/pod.ts';
import { equalObjects } from '../objects.ts';
import type { Pod } from '../types.ts';
import { validateContainers } from './containers.ts';
import type { FieldErrors } from './field.ts';
import { dns1123Label, dns1123Subdomain, ipAddress, qualifiedName } from './names.ts';
import { validateScheduling } from './scheduling.ts';

export function validatePodSpec(errors: FieldErrors, field: string, spec: PodSpec): void {
  validateVolumes(errors, `${field}.volumes`, spec.volumes ?? []);
  validateContainers(errors, field, spec);
  if (!['Always', 'OnFailure', 'Never'].includes(spec.restartPolicy ?? '')) {
    errors.notSupported(`${field}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  }
  const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
  if (!dnsPolicies.includes(spec.dnsPolicy ?? '')) {
    errors.notSupported(`${field}.dnsPolicy`, spec.dnsPolicy, dnsPolicies);
  }
  if (spec.dnsPolicy === 'None') {
    if (!spec.dnsConfig) {
      errors.required(`${field}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None');
    } else if (!spec.dnsConfig.nameservers?.length) {
      const text = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.required(`${field}.dnsConfig.nameservers`, text);
    }
  }
  const profile = spec.securityContext?.seccompProfile?.type;
  const profiles = ['Localhost', 'RuntimeDefault', 'Unconfined'];
  if (profile !== undefined && !profiles.includes(profile)) {
    errors.notSupported(`${field}.securityContext.seccompProfile.type`, profile, profiles);
  }
  if (spec.os && !['linux', 'windows'].includes(spec.os.name)) {
    errors.notSupported(`${field}.os.name`, spec.os.name, ['linux', 'windows']);
  }
  validateScheduling(errors, field, spec);
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries()) {
    for (const problem of qualifiedName(conditionType)) {
      errors.invalid(`${field}.readinessGates[${index}].conditionType`, conditionType, problem);
    }
  }
  checkName(errors, `${field}.serviceAccountName`, spec.serviceAccountName, dns1123Subdomain);
  checkName(errors, `${field}.nodeName`, spec.nodeName, dns1123Subdomain);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > 2_147_483_647)) {
    errors.invalid(`${field}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive');
  }
  checkName(errors, `${field}.hostname`, spec.hostname, dns1123Label);
  checkName(errors, `${field}.subdomain`, spec.subdomain, dns1123Label);
  for (const [index, { ip, hostnames = [] }] of (spec.hostAliases ?? []).entries()) {
    checkName(errors, `${field}.hostAliases[${index}].ip`, ip, ipAddress);
    for (const [number, name] of hostnames.entries()) {
      checkName(errors, `${field}.hostAliases[${index}].hostnames[${number}]`, name, dns1123Subdomain);
    }
  }
}

/** Only images, tolerations and the deadline of a pod may change. */
export function validatePodUpdate(errors: FieldErrors, pod: Pod, current: Pod): void {
  const spec = pod.spec!;
  const before = current.spec!;
  if (spec.containers.length !== before.containers.length) {
    errors.forbidden('spec.containers', 'pod updates may not add or remove containers');
    return;
  }
  if ((spec.initContainers?.length ?? 0) !== (before.initContainers?.length ?? 0)) {
    errors.forbidden('spec.initContainers', 'pod updates may not add or remove containers');
    return;
  }
  const deadline = spec.activeDeadlineSeconds;
  const deadlineBefore = before.activeDeadlineSeconds;
  if (deadlineBefore !== undefined && deadline === undefined) {
    errors.invalid(
      'spec.activeDeadlineSeconds',
      null,
      'must not update from a positive integer to nil value',
    );
    return;
  }
  if (deadlineBefore !== undefined && deadline !== undefined && deadline > deadlineBefore) {
    errors.invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value');
    return;
  }
  const withoutImages = (containers: PodSpec['containers'] | undefined) =>
    containers?.map(({ image: _image, ...container }) => container);
  const fixed = ({
    containers,
    initContainers,
    activeDeadlineSeconds: _,
    tolerations: _t,
    ...rest
  }: PodSpec) => ({
    ...rest,
    containers: withoutImages(containers),
    initContainers: withoutImages(initContainers),
  });
  const gates = ({ schedulingGates: _, ...rest }: ReturnType<typeof fixed>) => rest;
  const kept = (before.tolerations ?? []).every((toleration) =>
    spec.tolerations?.some((other) =>
      equalObjects({ ...other, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 }),
    ),
  );
  const oldFixed = fixed(before);
  // A negative grace period may be set right.
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    oldFixed.terminationGracePeriodSeconds = 1;
  }
  if (kept && equalObjects(gates(fixed(spec)), gates(oldFixed))) return;
  errors.forbidden(
    'spec',
    'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
  );
}

function checkName(
  errors: FieldErrors,
  field: string,
  value: string | undefined,
  rule: (value: string) => string[],
): void {
  if (!value) return;
  for (const problem of rule(value)) errors.invalid(field, value, problem);
}

function validateVolumes(errors: FieldErrors, field: string, volumes: NonNullable<PodSpec['volumes']>): void {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const path = `${field}[${index}]`;
    const [, ...others] = Object.keys(volume).filter((key) => key !== 'name');
    for (const other of others)
      errors.forbidden(`${path}.${other}`, 'may not specify more than 1 volume type');
    if (volume.configMap && !volume.configMap.name) errors.required(`${path}.configMap.name`);
    if (volume.secret && !volume.secret.secretName) errors.required(`${path}.secret.secretName`);
    if (volume.hostPath && !volume.hostPath.path) errors.required(`${path}.hostPath.path`);
    if (volume.hostPath?.path?.split('/').includes('..')) {
      errors.invalid(`${path}.hostPath.path`, volume.hostPath.path, "must not contain '..'");
    }
    if (!volume.name) errors.required(`${path}.name`);
    else
      for (const problem of dns1123Label(volume.name)) errors.invalid(`${path}.name`, volume.name, problem);
    if (volume.name && names.has(volume.name)) errors.duplicate(`${path}.name`, volume.name);
    names.add(volume.name);
  }
}
