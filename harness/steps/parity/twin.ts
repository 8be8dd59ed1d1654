// The second Deployment, which the real kubectl changes while our steps change the target: the same in everything but
// its name and its labels, so that no Service routes to it and nobody counts its pods. Pure.
import { label, type Manifest, type Role } from '../../model/manifest.ts';

/** Ends every name and label value of the twin, and appears nowhere else. */
const mark = '-kubectl-twin';

export const twinName = (name: string): string => name + mark;

interface Workload extends Manifest {
  spec: {
    selector: { matchLabels?: Record<string, string> };
    template: { metadata?: { labels?: Record<string, string> }; spec: unknown };
  };
}

/** From the object as the API server has it: what server and controllers add is left out. */
export function twinOf(deployment: Manifest): Manifest {
  const { apiVersion, kind, metadata, spec } = structuredClone(deployment) as Workload;
  const template = { ...spec.template, metadata: { ...spec.template.metadata } };
  template.metadata.labels = marked(template.metadata.labels);
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(
      ([name]) => !name.startsWith('deployment.kubernetes.io/'),
    ),
  );
  return {
    apiVersion,
    kind,
    metadata: {
      name: twinName(metadata.name),
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels: marked(metadata.labels),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      ...spec,
      selector: { ...spec.selector, matchLabels: marked(spec.selector.matchLabels) },
      template,
    },
  };
}

/** The run's own labels stay, so that the twin is known as the run's. */
function marked(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const changed = (name: string, value: string) => {
    if (name === label.role) return 'twin' satisfies Role;
    return ourLabels.includes(name) ? value : value + mark;
  };
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, changed(name, value)]));
}

const ourLabels: readonly string[] = Object.values(label);

/** The twin's objects in the target's words. */
export const unmarked = <T>(twin: T): T => JSON.parse(JSON.stringify(twin).replaceAll(mark, '')) as T;
