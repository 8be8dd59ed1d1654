// `rollproof judge DIR` and `rollproof report DIR`: a run's journals judged, and all reports written, anew.
import { join } from 'node:path';
import type { Command } from 'commander';
import { parseFormats, reportFormats } from '../../reports/write.ts';
import { judgeFolder } from '../run/judge-folder.ts';

export function registerJudge(program: Command): void {
  for (const [name, description] of [
    ['judge', "judge a run's journals anew and write its reports; the exit code is the run's"],
    ['report', "write a run's reports anew from its journals"],
  ] as const) {
    program
      .command(name)
      .argument('<dir>', 'the folder of a run (--out)')
      .description(description)
      .option('--formats <list>', `reports to write: ${reportFormats.join(', ')}`)
      .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
      .action(async (folder: string, flags: { formats?: string; strict?: boolean }) => {
        const judged = await judgeFolder(folder, {
          ...(flags.formats !== undefined && { formats: parseFormats(flags.formats) }),
          ...(flags.strict !== undefined && { strict: flags.strict }),
        });
        process.stdout.write(judged.summary);
        process.stdout.write(`\nReport: ${join(folder, 'index.html')}\n`);
        process.exitCode = name === 'judge' ? judged.exitCode : 0;
      });
  }
}
