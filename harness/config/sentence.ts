// Words for what is wrong with a configuration: one sentence per problem, with the field, what stands there and what
// may stand there.
import type { z } from 'zod';
import { type FieldPath, fieldName } from '../model/yaml-path.ts';

type Issue = z.core.$ZodIssue;

export interface Problem {
  readonly path: FieldPath;
  readonly at: 'value' | 'key';
  readonly sentence: string;
}

/** Fields that were given and that a schema which ignores unknown fields has dropped: mistyped names. */
export function droppedFields(given: unknown, kept: unknown, path: FieldPath = []): readonly Problem[] {
  if (typeof given !== 'object' || given === null || typeof kept !== 'object' || kept === null) return [];
  return Object.entries(given).flatMap(([key, value]) => {
    const inner = [...path, Array.isArray(given) ? Number(key) : key];
    return key in kept
      ? droppedFields(value, (kept as Record<string, unknown>)[key], inner)
      : [unknownField(inner)];
  });
}

/** The problems that a value has, in the order of the schema; a union counts as one problem, of its nearest branch. */
export function problemsOf(issues: readonly Issue[], value: unknown): readonly Problem[] {
  return issues.flatMap((issue) => problemOf(issue, issue.path, value));
}

function problemOf(issue: Issue, path: FieldPath, root: unknown): Problem[] {
  const name = fieldName(path) || 'the configuration';
  const actual = valueAt(root, path);
  const say = (rest: string): Problem[] => [{ path, at: 'value', sentence: `${name} ${rest}` }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField([...path, key]));
    case 'invalid_union': {
      const tag =
        'discriminator' in issue && typeof issue.discriminator === 'string' ? issue.discriminator : undefined;
      if (tag) {
        const owner = path.at(-1) === tag ? path.slice(0, -1) : path;
        const tagged = valueAt(root, [...owner, tag]);
        return [
          {
            path: [...owner, tag],
            at: 'value',
            sentence: `${fieldName(owner)} has an unknown "${tag}": ${show(tagged)}.`,
          },
        ];
      }
      const nearest = [...issue.errors]
        .filter((branch) => branch.length > 0)
        .sort((a, b) => depth(b) - depth(a))[0];
      if (!nearest) return say(`is ${show(actual)}, which fits none of the forms it may have.`);
      if (depth(nearest) === 0 && issue.errors.length > 1) {
        const forms = issue.errors.flatMap((branch) => branch.slice(0, 1).map(wanted));
        return say(`must be ${[...new Set(forms)].join(' or ')}, not ${show(actual)}.`);
      }
      return nearest.flatMap((inner) => problemOf(inner, [...path, ...inner.path], root));
    }
    case 'custom':
      return say(`${issue.message}.`);
    case 'invalid_key':
      return [
        {
          path,
          at: 'key',
          sentence: `${name} is no usable name: it needs ${issue.issues.map(wanted).join(' and ')}.`,
        },
      ];
    case 'invalid_type':
      if (actual === undefined) return say(`is missing: it needs ${wanted(issue)}.`);
      return say(`must be ${wanted(issue)}, not ${show(actual)}.`);
    default:
      // The value of a header may be a secret.
      return say(
        `must be ${wanted(issue)}, not ${path.includes('headers') ? 'what stands here' : show(actual)}.`,
      );
  }
}

function unknownField(path: FieldPath): Problem {
  return {
    path,
    at: 'key',
    sentence: `${fieldName(path)} is not a field that rollproof knows; remove it or correct its name.`,
  };
}

function wanted(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return types[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1
        ? show(issue.values[0])
        : `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'array') return `a list of at least ${issue.minimum}`;
      if (issue.origin === 'string') return 'a text that is not empty';
      return issue.inclusive ? `at least ${issue.minimum}` : `more than ${issue.minimum}`;
    case 'too_big':
      if (issue.origin === 'array') return `a list of at most ${issue.maximum}`;
      if (issue.origin === 'string') return `a text of at most ${issue.maximum} characters`;
      return `at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.message.startsWith('Invalid')
        ? `a text of the form ${issue.pattern ?? issue.format}`
        : issue.message;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'custom':
      return issue.message;
    default:
      return issue.message;
  }
}

const types: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object with fields',
  record: 'an object with fields',
};

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length));
}

function valueAt(root: unknown, path: FieldPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}
