// `npm run nightly`: the full profile on kind, gated against its last green run; its reports stay under out/nightly.
// Usage: npm run nightly -- [--profile quick] [--cluster embedded] [--gate FILE] [--folder DIR] [flags of verify ...]
// The exit code is verify's: verdicts and gate.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, tokens } = parseArgs({
  strict: false,
  tokens: true,
  options: {
    profile: { type: 'string', default: 'full' },
    cluster: { type: 'string', default: 'kind' },
    gate: { type: 'string', default: join(root, 'scripts', 'nightly-gate.yaml') },
    folder: { type: 'string', default: join('out', 'nightly') },
  },
});
const folder = String(values.folder);
const profile = String(values.profile);
const args = [
  'verify',
  ...['--profile', profile],
  ...['--cluster', String(values.cluster)],
  ...['--gate', String(values.gate)],
  // Each profile has its own history: their figures are not to be compared.
  ...['--history', join(folder, `history-${profile}.ndjson`)],
  ...['--out', unusedFolder(join(folder, new Date().toISOString().slice(0, 10)))],
  ...passedOn(process.argv.slice(2)),
];
process.stderr.write(`rollproof ${args.join(' ')}\n`);
process.argv = [process.argv[0] as string, join(root, 'harness', 'cli.ts'), ...args];
// In this same process, so that signals and the exit code need no forwarding.
await import('../harness/cli.ts');

/** A second run of the same day gets a folder of its own. */
function unusedFolder(wanted: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    if (!existsSync(name)) return name;
  }
}

/** What is not a flag of nightly's own. */
function passedOn(given: readonly string[]): string[] {
  const own = new Set<number>();
  for (const token of tokens ?? []) {
    if (token.kind !== 'option' || !['profile', 'cluster', 'gate', 'folder'].includes(token.name)) continue;
    own.add(token.index);
    if (token.value !== undefined && !token.inlineValue) own.add(token.index + 1);
  }
  return given.filter((_, index) => !own.has(index));
}
