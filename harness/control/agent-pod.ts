// What became of a load agent's pod, for people: how it ended and what it said last.
import type { Kube } from '../kube/client.ts';
import { saidLast } from '../kube/said-last.ts';

interface AgentPod {
  readonly metadata?: { readonly deletionTimestamp?: string };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly {
      readonly ready?: boolean;
      readonly state?: {
        readonly running?: { readonly startedAt?: string };
        readonly terminated?: {
          readonly exitCode: number;
          readonly signal?: number;
          readonly reason?: string;
          /** Of one that could not be started, too: why. */
          readonly message?: string;
        };
      };
    }[];
  };
}

const ANSWER_LIMIT_MS = 2000;
const MESSAGE_LIMIT = 300;
/** It may answer yet: everything else that is said of an agent is its end. */
export const stillRuns = 'the load agent runs but does not answer';

/** "the load agent ended (exit code 137: …)"; undefined: it runs, and what is wrong cannot be seen at its pod. */
export async function whatBecameOf(
  kube: Kube,
  namespace: string,
  pod: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
  const options = { timeoutMs: ANSWER_LIMIT_MS, ...(signal && { signal }) };
  const answer = await kube.raw('GET', path, options);
  if (answer.status === 404) return 'its pod is gone: somebody deleted it.';
  if (answer.status !== 200) return undefined;
  const { metadata, status } = JSON.parse(answer.text) as AgentPod;
  const ended = status?.containerStatuses?.find(({ state }) => state?.terminated)?.state?.terminated;
  if (!ended && status?.phase === 'Failed') {
    return `its pod failed: ${[status.reason, status.message].filter(Boolean).join(': ') || 'no reason given'}.`;
  }
  if (ended) {
    const why = ended.message?.split('\n', 1)[0]?.slice(0, MESSAGE_LIMIT);
    const how = [
      `exit code ${ended.exitCode}`,
      ended.reason !== 'Error' && [ended.reason, why].filter(Boolean).join(': '),
    ];
    return `the load agent ended (${how.filter(Boolean).join(', ')}${await saidLast(kube, namespace, pod, options)}).`;
  }
  if (metadata?.deletionTimestamp) return 'its pod is being deleted: somebody else did that.';
  if (status?.phase !== 'Running') return undefined;
  return `${stillRuns}${await saidLast(kube, namespace, pod, options)}.`;
}
