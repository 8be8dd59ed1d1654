// `npm run e2e`: Kubernetes' own tests against the embedded cluster, group by group, each on a fresh one; the table goes
// into docs/embedded.md. The program is beside the project (../shared/e2e) or where --program says.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { list } from '../harness/commands/flags.ts';
import { UsageError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { writePart } from './doc-part.ts';
import { fastGroup, groups } from './e2e/groups.ts';
import { type ContentType, type E2eProgram, findProgram, runGroup } from './e2e/program.ts';
import { type Isolation, merged, readSeen, type Seen, tableOf, writeSeen } from './e2e/results.ts';

const known = [...groups, fastGroup];
const command = new Command('e2e')
  .description("run Kubernetes' own end-to-end tests against the embedded cluster")
  .option('--program <folder>', 'where e2e.test and agnhost are (or e2e.tar.zst with both)')
  .option('--groups <names>', `some of: ${known.map(({ name }) => name).join(', ')}; or none`, list)
  .option('--focus <pattern>', 'instead of groups: tests whose name this regular expression matches')
  .addOption(
    new Option('--content-type <type>', 'protobuf is the default of Kubernetes’ clients')
      .choices(['protobuf', 'json', 'both'])
      .default('protobuf'),
  )
  .addOption(
    new Option('--isolation <mode>', 'of pods; auto: as far as this machine can')
      .choices(['auto', 'none', 'both'])
      .default('auto'),
  )
  .option('--logs <folder>', 'keep what the program prints')
  .option('--results <file>', 'add to what earlier runs have put there; the table is of it all')
  .option('--write <file>', 'put the table into this document');
parseCommandLine(command);
const flags = command.opts<{
  program?: string;
  groups?: readonly string[];
  focus?: string;
  contentType: ContentType | 'both';
  isolation: Isolation | 'both';
  logs?: string;
  results?: string;
  write?: string;
}>();

const scratch = mkdtempSync(join(tmpdir(), 'rollproof-e2e-program-'));
try {
  await runScript(main);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function main(): Promise<number> {
  let seen = readSeen(flags.results);
  const chosen = chosenGroups();
  const program = chosen.length === 0 ? undefined : await findProgram(scratch, flags.program);
  if (chosen.length > 0 && !program) {
    throw new UsageError(
      `npm run e2e: no program in ${flags.program ?? '../shared/e2e'}: say where e2e.test is with --program.`,
    );
  }
  for (const group of program ? chosen : []) {
    for (const isolation of flags.isolation === 'both' ? (['auto', 'none'] as const) : [flags.isolation]) {
      for (const contentType of flags.contentType === 'both'
        ? (['protobuf', 'json'] as const)
        : [flags.contentType]) {
        const log = flags.logs && join(flags.logs, `${group.name}-${contentType}-${isolation}.log`);
        const cases = await runGroup(program as E2eProgram, group, { contentType, isolation, log });
        const now = cases.map((each): Seen => ({ ...each, contentType, isolation }));
        seen = merged(seen, now);
        if (flags.results !== undefined) writeSeen(flags.results, seen);
        report(`${group.name} (${contentType}, isolation ${isolation})`, now);
      }
    }
  }
  const table = tableOf(seen);
  if (flags.write) writePart(flags.write, 'e2e', table);
  else console.log(`\n${table}`);
  return seen.every(({ outcome }) => outcome === 'passed') ? 0 : 1;
}

function chosenGroups(): typeof known {
  const { focus, groups: names } = flags;
  if (focus !== undefined) {
    if (names) throw new UsageError('npm run e2e: --focus stands for groups: leave --groups out.');
    return [{ name: 'focus', focus, limitMinutes: 90 }];
  }
  if (!names) return [...groups];
  if (names.length === 1 && names[0] === 'none') return [];
  for (const name of names) {
    if (!known.some((group) => group.name === name)) {
      throw new UsageError(`npm run e2e: --groups: there is no group "${name}".`);
    }
  }
  return known.filter(({ name }) => names.includes(name));
}

function report(what: string, cases: readonly Seen[]): void {
  const passed = cases.filter(({ outcome }) => outcome === 'passed').length;
  console.log(`${what}: ${passed} of ${cases.length}`);
  for (const { name, outcome, message = '' } of cases) {
    if (outcome === 'failed') console.log(`  ${name}: ${message}`);
  }
}
