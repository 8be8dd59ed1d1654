// NodeAffinity: nodeSelector and node affinity, required and preferred.
// Source: pkg/scheduler/framework/plugins/nodeaffinity, component-helpers/scheduling/corev1/nodeaffinity.

import { matchesLabels, matchesRequirement } from '../../../api/label-selector.ts';
import type { Node, Pod } from '../../../api/types.ts';
import { isNodeEvent, normalize, type Plugin, refuse } from './plugin.ts';

type NodeSelectorTerm = NonNullable<
  NonNullable<
    NonNullable<NonNullable<Pod['spec']>['affinity']>['nodeAffinity']
  >['requiredDuringSchedulingIgnoredDuringExecution']
>['nodeSelectorTerms'][number];

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  filter(pod) {
    const named = requiredNodeNames(pod);
    return ({ node }) => {
      // A pod for certain nodes only (a DaemonSet's) is not tried on others at all; the text is the framework's.
      if (named && !named.has(node.metadata.name)) {
        return refuse("node(s) didn't satisfy plugin(s) [NodeAffinity]", false);
      }
      return matchesRequiredNodeAffinity(pod, node)
        ? undefined
        : refuse("node(s) didn't match Pod's node affinity/selector", false);
    };
  },
  score: (pod, _snapshot, feasible) =>
    normalize(new Map(feasible.map(({ node }) => [node.metadata.name, preferenceOf(pod, node)]))),
  helps: (_pod, event) => isNodeEvent(event),
};

/** nodeSelector and one of the required terms, each as far as given. */
export function matchesRequiredNodeAffinity(pod: Pod, node: Node): boolean {
  if (!matchesLabels(pod.spec?.nodeSelector, node.metadata.labels)) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

function preferenceOf(pod: Pod, node: Node): number {
  const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
  return (preferred ?? []).reduce(
    (total, { weight, preference }) => total + (matchesTerm(preference, node) ? weight : 0),
    0,
  );
}

/** An empty term matches nothing. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata.name };
  return (
    matchExpressions.every((each) => matchesRequirement(each, node.metadata.labels ?? {})) &&
    matchFields.every((each) => matchesRequirement(each, fields))
  );
}

/** The nodes that all required terms name; undefined when a term does not name any. */
function requiredNodeNames(pod: Pod): ReadonlySet<string> | undefined {
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const byName = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (!byName) return undefined;
    for (const name of byName.values ?? []) names.add(name);
  }
  return names;
}
