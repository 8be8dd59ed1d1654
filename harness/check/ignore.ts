// Findings that a manifest's author has decided to live with: annotation `rollproof.dev/ignore: rule-id,...`.
import type { FieldPath } from '../model/yaml-path.ts';
import { fields, text } from './fields.ts';
import { notMeasurable } from './measured.ts';
import { nameOf, type SourceObject } from './objects.ts';
import type { CheckInput, Draft, Rule } from './rule.ts';

const ignoreAnnotation = 'rollproof.dev/ignore';

/** On the object, or on its pod template. `*` ignores every rule. */
export function ignores(object: SourceObject, rule: string): boolean {
  return ignoredIn(object).some(({ ids }) => ids.includes(rule) || ids.includes('*'));
}

/** A misspelt rule hides nothing, so it is said. */
export function unknownRuleIgnored(ruleIds: readonly string[]): Rule {
  const known = [...ruleIds, 'unknown-rule-ignored', '*'];
  return {
    id: 'unknown-rule-ignored',
    severity: 'note',
    title: `annotation ${ignoreAnnotation} that names no rule`,
    why: 'A misspelt rule hides nothing: what was meant to be ignored is still reported, or will be one day.',
    scenario: 'image-change',
    find: ({ objects }: CheckInput) => objects.flatMap((object) => findIn(object, known)),
    measured: notMeasurable,
  };
}

function findIn(object: SourceObject, known: readonly string[]): readonly Draft[] {
  return ignoredIn(object).flatMap(({ ids, path }) => {
    const unknown = ids.filter((id) => !known.includes(id));
    if (unknown.length === 0) return [];
    const kept = ids.filter((id) => known.includes(id)).join(',');
    return [
      {
        object,
        path,
        want: 'value' as const,
        message: `${nameOf(object)}: annotation ${ignoreAnnotation} names ${unknown.map((id) => `"${id}"`).join(' and ')}, which is no rule.`,
        changes: [kept ? { set: path, value: kept } : { remove: path }],
      },
    ];
  });
}

function ignoredIn(
  object: SourceObject,
): readonly { readonly ids: readonly string[]; readonly path: FieldPath }[] {
  const places = [['metadata'], ['spec', 'template', 'metadata']];
  return places.flatMap((place) => {
    const holder = place.reduce((value, key) => fields(value[key]), object.value);
    const written = text(fields(holder.annotations)[ignoreAnnotation]);
    if (written === undefined) return [];
    const ids = written
      .split(',')
      .map((id) => id.trim())
      .filter(Boolean);
    return [{ ids, path: [...object.base, ...place, 'annotations', ignoreAnnotation] }];
  });
}
