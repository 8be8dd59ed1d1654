// Of a watch: the live objects behind each Service as a file, what the static check says of them beside what their changes
// cost, and the same as SARIF.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkManifests } from '../check/check.ts';
import { joinFindings } from '../check/join.ts';
import { joinedAsSarif } from '../check/sarif.ts';
import type { RunJournal } from '../judge/run.ts';
import type { JoinedFinding } from '../model/finding.ts';
import type { Results } from '../model/results.ts';
import { toolVersion } from './tool-version.ts';

export interface LiveObjects {
  /** Name of the scenario that stands for the Service. */
  readonly scenario: string;
  /** File beside the reports. */
  readonly file: string;
  /** YAML, redacted. */
  readonly text: string;
}

const SARIF_FILE = 'findings.sarif';

/** As they were when each watch began. Empty: it was no watch. */
export function liveObjects(
  results: Pick<Results, 'scenarios'>,
  journals: readonly RunJournal[],
): LiveObjects[] {
  return results.scenarios.flatMap(({ name }) => {
    const header = journals.find(({ journal }) => journal.header.scenario.id === name)?.journal.header;
    return header?.episode
      ? [{ scenario: name, file: `live-${header.episode.service}.yaml`, text: header.manifests }]
      : [];
  });
}

export function withLiveFindings(results: Results, journals: readonly RunJournal[]): Results {
  const findings = liveObjects(results, journals).flatMap(({ scenario, file, text }) =>
    joinFindings(
      checkManifests([{ file, text }]).findings.map((finding) => ({ ...finding, scenario })),
      results,
    ),
  );
  return { ...results, findings };
}

/** Returns the files that it wrote. */
export function writeLive(
  folder: string,
  live: readonly LiveObjects[],
  findings: readonly JoinedFinding[],
): string[] {
  if (live.length === 0) return [];
  const files = [
    ...live.map(({ file, text }) => [file, text] as const),
    [SARIF_FILE, `${JSON.stringify(joinedAsSarif(findings, toolVersion()), null, 2)}\n`] as const,
  ];
  return files.map(([file, text]) => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  });
}
