// What of somebody's manifests can be put under test, and what is known of it: the room of `rollproof init`.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../model/errors.ts';
import type { FoundTarget } from '../model/found-target.ts';
import type { Manifest } from '../model/manifest.ts';
import { type Container, podTemplateOf } from './definition.ts';
import { type ReadManifest, readManifestFiles } from './read-manifests.ts';
import { claimsOf, referencesOf } from './references.ts';
import { gatesOf, isGenerated, refuseUnreachable, refuseWorkload } from './refusals.ts';
import { isChart } from './sources/index.ts';
import { kustomizationIn } from './sources/kustomize.ts';

const kinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);

/** `unread`: a kind that was left aside on purpose, and is not missing. */
export function findTargets(read: readonly ReadManifest[], unread?: 'Secret'): FoundTarget[] {
  const manifests = read.map(({ manifest }) => manifest);
  return read
    .filter(({ manifest }) => kinds.has(manifest.kind) && podTemplateOf(manifest))
    .map(({ manifest, at }) => {
      const found = describe(manifest, manifests, at());
      return { ...found, missing: [...needed(manifest, manifests, unread), ...found.missing] };
    });
}

/** Kinds with a pod template that are no target, a sentence each, so that none is passed over in silence. */
export const othersThatServe = (read: readonly ReadManifest[]): string[] =>
  read
    .filter(({ manifest }) => podTemplateOf(manifest) && !kinds.has(manifest.kind) && manifest.kind !== 'Job')
    .map(
      ({ manifest, at }) =>
        `${manifest.kind} ${manifest.metadata.name} (${at()}) has pods, too, and is no kind that rollproof changes.`,
    );

/** What its pods cannot start without and nothing here makes, a sentence each. */
function needed(workload: Manifest, manifests: readonly Manifest[], unread: string | undefined): string[] {
  return [...referencesOf(workload), ...claimsOf(workload)]
    .filter(
      ({ kind, name, optional }) =>
        !optional &&
        kind !== unread &&
        !isGenerated(kind, name) &&
        !manifests.some((one) => one.kind === kind && one.metadata.name === name),
    )
    .map(({ kind, name }) => `Its pods need ${kind} "${name}", which is not there; add it to the manifests.`);
}

interface ServiceSpec {
  clusterIP?: string;
  selector?: Record<string, string>;
  ports?: ServicePort[];
}
interface ServicePort {
  name?: string;
  port: number;
  targetPort?: number | string;
  appProtocol?: string;
}
interface Probe {
  httpGet?: { path?: string; port?: number | string; scheme?: string };
  grpc?: { port?: number };
}

function describe(workload: Manifest, manifests: readonly Manifest[], at: string): FoundTarget {
  const template = podTemplateOf(workload);
  const labels = template?.metadata?.labels ?? {};
  const containers = template?.spec.containers ?? [];
  const selecting = manifests.filter((one) => {
    const wanted = Object.entries((one.spec as ServiceSpec | undefined)?.selector ?? {});
    return (
      one.kind === 'Service' && wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
    );
  });
  const reachable = selecting.filter((one) => (one.spec as ServiceSpec).clusterIP !== 'None');
  const service = reachable[0];
  const ports = (service?.spec as ServiceSpec | undefined)?.ports ?? [];
  const port = ports.find(({ name }) => name === 'http' || name === 'web') ?? ports[0];
  const serving = servingContainer(containers, port?.targetPort) ?? containers[0];
  const probe = (serving?.readinessProbe ?? undefined) as Probe | undefined;
  const path = probe?.httpGet?.path;
  const speaks = spokenBehind(port, probe);
  const missing: string[] = refusedOf(workload, service, manifests, at, port?.port);
  if (!service)
    missing.push(
      selecting.length > 0
        ? `Only headless Services select its pods (${selecting.map((one) => one.metadata.name).join(', ')}); rollproof needs one with a ClusterIP.`
        : 'No Service selects its pods; name one under target.service.',
    );
  if (reachable.length > 1)
    missing.push(
      `Several Services select its pods: ${reachable.map((one) => one.metadata.name).join(', ')}; the first one was taken.`,
    );
  if (ports.length > 1)
    missing.push(
      `The Service has several ports: ${ports.map((one) => one.name ?? one.port).join(', ')}; ${port?.name ?? port?.port} was taken.`,
    );
  if (path === undefined && speaks?.protocol !== 'grpc')
    missing.push('No readiness probe by HTTP says a path that answers; "/" was taken.');
  if (
    silentPorts.has(port?.targetPort ?? port?.port) ||
    /^(tcp|redis|postgres|mysql|mongo|amqp|kafka)\b/.test(port?.name ?? '')
  )
    missing.push(
      `Port ${port?.name ?? port?.port} does not look like one that answers HTTP; load.lanes says what else the load can speak.`,
    );
  missing.push('Which image comes next is yours to say (target.images.next); until then pods are restarted.');
  return {
    kind: workload.kind,
    name: workload.metadata.name,
    at,
    service: service?.metadata.name,
    port: ports.length > 1 ? (port?.name ?? port?.port) : undefined,
    path,
    speaks,
    container: serving && serving !== containers[0] ? serving.name : undefined,
    image: serving?.image,
    images: [
      ...new Set(
        manifests.flatMap((one) => (podTemplateOf(one)?.spec.containers ?? []).map(({ image }) => image)),
      ),
    ],
    scenario: 'restart',
    missing,
  };
}

