// What is asked over a connection that stops being HTTP: exec, log, portforward, whatever transport carries it.
import type { IncomingMessage } from 'node:http';
import { badRequest, notFound } from '../errors.ts';
import { definitionOf } from '../resources.ts';
import { type Pod, StatusError } from '../types.ts';
import { signalsOthers } from '../validation/signals.ts';
import { signalsWhy, unsupportedWords } from '../validation/unsupported.ts';
import type { ServerContext } from './context.ts';
import { isTrue, parseResourcePath } from './request.ts';

export interface LogSession {
  type: 'log';
  namespace: string;
  pod: string;
  container: string;
  follow: boolean;
}

export interface ExecSession {
  type: 'exec';
  namespace: string;
  pod: string;
  container: string;
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

export interface ForwardSession {
  type: 'portforward';
  namespace: string;
  pod: string;
}

type Session = LogSession | ExecSession | ForwardSession;

/** Throws StatusError in the words of Kubernetes; what is not there over this transport is refused by name. */
export function readSession<T extends Session['type']>(
  context: ServerContext,
  req: IncomingMessage,
  transport: { readonly name: string; readonly serves: readonly T[] },
): Extract<Session, { type: T }> {
  return sessionIn(context, req, transport) as Extract<Session, { type: T }>;
}

function sessionIn(
  context: ServerContext,
  req: IncomingMessage,
  transport: { readonly name: string; readonly serves: readonly Session['type'][] },
): Session {
  const url = new URL(req.url ?? '/', 'http://localhost');
  const {
    namespace = '',
    name = '',
    subresource,
    served,
  } = parseResourcePath(url.pathname, url.searchParams);
  const type = transport.serves.find((each) => each === subresource);
  if (served.resource !== 'pods' || !type) {
    const what = subresource ?? url.pathname;
    throw badRequest(
      `the emulated cluster has no ${what} over ${transport.name} (${transport.serves.join(' and ')} only)`,
    );
  }
  const pod = context.registry.get('pods', namespace, name);
  if (!pod) throw notFound(definitionOf('pods'), name);
  if (type === 'portforward') {
    if (pod.status?.phase !== 'Running') {
      throw badRequest(
        `unable to forward port because pod is not running. Current status=${pod.status?.phase}`,
      );
    }
    return { type, namespace, pod: name };
  }
  const { searchParams } = url;
  const container = containerOf(pod, searchParams.get('container'));
  const asked = { namespace, pod: name, container };
  if (type === 'log') return { type, ...asked, follow: isTrue(searchParams, 'follow') };
  checkRuns(pod, container);
  const command = searchParams.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command');
  const others = signalsOthers(command);
  if (others !== undefined) throw badRequest(`${unsupportedWords}: ${signalsWhy(others)}`);
  const wants = (stream: string) => isTrue(searchParams, stream);
  return {
    type,
    ...asked,
    command,
    stdin: wants('stdin'),
    stdout: wants('stdout'),
    stderr: wants('stderr') && !wants('tty'),
  };
}

function containerOf(pod: Pod, asked: string | null): string {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const wanted = asked || pod.spec?.containers[0]?.name || '';
  if (containers.some(({ name }) => name === wanted)) return wanted;
  throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
}

function checkRuns({ status }: Pod, container: string): void {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  if (statuses.find(({ name }) => name === container)?.state?.running) return;
  throw new StatusError(
    500,
    'InternalError',
    `Internal error occurred: unable to upgrade connection: container not found ("${container}")`,
  );
}

interface ExitStatus {
  readonly metadata: object;
  readonly status: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: object;
}

export function exitStatus(exitCode: number): ExitStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}
