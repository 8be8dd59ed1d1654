// Changes how often the autoscaler looks, on a cluster that is up: a flag of the controller manager's static pod.
import { setTimeout as delay } from 'node:timers/promises';
import type { RunCommand } from '../../exec/command.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError, InterruptedError } from '../../model/errors.ts';

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
  await run('docker', ['exec', node, 'bash', '-c', changeManifest(seconds)], { limitMs: COMMAND_LIMIT_MS });
  const deadline = performance.now() + RESTART_LIMIT_MS;
  for (;;) {
    const holder = await leaseHolder(kube);
    if (holder !== undefined && holder !== before) return;
    if (signal.aborted) throw new InterruptedError();
    if (performance.now() > deadline) {
      throw new FaultError(
        `kind: waited ${RESTART_LIMIT_MS / 1000} s for the controller manager to restart with ${FLAG}; last seen: lease held by ${holder ?? 'nobody'}.`,
      );
    }
    await delay(POLL_MS);
  }
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
