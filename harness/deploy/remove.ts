// Takes away what carries our label, and nothing else. What is not known to be ours is never deleted; what could not be
// deleted is never called gone.
import { type Answer, toApiError } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { untilDone, waitFor } from '../kube/wait.ts';
import { FaultError, messageOf } from '../model/errors.ts';
import { label } from '../model/manifest.ts';

/** Below what a look may take: an API server that is away is told from one that is slow. */
const ASK_LIMIT_MS = 4000;

/**
 * Deletes namespaces of ours and waits until they are gone. Pods are deleted with a grace of one second first: what
 * they serve is no longer of interest. Only a namespace that carries the run's label is touched. Every namespace is
 * tried; throws FaultError that names those that are left. `signal`: of a cluster that goes away, and takes them with it.
 * `enough`: `accepted` is for somebody who pressed Ctrl-C: the API server has taken every deletion, Kubernetes ends it.
 */
export async function removeNamespaces(
  kube: Kube,
  namespaces: readonly string[],
  runId: string,
  limitMs: number,
  signal: AbortSignal = untilDone,
  enough: 'gone' | 'accepted' = 'gone',
): Promise<void> {
  const ends = await Promise.allSettled(
    namespaces.map((namespace) => removeNamespace(kube, namespace, runId, limitMs, signal, enough)),
  );
  const failed = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  if (failed.length === 1) throw failed[0];
  if (failed.length > 0) throw new FaultError(failed.map(messageOf).join('\n'), { cause: failed[0] });
}

async function removeNamespace(
  kube: Kube,
  namespace: string,
  runId: string,
  limitMs: number,
  until: AbortSignal,
  enough: 'gone' | 'accepted',
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`;
  const hint = `Look with: kubectl get all -n ${namespace}; what is left there goes with: kubectl delete namespace ${namespace}`;
  let deleted = false;
  const limits = { limitMs, signal: until, everyMs: 200 };
  await waitFor({ what: `namespace ${namespace} to be gone`, ...limits, hint }, async (signal) => {
    const found = await kube.raw('GET', path, { signal, timeoutMs: ASK_LIMIT_MS });
    if (found.status === 404) return { met: undefined };
    const { metadata, status } = objectIn<Labelled>(found);
    if (!deleted) {
      // Read, and not ours: somebody else's of the same name.
      if (metadata?.labels?.[label.run] !== runId) return { met: undefined };
      await accepted(kube.raw('DELETE', path, { body: { propagationPolicy: 'Background' }, signal }));
      await hurryPods(kube, path, signal);
      deleted = true;
    }
    if (enough === 'accepted') return { met: undefined };
    return { seen: whatHolds(status) };
  });
}

interface Labelled {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly status?: NamespaceStatus;
}
interface NamespaceStatus {
  readonly phase?: string;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
}

/** The controller says what content or finalizer is left (pkg/controller/namespace/deletion). */
function whatHolds(status: NamespaceStatus | undefined): string {
  const told = (status?.conditions ?? []).filter((one) => one.status === 'True').map((one) => one.message);
  return [status?.phase ?? 'no phase', ...told].filter(Boolean).join('; ');
}

/** Their grace only: the namespace's deletion takes them in any case. */
async function hurryPods(kube: Kube, path: string, signal: AbortSignal): Promise<void> {
  const { items } = objectIn<{ items: { metadata: { name: string } }[] }>(
    await kube.raw('GET', `${path}/pods`, { signal }),
  );
  await Promise.all(
    items.map((pod) =>
      accepted(
        kube.raw('DELETE', `${path}/pods/${pod.metadata.name}`, { body: { gracePeriodSeconds: 1 }, signal }),
      ),
    ),
  );
}

function objectIn<T>(answer: Answer): T {
  if (answer.status !== 200) throw toApiError(answer);
  return JSON.parse(answer.text) as T;
}

/** 404: somebody was faster; 409: it is being deleted already. */
async function accepted(deletion: Promise<Answer>): Promise<void> {
  const answer = await deletion;
  const done =
    (answer.status >= 200 && answer.status < 300) || answer.status === 404 || answer.status === 409;
  if (!done) throw toApiError(answer);
}
