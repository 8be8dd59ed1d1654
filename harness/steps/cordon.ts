// Nodes that our steps cordon. Only those are uncordoned again: a node that was cordoned when we came is somebody else's.
import { apiMessage } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import { mergePatch, type StepContext } from './context.ts';
import { undoable } from './undoable.ts';

/** By experiment, of which the state is one. */
const ours = new WeakMap<StepContext['state'], Set<string>>();

/** False: it was cordoned already, and stays so. */
export async function cordon(context: StepContext, node: string): Promise<boolean> {
  const { spec } = await context.kube.json<{ spec?: { unschedulable?: boolean } }>(
    'GET',
    `/api/v1/nodes/${node}`,
  );
  if (spec?.unschedulable) return cordonedByUs(context).has(node);
  await undoable(context, {
    undo: `uncordon node ${node}`,
    act: () => {
      cordonedByUs(context).add(node);
      return setUnschedulable(context.kube, node, true);
    },
    putBack: async (kube) => {
      if (cordonedByUs(context).delete(node)) await setUnschedulable(kube, node, null);
    },
  });
  return true;
}

/** Those that our steps cordoned. Returns their names. */
export async function uncordonOurs(context: StepContext): Promise<string[]> {
  const nodes = [...cordonedByUs(context)].sort();
  for (const node of nodes) {
    await setUnschedulable(context.kube, node, null);
    cordonedByUs(context).delete(node);
  }
  return nodes;
}

function cordonedByUs({ state }: StepContext): Set<string> {
  const known = ours.get(state) ?? new Set<string>();
  ours.set(state, known);
  return known;
}

async function setUnschedulable(kube: Kube, node: string, value: true | null): Promise<void> {
  try {
    await kube.json('PATCH', `/api/v1/nodes/${node}`, {
      contentType: mergePatch,
      body: { spec: { unschedulable: value } },
    });
  } catch (error) {
    throw new FaultError(
      `Node ${node} could not be ${value ? 'cordoned' : 'uncordoned'}: ${apiMessage(error)}.`,
      { cause: error },
    );
  }
}
