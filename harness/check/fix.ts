// `rollproof check --fix`: fixes made one after the other, each looked at again before the next.
import { type CheckedFinding, type CheckReport, checkManifests, type ManifestText } from './check.ts';

interface FixedFiles {
  /** Files whose text has changed. */
  readonly texts: readonly ManifestText[];
  readonly fixed: readonly CheckedFinding[];
}

/** A file has this many fixes at most: each round makes one in every file, and looks at everything once. */
const ROUNDS = 60;

/**
 * Errors and warnings are fixed; notes, advice and rendered texts are left alone. A fix after which its finding is still
 * there, an error has come or the file cannot be read is not made.
 */
export function fixAll(
  given: readonly ManifestText[],
  options: { readonly kubernetesMinor?: number },
): FixedFiles {
  let texts = given;
  let report = checkManifests(texts, { ...options, every: true });
  const fixed: CheckedFinding[] = [];
  const refused = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const chosen = oneInEachFile(report.findings, refused);
    if (chosen.size === 0) break;
    const trial = texts.map((text) => ({ ...text, text: chosen.get(text.file)?.fixed().text ?? text.text }));
    const after = checkManifests(trial, { ...options, every: true });
    const bad = [...chosen.values()].filter((finding) => !holds(finding, report, after));
    for (const finding of bad) refused.add(identity(finding));
    // What holds beside a bad one is made again in the next round, without it.
    if (bad.length > 0) continue;
    fixed.push(...chosen.values());
    texts = trial;
    report = after;
  }
  const before = new Map(given.map(({ file, text }) => [file, text]));
  return { texts: texts.filter(({ file, text }) => before.get(file) !== text), fixed };
}

function oneInEachFile(
  findings: readonly CheckedFinding[],
  refused: ReadonlySet<string>,
): ReadonlyMap<string, CheckedFinding> {
  const chosen = new Map<string, CheckedFinding>();
  for (const finding of findings) {
    const wanted = finding.fixable && finding.severity !== 'note' && !chosen.has(finding.file);
    if (wanted && !refused.has(identity(finding))) chosen.set(finding.file, finding);
  }
  return chosen;
}

function holds(finding: CheckedFinding, before: CheckReport, after: CheckReport): boolean {
  const inFile = <T extends { readonly file: string }>(list: readonly T[]) =>
    list.filter(({ file }) => file === finding.file);
  const errors = (report: CheckReport) =>
    inFile(report.findings).filter(({ severity }) => severity === 'error').length;
  return (
    count(after.findings, finding) < count(before.findings, finding) &&
    inFile(after.problems).length <= inFile(before.problems).length &&
    errors(after) <= errors(before)
  );
}

const identity = ({ rule, file, object, message }: CheckedFinding): string =>
  [rule, file, object, message].join('\n');

const count = (findings: readonly CheckedFinding[], of: CheckedFinding): number =>
  findings.filter((own) => own.rule === of.rule && own.file === of.file && own.object === of.object).length;
