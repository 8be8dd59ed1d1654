// Subresources of pods: binding, eviction, log, proxy; and the proxy of services.
import { badRequest, conflict, methodNotAllowed, notFound, unsupportedMediaType } from '../errors.ts';
import { evictPod } from '../eviction.ts';
import type { LogOptions } from '../hooks.ts';
import { cloneObject, isObject, type KubeObject } from '../objects.ts';
import { definitionOf } from '../resources.ts';
import { type Pod, StatusError } from '../types.ts';
import { contentType, decodeMedia, readObject } from './body.ts';
import type { Exchange } from './context.ts';
import { removeOptions } from './delete.ts';
import { isDryRun, isTrue, numberFrom, readBody } from './request.ts';
import { sendApiObject } from './responses.ts';

const created = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

export async function handleEviction(exchange: Exchange): Promise<void> {
  const { req, res, context, name = '', query } = exchange;
  if (req.method !== 'POST') throw methodNotAllowed();
  const body = decodeMedia(await readBody(req), contentType(exchange), 'Eviction');
  if (!isObject(body) || (body.kind !== undefined && body.kind !== 'Eviction')) {
    throw unsupportedMediaType(['application/json with a policy/v1 Eviction']);
  }
  const named = isObject(body.metadata) ? body.metadata.name : undefined;
  if (named !== undefined && named !== name)
    throw badRequest('name in URL does not match name in Eviction object');
  const deleteOptions = isObject(body.deleteOptions) ? body.deleteOptions : {};
  const options = removeOptions(definitionOf('pods'), new URLSearchParams(), deleteOptions);
  const dryRun = isDryRun(query, 'CreateOptions') || options.dryRun;
  evictPod(context.registry, findPod(exchange, name), { ...options, dryRun });
  sendApiObject(req, res, 201, created);
}

/** The scheduler's decision. */
export async function handleBinding(exchange: Exchange): Promise<void> {
  const { req, res, context, name = '', query } = exchange;
  if (req.method !== 'POST') throw methodNotAllowed();
  const { object } = await readObject(exchange, { group: '', version: 'v1', kind: 'Binding' });
  const target = isObject(object.target) ? object.target.name : undefined;
  if (typeof target !== 'string' || !target) {
    throw new StatusError(500, '', 'target.name: Required value');
  }
  const pods = definitionOf('pods');
  const pod = findPod(exchange, name);
  if (pod.spec?.nodeName) {
    throw conflict(pods, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  }
  const changed = cloneObject(pod) as unknown as KubeObject;
  changed.spec = { ...pod.spec, nodeName: target };
  context.registry.writes.update(pods, changed, {
    subresource: 'binding',
    dryRun: isDryRun(query, 'CreateOptions'),
  });
  sendApiObject(req, res, 201, created);
}

export async function handleLog(exchange: Exchange): Promise<void> {
  const { req, res, context, name = '', namespace = '', query } = exchange;
  if (req.method !== 'GET') throw methodNotAllowed();
  const options = logOptions(name, query);
  const pod = findPod(exchange, name);
  const container = logContainer(pod, query.get('container'));
  if (!pod.spec?.nodeName) {
    // Nothing could have been written yet.
    res.writeHead(204);
    res.end();
    return;
  }
  checkStarted(pod, container, options);
  const ended = new AbortController();
  res.once('close', () => ended.abort());
  const lines = context.hooks.podLogs(namespace, name, container, options, ended.signal);
  res.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
  // Follows may stay silent for long; the client waits for the head.
  res.flushHeaders();
  for await (const chunk of lines) {
    if (ended.signal.aborted) break;
    if (!res.write(chunk)) await drained(exchange);
  }
  res.end();
}

export async function handlePodProxy(exchange: Exchange): Promise<void> {
  const { req, res, context, namespace = '', name: target = '', rest, query } = exchange;
  const { scheme, name, port } = proxyTarget(target);
  if (scheme === 'https') {
    throw badRequest('the emulated cluster proxies plain http only; leave "https:" out of the path');
  }
  const pod = findPod(exchange, name);
  const portNumber = port === '' ? undefined : podPort(pod, port);
  await context.hooks.podProxy(
    namespace,
    name,
    portNumber,
    pathAndQuery(rest, query),
    withoutToken(req),
    res,
  );
}

/** An endpoint of the Service, chosen at random, is asked. */
export async function handleServiceProxy(exchange: Exchange): Promise<void> {
  const { req, res, context, namespace = '', name: target = '', rest, query } = exchange;
  const { name, port } = proxyTarget(target);
  const { registry, hooks } = context;
  const service = registry.get('services', namespace, name);
  if (!service) throw notFound(definitionOf('services'), name);
  const ports = service.spec?.ports ?? [];
  const wanted =
    port === '' ? ports[0] : ports.find((each) => each.name === port || String(each.port) === port);
  const candidates = registry
    .list('endpointslices', namespace)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) => {
      const number = slice.ports?.find((each) => (each.name ?? '') === (wanted?.name ?? ''))?.port;
      return (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false && endpoint.targetRef?.name)
        .map((endpoint) => ({ pod: endpoint.targetRef!.name!, number }));
    });
  const chosen = wanted && candidates[Math.floor(Math.random() * candidates.length)];
  if (!chosen) {
    throw new StatusError(503, 'ServiceUnavailable', `no endpoints available for service "${target}"`);
  }
  await hooks.podProxy(
    namespace,
    chosen.pod,
    chosen.number,
    pathAndQuery(rest, query),
    withoutToken(req),
    res,
  );
}

