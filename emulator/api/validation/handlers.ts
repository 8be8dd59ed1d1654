// Probes and lifecycle hooks. Source: pkg/apis/core/validation/validation.go validateProbe, validateHandler.
import type { Container } from '../defaults/pod.ts';
import type { FieldErrors } from './field.ts';
import { headerName } from './names.ts';
import { nonNegative, portReference } from './numbers.ts';

type Probe = NonNullable<Container['livenessProbe']>;
type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & { sleep?: { seconds: number } };

export function validateProbes(errors: FieldErrors, field: string, container: Container): void {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  validateProbe(errors, `${field}.livenessProbe`, livenessProbe);
  mustSucceedOnce(errors, `${field}.livenessProbe`, livenessProbe);
  validateProbe(errors, `${field}.readinessProbe`, readinessProbe);
  if (readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    errors.invalid(
      `${field}.readinessProbe.terminationGracePeriodSeconds`,
      readinessProbe.terminationGracePeriodSeconds,
      'must not be set for readinessProbes',
    );
  }
  validateProbe(errors, `${field}.startupProbe`, startupProbe);
  mustSucceedOnce(errors, `${field}.startupProbe`, startupProbe);
}

export function validateLifecycle(
  errors: FieldErrors,
  field: string,
  lifecycle: Container['lifecycle'],
  graceSeconds: number,
): void {
  if (lifecycle?.postStart) validateHandler(errors, `${field}.postStart`, lifecycle.postStart, graceSeconds);
  if (lifecycle?.preStop) validateHandler(errors, `${field}.preStop`, lifecycle.preStop, graceSeconds);
}

function validateProbe(errors: FieldErrors, field: string, probe: Probe | undefined): void {
  if (!probe) return;
  validateHandler(errors, field, probe, 0);
  nonNegative(errors, `${field}.initialDelaySeconds`, probe.initialDelaySeconds);
  nonNegative(errors, `${field}.timeoutSeconds`, probe.timeoutSeconds);
  nonNegative(errors, `${field}.periodSeconds`, probe.periodSeconds);
  nonNegative(errors, `${field}.successThreshold`, probe.successThreshold);
  nonNegative(errors, `${field}.failureThreshold`, probe.failureThreshold);
  const grace = probe.terminationGracePeriodSeconds;
  // A readinessProbe may not have it at all, which is said elsewhere.
  if (grace !== undefined && grace <= 0) {
    errors.invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0');
  }
}

function mustSucceedOnce(errors: FieldErrors, field: string, probe: Probe | undefined): void {
  if (probe?.successThreshold !== undefined && probe.successThreshold !== 1 && probe.successThreshold >= 0) {
    errors.invalid(`${field}.successThreshold`, probe.successThreshold, 'must be 1');
  }
}

function validateHandler(errors: FieldErrors, field: string, handler: Handler, graceSeconds: number): void {
  let handlers = 0;
  const alone = (name: string) => {
    handlers++;
    if (handlers > 1) errors.forbidden(`${field}.${name}`, 'may not specify more than 1 handler type');
    return handlers === 1;
  };
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec && alone('exec') && !exec.command?.length) errors.required(`${field}.exec.command`);
  if (httpGet && alone('httpGet')) validateHttpGet(errors, `${field}.httpGet`, httpGet);
  if (tcpSocket && alone('tcpSocket')) portReference(errors, `${field}.tcpSocket.port`, tcpSocket.port);
  if (grpc && alone('grpc')) portReference(errors, `${field}.grpc.port`, grpc.port);
  if (sleep && alone('sleep') && (sleep.seconds < 0 || sleep.seconds > graceSeconds)) {
    errors.invalid(
      `${field}.sleep`,
      sleep.seconds,
      `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`,
    );
  }
  if (handlers === 0) errors.required(field, 'must specify a handler type');
}

function validateHttpGet(errors: FieldErrors, field: string, action: NonNullable<Handler['httpGet']>): void {
  if (!action.path) errors.required(`${field}.path`);
  portReference(errors, `${field}.port`, action.port);
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') {
    errors.notSupported(`${field}.scheme`, action.scheme, ['HTTP', 'HTTPS']);
  }
  for (const { name } of action.httpHeaders ?? []) {
    for (const problem of headerName(name ?? '')) errors.invalid(`${field}.httpHeaders`, name ?? '', problem);
  }
}
