// What charts and kustomizations are called, wherever they are rendered: as a target, or for the static check.

/** The files that make a folder a kustomization. */
export const kustomizationFiles = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/** Of helm or kubectl: a chart may be fetched from a registry first. */
export const RENDER_LIMIT_MS = 60_000;

/** Kubernetes 1.x that is assumed where no cluster says its version: the one that the embedded cluster emulates. */
export const assumedMinor = 34;

/** Charts ask for the version, and helm's own answer depends on how helm was built. */
export const renderedFor = (minor: number): readonly string[] => ['--kube-version', `1.${minor}.0`];

/** A release named as charts are usually installed: after the chart, as far as Helm takes that for a name. */
export const releaseOf = (chart: string): string =>
  chart
    .replace(/\/+$/, '')
    .split('/')
    .at(-1)
    ?.replace(/(-\d.*)?\.tgz$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 53) || 'release';
