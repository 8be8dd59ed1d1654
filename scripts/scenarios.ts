// Writes docs/scenarios.md: what every scenario asks and claims, from the definitions, and what was measured, from the
// result folders given as arguments (those of its scenarios that still claim the same); what they do not hold is carried
// over as earlier runs. Without folders the measured part stays as it is.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { exitCode } from '../harness/model/errors.ts';
import type { Results } from '../harness/model/results.ts';
import { scenarios } from '../scenarios/index.ts';
import { parseCommandLine } from './command-line.ts';
import { definitionsText, earlierText, measuredMark, measuredText, ofToday } from './scenarios-text.ts';

const file = fileURLToPath(new URL('../docs/scenarios.md', import.meta.url));
const folders = parseCommandLine(
  new Command('scenarios')
    .description('write docs/scenarios.md: the definitions, and what was measured')
    .argument('[folders...]', 'results of rollproof verify; without any the measured part stays as it is'),
).args;

const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
const kept = before.includes(measuredMark) ? before.slice(before.indexOf(measuredMark)) : measuredText([]);
const results = folders.map((folder) => ofToday(readResults(folder), scenarios));
const anew = new Set(results.flatMap((one) => one.scenarios.map(({ name }) => name)));
const defined = new Set(scenarios.map(({ full }) => full.id));
const measured = folders.length > 0 ? `${measuredText(results)}\n${earlierText(kept, anew, defined)}` : kept;
// Parts that are carried over keep the empty lines around them.
writeFileSync(file, `${definitionsText(scenarios)}\n${measured}`.replaceAll(/\n{3,}/g, '\n\n'));
process.stdout.write(`docs/scenarios.md written; ${folders.length} result folders read\n`);

function readResults(folder: string): Results {
  const path = join(folder, 'results.json');
  if (!existsSync(path)) {
    process.stderr.write(`scenarios: ${path} is not there; name folders that rollproof verify wrote.\n`);
    process.exit(exitCode.usage);
  }
  return JSON.parse(readFileSync(path, 'utf8')) as Results;
}
