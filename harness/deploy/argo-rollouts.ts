// Whether a cluster can run an Argo Rollout: its CRD is there, and a controller that takes it up.
import { toApiError } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { waitFor } from '../kube/wait.ts';
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import { UsageError } from '../model/errors.ts';
import type { TargetDefinition } from './definition.ts';

/** On clusters of our own, before they are brought up: a sentence. */
export const rolloutNobodyRuns = ({ workload }: TargetDefinition): string[] =>
  workload.kind === 'Rollout'
    ? [
        `Rollout ${workload.name}: needs the CRD and the controller of Argo Rollouts, which a cluster of rollproof's own does not have. Run it where they are, with --cluster context.`,
      ]
    : [];

/** Throws UsageError that says what lacks. Nothing is created. */
export async function refuseWithoutController(kube: Kube, { workload }: TargetDefinition): Promise<void> {
  if (workload.kind !== 'Rollout') return;
  const lacking = await lackingForRollouts(kube);
  if (lacking)
    throw new UsageError(
      `Rollout ${workload.name}: ${lacking} Nothing was started. Install Argo Rollouts there, or choose another cluster (--cluster, --context).`,
    );
}

/** A sentence; undefined: nothing lacks, as far as may be seen. */
async function lackingForRollouts(kube: Kube): Promise<string | undefined> {
  const unknown = await unknownRollouts(kube);
  if (unknown) return unknown;
  const answer = await kube.raw('GET', '/apis/apps/v1/deployments');
  // Who may not look at other namespaces sees by what happens to the Rollout (rolloutTakenUp).
  if (answer.status === 403) return undefined;
  if (answer.status !== 200) throw toApiError(answer);
  const { items } = JSON.parse(answer.text) as { items: Controller[] };
  const found = items.filter(isController);
  if (found.some(({ status }) => (status?.readyReplicas ?? 0) > 0)) return undefined;
  const [first] = found;
  return first
    ? `the CRD rollouts.argoproj.io is there, and no pod of its controller is ready (Deployment ${first.metadata.name} of namespace ${first.metadata.namespace}).`
    : 'the CRD rollouts.argoproj.io is there, and no controller of Argo Rollouts runs on the cluster (no Deployment has its image or its label app.kubernetes.io/name=argo-rollouts).';
}

interface Controller {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } };
  };
  readonly status?: { readonly readyReplicas?: number };
}

/** Its dashboard is of the same image family, and changes nothing. */
const isController = ({ metadata, spec }: Controller): boolean =>
  metadata.labels?.['app.kubernetes.io/component'] !== 'rollouts-dashboard' &&
  (metadata.labels?.['app.kubernetes.io/name'] === 'argo-rollouts' ||
    (spec?.template?.spec?.containers ?? []).some(({ image = '' }) =>
      /(^|\/)argo-rollouts(:|@|$)/.test(image),
    ));

/** A sentence; undefined: the cluster knows the kind. */
export async function unknownRollouts(kube: Kube): Promise<string | undefined> {
  const answer = await kube.raw('GET', `/apis/${rolloutApiVersion}`);
  if (answer.status !== 200 && answer.status !== 404) throw toApiError(answer);
  const { resources = [] } =
    answer.status === 404 ? {} : (JSON.parse(answer.text) as { resources?: { name?: string }[] });
  if (resources.some(({ name }) => name === 'rollouts')) return undefined;
  return 'the cluster does not know the kind Rollout: the CRD rollouts.argoproj.io of Argo Rollouts is missing, and with it its controller.';
}

/** A controller that is there writes a status within moments; one of another namespace or instance never does. */
const TAKEN_UP_LIMIT_MS = 20_000;

/** Resolves when a controller has looked at the Rollout. */
export async function rolloutTakenUp(
  kube: Kube,
  namespace: string,
  name: string,
  signal: AbortSignal,
  limitMs = TAKEN_UP_LIMIT_MS,
): Promise<void> {
  const path = `/apis/${rolloutApiVersion}/namespaces/${namespace}/rollouts/${name}`;
  await waitFor(
    { what: `a controller of Argo Rollouts to take up Rollout ${name} in ${namespace}`, limitMs, signal },
    async (lookSignal) => {
      const { status } = await kube.json<{ status?: { observedGeneration?: string; phase?: string } }>(
        'GET',
        path,
        { signal: lookSignal },
      );
      if (status?.observedGeneration) return { met: undefined };
      return {
        seen: 'nobody has written its status: the controller is for other namespaces, or does not run',
      };
    },
  );
}
