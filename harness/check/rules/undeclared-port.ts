// A port that is named and that no container declares.
import { type Container, containerName, declaredPorts } from '../container.ts';
import { fields, has, text } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf, partnerName, type SourceObject } from '../objects.ts';
import { probeKinds } from '../probe.ts';
import type { Related } from '../related.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { servicePortsOf } from '../traffic.ts';
import type { Workload } from '../workload.ts';

export const undeclaredPort: Rule = {
  id: 'undeclared-port',
  severity: 'error',
  title: 'probe, hook or Service on a port that nobody declares',
  why: 'A port that is named is looked up among the container’s ports. A probe that does not find it fails every time: the pod never gets ready, or is killed. A Service that does not find it has no endpoint. A number needs no declaration, but where other ports are declared it is most likely a slip.',
  scenario: 'image-change',
  find: ({ workloads, related }: CheckInput) =>
    workloads.flatMap((workload) => [
      ...workload.containers.flatMap((container) => inProbes(workload, container)),
      ...inServices(workload, related),
    ]),
  measured: notMeasurable,
};

function inProbes({ object }: Workload, container: Container): readonly Draft[] {
  const declared = declaredPorts(container);
  return probeKinds.flatMap((kind) => {
    const probe = fields(container.value[kind]);
    const handler = has(probe.httpGet) ? 'httpGet' : 'tcpSocket';
    const port = text(fields(probe[handler]).port);
    if (port === undefined || /^\d+$/.test(port) || declared.some(({ name }) => name === port)) return [];
    const path = [...container.path, kind, handler, 'port'];
    const names = declared.flatMap(({ name }) => (has(name) ? [`"${String(name)}"`] : []));
    return [
      {
        object,
        path,
        want: 'value' as const,
        message: `the ${kind} of ${containerName(container)} of ${nameOf(object)} asks port "${port}", which the container does not declare (${names.join(', ') || 'none is named'}): it always fails.`,
        changes:
          declared.length === 1
            ? [{ set: path, value: declared[0]!.name ?? declared[0]!.containerPort }]
            : [],
        advice: `# name a port of the container "${port}", or ask one that there is`,
      },
    ];
  });
}

function inServices(workload: Workload, related: Related): readonly Draft[] {
  const { object, containers } = workload;
  const declared = containers.flatMap(declaredPorts);
  return related.services(object).flatMap((service: SourceObject) =>
    servicePortsOf(service).flatMap((port, index): Draft[] => {
      const target = has(port.targetPort) ? port.targetPort : port.port;
      const named = typeof target === 'string' && !/^\d+$/.test(target);
      const found = declared.some(
        ({ name, containerPort }) => name === target || String(containerPort) === String(target),
      );
      // A headless Service only names pods, and nothing declared says nothing.
      if (found || (!named && (declared.length === 0 || fields(service.value.spec).clusterIP === 'None')))
        return [];
      // Another workload behind the same Service may declare it.
      if (related.selectedBy(service).some((other) => other !== object)) return [];
      const ports = declared.map(({ name, containerPort }) => `${String(name ?? containerPort)}`);
      const field = has(port.targetPort) ? 'targetPort' : 'port';
      const path = [...service.base, 'spec', 'ports', index];
      return [
        {
          object: service,
          other: object,
          path: [...path, field],
          want: 'value',
          severity: named ? 'error' : 'note',
          message: `${nameOf(service)} sends to port ${String(target)}, which no container of ${partnerName(object, service)} declares (${ports.join(', ') || 'none'})${named ? ': it has no endpoint' : ''}.`,
          changes:
            declared.length === 1
              ? [{ set: [...path, 'targetPort'], value: declared[0]!.name ?? declared[0]!.containerPort }]
              : [],
          advice: '# send to a port that the container listens on',
        },
      ];
    }),
  );
}
