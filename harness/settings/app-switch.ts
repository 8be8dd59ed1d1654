// Settings that are a switch of the app, set in the environment of its container.
import type { Manifest } from '../model/manifest.ts';
import type { SettingContext, SettingOutcome } from '../model/setting.ts';
import { type ContainerDraft, findWorkload, patchWorkload, servingContainer } from './workload.ts';

type Switches = Readonly<Record<string, string>>;

/** `switches`: undefined: nothing that a manifest could turn on. */
export function switchOn(
  manifests: readonly Manifest[],
  context: SettingContext,
  switches: Switches | undefined,
): SettingOutcome {
  if (!switches) return { cannot: 'this app has no switch for it' };
  const on = (container: ContainerDraft) =>
    Object.entries(switches).every(([name, value]) =>
      container.env?.some((variable) => variable.name === name && variable.value === value),
    );
  if (on(servingContainer(findWorkload(manifests, context), context)))
    return { unchanged: 'the switch is on already' };
  return {
    manifests: patchWorkload(manifests, context, (_, container) => {
      const others = (container.env ?? []).filter((variable) => !(variable.name in switches));
      container.env = [...others, ...Object.entries(switches).map(([name, value]) => ({ name, value }))];
    }),
  };
}

export const switchOff = (
  manifests: readonly Manifest[],
  context: SettingContext,
  switches: Switches = {},
): readonly Manifest[] =>
  patchWorkload(manifests, context, (_, container) => {
    // A variable without a value (from a field, a Secret) is no switch of ours.
    const kept = container.env?.filter(({ name, value }) => !(name in switches) || switches[name] !== value);
    if (kept && kept.length < (container.env?.length ?? 0)) container.env = kept;
  });
