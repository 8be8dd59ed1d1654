// Connection tracking of a node on a cluster of somebody's: read by a pod there, because the user asked for it. What keeps it
// from being read is therefore an error, before any load.
import { podEvents, READS } from '../../cluster/conntrack.ts';
import type { NodeWitness, WitnessRequest } from '../../cluster/provider.ts';
import { createObjects } from '../../deploy/apply.ts';
import { agentPort, type Identity } from '../../deploy/assemble.ts';
import { podLabels } from '../../deploy/own-pods.ts';
import { type PodReady, podsReady } from '../../deploy/pods-ready.ts';
import { witnessJob, witnessName } from '../../deploy/witness-pod.ts';
import { apiStatus } from '../../kube/api-error.ts';
import { type Kube, podProxyPath } from '../../kube/client.ts';
import { untilDone } from '../../kube/wait.ts';
import { FaultError, messageOf } from '../../model/errors.ts';
import type { OwnPods } from '../../model/own-pods.ts';
import { follow } from './followed-log.ts';

interface WitnessPods {
  /** Marks what is created through it as the experiment's. */
  readonly kube: Kube;
  readonly identity: Identity;
  readonly own: OwnPods;
  /** The load agents: their clock is their node's. */
  readonly agents: readonly Pick<PodReady, 'name' | 'node'>[];
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

const READY_LIMIT_MS = 30_000;
/** An image is there or is not, a policy allows it or does not. */
const TROUBLE_LIMIT_MS = 5000;
const CLOCK_LIMIT_MS = 2000;

/** Throws FaultError: one sentence with the node, what keeps it from being read, and what to do. */
export async function witnessByPod(
  pods: WitnessPods,
  node: string,
  index: number,
  request: WitnessRequest,
): Promise<NodeWitness> {
  try {
    return await read(pods, node, index, request);
  } catch (error) {
    pods.signal.throwIfAborted();
    const why = messageOf(error).replace(/\.$/, '');
    throw new FaultError(
      `--witness: connection tracking on node ${node} cannot be read: ${why}. Mend that, or leave out --witness (agent.witness): then it is worked out from the recorded facts which pod was asked.`,
      { cause: error },
    );
  }
}

async function read(
  pods: WitnessPods,
  node: string,
  index: number,
  request: WitnessRequest,
): Promise<NodeWitness> {
  const { addresses, onLine } = request;
  const { kube, identity, own, deadlineMs } = pods;
  const agent = pods.agents.find((one) => one.node === node);
  if (!agent) throw new FaultError('no load agent runs there, whose clock is needed');
  const image = own.guest?.witness?.image ?? (await proxyImage(kube, node));
  const job = witnessJob(identity, own, {
    image,
    node,
    events: podEvents(addresses),
    deadlineMs,
    index,
  });
  await createObjects(kube, [job]);
  const pod = await podOf(pods, node, index);
  const { namespace } = identity;
  const log = await follow({ kube, namespace, pod, from: READS, request });
  return {
    node,
    ended: log.ended,
    ask: (question) => void askClock(kube, namespace, agent.name, question, onLine),
    async stop() {
      log.stop();
      // What is left of it goes with the experiment.
      await kube.during(untilDone).raw('DELETE', `${jobsPath(namespace)}/${job.metadata.name}`, {
        query: { propagationPolicy: 'Background' },
      });
    },
  };
}

const jobsPath = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`;

async function podOf({ kube, identity, signal }: WitnessPods, node: string, index: number): Promise<string> {
  const job = `${witnessName}-${index + 1}`;
  // Other nodes have readers of their own, which are not waited for.
  const labels = { ...podLabels('witness', identity), 'job-name': job };
  const found = await podsReady(kube, identity.namespace, labels, 1, READY_LIMIT_MS, signal, {
    troubleLimitMs: TROUBLE_LIMIT_MS,
  });
  const pod = found.find((one) => one.node === node);
  if (!pod) throw new FaultError(`Job ${job} has no pod there`);
  return pod.name;
}

interface ObservedProxy {
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
}

/** The image of the node's kube-proxy, which has conntrack and which the node has. */
async function proxyImage(kube: Kube, node: string): Promise<string> {
  const pods = async (app: string) => {
    const { items } = await kube.json<{ items: ObservedProxy[] }>(
      'GET',
      '/api/v1/namespaces/kube-system/pods',
      { query: { labelSelector: `k8s-app=${app}` } },
    );
    return items.find(({ spec }) => spec.nodeName === node);
  };
  try {
    const proxy = (await pods('kube-proxy'))?.spec.containers[0]?.image;
    if (proxy !== undefined) return proxy;
    if (await pods('cilium'))
      throw new FaultError(
        'Cilium routes Services there in place of kube-proxy, without the kernel’s connection tracking',
      );
  } catch (error) {
    if (apiStatus(error) !== 403) throw error;
    throw new FaultError(
      'pods of kube-system may not be listed, so the image of kube-proxy is not known; name an image with conntrack, bash and grep by --witness-image',
      { cause: error },
    );
  }
  throw new FaultError(
    'no kube-proxy runs there as a pod of kube-system; name an image with conntrack, bash and grep by --witness-image, if Services are routed by iptables, nftables or IPVS',
  );
}

/** The agent shares the node's clock. One that does not answer is found out by who needs it. */
async function askClock(
  kube: Kube,
  namespace: string,
  agent: string,
  question: string,
  onLine: (line: string) => void,
): Promise<void> {
  try {
    const { wallMs } = await kube.json<{ wallMs: number }>(
      'GET',
      podProxyPath(namespace, agent, agentPort, '/clock'),
      { timeoutMs: CLOCK_LIMIT_MS },
    );
    // The clock gives whole milliseconds.
    onLine(`clock ${question} ${((wallMs + 0.5) / 1000).toFixed(4)}`);
  } catch {
    // Asked again soon.
  }
}
