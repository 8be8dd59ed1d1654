// The gate of a run: reads its rules and the history before anything starts, and decides when the run was judged.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGate } from '../config/load.ts';
import type { Gate } from '../config/schema.ts';
import { gateExitCode, passGate } from '../judge/gate.ts';
import { type History, summarizeRun } from '../judge/summarize.ts';
import { type ExitCode, exitCode } from '../model/errors.ts';
import type { Results } from '../model/results.ts';
import type { GateResult } from '../model/run-summary.ts';
import { appendHistory, defaultHistoryFile, greenFor, readHistory } from './history.ts';
import { gateFile, sealReport } from './seal-run.ts';

export interface Keeping {
  readonly rules: Gate | undefined;
  readonly historyFile: string;
  readonly history: History;
}

/**
 * `gateFile` goes before the configuration's section. Undefined: neither a gate nor a history was asked for. Throws
 * UsageError for what is wrong in either file.
 */
export function keepingOf(asked: {
  readonly gateFile: string | undefined;
  readonly historyFile: string | undefined;
  readonly section: Gate | undefined;
  /** What the variants of a gate's file are compared with. */
  readonly known?: Parameters<typeof loadGate>[2];
  readonly configuration?: Parameters<typeof loadGate>[3];
}): Keeping | undefined {
  const rules =
    asked.gateFile === undefined
      ? asked.section
      : loadGate(asked.gateFile, process.cwd(), asked.known, asked.configuration);
  if (!rules && asked.historyFile === undefined) return undefined;
  const historyFile = asked.historyFile ?? defaultHistoryFile;
  return { rules, historyFile, history: readHistory(historyFile) };
}

export interface Concluded {
  readonly gate: GateResult | undefined;
  readonly exitCode: ExitCode;
  /** Lines for the terminal. */
  readonly lines: readonly string[];
}

/**
 * Decides, appends to the history, and leaves gate.json beside the results. A run that was interrupted is not kept.
 * `keep` false: who calls keeps what there is to keep.
 */
export function concludeRun(
  results: Results,
  { rules, historyFile, history }: Keeping,
  out: string,
  { keep = true }: { readonly keep?: boolean } = {},
): Concluded {
  const interrupted = results.exitCode === exitCode.interrupted;
  const green = greenFor(history.runs, summarizeRun(results));
  const gate = rules && passGate(results, rules, green);
  if (gate) {
    writeFileSync(join(out, gateFile), `${JSON.stringify(gate, null, 2)}\n`);
    sealReport(out, gateFile);
  }
  const page =
    interrupted || !keep ? undefined : appendHistory(historyFile, history.runs, summarizeRun(results, gate));
  return {
    gate,
    exitCode: gate ? gateExitCode(gate) : exitCode.ok,
    lines: [
      ...history.warnings,
      ...(gate ? gateLines(gate, rules) : []),
      ...(keep
        ? [page ? `History: ${historyFile}, trend: ${page}` : 'History: an interrupted run is not kept.']
        : []),
    ],
  };
}

function gateLines(gate: GateResult, rules: Gate): string[] {
  const against = gate.lastGreen
    ? `, compared with run ${gate.lastGreen.runId} of ${gate.lastGreen.startedAt.slice(0, 10)}`
    : rules.noWorseThanLastGreen
      ? '; there is no green run of these scenarios on such a cluster to compare with yet'
      : '';
  return [
    `Gate: ${gate.state}${against}`,
    ...gate.crossed.map(({ rule, text }) => `  ✕ ${rule}: ${text}`),
    ...gate.undecided.map((text) => `  ? ${text}`),
  ];
}
