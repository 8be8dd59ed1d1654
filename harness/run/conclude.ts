// What is made of a run that has ended, whoever made the changes: run.json, the judged folder with its seal, the gate, the
// history, an OpenTelemetry collector, and what of it is printed. The same for `verify` and `watch`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { combineExitCodes, type ExitCode, exitCode, type FaultError } from '../model/errors.ts';
import type { Results } from '../model/results.ts';
import type { RunFacts } from '../model/run.ts';
import { systemFault } from '../model/system-error.ts';
import { type Concluded, concludeRun, type Keeping } from './gate.ts';
import { type Judged, judgeFolder, writeEarlier } from './judge-folder.ts';
import { sendOtlp } from './otlp/send.ts';
import { runFile } from './seal-run.ts';

interface Concluding {
  readonly facts: RunFacts;
  readonly keeping: Keeping | undefined;
  /** Base address of a collector. */
  readonly otlp: string | undefined;
  /** A line before the report's place: why it ended. */
  readonly ended?: string;
  /** What the history gets; default: the run as a whole. */
  readonly keep?: (results: Results, keeping: Keeping, out: string) => Concluded;
  stage<T>(name: string, act: () => Promise<T>): Promise<T>;
  note(text: string): void;
}

/** A disk that is full or a folder that went does not take the answer with it: it is told all the same, and noted. */
export async function concludeFolder(out: string, concluding: Concluding): Promise<ExitCode> {
  const { facts, keeping, otlp, keep = concludeRun } = concluding;
  const unwritten: FaultError[] = [];
  const writing = <T>(act: () => T): T | undefined => {
    try {
      return act();
    } catch (error) {
      const fault = systemFault(error, '', out);
      if (!fault) throw error;
      unwritten.push(fault);
      return undefined;
    }
  };
  writing(() => {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, runFile), `${JSON.stringify(facts, null, 2)}\n`);
  });
  if (keeping) writing(() => writeEarlier(out, keeping.history.runs, facts));
  const judged: Judged = await concluding.stage('Judge and write reports', () =>
    judgeFolder(out, { facts, onUnwritten: (fault) => unwritten.push(fault) }),
  );
  const say = (line: string) => process.stdout.write(`${line}\n`);
  process.stdout.write(judged.summary);
  if (concluding.ended !== undefined) say(`\n${concluding.ended}`);
  if (unwritten.length === 0)
    say(`${concluding.ended === undefined ? '\n' : ''}Report: ${join(out, 'index.html')}`);
  if (judged.results.seal) say(`Seal: ${judged.results.seal}`);
  const concluded = writing(() => keeping && keep(judged.results, keeping, out));
  for (const line of concluded?.lines ?? []) say(line);
  if (otlp !== undefined) say(await sendOtlp(otlp, judged.results, judged.views));
  for (const { message } of unwritten) concluding.note(`Not written: ${message}`);
  return combineExitCodes([
    judged.exitCode,
    concluded?.exitCode ?? exitCode.ok,
    unwritten.length > 0 ? exitCode.faulted : exitCode.ok,
  ]);
}
