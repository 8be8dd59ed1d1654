// Who keeps a live object as it is, and would undo a patch: Helm, Argo CD, Flux, or whatever owns it, by the marks that they
// leave on it. Pure.
import type { Manifest } from '../../model/manifest.ts';

/** A sentence with what to do instead; undefined: it has no such mark. `owner`: the object that made it. */
export function keeperOf({ metadata }: Manifest, owner: Manifest | undefined): string | undefined {
  const labels: Marks = metadata.labels ?? {};
  const annotations: Marks = metadata.annotations ?? {};
  const gitOps = argoApplication(labels, annotations) ?? fluxObject(labels);
  if (gitOps)
    return `${gitOps} keeps it as its source says and may undo a patch at once: make the change in that source; \`rollproof harden\` with it as target writes it there (docs/harden.md).`;
  const release = annotations['meta.helm.sh/release-name'];
  if (release !== undefined || labels[MANAGED_BY] === 'Helm') {
    const name = release ?? labels['app.kubernetes.io/instance'];
    const chart = labels['helm.sh/chart'];
    return `It belongs to Helm release ${name ?? '(unnamed)'}${chart === undefined ? '' : ` of chart ${chart}`}: ${HELM_UNDOES}`;
  }
  if (owner)
    return `${owner.kind} ${owner.metadata.name} made it and may undo a patch: set it there, where ${owner.kind} has a field for it.`;
  return undefined;
}

/** Ends a sentence. Which values a chart offers is not to be seen from what it rendered. */
const HELM_UNDOES =
  'the next helm upgrade may undo a patch; `rollproof harden` with the chart as target finds the values that do the same (docs/harden.md).';

/** Of a workload that somebody changes by helm and that has no mark of it. */
export const changedByHelm = `T${HELM_UNDOES.slice(1)}`;

type Marks = Readonly<Record<string, string | undefined>>;

const MANAGED_BY = 'app.kubernetes.io/managed-by';

/** The tracking id begins with the application's name: "shop:apps/Deployment:shop/web". */
function argoApplication(labels: Marks, annotations: Marks): string | undefined {
  const name =
    annotations['argocd.argoproj.io/tracking-id']?.split(':', 1)[0] ?? labels['argocd.argoproj.io/instance'];
  return name === undefined ? undefined : `Argo CD application ${name}`;
}

function fluxObject(labels: Marks): string | undefined {
  for (const [group, kind] of [
    ['helm', 'HelmRelease'],
    ['kustomize', 'Kustomization'],
  ] as const) {
    const name = labels[`${group}.toolkit.fluxcd.io/name`];
    const namespace = labels[`${group}.toolkit.fluxcd.io/namespace`];
    if (name !== undefined)
      return `Flux’s ${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
  }
  return undefined;
}
