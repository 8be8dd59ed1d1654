// The Services that are to be watched, as they stand on the cluster: where requests go, what they ask for, and who owns the
// pods behind them. Refused by name where nothing can be measured.
import { resourceOf } from '../../cluster/context/rights.ts';
import { podTemplateOf } from '../../deploy/definition.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError, UsageError } from '../../model/errors.ts';
import type { Manifest } from '../../model/manifest.ts';

export interface ServiceWanted {
  readonly name: string;
  /** Number or name; undefined: its only one, else the one called http or web, else the first. */
  readonly port: number | string | undefined;
  /** Undefined: what the readiness probe asks for, else "/". */
  readonly path: string | undefined;
  /** A URL that leads to the Service, measured side by side; undefined: none. */
  readonly url?: string | undefined;
}

export interface WatchedService {
  readonly name: string;
  readonly uid: string;
  readonly clusterIp: string;
  readonly port: number;
  /** Undefined: slices made by hand. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly path: string;
  /** A URL that leads to it, too. */
  readonly url?: string;
  /** Whose pods these are, outermost first: "Deployment web → ReplicaSet web-5c9 → Pod". Empty: nobody's. */
  readonly owners: readonly string[];
  /** The outermost owner, "Deployment/web"; "Pod" where nothing owns them. */
  readonly workload: string;
  /** The container that the Service sends to, and its port; undefined: its template is not known. */
  readonly serving: { readonly container: string; readonly port: number | string } | undefined;
  /** As they run: Service and owners, as far as they may be read. */
  readonly objects: readonly Manifest[];
}

interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol?: string;
    readonly targetPort?: number | string;
  }[];
}
interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly controller?: boolean;
}
interface Owned extends Manifest {
  readonly metadata: Manifest['metadata'] & { readonly ownerReferences?: readonly Owner[] };
}

/** An owner of an owner of an owner …: operators stack a few. */
const DEEPEST = 5;

/** Throws UsageError that names the Service and what to do. */
export async function readService(
  kube: Kube,
  namespace: string,
  wanted: ServiceWanted,
): Promise<WatchedService> {
  const { name } = wanted;
  const where = `--service ${name}`;
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/services/${name}`);
  if (answer.status === 404)
    throw new UsageError(`${where}: namespace ${namespace} has no Service "${name}".`);
  if (answer.status !== 200)
    throw new FaultError(`${where}: it cannot be read: the API server answered ${answer.status}.`);
  const service: Manifest = { ...(JSON.parse(answer.text) as Manifest), apiVersion: 'v1', kind: 'Service' };
  const spec = (service.spec ?? {}) as ServiceSpec;
  const clusterIp = routable(where, name, spec);
  const port = portOf(where, spec, wanted.port);
  const pods = spec.selector ? await podsOf(kube, namespace, spec.selector) : [];
  const owners = await ownersOf(kube, namespace, pods);
  const template = owners.map(podTemplateOf).find((one) => one !== undefined);
  const outermost = owners.at(-1);
  return {
    name,
    uid: String(service.metadata.uid ?? ''),
    clusterIp,
    port: port.port,
    selector: spec.selector,
    path: wanted.path ?? probedPath(template?.spec.containers ?? podContainers(pods), port.targetPort) ?? '/',
    ...(wanted.url !== undefined && { url: wanted.url }),
    owners: owners.toReversed().map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    serving: servingOf(template?.spec.containers ?? [], port.targetPort ?? port.port),
    workload: outermost ? `${outermost.kind}/${outermost.metadata.name}` : 'Pod/',
    objects: [service, ...owners],
  };
}

function routable(where: string, name: string, spec: ServiceSpec): string {
  if (spec.type === 'ExternalName')
    throw new UsageError(
      `${where}: it is an ExternalName, a name of something outside the cluster: nothing in the cluster stands behind it. Watch the Service that clients reach in the end.`,
    );
  const { clusterIP } = spec;
  if (!clusterIP || clusterIP === 'None')
    throw new UsageError(
      `${where}: it is headless: its clients choose a pod by DNS, and there is no address of its own to ask. Watch a Service with a ClusterIP for the same pods (kubectl expose … --name ${name}-watch).`,
    );
  return clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
}

function portOf(where: string, { ports = [] }: ServiceSpec, wanted: ServiceWanted['port']) {
  const tcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const found =
    wanted === undefined
      ? (tcp.find(({ name }) => name === 'http' || name === 'web') ?? tcp[0])
      : tcp.find(({ name, port }) => name === wanted || String(port) === String(wanted));
  if (found) return found;
  const there = tcp.map(({ name, port }) => (name ? `${name} (${port})` : String(port))).join(', ') || 'none';
  throw new UsageError(
    `${where}: it has no TCP port ${wanted ?? ''}; there are: ${there}. Name one with --port.`,
  );
}

async function podsOf(
  kube: Kube,
  namespace: string,
  selector: Readonly<Record<string, string>>,
): Promise<Owned[]> {
  const labelSelector = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const { items } = await kube.json<{ items: Owned[] }>('GET', `/api/v1/namespaces/${namespace}/pods`, {
    query: { labelSelector },
  });
  return items;
}

/** Of the first pod that has one, innermost first. What may not be read ends the chain, by its name. */
async function ownersOf(kube: Kube, namespace: string, pods: readonly Owned[]): Promise<Manifest[]> {
  const chain: Manifest[] = [];
  let next = pods.map(ownerOf).find((owner) => owner !== undefined);
  while (next && chain.length < DEEPEST) {
    const { apiVersion, kind, name }: Owner = next;
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const answer = await kube.raw('GET', `${base}/namespaces/${namespace}/${resourceOf(kind)}/${name}`);
    if (answer.status !== 200) {
      chain.push({ apiVersion, kind, metadata: { name } });
      break;
    }
    const object = { ...(JSON.parse(answer.text) as Owned), apiVersion, kind };
    chain.push(object);
    next = ownerOf(object);
  }
  return chain;
}

const ownerOf = ({ metadata }: Owned): Owner | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

interface Probed {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly readinessProbe?: {
    readonly httpGet?: { readonly path?: string; readonly port?: number | string };
  };
}

const podContainers = (pods: readonly Owned[]): readonly Probed[] =>
  ((pods[0]?.spec ?? {}) as { containers?: readonly Probed[] }).containers ?? [];

function servingOf(
  containers: readonly (Probed & { readonly name: string })[],
  port: number | string,
): WatchedService['serving'] {
  const found =
    containers.find(({ ports = [] }) =>
      ports.some(({ name, containerPort }) => name === port || containerPort === port),
    ) ?? containers[0];
  return found && { container: found.name, port };
}

/** A probe on the port that the Service sends to; one on another port says nothing about this one. */
function probedPath(containers: readonly Probed[], target: number | string | undefined): string | undefined {
  for (const { ports = [], readinessProbe } of containers) {
    const { path, port } = readinessProbe?.httpGet ?? {};
    const number = (named: number | string | undefined) =>
      typeof named === 'number' ? named : ports.find(({ name }) => name === named)?.containerPort;
    if (path !== undefined && number(port) !== undefined && number(port) === number(target)) return path;
  }
  return undefined;
}
