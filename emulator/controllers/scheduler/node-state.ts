// What the scheduler knows of a node: its pods (finished ones do not count, terminating ones do) and what they hold.
// Source: NodeInfo in pkg/scheduler/framework/types.go.
import type { Node, Pod } from '../../api/types.ts';
import { addResources, type Resources, requestsOf } from './resources.ts';

export interface NodeState {
  readonly node: Node;
  readonly pods: readonly Pod[];
  /** Sum of requests. */
  readonly requested: Resources;
  /** The same, with 100m CPU and 200 MB memory for a container that asks for none: only for scores. */
  readonly requestedForScore: Resources;
}

/** @param pods Assigned pods of the whole cluster that have not finished. */
export function nodeStates(nodes: readonly Node[], pods: readonly Pod[]): NodeState[] {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = pod.spec?.nodeName ?? '';
    const list = byNode.get(name);
    if (list) list.push(pod);
    else byNode.set(name, [pod]);
  }
  return nodes.map((node) => {
    const own = byNode.get(node.metadata.name) ?? [];
    return {
      node,
      pods: own,
      requested: addResources(own.map((pod) => requestsOf(pod, 'as-given'))),
      requestedForScore: addResources(own.map((pod) => requestsOf(pod, 'at-least-a-little'))),
    };
  });
}
