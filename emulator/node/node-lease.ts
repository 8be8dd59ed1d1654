// A node's sign of life: its Lease in kube-node-lease, renewed every 10 s (pkg/kubelet: component-helpers/apimachinery/lease).
import type { Node, Registry } from '../api/types.ts';
import type { Clock } from './clock.ts';

const RENEW_MS = 10_000;
const DURATION_SECONDS = 40;

/** @returns Ends it; the Lease stays. */
export function keepLease(
  registry: Registry,
  clock: Clock,
  { apiVersion, kind, metadata }: Node,
): () => void {
  const { name, uid } = metadata;
  const namespace = 'kube-node-lease';
  const renewTime = () => `${new Date(clock.wall()).toISOString().slice(0, -1)}000Z`;
  registry.create('leases', {
    metadata: { name, namespace, ownerReferences: [{ apiVersion, kind, name, uid }] },
    spec: { holderIdentity: name, leaseDurationSeconds: DURATION_SECONDS, renewTime: renewTime() },
  });
  let cancel = () => {};
  const later = () => {
    cancel = clock.after(RENEW_MS, () => {
      // Whoever deletes it gets it back when the kubelet starts again, as there.
      if (registry.get('leases', namespace, name)) {
        registry.mutate('leases', namespace, name, (draft) => {
          draft.spec = { ...draft.spec, renewTime: renewTime() };
        });
      }
      later();
    });
  };
  later();
  return () => cancel();
}