/** Of databases and queues, by the number that each has as its own. */
const silentPorts: ReadonlySet<unknown> = new Set([
  1433, 3306, 5432, 5672, 6379, 9042, 9092, 11_211, 26_257, 27_017,
]);

/** What `verify` would refuse of it. */
function refusedOf(
  workload: Manifest,
  service: Manifest | undefined,
  manifests: readonly Manifest[],
  at: string,
  port: number | undefined,
): string[] {
  const refusals = (act: () => void): string[] => {
    try {
      act();
      return [];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return error.message.split('\n');
    }
  };
  const placed = (manifest: Manifest): ReadManifest => ({ manifest, at: () => at });
  return [
    ...gatesOf(workload).map(
      (gate) =>
        `Its pods have the readiness gate "${gate}": on a cluster of rollproof's own nobody sets it, so run it where its controller is, with --cluster context.`,
    ),
    ...(workload.kind === 'Rollout'
      ? [
          'It needs the CRD and the controller of Argo Rollouts: run it where they are, with --cluster context.',
        ]
      : []),
    ...refusals(() => refuseWorkload(placed(workload), manifests.map(placed))),
    ...(service && port !== undefined
      ? refusals(() => refuseUnreachable(placed(service), workload, port))
      : []),
  ];
}

/** Plain HTTP/1.1 (undefined) unless port or probe say otherwise. */
function spokenBehind(port: ServicePort | undefined, probe: Probe | undefined): FoundTarget['speaks'] {
  const { name = '', appProtocol = '' } = port ?? {};
  const says = (pattern: RegExp) => pattern.test(appProtocol) || pattern.test(name);
  if (probe?.grpc || says(/^grpc\b/))
    return {
      protocol: 'grpc',
      because: probe?.grpc ? 'the readiness probe speaks gRPC' : 'its port says grpc',
    };
  if (says(/(^|\/)(h2c|http2)$/)) return { protocol: 'http2', because: 'its port says HTTP/2' };
  if (probe?.httpGet?.scheme === 'HTTPS' && samePort(probe, port))
    return { protocol: 'tls', because: 'the readiness probe goes through TLS' };
  if (says(/^https$/)) return { protocol: 'tls', because: 'its port says https' };
  return undefined;
}

/** A probe may go to another port than clients do. */
const samePort = ({ httpGet }: Probe, port: ServicePort | undefined): boolean =>
  httpGet?.port === undefined ||
  httpGet.port === (port?.targetPort ?? port?.port) ||
  httpGet.port === port?.name;

function servingContainer(
  containers: readonly Container[],
  target: number | string | undefined,
): Container | undefined {
  return containers.find(({ ports = [] }) =>
    ports.some(({ name, containerPort }) => target === name || target === containerPort),
  );
}

/** Folders that hold no manifests of a workload, or too many files. */
const passedOver = /^(\.|node_modules$|vendor$|dist$|target$)/;
const DEEPEST = 4;
const FILES_MOST = 500;

/** What a folder has to offer: files that hold Kubernetes objects, and folders within that a tool makes objects of. */
interface Within {
  readonly files: readonly string[];
  readonly kustomizations: readonly string[];
  readonly charts: readonly string[];
}

/** Of the folder and those within it; what a kustomization or a chart is made of is its own, and not looked into. */
export function lookWithin(folder: string): Within {
  const found = { files: [] as string[], kustomizations: [] as string[], charts: [] as string[] };
  walk(folder, 0, found);
  return { ...found, files: found.files.filter(holdsObjects) };
}

function walk(
  folder: string,
  depth: number,
  found: { files: string[]; kustomizations: string[]; charts: string[] },
): void {
  for (const name of readdirSync(folder).sort()) {
    if (passedOver.test(name) || found.files.length >= FILES_MOST) continue;
    const path = join(folder, name);
    const entry = statSync(path, { throwIfNoEntry: false });
    if (entry?.isDirectory()) {
      if (isChart(path)) found.charts.push(path);
      else if (kustomizationIn(path)) found.kustomizations.push(path);
      else if (depth < DEEPEST) walk(path, depth + 1, found);
    } else if (entry?.isFile() && /\.(ya?ml|json)$/.test(name) && !/^rollproof\./.test(name))
      found.files.push(path);
  }
}

/** A folder holds other YAML, too: values, workflows, compositions. */
function holdsObjects(file: string): boolean {
  try {
    return readManifestFiles(file).length > 0;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}
