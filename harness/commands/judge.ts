// `rollproof judge DIR` and `rollproof report DIR`: a run's journals judged, and all reports written, anew.
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { renderForAgent } from '../../reports/agent.ts';
import { parseFormats, reportFormats } from '../../reports/write.ts';
import { type Judged, judgeFolder } from '../run/judge-folder.ts';
import { summaries } from './summaries.ts';

export const registerJudge = (program: Command): void => void register(program, 'judge');

export const registerReport = (program: Command): void =>
  void register(program, 'report').addOption(
    new Option('--for <reader>', 'print it for a code assistant: facts and commands as Markdown').choices([
      'agent',
    ]),
  );

const register = (program: Command, name: 'judge' | 'report'): Command =>
  program
    .command(name)
    .argument('<dir>', 'the folder of a run (--out)')
    .description(summaries[name])
    .option('--formats <list>', `reports to write: ${reportFormats.join(', ')}`)
    .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
    .action(async (folder: string, flags: { formats?: string; strict?: boolean; for?: 'agent' }) => {
      const judged = await judgeFolder(folder, {
        ...(flags.formats !== undefined && { formats: parseFormats(flags.formats) }),
        ...(flags.strict !== undefined && { strict: flags.strict }),
      });
      if (flags.for) process.stdout.write(renderForAgent({ results: judged.results, folder }));
      else
        process.stdout.write(`${judged.summary}\n${unsealed(judged)}Report: ${join(folder, 'index.html')}\n`);
      process.exitCode = name === 'judge' ? judged.exitCode : 0;
    });

/** What has no second witness in a journal only the seal can show. */
const unsealed = ({ results }: Judged): string =>
  results.seal === undefined
    ? 'This folder has no seal: whether something in it was changed since the run cannot be told.\n'
    : '';
