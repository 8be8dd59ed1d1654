// Applies a variant to manifests and shows what it changes. Pure.
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import type { Manifest } from '../model/manifest.ts';
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
export function settingsDiff(baseline: readonly Manifest[], variant: readonly Manifest[]): string {
  const [before, after] = [toYaml(baseline), toYaml(variant)];
  if (before === after) return '';
  // The package heads its output with a line of "=" signs, which patch tools do not need.
  return createTwoFilesPatch('baseline.yaml', 'variant.yaml', before, after, '', '', { context: 4 }).replace(
    /^=+\n/,
    '',
  );
}

function toYaml(manifests: readonly Manifest[]): string {
  // Without aliases: an object that two manifests share is written out in both.
  return manifests
    .map((manifest) => stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 }))
    .join('---\n');
}
