// What is different between two versions of manifests, as a unified diff of YAML. Pure.
import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';
import type { Manifest } from './manifest.ts';

/** Empty when nothing is different. `names`: what the two sides are called. */
export function manifestsDiff(
  before: readonly Manifest[],
  after: readonly Manifest[],
  names: readonly [before: string, after: string],
): string {
  const [old, changed] = [toYaml(before), toYaml(after)];
  if (old === changed) return '';
  // The package heads its output with a line of "=" signs, which patch tools do not need.
  return createTwoFilesPatch(...names, old, changed, '', '', { context: 4 }).replace(/^=+\n/, '');
}

function toYaml(manifests: readonly Manifest[]): string {
  // Without aliases: an object that two manifests share is written out in both.
  return manifests
    .map((manifest) => stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 }))
    .join('---\n');
}
