// Writes a run's reports into its folder: each file whole or not at all, so that a reader never sees half of one.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../harness/model/errors.ts';
import type { Results } from '../harness/model/results.ts';
import { renderHtml } from './html/page.ts';
import type { JournalView } from './html/types.ts';
import { renderJson } from './json/render.ts';
import { renderJunit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';
import { renderOpenMetrics } from './openmetrics.ts';

export const reportFormats = ['html', 'json', 'markdown', 'junit', 'openmetrics'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export const reportFiles: Readonly<Record<ReportFormat, string>> = {
  html: 'index.html',
  json: 'results.json',
  markdown: 'summary.md',
  junit: 'junit.xml',
  openmetrics: 'metrics.txt',
};

/**
 * Writes the formats into `dir` (made when it is not there) and returns the files' paths. `journals`: what the page
 * shows of each journal, by its file name as in the results (see html/timeline.ts); only the HTML needs it.
 */
export async function writeReports(
  dir: string,
  results: Results,
  journals: ReadonlyMap<string, JournalView>,
  formats: readonly ReportFormat[] = reportFormats,
): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  const written: string[] = [];
  for (const format of new Set(formats)) {
    const file = join(dir, reportFiles[format]);
    await writeWhole(file, renderFormat(format, results, journals));
    written.push(file);
  }
  return written;
}

/** Parses a list as typed by a user ("html,junit"). */
export function parseFormats(text: string): readonly ReportFormat[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.find((name) => !reportFormats.some((format) => format === name));
  if (unknown !== undefined || names.length === 0) {
    throw new UsageError(`No report format "${unknown ?? text}"; there are ${reportFormats.join(', ')}.`);
  }
  return reportFormats.filter((format) => names.includes(format));
}

export function renderFormat(
  format: ReportFormat,
  results: Results,
  journals: ReadonlyMap<string, JournalView>,
): string {
  switch (format) {
    case 'html':
      return renderHtml({ results, journals });
    case 'json':
      return renderJson(results);
    case 'markdown':
      return renderMarkdown(results);
    case 'junit':
      return renderJunit(results);
    case 'openmetrics':
      return renderOpenMetrics(results);
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  try {
    const handle = await open(partial, 'wx');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
