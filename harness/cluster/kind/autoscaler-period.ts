// Changes how often the autoscaler looks, on a cluster that is up: a flag of the controller manager's static pod.
import type { RunCommand } from '../../exec/command.ts';
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';

const FLAG = '--horizontal-pod-autoscaler-sync-period';
const MANIFEST = '/etc/kubernetes/manifests/kube-controller-manager.yaml';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager';
const COMMAND_LIMIT_MS = 20_000;
/** The kubelet notices within 20 s, and the new process waits for the old one's lease of 15 s. */
const RESTART_LIMIT_MS = 120_000;
const POLL_MS = 300;

/** `seconds` null: Kubernetes' default. Waits until the restarted controller manager leads again. */
export async function setAutoscalerPeriod(
  run: RunCommand,
  kube: Kube,
  node: string,
  seconds: number | null,
  signal: AbortSignal,
): Promise<void> {
  const before = await leaseHolder(kube);
  await run('docker', ['exec', node, 'bash', '-c', changeManifest(seconds)], {
    limitMs: COMMAND_LIMIT_MS,
    signal,
  });
  await waitFor(
    {
      what: `the controller manager to restart with ${FLAG}`,
      limitMs: RESTART_LIMIT_MS,
      signal,
      everyMs: POLL_MS,
      // While it restarts, what it serves may be refused.
      final: () => false,
    },
    async (lookSignal) => {
      const holder = await leaseHolder(kube.during(lookSignal));
      if (holder !== undefined && holder !== before) return { met: undefined };
      return { seen: `its lease is held by ${holder ?? 'nobody'}` };
    },
  );
}

/** Written beside and copied over, because the kubelet reads whatever lies in the folder. */
function changeManifest(seconds: number | null): string {
  const add =
    seconds === null ? '' : ` -e 's/^\\( *\\)- kube-controller-manager$/&\\n\\1- ${FLAG}=${seconds}s/'`;
  return `set -e; t=$(mktemp); sed -e '/${FLAG}=/d'${add} ${MANIFEST} > "$t"; cat "$t" > ${MANIFEST}; rm "$t"`;
}

async function leaseHolder(kube: Kube): Promise<string | undefined> {
  const lease = await kube.json<{ spec?: { holderIdentity?: string } }>('GET', LEASE);
  return lease.spec?.holderIdentity;
}
