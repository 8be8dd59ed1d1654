import { z } from 'zod';

/** What a request line takes (RFC 9112): visible ASCII; everything else is sent percent-encoded. */
export const urlPath = z
  .string()
  .max(8000)
  .regex(/^\//, 'a path that starts with "/"')
  .regex(
    /^[\x21\x22\x24-\x7e]*$/,
    'a path of visible ASCII characters without "#"; write others percent-encoded, a space as %20',
  );
