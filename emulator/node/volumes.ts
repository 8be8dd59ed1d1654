// The volumes of one pod: what their sources say, as folders of this machine that its containers mount. ConfigMaps,
// Secrets and fields are written as the kubelet writes them, in folders that are replaced as a whole by a link
// (pkg/volume/util/atomic_writer.go), and again at every sync, so that changes come to running containers.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Pod } from '../api/types.ts';
import { ContainerConfigError, expandReferences, fieldOf, type PodFacts, resourceOf } from './environment.ts';
import { type HostPlace, hostPlace, prepareHostPath } from './host-path.ts';
import type { Mount } from './isolation/container-root.ts';
import type { NodeContext } from './node-context.ts';
import type { Container } from './probe.ts';

type Volume = NonNullable<NonNullable<Pod['spec']>['volumes']>[number];
type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number];
type KeyToPath = { key: string; path: string; mode?: number };

/** A volume cannot be had yet: the pod waits in ContainerCreating and it is tried again. */
export class VolumeError extends ContainerConfigError {}

interface Content {
  readonly data: Buffer;
  readonly mode: number;
}

/** No name of a volume: those have no dots. */
const TOKEN_VOLUME = '..kube-api-access';
export const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const hasToken = (pod: Pod): boolean => pod.spec?.automountServiceAccountToken !== false;

const DEFAULT_MODE = 0o644;
const OPEN_TO_ALL = 0o777;
/** Tokens are issued anew when 80 % of their life are over. */
const TOKEN_SHARE = 0.8;
const DEFAULT_TOKEN_SECONDS = 3607;

export class PodVolumes {
  private readonly node: NodeContext;
  private readonly folder: string;
  private readonly tokens = new Map<string, { token: string; renewAtMs: number }>();

  /** `folder`: the pod's own. */
  constructor(node: NodeContext, folder: string) {
    this.node = node;
    this.folder = join(folder, 'volumes');
  }

