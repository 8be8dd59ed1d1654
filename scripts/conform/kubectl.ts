// Runs a recording's steps: with the kubectl on the PATH, or, where there is none, by the requests that kubectl would
// send for the verbs that recordings use.
import { PassThrough } from 'node:stream';
import { Exec } from '@kubernetes/client-node';
import { ApiError } from '../../harness/kube/api-error.ts';
import { connectKube, type Kube } from '../../harness/kube/client.ts';
import { openKubectl, type Printed, type Kubectl as Runner } from '../../harness/kube/kubectl.ts';
import { UsageError } from '../../harness/model/errors.ts';

export { kubectlIsThere } from '../../harness/kube/kubectl.ts';
export type { Printed };

const LIMIT_MS = 180_000;

export interface Kubectl extends Runner {
  create(manifests: readonly object[]): Promise<Printed>;
}

export function realKubectl(kubeconfig: string, namespace: string): Kubectl {
  const kubectl = openKubectl(kubeconfig, namespace);
  return {
    ...kubectl,
    create: (manifests) =>
      kubectl.run(
        ['create', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }),
      ),
  };
}

export async function ownKubectl(kubeconfig: string, namespace: string): Promise<Kubectl> {
  const kube = await connectKube(kubeconfig);
  return {
    async run(args) {
      try {
        return { code: 0, out: await translate(kube, namespace, args), err: '' };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return { code: 1, out: '', err: `Error from server (${error.reason}): ${error.message}` };
      }
    },
    async create(manifests) {
      for (const manifest of manifests) await post(kube, namespace, manifest as Manifest);
      return { code: 0, out: '', err: '' };
    },
    async [Symbol.asyncDispose]() {
      kube.close();
    },
  };
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const plurals: Readonly<Record<string, string>> = {
  Deployment: 'deployments',
  DaemonSet: 'daemonsets',
  ReplicaSet: 'replicasets',
  Service: 'services',
  Pod: 'pods',
  ConfigMap: 'configmaps',
  Job: 'jobs',
  HorizontalPodAutoscaler: 'horizontalpodautoscalers',
  PodDisruptionBudget: 'poddisruptionbudgets',
};

async function post(kube: Kube, namespace: string, manifest: Manifest): Promise<void> {
  const plural = plurals[manifest.kind];
  if (!plural) throw new UsageError(`conform: no kubectl here, and no own way to create a ${manifest.kind}.`);
  await kube.json('POST', collection(manifest.apiVersion, namespace, plural), { body: manifest });
}

const collection = (apiVersion: string, namespace: string, plural: string): string =>
  `${apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`}/namespaces/${namespace}/${plural}`;

const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';

async function translate(kube: Kube, namespace: string, args: readonly string[]): Promise<string> {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const flag = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const [verb = '', second = '', third = '', ...rest] = words;
  const patch = (path: string, contentType: string, body: unknown) =>
    kube.json('PATCH', path, { body, contentType });
  const workload = (text: string) => {
    const [kind = '', name = ''] = text.split('/');
    const plural = {
      deployment: 'deployments',
      deploy: 'deployments',
      daemonset: 'daemonsets',
      ds: 'daemonsets',
    }[kind];
    if (!plural) throw unknown(args);
    return collection('apps/v1', namespace, `${plural}/${name}`);
  };
  switch (`${verb} ${verb === 'set' || verb === 'rollout' ? second : ''}`.trim()) {
    case 'set image':
      await patch(workload(third), strategic, {
        spec: {
          template: { spec: { containers: rest.map(pairOf).map(([name, image]) => ({ name, image })) } },
        },
      });
      return '';
    case 'set env': {
      const path = workload(third);
      const { spec } = await kube.json<{ spec: { template: { spec: { containers: { name: string }[] } } } }>(
        'GET',
        path,
      );
      const env = rest.map(pairOf).map(([name, value]) => ({ name, value }));
      await patch(path, strategic, {
        spec: {
          template: {
            spec: { containers: spec.template.spec.containers.map(({ name }) => ({ name, env })) },
          },
        },
      });
      return '';
    }
    case 'scale':
      await patch(`${workload(second)}/scale`, merge, { spec: { replicas: Number(flag('replicas')) } });
      return '';
    case 'rollout pause':
      await patch(workload(third), strategic, { spec: { paused: true } });
      return '';
    case 'rollout resume':
      await patch(workload(third), strategic, { spec: { paused: null } });
      return '';
    case 'rollout restart':
      await patch(workload(third), strategic, {
        spec: {
          template: {
            metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() } },
          },
        },
      });
      return '';
    case 'rollout undo':
      await undo(kube, namespace, workload(third), Number(flag('to-revision') ?? 0));
      return '';
    case 'delete': {
      if (second !== 'pod') throw unknown(args);
      const seconds = flag('grace-period');
      await kube.json('DELETE', collection('v1', namespace, `pods/${third}`), {
        ...(seconds !== undefined && { query: { gracePeriodSeconds: seconds } }),
      });
      return '';
    }
    case 'cordon':
    case 'uncordon':
      await patch(`/api/v1/nodes/${second}`, strategic, {
        spec: { unschedulable: verb === 'cordon' ? true : null },
      });
      return '';
    case 'drain':
      await drain(kube, second);
      return '';
    case 'exec':
      return exec(kube, namespace, second, args.slice(args.indexOf('--') + 1));
    default:
      throw unknown(args);
  }
}

const unknown = (args: readonly string[]): UsageError =>
  new UsageError(
    `conform: no kubectl on the PATH, and no own way to do "kubectl ${args.join(' ')}". Install kubectl.`,
  );

const pairOf = (text: string): [string, string] => {
  const [name = '', ...value] = text.split('=');
  return [name, value.join('=')];
};

const REVISION = 'deployment.kubernetes.io/revision';

interface Owned {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
  readonly spec: { readonly template: { metadata: { labels?: Record<string, string> } } };
}

/** As kubectl does it: the template of that revision's ReplicaSet, without its hash. */
async function undo(kube: Kube, namespace: string, path: string, revision: number): Promise<void> {
  const deployment = await kube.json<{ metadata: { uid: string } }>('GET', path);
  const { items } = await kube.json<{ items: Owned[] }>(
    'GET',
    collection('apps/v1', namespace, 'replicasets'),
  );
  const own = items
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid))
    .sort((a, b) => revisionOf(b) - revisionOf(a));
  const target = revision === 0 ? own[1] : own.find((candidate) => revisionOf(candidate) === revision);
  if (!target)
    throw new ApiError(404, 'NotFound', `unable to find specified revision ${revision} in history`);
  const template = structuredClone(target.spec.template);
  delete template.metadata.labels?.['pod-template-hash'];
  await kube.json('PATCH', path, {
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/spec/template', value: template }],
  });
}

const revisionOf = ({ metadata }: Owned): number => Number(metadata.annotations?.[REVISION] ?? 0);

const EVICTION_RETRY_MS = 5000;
const TOO_MANY_REQUESTS = 429;

async function drain(kube: Kube, node: string): Promise<void> {
  await kube.json('PATCH', `/api/v1/nodes/${node}`, {
    contentType: strategic,
    body: { spec: { unschedulable: true } },
  });
  const { items } = await kube.json<{
    items: {
      metadata: { name: string; namespace: string; uid: string; ownerReferences?: { kind: string }[] };
    }[];
  }>('GET', '/api/v1/pods', { query: { fieldSelector: `spec.nodeName=${node}` } });
  const deadlineMs = performance.now() + LIMIT_MS;
  await Promise.all(
    items
      .filter(({ metadata }) => !metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet'))
      .map(async ({ metadata: { name, namespace, uid } }) => {
        const path = collection('v1', namespace, `pods/${name}`);
        while (performance.now() < deadlineMs) {
          const answer = await kube.raw('POST', `${path}/eviction`, {
            body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
          });
          if (answer.status !== TOO_MANY_REQUESTS) break;
          await new Promise((resolve) => setTimeout(resolve, EVICTION_RETRY_MS));
        }
        while (performance.now() < deadlineMs) {
          const answer = await kube.raw('GET', path);
          if (answer.status === 404) return;
          if ((JSON.parse(answer.text) as { metadata: { uid: string } }).metadata.uid !== uid) return;
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }),
  );
}

async function exec(kube: Kube, namespace: string, pod: string, command: readonly string[]): Promise<string> {
  const { spec } = await kube.json<{ spec: { containers: { name: string }[] } }>(
    'GET',
    collection('v1', namespace, `pods/${pod}`),
  );
  const output = new PassThrough();
  let text = '';
  output.on('data', (chunk) => (text += chunk));
  await new Promise<void>((resolve, reject) => {
    new Exec(kube.config)
      .exec(namespace, pod, spec.containers[0]?.name ?? '', [...command], output, output, null, false, () =>
        resolve(),
      )
      .catch(reject);
  });
  return text;
}
