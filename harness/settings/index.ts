// Applies a variant to manifests and shows what it changes. Pure.
import { isDeepStrictEqual } from 'node:util';
import type { Manifest } from '../model/manifest.ts';
import { manifestsDiff } from '../model/manifests-diff.ts';
import type { SettingContext, Variant } from '../model/setting.ts';
import { settings } from './registry.ts';
import { findWorkload, servingContainer } from './workload.ts';

export { targetGracefulEnv } from './graceful-shutdown.ts';
export { settingNamed, settings } from './registry.ts';
export { ablation, asIs, baseline, hardened, variantNamed } from './variants.ts';

interface AppliedVariant {
  readonly manifests: readonly Manifest[];
  /** Settings that are in effect and changed something, in the order in which they were applied. */
  readonly applied: readonly string[];
  /** Settings that changed nothing, each with why: the manifests have it already. */
  readonly unchanged: readonly { readonly setting: string; readonly why: string }[];
  /** Settings of the variant that this target cannot have, each with the reason. */
  readonly notApplied: readonly { readonly setting: string; readonly reason: string }[];
}

/** Never changes its input. Throws UsageError when the context's workload or container is not in the manifests. */
export function applyVariant(
  manifests: readonly Manifest[],
  variant: Variant,
  context: SettingContext,
): AppliedVariant {
  servingContainer(findWorkload(manifests, context), context);
  const applied: string[] = [];
  const unchanged: { setting: string; why: string }[] = [];
  const notApplied: { setting: string; reason: string }[] = [];
  let current = without(manifests, variant, context);
  for (const setting of settings.filter(({ name }) => variant.settings.includes(name))) {
    const outcome = setting.appliesTo.includes(context.workload.kind)
      ? setting.apply(current, context)
      : { cannot: notFor(setting.name, context.workload.kind) };
    if ('cannot' in outcome) notApplied.push({ setting: setting.name, reason: outcome.cannot });
    else if ('unchanged' in outcome) unchanged.push({ setting: setting.name, why: outcome.unchanged });
    else if (isDeepStrictEqual(outcome.manifests, current))
      unchanged.push({ setting: setting.name, why: 'the manifests say it already' });
    else {
      current = outcome.manifests;
      applied.push(setting.name);
    }
  }
  return { manifests: current, applied, unchanged, notApplied };
}

/** What somebody's own workload has of the settings that the variant takes away. Ours has none of them. */
function without(
  manifests: readonly Manifest[],
  { takesAway = [] }: Variant,
  context: SettingContext,
): readonly Manifest[] {
  if (!context.foreign) return manifests;
  return settings
    .filter(({ name, appliesTo }) => takesAway.includes(name) && appliesTo.includes(context.workload.kind))
    .reduce((current, setting) => setting.takeAway?.(current, context) ?? current, manifests);
}

function notFor(setting: string, kind: string): string {
  if (kind === 'StatefulSet' && (setting === 'surge' || setting === 'noSurge'))
    return 'a StatefulSet replaces its pods in place, one after the other: there is no surge';
  if (kind === 'Rollout' && (setting === 'surge' || setting === 'noSurge'))
    return 'how many pods of a Rollout come and go at a time is said by its canary steps or by blueGreen';
  return `does not apply to a ${kind}`;
}

/** What the variant changes, as a unified diff of YAML; empty when it changes nothing. `before`: what it changes. */
export const settingsDiff = (
  base: readonly Manifest[],
  variant: readonly Manifest[],
  before = 'baseline',
): string => manifestsDiff(base, variant, [`${before}.yaml`, 'variant.yaml']);
