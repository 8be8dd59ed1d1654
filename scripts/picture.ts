// `npm run picture -- out/RUN`: the picture of a report in the README, taken anew by headless Chromium.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../harness/model/errors.ts';
import { noBrowser, withPages } from '../test/page/browser.ts';
import { parseCommandLine, runScript } from './command-line.ts';

const command = parseCommandLine(
  new Command('picture')
    .description('take the picture of a report that the README shows')
    .argument('<dir>', 'the folder of a run')
    .option('--out <file>', 'the picture', 'docs/images/report.png'),
);

await runScript(async () => {
  if (noBrowser) throw new UsageError(`picture: ${noBrowser}`);
  const page = readFileSync(join(command.args[0] as string, 'index.html'), 'utf8');
  const viewport = { width: 1200, height: 1900 };
  await withPages({ 'index.html': page }, { viewport, colorScheme: 'light' }, async (open) => {
    const shown = await open('index.html');
    await shown.page.screenshot({ path: command.opts<{ out: string }>().out });
  });
  return 0;
});
