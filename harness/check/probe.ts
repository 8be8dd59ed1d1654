// Probes with Kubernetes' defaults (pkg/apis/core/v1/defaults.go): period 10 s, timeout 1 s, failure threshold 3.

import type { Container } from './container.ts';
import { type Fields, fields, has, integer, list, text } from './fields.ts';

export const probeKinds = ['readinessProbe', 'livenessProbe', 'startupProbe'] as const;
type ProbeKind = (typeof probeKinds)[number];

export interface Probe {
  readonly handler: Fields;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  readonly initialDelaySeconds: number;
}

const handlers = ['httpGet', 'tcpSocket', 'grpc', 'exec'] as const;

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  const probe = fields(container.value[kind]);
  const name = handlers.find((handler) => has(probe[handler]));
  if (!name) return undefined;
  return {
    handler: { [name]: probe[name] },
    periodSeconds: integer(probe.periodSeconds) || 10,
    timeoutSeconds: integer(probe.timeoutSeconds) || 1,
    failureThreshold: integer(probe.failureThreshold) || 3,
    initialDelaySeconds: integer(probe.initialDelaySeconds) ?? 0,
  };
}

/** Seconds of failing until the probe acts: failureThreshold periods. */
export function secondsToAct(probe: Probe): number {
  return probe.periodSeconds * probe.failureThreshold;
}

/** True when two probes ask the same thing, however it is written (port by name or number, defaults left out). */
export function asksTheSame(a: Probe, b: Probe, container: Container): boolean {
  return JSON.stringify(canonical(a.handler, container)) === JSON.stringify(canonical(b.handler, container));
}

function canonical(handler: Fields, container: Container): unknown {
  const port = (value: unknown) =>
    list(container.value.ports)
      .map(fields)
      .find((own) => has(own.name) && own.name === value)?.containerPort ?? value;
  if (has(handler.httpGet)) {
    const get = fields(handler.httpGet);
    const headers = list(get.httpHeaders).map((header) => JSON.stringify(sorted(fields(header))));
    return [
      'http',
      text(get.scheme)?.toUpperCase() ?? 'HTTP',
      get.host ?? '',
      port(get.port),
      get.path ?? '/',
      headers,
    ];
  }
  if (has(handler.tcpSocket))
    return ['tcp', fields(handler.tcpSocket).host ?? '', port(fields(handler.tcpSocket).port)];
  if (has(handler.grpc)) return ['grpc', port(fields(handler.grpc).port), fields(handler.grpc).service ?? ''];
  return ['exec', list(fields(handler.exec).command)];
}

function sorted(object: Fields): Fields {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => a.localeCompare(b)));
}
