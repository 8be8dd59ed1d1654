// A small run's folder as `verify` leaves it: two journals, sealed as they were written, run.json, reports, seal.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noSeal, sealed } from '../../harness/model/seal.ts';
import { judgeFolder } from '../../harness/run/judge-folder.ts';
import { JournalBuilder, lossesBetween } from './journal-builder.ts';

/** As the journal's writer seals them. */
export function asSealed(lines: readonly string[]): string[] {
  let before = noSeal;
  return lines.map((text) => {
    const { line, seal } = sealed(before, text);
    before = seal;
    return line;
  });
}

function linesOf(variant: 'baseline' | 'hardened'): string[] {
  const journal = new JournalBuilder({
    variant,
    settings: variant === 'baseline' ? [] : ['readinessProbe'],
  });
  journal.oldPod('web-1');
  journal.endpoints(-500, { 'web-1': 'ready' });
  const losses = variant === 'baseline' ? lossesBetween(1000, 1100) : [];
  journal.lane('new', { durationMs: 3000, losses, answeredBy: () => 'web-1' }).control({ durationMs: 3000 });
  return journal.lines();
}

/** Writes the run into `folder`; `journals`: file → lines without seals (default: a small baseline and a small hardened). */
export async function sealedRun(
  folder: string,
  journals: Readonly<Record<string, readonly string[]>> = {
    'journals/a.ndjson': linesOf('baseline'),
    'journals/b.ndjson': linesOf('hardened'),
  },
): Promise<{ readonly seal: string; readonly journals: readonly string[] }> {
  mkdirSync(join(folder, 'journals'));
  const names = Object.keys(journals);
  for (const [name, lines] of Object.entries(journals)) {
    writeFileSync(join(folder, name), `${asSealed(lines).join('\n')}\n`);
  }
  const header = JSON.parse(journals[names[0] as string]?.[0] as string);
  const facts = {
    schemaVersion: 1 as const,
    runId: header.runId,
    tool: header.tool,
    cluster: header.cluster,
    startedAt: header.startedAt,
    durationMs: 9000,
    loadMs: 6000,
    stages: [],
    reproduce: 'rollproof verify',
    strict: false,
    interrupted: false,
    notRun: [],
    undeployed: [],
    journals: names,
    measuredAgain: [],
  };
  writeFileSync(join(folder, 'run.json'), `${JSON.stringify(facts, null, 2)}\n`);
  const { results } = await judgeFolder(folder, { facts });
  return { seal: results.seal as string, journals: names };
}
