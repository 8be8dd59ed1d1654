// What the workload behind a Service lacks of the recommended settings, as a patch that `kubectl patch` takes. From the live
// object; nothing is applied.
import { podTemplateOf } from '../../deploy/definition.ts';
import { stripped } from '../../deploy/sources/live.ts';
import type { Manifest } from '../../model/manifest.ts';
import { applyVariant, hardened } from '../../settings/index.ts';
import { livePlan } from '../../write/live-patch.ts';
import { defaultPreStopSeconds } from '../session.ts';
import { keeperOf } from './keeper.ts';
import type { WatchedService } from './services.ts';

export interface Remedy {
  readonly settings: readonly string[];
  /** YAML, and the command that applies it (FILE stands for its name). */
  readonly patch: string;
  readonly command: string;
  /** Who would undo it; undefined: nobody is known to. */
  readonly keeper: ReturnType<typeof keeperOf>;
}

interface Patchable {
  /** As it runs. */
  readonly object: Manifest;
  readonly named: { readonly kind: string; readonly name: string; readonly container: string };
  /** Puts the recommended settings into the workload of that name, wherever it was read from. */
  apply(manifests: readonly Manifest[]): ReturnType<typeof applyVariant>;
}

const patchable: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);

/** Undefined: it is of a kind whose pods somebody else's rules make, or it may not be read. */
export function workloadOf(
  { objects, path, serving }: WatchedService,
  kubernetesVersion: string,
): Patchable | undefined {
  const object = objects.find(({ kind }) => patchable.has(kind));
  if (!object?.spec || !serving) return undefined;
  // It may take its pods from another object.
  if (object.kind === 'Rollout' && !podTemplateOf(object)) return undefined;
  const named = { kind: object.kind, name: object.metadata.name, container: serving.container };
  return {
    object,
    named,
    apply: (manifests) =>
      applyVariant(manifests, hardened, {
        kubernetesVersion,
        workload: named,
        health: { port: serving.port, path },
        preStopSeconds: defaultPreStopSeconds,
        foreign: true,
        gracefulEnv: undefined,
      }),
  };
}

/** Undefined: it has them, or it cannot be patched. */
export function remedyOf(
  service: WatchedService,
  namespace: string,
  kubernetesVersion: string,
): Remedy | undefined {
  const workload = workloadOf(service, kubernetesVersion);
  if (!workload) return undefined;
  const manifests: readonly Manifest[] = [stripped(workload.object)];
  const { manifests: after, applied } = workload.apply(manifests);
  if (applied.length === 0) return undefined;
  const read = manifests.map((manifest) => ({ manifest, at: () => `namespace ${namespace}` }));
  const { patch } = livePlan(read, () => after, workload.named, namespace);
  const { objects } = service;
  const keeper = keeperOf(workload.object, objects[objects.indexOf(workload.object) + 1]);
  return patch && { settings: applied, patch: patch.text, command: patch.command, keeper };
}
