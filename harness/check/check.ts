// `rollproof check`: texts in, findings out. Pure: reading files and printing is the command's work.
import type { Finding } from '../model/finding.ts';
import { placeIn, type ReadProblem, readDocuments } from './documents.ts';
import { withChanges } from './edit.ts';
import { ignores } from './ignore.ts';
import { nameOf, objectsOf } from './objects.ts';
import type { CheckInput, Draft, Rule } from './rule.ts';
import { rules } from './rules/index.ts';
import { snippetOf } from './snippet.ts';
import { isPartial, workloadsOf } from './workload.ts';

export interface ManifestText {
  /** As it is shown: a path, or `stdin`. */
  readonly file: string;
  readonly text: string;
  /** Found in a folder, not named: what is no manifest there (other YAML, broken or not) is passed over. */
  readonly found?: boolean;
}

/** The whole file with a finding's fix applied. */
export interface Fixed {
  readonly file: string;
  readonly text: string;
}

export interface CheckedFinding extends Finding {
  /** Computed when asked for. */
  fixed(): Fixed;
}

export interface CheckReport {
  readonly findings: readonly CheckedFinding[];
  readonly problems: readonly ReadProblem[];
  readonly objects: number;
  readonly workloads: number;
  /** Parts of workloads (kustomize patches), which cannot be judged alone. */
  readonly partial: readonly string[];
}

/** Minor version of Kubernetes 1.x that is assumed when none is named: the one that the embedded cluster emulates. */
export const defaultKubernetesMinor = 34;

/**
 * Checks all texts together: a Service in one file selects a workload of another. A text that cannot be read is a
 * problem, and the rest is checked.
 */
export function checkManifests(
  texts: readonly ManifestText[],
  options: { readonly kubernetesMinor?: number } = {},
): CheckReport {
  const read = texts
    .filter(({ text, found }) => !found || looksLikeManifest(text))
    .map(({ file, text }) => ({ text, ...readDocuments(file, text) }));
  const objects = read.flatMap(({ documents }) => objectsOf(documents));
  const textOf = new Map(
    read.flatMap(({ text, documents }) => documents.map(({ source }) => [source, text] as const)),
  );
  const input: CheckInput = {
    objects,
    workloads: workloadsOf(objects),
    kubernetesMinor: options.kubernetesMinor ?? defaultKubernetesMinor,
  };
  const found = rules.flatMap((rule) =>
    rule
      .find(input)
      .filter((draft) => !ignores(draft.object, rule.id) && !(draft.other && ignores(draft.other, rule.id)))
      .map((draft) => findingOf(rule, draft, textOf.get(draft.object.source) ?? draft.object.source.text)),
  );
  const order = new Map(texts.map(({ file }, index) => [file, index]));
  return {
    findings: found.toSorted(
      (a, b) => order.get(a.file)! - order.get(b.file)! || a.line - b.line || a.column - b.column,
    ),
    problems: read.flatMap(({ problems }) => problems),
    objects: objects.length,
    workloads: input.workloads.length,
    partial: objects.filter(isPartial).map(nameOf),
  };
}

function looksLikeManifest(text: string): boolean {
  return /^[\s"'-]*apiVersion["']?\s*:/m.test(text) && /^[\s"'-]*kind["']?\s*:/m.test(text);
}

function findingOf(rule: Rule, draft: Draft, fileText: string): CheckedFinding {
  const { object, changes } = draft;
  const { source } = object;
  const place = placeIn(source, draft.path, draft.want ?? 'key');
  return {
    rule: rule.id,
    file: source.file,
    ...place,
    severity: draft.severity ?? rule.severity,
    object: nameOf(object),
    message: draft.message,
    why: rule.why,
    fix: snippetOf(source, source.document.toJS({ maxAliasCount: -1 }), changes),
    scenario: rule.scenario,
    fixed: () => {
      const { offset, text } = source;
      const after = fileText.slice(offset + text.length);
      return { file: source.file, text: fileText.slice(0, offset) + withChanges(text, changes) + after };
    },
  };
}

/** Whether anything was there to check: no data is never a pass. */
export function nothingChecked(report: CheckReport): boolean {
  return report.objects === 0 && report.problems.length === 0;
}
