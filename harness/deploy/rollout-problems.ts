// Why a change of an Argo Rollout would never end, or would not be what its controller does: read from the manifests alone.
// Source of the fields: manifests/crds/rollout-crd.yaml of argo-rollouts. Pure.
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import type { Manifest } from '../model/manifest.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import type { ReadManifest } from './read-manifests.ts';

interface RolloutSpec {
  readonly template?: unknown;
  readonly workloadRef?: { readonly kind?: string; readonly name?: string } | null;
  readonly strategy?: { readonly canary?: Canary | null; readonly blueGreen?: BlueGreen | null } | null;
}
interface Canary {
  readonly stableService?: string | null;
  readonly canaryService?: string | null;
  readonly trafficRouting?: unknown;
  readonly analysis?: unknown;
  readonly steps?: readonly Step[] | null;
}
interface Step {
  readonly pause?: { readonly duration?: number | string | null } | null;
  readonly [kind: string]: unknown;
}
interface BlueGreen {
  readonly activeService?: string | null;
  readonly previewService?: string | null;
  readonly autoPromotionEnabled?: boolean | null;
  readonly autoPromotionSeconds?: number | null;
  readonly prePromotionAnalysis?: unknown;
  readonly postPromotionAnalysis?: unknown;
}
interface Problem {
  readonly path: FieldPath;
  readonly sentence: string;
}

/** Each belongs at a field of the manifest. */
export function rolloutProblems(manifest: Manifest, read: readonly ReadManifest[]): Problem[] {
  const { workloadRef, strategy } = (manifest.spec ?? {}) as RolloutSpec;
  const problems: Problem[] = [];
  const add = (path: FieldPath, sentence: string) => problems.push({ path: ['spec', ...path], sentence });
  if (manifest.apiVersion !== rolloutApiVersion)
    problems.push({
      path: ['apiVersion'],
      sentence: `is of ${manifest.apiVersion}; a Rollout is known as ${rolloutApiVersion} (Argo Rollouts).`,
    });
  if (workloadRef)
    add(
      ['workloadRef'],
      `takes its pods from ${workloadRef.kind ?? 'another object'} ${workloadRef.name ?? ''}, which would have to be changed in its place; rollproof changes a Rollout's own template (spec.template) alone.`,
    );
  const { canary, blueGreen } = strategy ?? {};
  const at = ['strategy', canary ? 'canary' : 'blueGreen'];
  if (!canary && !blueGreen)
    add(['strategy'], 'has neither canary nor blueGreen: its controller calls it invalid.');
  if (canary?.trafficRouting)
    add(
      [...at, 'trafficRouting'],
      'requests are shared out by an ingress controller or a mesh, and the load enters at the Service: it would not be measured what clients get. Leave it out to test the change of pods.',
    );
  for (const field of ['analysis', 'prePromotionAnalysis', 'postPromotionAnalysis'] as const)
    if (fieldOf(canary, field) ?? fieldOf(blueGreen, field)) add([...at, field], askedTemplate);
  for (const [index, step] of (canary?.steps ?? []).entries()) {
    const here = [...at, 'steps', index];
    if (step.pause && (step.pause.duration ?? undefined) === undefined)
      add(
        [...here, 'pause'],
        'waits here until somebody promotes it, so a change would never end. Give it a duration to test one.',
      );
    for (const kind of ['analysis', 'experiment', 'plugin'])
      if (step[kind]) add([...here, kind], askedTemplate);
  }
  if (blueGreen?.autoPromotionEnabled === false && !blueGreen.autoPromotionSeconds)
    add(
      [...at, 'autoPromotionEnabled'],
      'is false: new pods serve only when somebody promotes them, so a change would never end. Set autoPromotionSeconds to test one.',
    );
  for (const field of ['activeService', 'previewService', 'stableService', 'canaryService'] as const) {
    const name = fieldOf(canary, field) ?? fieldOf(blueGreen, field);
    if (typeof name !== 'string' || name === '' || hasService(read, name)) continue;
    add([...at, field], `Service "${name}" is not in the manifests; its controller would wait for it.`);
  }
  return problems;
}

const askedTemplate =
  'asks what only its cluster has (AnalysisTemplates, Experiments, plugins), which is left out here: the change would be stopped. Leave it out to test the change of pods.';

const fieldOf = (of: object | null | undefined, field: string): unknown =>
  (of as Readonly<Record<string, unknown>> | null | undefined)?.[field] ?? undefined;

const hasService = (read: readonly ReadManifest[], name: string): boolean =>
  read.some(({ manifest }) => manifest.kind === 'Service' && manifest.metadata.name === name);
