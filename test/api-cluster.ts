// An API server of its own for a test, with objects as controllers and kubelets would have left them, and kubectl on it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createAuthority } from '../emulator/api/auth/certificates.ts';
import type { KubeletHooks } from '../emulator/api/hooks.ts';
import { kubeconfigFor } from '../emulator/api/kubeconfig.ts';
import { type ApiRegistry, createRegistry } from '../emulator/api/registry.ts';
import { createApiServer } from '../emulator/api/server.ts';
import type { Deployment, Kinds, Pod } from '../emulator/api/types.ts';

export interface ApiCluster extends AsyncDisposable {
  readonly registry: ApiRegistry;
  readonly url: string;
  /** The header that lets a request in. */
  readonly authorization: string;
  /** JSON, for client-node and kubectl. */
  readonly kubeconfig: string;
  /** Runs kubectl with a home and a cache of its own. */
  kubectl(args: readonly string[], input?: string): Promise<Output>;
  /** Starts it and leaves it running; it is ended with the cluster. */
  startKubectl(args: readonly string[]): {
    child: ChildProcess;
    output: () => string;
    exited: Promise<number>;
  };
  /** Writes a file and returns its path. */
  file(name: string, content: unknown): string;
}

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Undefined when there is none on the PATH. KUBECTL names another one. */
export function findKubectl(): string | undefined {
  const candidates = process.env.KUBECTL
    ? [process.env.KUBECTL]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** `variables`: more in the environment of kubectl. */
export async function startApi(
  hooks: Partial<KubeletHooks> = {},
  variables: Readonly<Record<string, string>> = {},
): Promise<ApiCluster> {
  const registry = createRegistry({ now: Date.now, random: Math.random });
  const authority = createAuthority();
  const certificate = authority.issue({
    hosts: ['localhost'],
    addresses: ['127.0.0.1'],
    validToMs: Date.now() + 3_600_000,
  });
  const server = await createApiServer({ registry, certificate, ...testHooks(registry), ...hooks }).listen();
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-api-'));
  const { url, token } = server;
  const kubeconfig = kubeconfigFor({ url, token, certificateAuthority: authority.cert, name: 'test' });
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig);
  const kubectl = findKubectl() ?? 'kubectl';
  const children = new Set<ChildProcess>();
  const environment = {
    PATH: process.env.PATH,
    HOME: folder,
    KUBECONFIG: join(folder, 'kubeconfig'),
    KUBECTL_KUBERC: 'false',
    ...variables,
  };
  const all = (args: readonly string[]) => [`--cache-dir=${join(folder, 'cache')}`, ...args];
  return {
    registry,
    url: server.url,
    authorization: `Bearer ${server.token}`,
    kubeconfig,
    kubectl: (args, input) =>
      new Promise((resolve) => {
        const child = execFile(
          kubectl,
          all(args),
          { env: environment, timeout: 30_000 },
          (error, stdout, stderr) => {
            children.delete(child);
            resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
          },
        );
        children.add(child);
        child.stdin?.end(input ?? '');
      }),
    startKubectl(args) {
      const child = spawn(kubectl, all(args), { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
      children.add(child);
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const exited = new Promise<number>((resolve) => {
        child.once('close', (code) => {
          children.delete(child);
          resolve(code ?? -1);
        });
      });
      return { child, output: () => text, exited };
    },
    file(name, content) {
      const path = join(folder, name);
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
      return path;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Until `check` gives something; the last thing seen is in the error. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false,
  seen?: () => unknown,
): Promise<T> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const value = check();
    if (value) return value;
    if (Date.now() > deadlineMs) throw new Error(`waited 10 s for ${what}; last seen: ${String(seen?.())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function testHooks(registry: ApiRegistry): KubeletHooks {
  return {
    podProxy(namespace, pod, port, path, req, res) {
      res.end(JSON.stringify({ namespace, pod, port, path, method: req.method }));
    },
    async *podLogs(_namespace, pod, container, options, signal) {
      for (let line = 1; line <= (options.tailLines ?? 3); line++)
        yield `line ${line} of ${pod}/${container}\n`;
      for (let line = 1; options.follow && !signal.aborted && line < 100; line++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield `more ${line}\n`;
      }
    },
    async podExec(_namespace, _pod, container, command, streams) {
      streams.stdout.write(`${container}: ${command.join(' ')}\n`);
      for await (const chunk of streams.stdin ?? []) streams.stdout.write(`in: ${chunk}`);
      return command[0] === 'false' ? 3 : 0;
    },
    // What is sent comes back; port 1 refuses.
    async podConnect(_namespace, _pod, port) {
      if (port === 1) throw new Error('connect ECONNREFUSED');
      return new PassThrough();
    },
    metrics: () => ({
      pods: registry.list('pods').map(({ metadata, spec }) => ({
        namespace: metadata.namespace ?? '',
        name: metadata.name,
        timestamp: new Date().toISOString(),
        windowSeconds: 15,
        containers: (spec?.containers ?? []).map(({ name }) => ({
          name,
          cpuNanocores: 5_000_000,
          memoryBytes: 20 * 1024 * 1024,
        })),
      })),
      nodes: registry.list('nodes').map(({ metadata }) => ({
        name: metadata.name,
        timestamp: new Date().toISOString(),
        windowSeconds: 15,
        cpuNanocores: 250_000_000,
        memoryBytes: 512 * 1024 * 1024,
      })),
    }),
  };
}

const now = '2026-01-01T00:00:00Z';

export function addNode(registry: ApiRegistry, name: string): Kinds['nodes'] {
  return registry.create('nodes', {
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: {
      capacity: { cpu: '2', memory: '4Gi', pods: '110' },
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'ready',
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'rollproof://1',
        kernelVersion: '6.0',
        kubeProxyVersion: '',
        kubeletVersion: 'v1.34.4',
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'emulated',
        systemUUID: '',
      },
    },
  });
}

/** As a controller leaves it: a ReplicaSet per revision, the newest with all the pods, everything ready. */
export function rollOut(registry: ApiRegistry, name: string, namespace = 'default'): void {
  const deployment = registry.get('deployments', namespace, name)!;
  const owned = registry
    .list('replicasets', namespace)
    .filter((set) => set.metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid));
  const revision = owned.length + 1;
  const hash = `hash${revision}`;
  const labels = { ...deployment.spec?.template.metadata?.labels, 'pod-template-hash': hash };
  const annotations = { 'deployment.kubernetes.io/revision': String(revision) };
  for (const set of owned) {
    registry.mutate('replicasets', namespace, set.metadata.name, (draft) => {
      draft.spec!.replicas = 0;
    });
  }
  const replicas = deployment.spec?.replicas ?? 1;
  const set = registry.create('replicasets', {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations,
      ownerReferences: [ownerOf(deployment)],
    },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { ...deployment.spec!.template, metadata: { ...deployment.spec!.template.metadata, labels } },
    },
  });
  registry.mutate(
    'replicasets',
    namespace,
    set.metadata.name,
    (draft) => {
      draft.status = {
        replicas,
        readyReplicas: replicas,
        availableReplicas: replicas,
        observedGeneration: 1,
      };
    },
    'status',
  );
  for (let index = 0; index < replicas; index++) {
    addPod(registry, `${set.metadata.name}-${index}`, namespace, labels, [ownerOf(set)]);
  }
  registry.mutate(
    'deployments',
    namespace,
    name,
    (draft) => {
      draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations };
      draft.status = {
        observedGeneration: draft.metadata.generation,
        replicas,
        updatedReplicas: replicas,
        readyReplicas: replicas,
        availableReplicas: replicas,
        conditions: [
          {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
            lastTransitionTime: now,
            lastUpdateTime: now,
          },
          {
            type: 'Progressing',
            status: 'True',
            reason: 'NewReplicaSetAvailable',
            message: `ReplicaSet "${set.metadata.name}" has successfully progressed.`,
            lastTransitionTime: now,
            lastUpdateTime: now,
          },
        ],
      };
    },
    'status',
  );
  registry.event(
    deployment,
    'Normal',
    'ScalingReplicaSet',
    `Scaled up replica set ${set.metadata.name} from 0 to ${replicas}`,
    'deployment-controller',
  );
}

/** A running, ready pod on node1. */
export function addPod(
  registry: ApiRegistry,
  name: string,
  namespace = 'default',
  labels: Record<string, string> = {},
  ownerReferences: Pod['metadata']['ownerReferences'] = [],
): Pod {
  registry.create('pods', {
    metadata: { name, namespace, labels, ownerReferences },
    spec: { nodeName: 'node1', containers: [{ name: 'app', image: 'web:1' }] },
  });
  return registry.mutate(
    'pods',
    namespace,
    name,
    (draft) => {
      draft.status = {
        phase: 'Running',
        podIP: '127.1.2.3',
        hostIP: '127.0.0.1',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
        containerStatuses: [
          {
            name: 'app',
            ready: true,
            started: true,
            restartCount: 0,
            image: 'web:1',
            imageID: 'web:1',
            state: { running: { startedAt: now } },
          },
        ],
        qosClass: 'BestEffort',
      };
    },
    'status',
  )!;
}

function ownerOf({ apiVersion, kind, metadata }: Deployment | Kinds['replicasets']) {
  return {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
