// `node scripts/start.mjs scripts/changelog.ts --tag vX.Y.Z`: the changelog's section of a version, for its release. Refuses a
// tag that package.json and CHANGELOG.md do not name.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { UsageError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { tag } = parseCommandLine(
  new Command('changelog')
    .description("print the changelog's section of a version")
    .requiredOption('--tag <tag>', 'vX.Y.Z'),
).opts<{ tag: string }>();

await runScript(async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  if (tag !== `v${version}`)
    throw new UsageError(
      `changelog: --tag ${tag}: package.json says ${version}. Tag the commit whose version it is.`,
    );
  const text = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${version}\n`));
  if (!section)
    throw new UsageError(
      `changelog: CHANGELOG.md has no section "## ${version}". Move what is under Unreleased to it.`,
    );
  process.stdout.write(section.slice(version.length).trimStart());
  return 0;
});
