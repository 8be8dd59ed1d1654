// Counts what each ResourceQuota's namespace uses. Refusals do not wait for it: admission counts for itself.
// Source: pkg/controller/resourcequota/resource_quota_controller.go.
import { equalObjects } from '../../api/objects.ts';
import { usedAmounts } from '../../api/quota.ts';
import type { ApiRegistry } from '../../api/registry.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';

/** Many changes at once are counted once. */
const settleMs = 100;

export function startQuotaController(context: ControllerContext): void {
  const { informers, registry } = context;
  const storage = (registry as Partial<ApiRegistry>).storage;
  // A registry without a store of its own (tests of controllers) has no quotas either.
  if (!storage) return;
  const client = clientFor(context, 'resourcequota-controller');
  const queue = queueFor(context, 'quota', sync);

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    const quota = registry.get('resourcequotas', namespace, name);
    if (!quota || !storage) return;
    const status = { hard: quota.spec?.hard ?? {}, used: usedAmounts(storage, quota) };
    if (equalObjects(quota.status ?? {}, status)) return;
    await client.mutate(
      'resourcequotas',
      namespace,
      name,
      (draft) => {
        draft.status = status;
      },
      'status',
    );
  }

  const recount = (namespace: string | undefined) => {
    for (const { metadata } of informers.list('resourcequotas', namespace)) {
      queue.addAfter(keyOf(metadata.namespace, metadata.name), settleMs);
    }
  };
  informers.on('resourcequotas', ({ object }) =>
    queue.add(keyOf(object.metadata.namespace, object.metadata.name)),
  );
  registry.subscribe(({ type, object, resource }) => {
    if (resource === 'events') return;
    if (type !== 'MODIFIED' || resource === 'pods') recount(object.metadata.namespace);
  });
}
