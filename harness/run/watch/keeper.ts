// Who keeps a live object as it is, and would undo a patch: Helm, Argo CD, Flux, or whatever owns it, by the marks that they
// leave on it. Pure.
import type { Manifest } from '../../model/manifest.ts';

interface Keeper {
  /** A sentence with what to do instead. */
  readonly note: string;
  /** It is Helm, whose chart may offer values. */
  readonly isHelm?: true;
}

/** Undefined: it has no such mark. `owner`: the object that made it. */
export function keeperOf(object: Manifest, owner: Manifest | undefined): Keeper | undefined {
  const { labels = {}, annotations = {} }: Marked = object.metadata;
  const gitOps = argoApplication(labels, annotations) ?? fluxObject(labels);
  if (gitOps)
    return {
      note: `${gitOps} keeps it as its source says and may undo a patch at once: make the change in that source; \`rollproof harden\` with it as target writes it there (docs/harden.md).`,
    };
  if (annotations[RELEASE] !== undefined || labels['app.kubernetes.io/managed-by'] === 'Helm') {
    const chart = labels['helm.sh/chart'];
    return {
      note: `It belongs to Helm release ${helmRelease(object) ?? '(unnamed)'}${chart === undefined ? '' : ` of chart ${chart}`}: the next helm upgrade may undo a patch.`,
      isHelm: true,
    };
  }
  if (owner)
    return {
      note: `${owner.kind} ${owner.metadata.name} made it and may undo a patch: set it there, where ${owner.kind} has a field for it.`,
    };
  return undefined;
}

/** Of a workload that somebody changes by helm and that has no mark of it. */
export const changedByHelm: Keeper = { note: 'The next helm upgrade may undo a patch.', isHelm: true };

/** Which values a chart offers is not to be seen from what it rendered. */
export const howToValues =
  'Watched with --chart CHART (and --values FILE, as for helm) it says which values do the same; `rollproof init CHART` and then `rollproof harden` find and measure them (docs/harden.md).';

/** By Helm's own mark, else by the usual label of charts. */
export function helmRelease({ metadata }: Manifest): string | undefined {
  const { labels = {}, annotations = {} }: Marked = metadata;
  return annotations[RELEASE] ?? labels['app.kubernetes.io/instance'];
}

type Marks = Readonly<Record<string, string | undefined>>;
interface Marked {
  readonly labels?: Marks;
  readonly annotations?: Marks;
}

const RELEASE = 'meta.helm.sh/release-name';

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
