// What `load.entry` may say: where load comes in.
import { z } from 'zod';
import { type Entry, entryKinds, namedEntryKinds, urlOrigins } from '../model/entry.ts';
import { text } from './texts.ts';

export const installableControllers = ['traefik'] as const;

const entryUrl = text.superRefine((value, context) => {
  const problem = entryUrlProblem(value);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});

/** Why load cannot go to a URL, in words that follow its name; undefined: it can. */
export function entryUrlProblem(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || !url.hostname)
    return 'must be a whole URL with http:// or https://';
  if (url.username || url.password)
    return 'must not hold a name or a password: it is recorded; put an Authorization header into target.headers';
  if (url.hash) return 'must not hold "#"';
  return undefined;
}

const entrySchema = z.union(
  [
    z.enum(namedEntryKinds),
    z.strictObject({
      url: entryUrl.describe('Any URL that leads to the target.'),
      from: z
        .enum(urlOrigins)
        .default('agent')
        .describe('From a load agent in the cluster, or from the machine that runs the command.'),
      name: z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,30}$/, 'a short name: lower case letters, digits and "-"')
        .refine((name) => !(entryKinds as readonly string[]).includes(name) || name === 'url', {
          error: 'a name that no other entry has',
        })
        .optional()
        .describe('What its lines are called. Default: url.'),
    }),
  ],
  { error: `must be one of ${namedEntryKinds.join(', ')}, or {url, from}` },
);
const MOST_ENTRIES = 6;

/** Gives every entry a name of its own: the second URL without one is url-2. */
export function entriesOf(given: readonly z.output<typeof entrySchema>[]): Entry[] {
  const entries: Entry[] = [];
  for (const one of given) {
    if (typeof one === 'string') {
      if (entries.every(({ name }) => name !== one)) entries.push({ name: one, kind: one });
      continue;
    }
    const { url, from, name: wanted = 'url' } = one;
    let name = wanted;
    for (let number = 2; entries.some((entry) => entry.name === name); number++) name = `${wanted}-${number}`;
    entries.push({ name, kind: 'url', url, from });
  }
  return entries;
}

/** `load.entry`: one or several. */
export const entriesSchema = z
  .union([entrySchema, z.array(entrySchema).min(1).max(MOST_ENTRIES)])
  .transform((entry) => entriesOf(Array.isArray(entry) ? entry : [entry]));
