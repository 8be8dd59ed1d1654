// Two fields of one name: kubectl takes the last one, and says nothing.
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';

export const duplicateKey: Rule = {
  id: 'duplicate-key',
  severity: 'warning',
  title: 'the same key twice in one map',
  why: 'Of two fields of one name the last one counts, and the first is lost without a word; the API server refuses the same with strict field validation.',
  scenario: 'image-change',
  find: ({ duplicates, objects }: CheckInput) => {
    const first = new Map(objects.toReversed().map((object) => [object.source, object]));
    return duplicates.flatMap(({ source, place, key }): Draft[] => {
      const object = first.get(source);
      if (!object) return [];
      return [
        {
          object,
          path: [],
          place,
          message: `${nameOf(object)}: "${key}" stands twice in one map; the last one counts and the first is lost.`,
          changes: [],
          advice: '# keep one of them, with the content of both',
        },
      ];
    });
  },
  measured: notMeasurable,
};
