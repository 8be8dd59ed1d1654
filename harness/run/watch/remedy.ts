// What the workload behind a Service lacks of the recommended settings, as a patch that `kubectl patch` takes. From the live
// object; nothing is applied.
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
  /** Who would undo it, a sentence; undefined: nobody is known to. */
  readonly note?: string;
}

const patchable: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

/** Undefined: it has them, or it is of a kind whose pods somebody else's rules make. */
export function remedyOf(
  { objects, path, serving }: WatchedService,
  namespace: string,
  kubernetesVersion: string,
): Remedy | undefined {
  const workload = objects.find(({ kind }) => patchable.has(kind));
  if (!workload?.spec || !serving) return undefined;
  const manifests: readonly Manifest[] = [stripped(workload)];
  const named = { kind: workload.kind, name: workload.metadata.name, container: serving.container };
  const { manifests: after, applied } = applyVariant(manifests, hardened, {
    kubernetesVersion,
    workload: named,
    health: { port: serving.port, path },
    preStopSeconds: defaultPreStopSeconds,
    foreign: true,
    gracefulEnv: undefined,
  });
  if (applied.length === 0) return undefined;
  const read = manifests.map((manifest) => ({ manifest, at: () => `namespace ${namespace}` }));
  const { patch } = livePlan(read, () => after, named, namespace);
  const note = keeperOf(workload, objects[objects.indexOf(workload) + 1]);
  return (
    patch && {
      settings: applied,
      patch: patch.text,
      command: patch.command,
      ...(note !== undefined && { note }),
    }
  );
}
