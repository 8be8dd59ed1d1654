// `npm run e2e`: Kubernetes' own tests against the embedded cluster, group by group, each on a fresh one; the table goes
// into docs/embedded.md. The program is beside the project (../shared/e2e) or where --program says.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { UsageError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { writePart } from './doc-part.ts';
import { fastGroup, groups } from './e2e/groups.ts';
import {
  type ContentType,
  type E2eCase,
  type E2eCluster,
  type E2eGroup,
  type E2eProgram,
  findProgram,
  startE2eCluster,
} from './e2e/program.ts';
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
  .option('--at-once <n>', 'groups side by side, then on one cluster', wholeNumber(1, 16), 1)
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
  atOnce: number;
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
  if (flags.logs !== undefined) mkdirSync(flags.logs, { recursive: true });
  const program = chosen.length === 0 ? undefined : await findProgram(scratch, flags.program);
  if (chosen.length > 0 && !program) {
    throw new UsageError(
      `npm run e2e: no program in ${flags.program ?? '../shared/e2e'}: say where e2e.test is with --program.`,
    );
  }
  for (const isolation of flags.isolation === 'both' ? (['auto', 'none'] as const) : [flags.isolation]) {
    for (const contentType of flags.contentType === 'both'
      ? (['protobuf', 'json'] as const)
      : [flags.contentType]) {
      await runAll(
        program ? chosen : [],
        program as E2eProgram,
        { contentType, isolation },
        (group, cases) => {
          const now = cases.map((each): Seen => ({ ...each, contentType, isolation }));
          seen = merged(seen, now);
          if (flags.results !== undefined) writeSeen(flags.results, seen);
          report(`${group.name} (${contentType}, isolation ${isolation})`, now);
        },
      );
    }
  }
  const table = tableOf(seen);
  if (flags.write) writePart(flags.write, 'e2e', table);
  else console.log(`\n${table}`);
  return seen.every(({ outcome }) => outcome === 'passed') ? 0 : 1;
}

interface Mode {
  readonly contentType: ContentType;
  readonly isolation: Isolation;
}

/** One after the other, each on a fresh cluster; or side by side on one, the longest first. */
async function runAll(
  chosen: readonly E2eGroup[],
  program: E2eProgram,
  { contentType, isolation }: Mode,
  done: (group: E2eGroup, cases: readonly E2eCase[]) => void,
): Promise<void> {
  if (chosen.length === 0) return;
  const runOn = async (cluster: E2eCluster, group: E2eGroup) => {
    const log = flags.logs && join(flags.logs, `${group.name}-${contentType}-${isolation}.log`);
    done(group, await cluster.run(group, { contentType, log }));
  };
  if (flags.atOnce === 1) {
    for (const group of chosen) {
      await using cluster = await startE2eCluster(program, isolation);
      await runOn(cluster, group);
    }
    return;
  }
  await using cluster = await startE2eCluster(program, isolation);
  const waiting = [...chosen].sort((a, b) => b.limitMinutes - a.limitMinutes);
  // One that cannot be run or read keeps no other from it.
  const failures: unknown[] = [];
  const work = async () => {
    for (let group = waiting.shift(); group; group = waiting.shift())
      await runOn(cluster, group).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: flags.atOnce }, work));
  if (failures.length > 0) throw failures[0];
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
