// The history file: one line per run, appended, never rewritten; beside it a page with the trend.
import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { renderTrend } from '../../reports/html/trend.ts';
import { compareRuns } from '../judge/compare.ts';
import { type History, historyLine, lastGreen, parseHistory } from '../judge/summarize.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { readNamedText } from '../model/named-file.ts';
import type { RunSummary } from '../model/run-summary.ts';

/** Some hundred thousand runs. */
const MOST_BYTES = 512 * 1024 * 1024;

export const defaultHistoryFile = 'out/history.ndjson';

/** A file that is not there yet is an empty history. Throws UsageError with file, line and field. */
export function readHistory(file: string): History {
  if (!statSync(file, { throwIfNoEntry: false })) return { runs: [], warnings: [] };
  let text: string;
  try {
    text = readNamedText(file, MOST_BYTES);
  } catch (error) {
    throw new UsageError(`--history ${file}: ${messageOf(error)}.`, { cause: error });
  }
  return parseHistory(text, file);
}

/**
 * The last green run on such a cluster that has all scenarios of this one; else the last that has one of them. A run of
 * other scenarios says nothing about these.
 */
export function greenFor(runs: readonly RunSummary[], now: RunSummary): RunSummary | undefined {
  const has = (run: RunSummary) => (name: string) => run.scenarios.some((one) => one.name === name);
  const names = now.scenarios.map(({ name }) => name);
  return (
    lastGreen(
      runs.filter((run) => names.every(has(run))),
      now,
    ) ??
    lastGreen(
      runs.filter((run) => names.some(has(run))),
      now,
    )
  );
}

/** Appends the run and writes the page. Returns the page's file. */
export function appendHistory(file: string, runs: readonly RunSummary[], now: RunSummary): string {
  mkdirSync(dirname(file), { recursive: true });
  removeCutOffLine(file);
  appendFileSync(file, `${historyLine(now)}\n`);
  const page = trendPage(file);
  const green = greenFor(runs, now);
  writeFileSync(page, renderTrend([...runs, now], green && compareRuns(green, now)));
  return page;
}

const trendPage = (file: string): string => `${file.replace(/\.[^./\\]+$/, '')}.html`;

/** What a run that died while it appended has left: not a run's line, and the next one must not be glued to it. */
function removeCutOffLine(file: string): void {
  if (!statSync(file, { throwIfNoEntry: false })) return;
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end === bytes.length) return;
  const rest = bytes.subarray(end).toString('utf8');
  if (isWhole(rest)) appendFileSync(file, '\n');
  else truncateSync(file, end);
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
