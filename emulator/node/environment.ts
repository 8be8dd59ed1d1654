// The environment of a container: what the image sets, the Services of the namespace, the manifest's own variables
// with their references, and what an emulated pod needs to know because it has no network namespace.
import { cpus, totalmem } from 'node:os';
import { parseQuantity } from '../api/quantity.ts';
import type { Kinds, Pod, Registry } from '../api/types.ts';

type Container = NonNullable<Pod['spec']>['containers'][number];
type EnvVar = NonNullable<Container['env']>[number];
type Source = NonNullable<EnvVar['valueFrom']>;

/** Something that a variable refers to is not there: the container waits with reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

export interface PodFacts {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
}

export function containerEnvironment(
  registry: Registry,
  facts: PodFacts,
  container: Container,
  image: Readonly<Record<string, string>>,
  emulation: Readonly<Record<string, string>>,
): Record<string, string> {
  const { pod } = facts;
  const env: Record<string, string> = {
    ...inherited(),
    ...emulation,
    HOSTNAME: pod.spec?.hostname ?? pod.metadata.name,
    ...image,
  };
  if (pod.spec?.enableServiceLinks !== false) Object.assign(env, serviceLinks(registry, pod));
  for (const source of container.envFrom ?? []) {
    if (source.secretRef) {
      const { name = '', optional } = source.secretRef;
      const secret = registry.get('secrets', pod.metadata.namespace, name);
      if (!secret && !optional) throw new ContainerConfigError(`secret "${name}" not found`);
      for (const [key, value] of Object.entries(secret?.data ?? {})) {
        env[`${source.prefix ?? ''}${key}`] = plain(value);
      }
      continue;
    }
    const name = source.configMapRef?.name ?? '';
    const map = registry.get('configmaps', pod.metadata.namespace, name);
    if (!map && !source.configMapRef?.optional)
      throw new ContainerConfigError(`configmap "${name}" not found`);
    for (const [key, value] of Object.entries(map?.data ?? {})) env[`${source.prefix ?? ''}${key}`] = value;
  }
  const own: Record<string, string> = {};
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom
      ? referred(registry, facts, container, variable.valueFrom)
      : expandReferences(variable.value ?? '', { ...env, ...own });
    if (value !== undefined) own[variable.name] = value;
  }
  return { ...env, ...own };
}

/** What any process of this machine needs to run at all; nothing else of the harness's own environment. */
function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of ['PATH', 'LANG', 'LC_ALL', 'TZ', 'SystemRoot'])
    if (process.env[name] !== undefined) env[name] = process.env[name] as string;
  return env;
}

function referred(
  registry: Registry,
  facts: PodFacts,
  container: Container,
  source: Source,
): string | undefined {
  if (source.fieldRef) return fieldOf(facts, source.fieldRef.fieldPath);
  if (source.configMapKeyRef) {
    const { name = '', key, optional } = source.configMapKeyRef;
    const map = registry.get('configmaps', facts.pod.metadata.namespace, name);
    const value = map?.data?.[key];
    if (value !== undefined || optional) return value;
    if (!map) throw new ContainerConfigError(`configmap "${name}" not found`);
    throw new ContainerConfigError(
      `couldn't find key ${key} in ConfigMap ${facts.pod.metadata.namespace}/${name}`,
    );
  }
  if (source.secretKeyRef) {
    const { name = '', key, optional } = source.secretKeyRef;
    const secret = registry.get('secrets', facts.pod.metadata.namespace, name);
    const value = secret?.data?.[key];
    if (value !== undefined) return plain(value);
    if (optional) return undefined;
    if (!secret) throw new ContainerConfigError(`secret "${name}" not found`);
    throw new ContainerConfigError(
      `couldn't find key ${key} in Secret ${facts.pod.metadata.namespace}/${name}`,
    );
  }
  if (source.resourceFieldRef) return resourceOf(container, source.resourceFieldRef);
  return undefined;
}

const plain = (base64: string): string => Buffer.from(base64, 'base64').toString();

export function fieldOf({ pod, podIP, hostIP }: PodFacts, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] as string] ?? '';
  switch (path) {
    case 'metadata.labels':
      return listed(pod.metadata.labels);
    case 'metadata.annotations':
      return listed(pod.metadata.annotations);
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.podIP':
    case 'status.podIPs':
      return podIP;
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIP;
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** As a file has them: one a line, sorted, values as Go quotes them. */
const listed = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}\n`)
    .join('');

export function resourceOf(
  container: Container,
  { resource, divisor }: { resource: string; divisor?: string },
): string {
  const [list = '', name = ''] = resource.split(/\.(.*)/s);
  const resources = container.resources as Partial<Record<string, Record<string, string>>> | undefined;
  // Without a limit it is what the node has.
  const node: Record<string, string> = { cpu: String(cpus().length), memory: String(totalmem()) };
  const quantity = resources?.[list]?.[name] ?? (list === 'limits' ? (node[name] ?? '0') : '0');
  const by = nanoOf(divisor) || nanoOf('1');
  return String((nanoOf(quantity) + by - 1n) / by);
}

const nanoOf = (quantity: string | undefined): bigint => parseQuantity(quantity ?? '0')?.nano ?? 0n;

/** NAME_SERVICE_HOST and the links of docker's time, for every Service of the namespace that has an address. */
function serviceLinks(registry: Registry, pod: Pod): Record<string, string> {
  const env: Record<string, string> = {};
  const services = [
    ...registry.list('services', pod.metadata.namespace),
    ...(pod.metadata.namespace === 'default' ? [] : registry.list('services', 'default')).filter(
      (service) => service.metadata.name === 'kubernetes',
    ),
  ];
  for (const service of services) Object.assign(env, linksOf(service));
  return env;
}

function linksOf(service: Kinds['services']): Record<string, string> {
  const address = service.spec?.clusterIP;
  const ports = service.spec?.ports ?? [];
  const [first] = ports;
  if (!address || address === 'None' || !first) return {};
  const name = service.metadata.name.toUpperCase().replaceAll('-', '_');
  const env: Record<string, string> = {
    [`${name}_SERVICE_HOST`]: address,
    [`${name}_SERVICE_PORT`]: String(first.port),
    [`${name}_PORT`]: `${(first.protocol ?? 'TCP').toLowerCase()}://${address}:${first.port}`,
  };
  for (const port of ports) {
    const protocol = port.protocol ?? 'TCP';
    const prefix = `${name}_PORT_${port.port}_${protocol}`;
    if (port.name)
      env[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port);
    env[prefix] = `${protocol.toLowerCase()}://${address}:${port.port}`;
    env[`${prefix}_PROTO`] = protocol.toLowerCase();
    env[`${prefix}_PORT`] = String(port.port);
    env[`${prefix}_ADDR`] = address;
  }
  return env;
}

/** "$(NAME)" as Kubernetes expands it: unknown names stay, "$$" is "$" (third_party/forked/golang/expansion). */
export function expandReferences(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^()]*)\))/g, (whole, what: string, name: string | undefined) => {
    if (what === '$') return '$';
    return env[name as string] ?? whole;
  });
}

/** "$POD_IP" and "${POD_IP}" in an image's own command: only the names that an emulated pod is told. */
export function expandToldNames(text: string, told: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    return told[(braced ?? bare) as string] ?? whole;
  });
}