function findPod({ context, namespace }: Exchange, name: string): Pod {
  const pod = context.registry.get('pods', namespace, name);
  if (!pod) throw notFound(definitionOf('pods'), name);
  return pod;
}

function logContainer(pod: Pod, wanted: string | null): string {
  const containers = pod.spec?.containers ?? [];
  const all = [...containers, ...(pod.spec?.initContainers ?? [])];
  const { name } = pod.metadata;
  if (wanted) {
    if (all.some((container) => container.name === wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  if (containers.length === 1 && containers[0]) return containers[0].name;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${containers.map((container) => container.name).join(' ')}]`,
  );
}

function logOptions(name: string, query: URLSearchParams): LogOptions {
  const optional = <T>(field: string, value: T | undefined) =>
    value === undefined ? {} : { [field]: value };
  const tailLines = numberFrom(query, 'tailLines');
  const sinceSeconds = numberFrom(query, 'sinceSeconds');
  const limitBytes = numberFrom(query, 'limitBytes');
  const causes = [
    ...(tailLines !== undefined && tailLines < 0
      ? [rule('tailLines', tailLines, 'must be greater than or equal to 0')]
      : []),
    ...(limitBytes !== undefined && limitBytes < 1
      ? [rule('limitBytes', limitBytes, 'must be greater than 0')]
      : []),
    ...(sinceSeconds !== undefined && sinceSeconds < 1
      ? [rule('sinceSeconds', sinceSeconds, 'must be greater than 0')]
      : []),
  ];
  if (causes.length > 0) {
    const text = causes.map(({ field, message }) => `${field}: ${message}`).join(', ');
    throw new StatusError(
      422,
      'Invalid',
      `PodLogOptions "${name}" is invalid: ${causes.length > 1 ? `[${text}]` : text}`,
      {
        name,
        kind: 'PodLogOptions',
        causes,
      },
    );
  }
  return {
    follow: isTrue(query, 'follow'),
    previous: isTrue(query, 'previous'),
    timestamps: isTrue(query, 'timestamps'),
    ...optional('tailLines', tailLines),
    ...optional('sinceSeconds', sinceSeconds),
    ...optional('sinceTime', query.get('sinceTime') ?? undefined),
    ...optional('limitBytes', limitBytes),
  };
}

function rule(field: string, value: number, text: string) {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${text}`, field };
}

/** The kubelet's own refusals: a container that never ran has no log. */
function checkStarted(pod: Pod, container: string, { previous }: LogOptions): void {
  const { status, metadata } = pod;
  const found = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find(
    ({ name }) => name === container,
  );
  const quoted = `container "${container}" in pod "${metadata.name}"`;
  if (previous) {
    if (found?.lastState?.terminated) return;
    throw badRequest(`previous terminated ${quoted} not found`);
  }
  if (found?.state?.running || found?.state?.terminated || found?.lastState?.terminated) return;
  const { reason = 'ContainerCreating', message = '' } = found?.state?.waiting ?? {};
  if (/ImagePull|ErrImage|InvalidImage/.test(reason)) {
    throw badRequest(
      `${quoted} is waiting to start: ${reason === 'ImagePullBackOff' ? 'trying and failing to pull image' : message || "image can't be pulled"}`,
    );
  }
  throw badRequest(`${quoted} is waiting to start: ${reason}`);
}

function drained({ res }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.once('drain', done);
    res.once('close', done);
  });
}

/** [SCHEME:]NAME[:PORT] */
function proxyTarget(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: 'http', name: parts[0]!, port: '' };
  if (parts.length === 2) return { scheme: 'http', name: parts[0]!, port: parts[1]! };
  if (parts.length === 3 && (parts[0] === 'http' || parts[0] === 'https' || parts[0] === '')) {
    return { scheme: parts[0] || 'http', name: parts[1]!, port: parts[2]! };
  }
  throw badRequest(`invalid pod request "${text}"`);
}

function podPort(pod: Pod, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const found = ports.find(({ name }) => name === text);
  if (!found) throw badRequest(`pod ${pod.metadata.name} has no port named "${text}"`);
  return found.containerPort;
}

/** The token is for the API server; what a pod is asked must not carry it. */
function withoutToken(req: Exchange['req']): Exchange['req'] {
  delete req.headers.authorization;
  return req;
}

function pathAndQuery(rest: string, query: URLSearchParams): string {
  const text = query.toString();
  return `${rest || '/'}${text ? `?${text}` : ''}`;
}
