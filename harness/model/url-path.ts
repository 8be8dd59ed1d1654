// What of a URL is needed apart: its path as a request line takes it, and whom it leads to.
import { z } from 'zod';

/** host:port, as clients ask for it. */
export function hostPortOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

/** What a request line takes (RFC 9112): visible ASCII; everything else is sent percent-encoded. */
export const urlPath = z
  .string()
  .max(8000)
  .regex(/^\//, 'a path that starts with "/"')
  .regex(
    /^[\x21\x22\x24-\x7e]*$/,
    'a path of visible ASCII characters without "#"; write others percent-encoded, a space as %20',
  );
