// In a namespace that others use: traffic of theirs must not reach our pods, and our load must not reach theirs.
import type { Kube } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import { label, type Manifest } from '../model/manifest.ts';
import { claimTemplatesOf, podTemplateOf } from './definition.ts';

type Labels = Readonly<Record<string, string>>;
interface Neighbour {
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  readonly spec?: { readonly selector?: Labels };
}

/** Throws FaultError that names the Service or pod which the copy of the target would get mixed up with. */
export async function checkNeighbours(
  kube: Kube,
  namespace: string,
  ours: readonly Manifest[],
): Promise<void> {
  const list = async (kind: string) =>
    (await kube.json<{ items: Neighbour[] }>('GET', `/api/v1/namespaces/${namespace}/${kind}`)).items.filter(
      ({ metadata }) => metadata.labels?.[label.run] === undefined,
    );
  const problem =
    mixedUp(ours, await list('services'), await list('pods')) ??
    takenOver(ours, await claimsIn(kube, namespace));
  if (problem) throw new FaultError(`Namespace ${namespace}: ${problem} Use another namespace.`);
}

/** Names of claims that are not ours. Who may not list them is told by nobody. */
async function claimsIn(kube: Kube, namespace: string): Promise<string[]> {
  const answer = await kube.raw('GET', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`);
  if (answer.status !== 200) return [];
  const { items } = JSON.parse(answer.text) as { items: Neighbour[] };
  return items.flatMap(({ metadata }) => (metadata.labels?.[label.run] === undefined ? [metadata.name] : []));
}

/** A StatefulSet takes a claim that has the name of one of its own, with what is on it. Pure. */
export function takenOver(ours: readonly Manifest[], claims: readonly string[]): string | undefined {
  for (const set of ours) {
    for (const { metadata: template } of claimTemplatesOf(set)) {
      const begin = `${template.name}-${set.metadata.name}-`;
      const there = claims.find((name) => name.startsWith(begin) && /^\d+$/.test(name.slice(begin.length)));
      if (there)
        return `PersistentVolumeClaim ${there} is there already, and our StatefulSet ${set.metadata.name} would write to it.`;
    }
  }
  return undefined;
}

/** In words; undefined: nothing. Pure. */
export function mixedUp(
  ours: readonly Manifest[],
  services: readonly Neighbour[],
  pods: readonly Neighbour[],
): string | undefined {
  for (const manifest of ours) {
    const labels = podTemplateOf(manifest)?.metadata?.labels;
    const service = labels && services.find(({ spec }) => selects(spec?.selector, labels));
    if (service) {
      return `Service ${service.metadata.name} would send its traffic to the pods of our ${manifest.kind} ${manifest.metadata.name}.`;
    }
    if (manifest.kind !== 'Service') continue;
    const { selector } = (manifest.spec ?? {}) as { selector?: Labels };
    const pod = pods.find(({ metadata }) => selects(selector, metadata.labels ?? {}));
    if (pod)
      return `our Service ${manifest.metadata.name} would send the load to pod ${pod.metadata.name}, which is not ours.`;
  }
  return undefined;
}

/** A Service without a selector selects nothing. */
function selects(selector: Labels | undefined, labels: Labels): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
