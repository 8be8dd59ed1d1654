// The texts of a configuration: each kind refuses what the place where it ends up could not take.
import { z } from 'zod';

/** Of a text that is one line: in a file name, a flag or a header a control character has no meaning. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const oneLine = /^[^\x00-\x1f\x7f]*$/;
const oneLineMessage = 'one line of text, without line ends or other control characters';

export const text = z.string().min(1).max(4096).regex(oneLine, oneLineMessage);

/** DNS label of a Kubernetes object's name (RFC 1123, with dots for those kinds that allow subdomains). */
export const objectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a Kubernetes name: lower case letters, digits, "-" and "."');

/** RFC 9110. */
export const token = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'the name of a header: letters, digits and -');

/** The client sets them, or they decide how many bytes a request has: counts would be wrong. */
const clientHeaders = [
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

export const requestHeaders = z
  .record(
    token.refine((name) => !clientHeaders.includes(name.toLowerCase()), {
      error: 'a header that the load does not set itself',
    }),
    z
      .string()
      .max(8000)
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'one line of text (ISO 8859-1)'),
  )
  .superRefine((headers, context) => {
    const seen = new Map<string, string>();
    for (const name of Object.keys(headers)) {
      const before = seen.get(name.toLowerCase());
      if (before !== undefined)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `is the header "${before}" a second time`,
        });
      seen.set(name.toLowerCase(), name);
    }
  });

export const environment = z.record(
  z
    .string()
    .min(1)
    .max(4096)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
    .regex(/^[^=\x00-\x1f\x7f]+$/, 'the name of a variable, without "=" and line ends'),
  z.string().regex(/^[^\0]*$/, 'a text without the character NUL'),
);

/** A reference of an image: registry, port, path, tag and digest as they come. */
export const image = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9][-A-Za-z0-9_.:/@+]*$/, 'the name of an image: letters, digits and -_.:/@');

/** A program and its arguments; an argument may be empty. */
export const command = z
  .array(z.string().regex(/^[^\0]*$/, 'a text without the character NUL'))
  .min(1)
  .refine(([program]) => program === undefined || program.trim() !== '', {
    path: [0],
    error: 'must be a program, not empty',
  });

/** Names of variants become parts of file names and labels, and stand beside those that are composed with ":", "+" and "=". */
export const variantName = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9][-A-Za-z0-9_.]*$/, 'letters, digits and -_.')
  .refine((name) => !(name in Object.prototype), {
    error: 'another name than this one, which JavaScript itself uses',
  });

/** Each entry of a list once. */
export const withoutRepeats = <Item extends string>(list: z.ZodArray<z.ZodType<Item, Item>>) =>
  list.superRefine((items, context) => {
    for (const [index, item] of items.entries()) {
      if (items.indexOf(item) !== index)
        context.addIssue({ code: 'custom', path: [index], message: `names "${item}" a second time` });
    }
  });
