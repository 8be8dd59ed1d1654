// How the target's pods are stopped and made ready, as far as the manifests in the header say it.
import { parseAllDocuments } from 'yaml';
import { lastPart, serviceName } from '../../journal/endpoints.ts';
import type { HeaderRecord } from '../../model/journal.ts';
import { behindShell, perhapsBehindShell } from '../../model/pid-one.ts';
import { isShell, type PreStopHook, readPreStop, stopsServerAtOnce } from '../../model/prestop.ts';

export interface WrittenContainer {
  readonly name: string;
  readonly preStop: PreStopHook | undefined;
  /** The command of its hook that stops the server at once. */
  readonly stopsServer: string | undefined;
  /** The command that a shell runs as its child (perhaps: `sh -c COMMAND` alone), so that no signal reaches it. */
  readonly behindShell: string | undefined;
  /** The same, where an init stands before the shell and ends with it, and the app with both. */
  readonly behindInit: { readonly init: string; readonly running: string } | undefined;
  readonly stopSignal: string | undefined;
  readonly ports: number;
  /** What its readinessProbe asks; undefined: it has none. */
  readonly readiness: string | undefined;
  /** The target's Service sends to it; undefined: the manifests do not say which container listens on its port. */
  readonly serves: boolean | undefined;
  /** An init container that goes on: it is stopped when all others have ended. */
  readonly sidecar: boolean;
}

export interface Written {
  /** Of the workload, without those that end by themselves. */
  readonly containers: readonly WrittenContainer[];
  /** Name of the target's Service when it publishes addresses that are not ready. */
  readonly publishesNotReady: string | undefined;
}

export function readWritten({ manifests, target }: HeaderRecord): Written {
  const objects = parseAllDocuments(manifests)
    .filter((document) => document.errors.length === 0)
    .map((document) => fields(document.toJS()));
  const [kind] = target.workload.split('/');
  const named = (object: Fields, name: string) => fields(object.metadata).name === name;
  const workload = objects.find((one) => one.kind === kind && named(one, lastPart(target.workload)));
  // What an operator's object stands for is below it.
  const pod = [workload, ...objects].map(podOf).find(({ containers }) => list(containers).length > 0) ?? {};
  const service = serviceName(target.service);
  const publishes = objects.some(
    (one) =>
      one.kind === 'Service' &&
      named(one, service) &&
      (fields(one.spec).publishNotReadyAddresses === true ||
        fields(fields(one.metadata).annotations)['service.alpha.kubernetes.io/tolerate-unready-endpoints'] ===
          'true'),
  );
  const sidecars = list(pod.initContainers).filter((one) => fields(one).restartPolicy === 'Always');
  const containers = [
    ...list(pod.containers).map((one) => containerOf(fields(one), pod, false)),
    ...sidecars.map((one) => containerOf(fields(one), pod, true)),
  ];
  const serving = servingIn([...list(pod.containers), ...sidecars], portOf(objects, target, named));
  return {
    containers: containers.map((one, index) => ({
      ...one,
      serves: serving === undefined ? undefined : serving === index,
    })),
    publishesNotReady: publishes ? service : undefined,
  };
}

const podOf = (object: Fields | undefined): Fields =>
  object?.kind === 'Pod' ? fields(object.spec) : fields(fields(fields(object?.spec).template).spec);

/** Where the target's Service sends to: a number or a port's name. */
function portOf(
  objects: readonly Fields[],
  target: HeaderRecord['target'],
  named: (object: Fields, name: string) => boolean,
): unknown {
  const service = objects.find((one) => one.kind === 'Service' && named(one, serviceName(target.service)));
  const ports = list(fields(service?.spec).ports).map(fields);
  const asked = target.service.slice(target.service.lastIndexOf(':') + 1);
  const port = ports.find((one) => String(one.port) === asked || one.name === asked) ?? ports[0];
  return port?.targetPort ?? port?.port;
}

/** Index of the container that listens there; undefined: it cannot be told. */
function servingIn(containers: readonly unknown[], port: unknown): number | undefined {
  if (containers.length === 1) return 0;
  const declared = containers.map((one) => list(fields(one).ports).map(fields));
  const at = declared.findIndex((ports) =>
    ports.some(({ containerPort, name }) => containerPort === port || (name !== undefined && name === port)),
  );
  if (at !== -1) return at;
  const some = declared.flatMap((ports, index) => (ports.length > 0 ? [index] : []));
  return some.length === 1 ? some[0] : undefined;
}

function containerOf(container: Fields, pod: Fields, sidecar: boolean): Omit<WrittenContainer, 'serves'> {
  const lifecycle = fields(container.lifecycle);
  const preStop = readPreStop(lifecycle.preStop);
  const words = [...list(container.command), ...list(container.args)].map(String);
  const { script, shell } = shellOf(words);
  const init = /(^|\/)(tini(-static)?|dumb-init|catatonit|docker-init)$/.exec(words[0] ?? '')?.[2];
  const at = words.findIndex((word, index) => index > 0 && isShell(word));
  const inner = init === undefined || at === -1 ? undefined : shellOf(words.slice(at));
  const running = inner && behindShell(inner.script, inner.shell)?.running;
  return {
    name: String(container.name ?? ''),
    preStop,
    stopsServer: preStop && stopsServerAtOnce(preStop),
    // One process namespace for the pod: its first process is none of the containers'.
    behindShell:
      pod.shareProcessNamespace === true
        ? undefined
        : (behindShell(script, shell)?.running ?? perhapsBehindShell(script, shell)),
    behindInit: init !== undefined && running !== undefined ? { init, running } : undefined,
    stopSignal: typeof lifecycle.stopSignal === 'string' ? lifecycle.stopSignal : undefined,
    ports: list(container.ports).length,
    readiness: probeText(fields(container.readinessProbe)),
    sidecar,
  };
}

function probeText({ httpGet, tcpSocket, exec, grpc }: Fields): string | undefined {
  if (httpGet) return `GET ${fields(httpGet).path ?? '/'} on port ${fields(httpGet).port}`;
  if (tcpSocket) return `TCP port ${fields(tcpSocket).port}`;
  if (grpc) return `gRPC on port ${fields(grpc).port}`;
  return exec ? list(fields(exec).command).join(' ') : undefined;
}

/** Of `sh -c SCRIPT`, in command or split over command and args; empty: no shell. */
function shellOf(words: readonly string[]): { readonly script: string; readonly shell: string } {
  const [shell = ''] = words;
  const flag = isShell(shell) ? words.findIndex((word) => /^-[a-z]*c$/.test(word)) : -1;
  return { shell, script: flag === -1 ? '' : (words[flag + 1] ?? '') };
}

type Fields = Readonly<Record<string, unknown>>;
const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
