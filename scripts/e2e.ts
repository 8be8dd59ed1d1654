// `npm run e2e`: Kubernetes' own tests against the embedded cluster, group by group, each on a fresh one; the table goes
// into docs/embedded.md. The program is beside the project (../shared/e2e) or where --program says.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseCommandLine } from './command-line.ts';
import { fastGroup, groups, reasonFor } from './e2e/groups.ts';
import { type ContentType, type E2eCase, type E2eGroup, findProgram, runGroup } from './e2e/program.ts';

const begin = '<!-- e2e: written by npm run e2e -->';
const end = '<!-- e2e: end -->';

const command = new Command('e2e')
  .description("run Kubernetes' own end-to-end tests against the embedded cluster")
  .option('--program <folder>', 'where e2e.test and agnhost are (or e2e.tar.zst with both)')
  .option('--groups <names>', `some of: ${[...groups, fastGroup].map(({ name }) => name).join(', ')}`)
  .option('--focus <pattern>', 'instead of groups: tests whose name this regular expression matches')
  .option('--content-type <type>', 'protobuf (the default of Kubernetes’ clients), json, or both', 'protobuf')
  .option('--logs <folder>', 'keep what the program prints')
  .option('--write <file>', 'put the table into this document');
parseCommandLine(command);
const flags = command.opts<{
  program?: string;
  groups?: string;
  focus?: string;
  contentType: string;
  logs?: string;
  write?: string;
}>();

interface Ran {
  readonly group: E2eGroup;
  readonly contentType: ContentType;
  readonly cases: readonly E2eCase[];
}

const scratch = mkdtempSync(join(tmpdir(), 'rollproof-e2e-program-'));
try {
  process.exitCode = await main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const wanted = flags.groups?.split(',');
  if (flags.focus !== undefined && (wanted || flags.write)) {
    return refuse('--focus is for a look at single tests: neither --groups nor --write goes with it.');
  }
  const known = [...groups, fastGroup];
  const unknown = wanted?.find((name) => !known.some((group) => group.name === name));
  if (unknown !== undefined) return refuse(`--groups: there is no group "${unknown}".`);
  const types: ContentType[] | undefined = {
    protobuf: ['protobuf' as const],
    json: ['json' as const],
    both: ['protobuf' as const, 'json' as const],
  }[flags.contentType];
  if (!types) return refuse(`--content-type: "${flags.contentType}" is none of protobuf, json, both.`);
  const program = await findProgram(scratch, flags.program);
  if (!program) {
    return refuse(`no program in ${flags.program ?? '../shared/e2e'}: say where e2e.test is with --program.`);
  }
  const ran: Ran[] = [];
  const chosen = wanted ? known.filter(({ name }) => wanted.includes(name)) : groups;
  const single = { name: 'focus', focus: flags.focus ?? '', limitMinutes: 90 };
  for (const group of flags.focus === undefined ? chosen : [single]) {
    for (const contentType of types) {
      const log = flags.logs && join(flags.logs, `${group.name}-${contentType}.log`);
      const cases = await runGroup(program, group, contentType, log);
      ran.push({ group, contentType, cases });
      const passed = cases.filter(({ outcome }) => outcome === 'passed').length;
      console.log(`${group.name} (${contentType}): ${passed} of ${cases.length}`);
      for (const each of cases) {
        if (each.outcome === 'failed') console.log(`  ${each.name}: ${each.message ?? ''}`);
      }
    }
  }
  const table = tableOf(ran);
  if (flags.write) write(flags.write, table);
  else console.log(`\n${table}`);
  return ran.every(({ cases }) => cases.every(({ outcome }) => outcome === 'passed')) ? 0 : 1;
}

function tableOf(ran: readonly Ran[]): string {
  const lines = ['| group | content type | passed | minutes |', '|---|---|---|---|'];
  for (const { group, contentType, cases } of ran) {
    const passed = cases.filter(({ outcome }) => outcome === 'passed').length;
    const minutes = cases.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
    lines.push(`| ${group.name} | ${contentType} | ${passed} of ${cases.length} | ${minutes.toFixed(1)} |`);
  }
  const failed = ran.flatMap(({ contentType, cases }) =>
    cases.filter(({ outcome }) => outcome === 'failed').map((each) => ({ ...each, contentType })),
  );
  if (failed.length === 0) return lines.join('\n');
  lines.push('', 'Those that do not pass:', '', '| test | content type | reason |', '|---|---|---|');
  for (const { name, contentType, message = '' } of failed) {
    const reason = reasonFor(name) ?? `not known yet: ${message}`;
    lines.push(`| ${cell(name)} | ${contentType} | ${cell(reason)} |`);
  }
  return lines.join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').slice(0, 240);
}

function write(file: string, table: string): void {
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table ("${begin}" … "${end}").`);
  writeFileSync(file, `${text.slice(0, from)}${begin}\n${table}\n${text.slice(to)}`);
}

function refuse(message: string): number {
  console.error(`npm run e2e: ${message}`);
  return 4;
}
