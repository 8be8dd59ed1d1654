// Applies a variant to manifests and shows what it changes. Pure.
import type { Manifest } from '../model/manifest.ts';
import { manifestsDiff } from '../model/manifests-diff.ts';
import type { SettingContext, Variant } from '../model/setting.ts';
import { settings } from './registry.ts';
import { findWorkload, servingContainer } from './workload.ts';

export { targetGracefulEnv } from './graceful-shutdown.ts';
export { settingNamed, settings } from './registry.ts';
export { ablation, baseline, hardened, variantNamed } from './variants.ts';

export interface AppliedVariant {
  readonly manifests: readonly Manifest[];
  /** Settings that are in effect, in the order in which they were applied. */
  readonly applied: readonly string[];
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
  const notApplied: { setting: string; reason: string }[] = [];
  let current = manifests;
  for (const setting of settings.filter(({ name }) => variant.settings.includes(name))) {
    if (!setting.appliesTo.includes(context.workload.kind)) {
      notApplied.push({ setting: setting.name, reason: `does not apply to a ${context.workload.kind}` });
      continue;
    }
    const patched = setting.apply(current, context);
    if (patched) {
      current = patched;
      applied.push(setting.name);
    } else {
      notApplied.push({ setting: setting.name, reason: 'this app has no switch for it' });
    }
  }
  return { manifests: current, applied, notApplied };
}

/** What the variant changes, as a unified diff of YAML; empty when it changes nothing. */
export const settingsDiff = (baseline: readonly Manifest[], variant: readonly Manifest[]): string =>
  manifestsDiff(baseline, variant, ['baseline.yaml', 'variant.yaml']);
