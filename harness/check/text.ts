// Findings for people: `file:line severity rule message`, why, and the fix as it stands in the file.
import { type Finding, severities } from '../model/finding.ts';
import type { CheckReport } from './check.ts';

export function findingsAsText(report: CheckReport): string {
  if (report.objects === 0) return '';
  const blocks = report.findings.map(blockOf);
  return [...blocks, summaryOf(report)].join('\n');
}

function blockOf(finding: Finding): string {
  const { file, line, severity, rule, message, why, fix, scenario, source } = finding;
  const margin = '    ';
  const indent = (text: string) =>
    text
      .split('\n')
      .map((row) => (row ? margin + row : row))
      .join('\n');
  return `${file}:${line} ${severity} ${rule} ${message}${source === undefined ? '' : `\n  made from: ${source}`}
  why: ${why}
  fix:
${indent(fix)}
  see it: rollproof verify --scenario ${scenario}
`;
}

function summaryOf(report: CheckReport): string {
  const counts = severities
    .map((severity) => ({
      severity,
      count: report.findings.filter((own) => own.severity === severity).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => plural(count, severity));
  const looked = `${plural(report.objects, 'object')} read, ${plural(report.workloads, 'workload')} checked`;
  const partial =
    report.partial.length > 0
      ? ` Not checked, because they are parts of a workload (patches): ${report.partial.join(', ')}. Check what \`kustomize build\` prints.`
      : '';
  return `${counts.length > 0 ? counts.join(', ') : 'nothing found'} (${looked}).${partial}\n`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
