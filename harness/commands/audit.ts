// `rollproof audit DIR`: whether a run's folder is what the run left, and whether its reports follow from its journals.
import { type Command, InvalidArgumentError } from 'commander';
import { type Audit, auditFolder, type Follows } from '../run/audit.ts';
import { counted } from '../words/figures.ts';
import { summaries } from './summaries.ts';

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .argument('<dir>', 'the folder of a run (--out)')
    .description(summaries.audit)
    .option('--expect <seal>', 'the seal that the run printed when it ended', hexadecimal)
    .option('--json', 'the same as JSON')
    .addHelpText(
      'after',
      '\nExit code: 0 all holds, 1 something was changed or does not follow, 2 it cannot be told (no seal, another version).',
    )
    .action(async (folder: string, flags: { expect?: string; json?: boolean }) => {
      const audit = await auditFolder(folder, flags.expect);
      process.stdout.write(flags.json ? `${JSON.stringify(audit, null, 2)}\n` : auditText(audit));
      process.exitCode = audit.exitCode;
    });
}

function hexadecimal(text: string): string {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('A seal has 64 hexadecimal digits.');
}

const says: Readonly<Record<Follows, string>> = {
  yes: 'as the journals give it',
  no: 'NOT what the journals give',
  unknown: 'could not be checked',
};

function auditText({ journals, figures, verdict, page, findings, seal, exitCode }: Audit): string {
  const lines = journals.reduce((sum, journal) => sum + journal.lines, 0);
  return [
    `${counted(journals.length, 'journal')} with ${counted(lines, 'line')}`,
    `figures: ${says[figures]}`,
    `verdicts: ${says[verdict]}`,
    `page: ${says[page]}`,
    seal === undefined ? 'seal: none' : `seal: ${seal}`,
    ...findings.map(
      ({ kind, file, line, text }) =>
        `  ${kind}  ${file}${line === undefined ? '' : `, line ${line}`}: ${text}`,
    ),
    exitCode === 0
      ? 'Nothing was changed since it was sealed. Who sealed it, a chain without a signature cannot say: compare the seal with the one that the run printed (--expect).'
      : exitCode === 1
        ? 'This is not what the run left.'
        : 'Nothing was found to be changed, but not all could be told.',
    '',
  ].join('\n');
}
