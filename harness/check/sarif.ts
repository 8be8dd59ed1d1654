// Findings as SARIF 2.1.0 (OASIS), for code scanning: rules with their reasons, places, and fixes as replacements.
import type { Finding, JoinedFinding, Severity } from '../model/finding.ts';
import type { CheckedFinding, CheckReport, ManifestText } from './check.ts';
import { rules } from './rules/index.ts';

interface SarifTool {
  readonly name: string;
  readonly version: string;
}

export function findingsAsSarif(
  report: CheckReport,
  texts: readonly ManifestText[],
  tool: SarifTool,
): Record<string, unknown> {
  const textOf = new Map(texts.map(({ file, text }) => [file, text]));
  return sarifOf(
    tool,
    report.findings.map((finding) => resultOf(finding, textOf.get(finding.file) ?? '')),
    report.problems,
  );
}

/** Findings beside what was measured: what was seen of each is in its message. */
export const joinedAsSarif = (findings: readonly JoinedFinding[], tool: SarifTool): Record<string, unknown> =>
  sarifOf(
    tool,
    findings.map(({ finding, evidence, text }) => ({
      ...placed(finding),
      message: { text: `${finding.message} ${text}` },
      properties: { scenario: finding.scenario, why: finding.why, evidence },
    })),
    [],
  );

function sarifOf(
  tool: SarifTool,
  results: readonly Record<string, unknown>[],
  problems: CheckReport['problems'],
): Record<string, unknown> {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: tool.name,
            version: tool.version,
            rules: rules.map((rule) => ({
              id: rule.id,
              shortDescription: { text: rule.title },
              fullDescription: { text: rule.why },
              help: { text: `${rule.why} See it: rollproof verify --scenario ${rule.scenario}` },
              defaultConfiguration: { level: levels[rule.severity] },
              properties: { scenario: rule.scenario },
            })),
          },
        },
        invocations: [
          {
            executionSuccessful: problems.length === 0,
            toolExecutionNotifications: problems.map(({ file, line, column, sentence }) => ({
              level: 'error',
              message: { text: sentence },
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: uriOf(file) },
                    region: { startLine: line, startColumn: column },
                  },
                },
              ],
            })),
          },
        ],
        columnKind: 'utf16CodeUnits',
        results,
      },
    ],
  };
}

const levels: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', note: 'note' };

function resultOf(finding: CheckedFinding, text: string): Record<string, unknown> {
  const { artifactLocation } = placeOf(finding);
  return {
    ...placed(finding),
    message: { text: finding.message },
    ...(finding.fixable && {
      fixes: [
        {
          description: { text: finding.fix },
          artifactChanges: [{ artifactLocation, replacements: [replacementOf(text, finding.fixed().text)] }],
        },
      ],
    }),
    properties: { scenario: finding.scenario, why: finding.why },
  };
}

/** Rule, level and place of a finding. */
function placed(finding: Finding): Record<string, unknown> {
  return {
    ruleId: finding.rule,
    ruleIndex: rules.findIndex((rule) => rule.id === finding.rule),
    level: levels[finding.severity],
    locations: [
      {
        physicalLocation: placeOf(finding),
        logicalLocations: [{ fullyQualifiedName: finding.object, kind: 'object' }],
      },
    ],
  };
}

/** A rendered text is no file of the repository: what it was made from is. */
function placeOf({ source, file, line, column }: Finding) {
  const region =
    source === undefined ? { startLine: line, startColumn: column } : { startLine: 1, startColumn: 1 };
  return { artifactLocation: { uri: uriOf(source ?? file) }, region };
}

/** SARIF wants a URI: a relative reference for a path inside the working directory. */
function uriOf(file: string): string {
  return file
    .split(/[\\/]/)
    .map((part) => encodeURIComponent(part))
    .join('/');
}

/** The lines that differ: from the first to the last one. */
function replacementOf(before: string, after: string): Record<string, unknown> {
  const old = before.split('\n');
  const changed = after.split('\n');
  let start = 0;
  while (start < old.length && start < changed.length && old[start] === changed[start]) start++;
  let tail = 0;
  while (
    tail < old.length - start &&
    tail < changed.length - start &&
    old[old.length - 1 - tail] === changed[changed.length - 1 - tail]
  )
    tail++;
  const inserted = changed.slice(start, changed.length - tail);
  const last = old.length - tail;
  // Whole lines; at the end of the file, up to its last character.
  return tail > 0
    ? {
        deletedRegion: { startLine: start + 1, startColumn: 1, endLine: last + 1, endColumn: 1 },
        insertedContent: { text: inserted.map((line) => `${line}\n`).join('') },
      }
    : {
        deletedRegion: {
          startLine: start + 1,
          startColumn: 1,
          endLine: last,
          endColumn: old[last - 1]!.length + 1,
        },
        insertedContent: { text: inserted.join('\n') },
      };
}