  /** Makes what is missing and brings contents up to date. Throws VolumeError. */
  prepare(pod: Pod, podIP: string): void {
    this.prepareToken(pod);
    const used = new Set(
      containersOf(pod).flatMap((container) => (container.volumeMounts ?? []).map(({ name }) => name)),
    );
    for (const volume of pod.spec?.volumes ?? []) {
      if (!used.has(volume.name)) continue;
      const facts = { pod, podIP, hostIP: this.node.hostIP };
      try {
        this.prepareOne(volume, facts);
      } catch (error) {
        if (error instanceof VolumeError) {
          throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`);
        }
        throw error;
      }
    }
  }

  /** What a container sees of them. Throws VolumeError. */
  mountsOf(pod: Pod, container: Container, env: Readonly<Record<string, string>>): Mount[] {
    const token = this.tokenMount(pod, container);
    const mounts = (container.volumeMounts ?? []).flatMap((mount): Mount[] => {
      const volume = pod.spec?.volumes?.find(({ name }) => name === mount.name);
      if (!volume) return [];
      let source = this.placeOf(volume, pod);
      const within = mount.subPathExpr ? expandReferences(mount.subPathExpr, env) : mount.subPath;
      if (within) {
        if (isAbsolute(within)) {
          throw new VolumeError(`error SubPath \`${within}\` must not be an absolute path`);
        }
        if (within.split('/').includes('..')) throw new VolumeError(`subPath "${within}" leaves its volume`);
        source = join(source, within);
        if (!existsSync(source)) makeFolder(source);
      }
      const own = volume.hostPath && this.hostPlace(volume.hostPath.path).own;
      if (own === false && !mount.readOnly) {
        throw new VolumeError(
          `hostPath ${volume.hostPath?.path} is there on this machine, so it is mounted with readOnly: true only`,
        );
      }
      const written = !volume.emptyDir && !volume.persistentVolumeClaim && !own;
      return [
        {
          source,
          target: mount.mountPath,
          readOnly: written || mount.readOnly === true || volume.persistentVolumeClaim?.readOnly === true,
          file: !statSync(source).isDirectory(),
        },
      ];
    });
    return token ? [token, ...mounts] : mounts;
  }

  /** What the admission plug-in ServiceAccount adds to a pod: token, root certificate and namespace at the usual path. */
  private tokenMount(pod: Pod, container: Container): Mount | undefined {
    const source = join(this.folder, TOKEN_VOLUME);
    const said = container.volumeMounts?.some(({ mountPath }) => mountPath === TOKEN_FOLDER);
    if (said || !hasToken(pod) || !existsSync(source)) return undefined;
    return { source, target: TOKEN_FOLDER, readOnly: true, file: false };
  }

  private prepareToken(pod: Pod): void {
    if (!hasToken(pod)) return;
    const token = this.node.issueToken && this.tokenOf(pod);
    if (token === undefined) return;
    const namespace = pod.metadata.namespace ?? '';
    const root = this.node.registry.get('configmaps', namespace, 'kube-root-ca.crt')?.data?.['ca.crt'] ?? '';
    const content = (text: string): Content => ({ data: Buffer.from(text), mode: DEFAULT_MODE });
    writeAtOnce(
      join(this.folder, TOKEN_VOLUME),
      new Map([
        ['token', content(token)],
        ['ca.crt', content(root)],
        ['namespace', content(namespace)],
      ]),
    );
  }

  /** Undefined while there is no such service account. */
  private tokenOf(pod: Pod): string | undefined {
    try {
      return this.token(pod, TOKEN_VOLUME, undefined);
    } catch (error) {
      if (error instanceof VolumeError) return undefined;
      throw error;
    }
  }

  private placeOf(volume: Volume, pod: Pod): string {
    if (volume.hostPath) return this.hostPlace(volume.hostPath.path).path;
    if (volume.persistentVolumeClaim) return this.claimed(volume.persistentVolumeClaim.claimName, pod);
    return join(this.folder, volume.name);
  }

  private hostPlace(path: string): HostPlace {
    return hostPlace(join(this.node.folder, 'nodes', this.node.name), path);
  }

  private prepareOne(volume: Volume, facts: PodFacts): void {
    const { pod } = facts;
    const place = this.placeOf(volume, pod);
    if (volume.hostPath) {
      const { path, type } = volume.hostPath;
      const problem = prepareHostPath(this.hostPlace(path), path, type);
      if (problem !== undefined) throw new VolumeError(problem);
      return;
    }
    if (volume.emptyDir || volume.persistentVolumeClaim) {
      if (!existsSync(place)) makeFolder(place);
      return;
    }
    const contents = new Map<string, Content>();
    const namespace = pod.metadata.namespace ?? '';
    if (volume.configMap) {
      const { name = '', items, optional, defaultMode } = volume.configMap;
      add(contents, items, this.configMap(namespace, name, optional, items), defaultMode ?? DEFAULT_MODE);
    }
    if (volume.secret) {
      const { secretName = '', items, optional, defaultMode } = volume.secret;
      add(contents, items, this.secret(namespace, secretName, optional, items), defaultMode ?? DEFAULT_MODE);
    }
    if (volume.downwardAPI) {
      addFields(contents, volume.downwardAPI.items, facts, volume.downwardAPI.defaultMode ?? DEFAULT_MODE);
    }
    for (const source of volume.projected?.sources ?? []) {
      this.project(contents, source, facts, volume.projected?.defaultMode ?? DEFAULT_MODE, volume.name);
    }
    writeAtOnce(place, contents);
  }

  private project(
    contents: Map<string, Content>,
    source: Projection,
    facts: PodFacts,
    mode: number,
    volume: string,
  ): void {
    const namespace = facts.pod.metadata.namespace ?? '';
    const { configMap, secret, downwardAPI, serviceAccountToken: token } = source;
    if (configMap) {
      const { name = '', items, optional } = configMap;
      add(contents, items, this.configMap(namespace, name, optional, items), mode);
    }
    if (secret) {
      const { name = '', items, optional } = secret;
      add(contents, items, this.secret(namespace, name, optional, items), mode);
    }
    if (downwardAPI) addFields(contents, downwardAPI.items, facts, mode);
    if (token) {
      const data = this.token(facts.pod, `${volume}/${token.path}`, token.audience, token.expirationSeconds);
      contents.set(token.path, { data: Buffer.from(data), mode: 0o644 });
    }
  }

  private configMap(
    namespace: string,
    name: string,
    optional: boolean | undefined,
    items: readonly KeyToPath[] | undefined,
  ): ReadonlyMap<string, Buffer> {
    const map = this.node.registry.get('configmaps', namespace, name);
    if (!map && !optional) throw new VolumeError(`configmap "${name}" not found`);
    const data = new Map([...bytesOf(map?.data, 'utf8'), ...bytesOf(map?.binaryData, 'base64')]);
    return chosen(data, items, optional, 'configmap');
  }

  private secret(
    namespace: string,
    name: string,
    optional: boolean | undefined,
    items: readonly KeyToPath[] | undefined,
  ): ReadonlyMap<string, Buffer> {
    const secret = this.node.registry.get('secrets', namespace, name);
    if (!secret && !optional) throw new VolumeError(`secret "${name}" not found`);
    return chosen(new Map(bytesOf(secret?.data, 'base64')), items, optional, 'secret');
  }

  private token(
    pod: Pod,
    key: string,
    audience: string | undefined,
    seconds = DEFAULT_TOKEN_SECONDS,
  ): string {
    const { issueToken, clock } = this.node;
    const known = this.tokens.get(key);
    if (known && known.renewAtMs > clock.now()) return known.token;
    const token = issueToken?.(pod, audience ? [audience] : undefined, seconds);
    if (token === undefined) {
      throw new VolumeError(
        `serviceaccounts "${pod.spec?.serviceAccountName ?? 'default'}" has no token in this cluster`,
      );
    }
    this.tokens.set(key, { token, renewAtMs: clock.now() + seconds * 1000 * TOKEN_SHARE });
    return token;
  }

  /** A claim's volume is a folder of the cluster; which node it is on makes no difference here. */
  private claimed(claim: string, pod: Pod): string {
    const found = this.node.registry.get('persistentvolumeclaims', pod.metadata.namespace, claim);
    if (!found) throw new VolumeError(`persistentvolumeclaim "${claim}" not found`);
    const volume = found.spec?.volumeName;
    if (!volume || found.status?.phase !== 'Bound') throw new VolumeError(`PVC ${claim} is not bound`);
    const place = join(this.node.folder, 'claimed', volume);
    if (!existsSync(place)) makeFolder(place);
    return place;
  }
}

