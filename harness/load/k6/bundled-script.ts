// The script for k6 as one file.
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleForK6 } from '../bundle.ts';

/** Its path; equal contents give the same file. */
export function bundledScript(): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  return bundleForK6(join(dirname(here), `script${extname(here)}`));
}
