// What charts and kustomizations are called, wherever they are rendered: as a target, or for the static check.

/** The files that make a folder a kustomization. */
export const kustomizationFiles = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/** Of helm or kubectl: a chart may be fetched from a registry first. */
export const RENDER_LIMIT_MS = 60_000;

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
