// Where the package's own files lie (kind-config.yaml, target/Dockerfile): beside package.json, whether this runs from
// the sources or compiled.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FaultError } from '../model/errors.ts';

/** Full path of a file of the package. Throws FaultError when the installation lacks it. */
export function packageFile(path: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, path);
    if (existsSync(join(folder, 'package.json')) && existsSync(file)) return file;
    if (folder === dirname(folder)) {
      throw new FaultError(`rollproof is not completely installed: ${path} is missing. Install it again.`);
    }
  }
}
