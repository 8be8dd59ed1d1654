// Where the package lies, and its name and version: no program is started.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

export const packageVersion = (): { name: string; version: string } => {
  const { name, version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  return { name, version };
};

function findRoot(from: string): string {
  if (existsSync(join(from, 'package.json')) && existsSync(join(from, 'kind-config.yaml'))) return from;
  return from === dirname(from) ? process.cwd() : findRoot(dirname(from));
}