export const containersOf = (pod: Pod): Container[] => [
  ...(pod.spec?.initContainers ?? []),
  ...(pod.spec?.containers ?? []),
];

function bytesOf(
  values: Readonly<Record<string, string>> | undefined,
  encoding: 'utf8' | 'base64',
): [key: string, bytes: Buffer][] {
  return Object.entries(values ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]);
}

function chosen(
  data: Map<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  kind: string,
): ReadonlyMap<string, Buffer> {
  for (const { key } of items ?? []) {
    if (!data.has(key) && !optional)
      throw new VolumeError(`${kind} references non-existent config key: ${key}`);
  }
  return data;
}

/** All keys under their names, or those of `items` under their paths. */
function add(
  contents: Map<string, Content>,
  items: readonly KeyToPath[] | undefined,
  data: ReadonlyMap<string, Buffer>,
  mode: number,
): void {
  if (!items?.length) {
    for (const [key, value] of data) contents.set(key, { data: value, mode });
    return;
  }
  for (const item of items) {
    const value = data.get(item.key);
    if (value) contents.set(item.path, { data: value, mode: item.mode ?? mode });
  }
}

function addFields(
  contents: Map<string, Content>,
  items: NonNullable<NonNullable<Volume['downwardAPI']>['items']> | undefined,
  facts: PodFacts,
  mode: number,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items ?? []) {
    let text = '';
    if (fieldRef) text = fieldOf(facts, fieldRef.fieldPath);
    else if (resourceFieldRef) {
      const container = containersOf(facts.pod).find(({ name }) => name === resourceFieldRef.containerName);
      if (container) text = resourceOf(container, resourceFieldRef);
    }
    contents.set(path, { data: Buffer.from(text), mode: own ?? mode });
  }
}

/** A folder with the contents, a link "..data" to it that is replaced in one step, and links to what lies in it. */
function writeAtOnce(place: string, contents: ReadonlyMap<string, Content>): void {
  makeFolder(place, 0o755);
  const link = join(place, '..data');
  const before = existsSync(link) ? readlinkSync(link) : undefined;
  if (before !== undefined && isSame(join(place, before), contents)) return;
  const name = `..${new Date().toISOString().replaceAll(/[-:TZ]/g, '_')}${Math.floor(Math.random() * 1e9)}`;
  const folder = join(place, name);
  makeFolder(folder, 0o755);
  for (const [path, { data, mode }] of contents) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, data);
    chmodSync(file, mode);
  }
  const next = join(place, '..data_tmp');
  symlinkSync(name, next);
  renameSync(next, link);
  const tops = new Set([...contents.keys()].map((path) => path.split('/')[0] as string));
  for (const top of tops)
    if (!existsSync(join(place, top))) symlinkSync(join('..data', top), join(place, top));
  for (const entry of readdirSync(place)) {
    if (!entry.startsWith('..') && !tops.has(entry)) rmSync(join(place, entry), { force: true });
  }
  if (before !== undefined) rmSync(join(place, before), { recursive: true, force: true });
}

function isSame(folder: string, contents: ReadonlyMap<string, Content>): boolean {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  if (files.length !== contents.size) return false;
  for (const [path, { data }] of contents) {
    try {
      if (!readFileSync(join(folder, path)).equals(data)) return false;
    } catch {
      return false;
    }
  }
  return true;
}

/** The umask has no say in it. */
function makeFolder(folder: string, mode = OPEN_TO_ALL): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, mode);
}
