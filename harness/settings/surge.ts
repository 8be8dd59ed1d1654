// Setting: roll by adding pods first, so that the number of ready pods never falls below the wanted one.
import type { Manifest } from '../model/manifest.ts';
import { fencePosts, scaled } from '../model/rolling-update.ts';
import type { Setting, SettingContext, SettingOutcome } from '../model/setting.ts';
import { noRoomForSurge } from './surge-room.ts';
import { findWorkload, patchWorkload, type WorkloadDraft } from './workload.ts';

export const surge: Setting = {
  name: 'surge',
  title: 'surge without unavailability',
  why: 'maxUnavailable defaults to 25 %, which from four replicas on takes ready pods away before their replacements can serve, and keeps them away when the new version never gets ready.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet'],
  conflictsWith: ['noSurge'],
  apply: (manifests, context) => {
    if (context.workload.kind === 'DaemonSet') return daemonSet(manifests, context);
    return context.foreign && context.maxSurge === undefined
      ? whatIsMissing(manifests, context)
      : { manifests: rolling(manifests, context) };
  },
  takeAway: (manifests, context) => {
    const workload = findWorkload(manifests, context);
    const present = whatIsMissing(manifests, context);
    // Only where it is in force: to a workload that must not surge, the default would be something else.
    if (!('unchanged' in present) || workload.kind !== 'Deployment') return manifests;
    return patchWorkload(manifests, context, ({ spec }) => {
      delete spec.strategy;
    });
  },
};

/** 25 % is the default and rounds up to at least one pod; no surge at all would block the rollout. */
const DEFAULT_SURGE = '25%';

function rolling(manifests: readonly Manifest[], context: SettingContext): readonly Manifest[] {
  return patchWorkload(manifests, context, (workload) => {
    const present = workload.spec.strategy?.rollingUpdate?.maxSurge;
    const none = present === undefined || present === null || isZero(present);
    const maxSurge = context.maxSurge ?? (none ? DEFAULT_SURGE : present);
    workload.spec.strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable: 0 } };
  });
}

/** On somebody's own Deployment: nothing where no pod is taken away first, and nothing where one more has no room. */
function whatIsMissing(manifests: readonly Manifest[], context: SettingContext): SettingOutcome {
  const workload = findWorkload(manifests, context);
  const blocked = noRoomForSurge(workload, manifests);
  if (workload.spec.strategy?.type === 'Recreate')
    return blocked
      ? { cannot: `strategy Recreate stays: ${blocked}` }
      : { manifests: rolling(manifests, context) };
  const written = workload.spec.strategy?.rollingUpdate ?? {};
  const replicas = mostReplicas(workload, manifests);
  const posts = fencePosts(written, replicas);
  const said = String(written.maxUnavailable ?? '25% (the default)');
  if (posts?.unavailable === 0)
    return {
      unchanged: isZero(written.maxUnavailable)
        ? 'maxUnavailable is 0 already'
        : `maxUnavailable ${said} of ${replicas} replica${replicas === 1 ? '' : 's'} rounds down to 0 already`,
    };
  return blocked
    ? { cannot: `one more pod has no room: ${blocked}` }
    : { manifests: rolling(manifests, context) };
}

/** A DaemonSet surges node by node; its percentages are of the nodes, and only one of the two figures may be above 0. */
function daemonSet(manifests: readonly Manifest[], context: SettingContext): SettingOutcome {
  const workload = findWorkload(manifests, context);
  const { type, rollingUpdate } = workload.spec.updateStrategy ?? {};
  if (context.foreign) {
    if (type === 'OnDelete') return { cannot: 'updateStrategy OnDelete replaces no pod by itself' };
    const blocked = noRoomForSurge(workload, manifests);
    if (context.maxSurge === undefined && (scaled(rollingUpdate?.maxSurge ?? 0, 100, 'up') ?? 0) > 0)
      return { unchanged: `maxSurge is ${String(rollingUpdate?.maxSurge)} already` };
    if (blocked) return { cannot: `one more pod on a node has no room: ${blocked}` };
  }
  return {
    manifests: patchWorkload(manifests, context, ({ spec }) => {
      spec.updateStrategy = {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: context.maxSurge ?? 1, maxUnavailable: 0 },
      };
    }),
  };
}

/** What is written, or an autoscaler's most: a percentage that rounds to nothing at few pods need not do so at many. */
function mostReplicas(workload: WorkloadDraft, manifests: readonly Manifest[]): number {
  const most = manifests
    .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    .map(({ spec }) => spec as { scaleTargetRef?: { kind?: string; name?: string }; maxReplicas?: number })
    .filter(
      ({ scaleTargetRef } = {}) =>
        scaleTargetRef?.kind === workload.kind && scaleTargetRef.name === workload.metadata.name,
    )
    .map(({ maxReplicas }) => maxReplicas ?? 1);
  return Math.max(1, workload.spec.replicas ?? 1, ...most);
}

const isZero = (value: unknown): boolean => value === 0 || value === '0' || value === '0%';
