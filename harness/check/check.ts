// `rollproof check`: texts in, findings out. Pure: reading files and printing is the command's work.
import type { Finding } from '../model/finding.ts';
import { assumedMinor } from '../model/rendering.ts';
import {
  type DuplicateKey,
  placeIn,
  type ReadProblem,
  readDocuments,
  type SourceDocument,
} from './documents.ts';
import { checkedChanges } from './edit.ts';
import { ignores } from './ignore.ts';
import { misshapen } from './misshapen.ts';
import { nameOf, objectsOf, type SourceObject, scopeOf } from './objects.ts';
import { Related } from './related.ts';
import type { CheckInput, Draft, Rule } from './rule.ts';
import { rules } from './rules/index.ts';
import { snippetOf } from './snippet.ts';
import { isPartial, workloadsOf } from './workload.ts';

export interface ManifestText {
  /** As it is shown: a path, or `stdin`. */
  readonly file: string;
  readonly text: string;
  /** What rendered it (`helm template charts/web`): a fix goes into its source, not into this text. */
  readonly rendered?: string;
  /** Of a rendered object: the file that it was made from. */
  readonly sourceOf?: SourceOf;
  /** Found in a folder, not named: what is no manifest there (other YAML, broken or not) is passed over. */
  readonly found?: boolean;
}

/** `text`: of the object's document, comments before it included. Undefined: it is not known. */
export type SourceOf = (object: {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}) => string | undefined;

/** The whole file with a finding's fix applied. */
export interface Fixed {
  readonly file: string;
  readonly text: string;
}

export interface CheckedFinding extends Finding {
  /** Its fix can be made in the file: there is one that is not for its owner alone, and the file is no rendered text. */
  readonly fixable: boolean;
  /** Computed when asked for; the file as it is where there is nothing that can be made in it. */
  fixed(): Fixed;
}

export interface CheckReport {
  readonly findings: readonly CheckedFinding[];
  readonly problems: readonly ReadProblem[];
  /** Those that are too long to hold a risk (a ConfigMap's data) are counted, and not read. */
  readonly objects: number;
  readonly workloads: number;
  /** Parts of workloads (kustomize patches), which cannot be judged alone. */
  readonly partial: readonly string[];
}

/** Objects of one call at most: each is held with what it says, and the largest repositories have a tenth. */
const OBJECT_LIMIT = 10_000;

interface CheckOptions {
  /** Of Kubernetes 1.x. */
  readonly kubernetesMinor?: number;
  /** Also what nobody would read: each finding, however many there are of a kind. */
  readonly every?: boolean;
}

/**
 * Checks all texts together: a Service in one file selects a workload of another. A text that cannot be read is a
 * problem, and the rest is checked.
 */
export function checkManifests(texts: readonly ManifestText[], options: CheckOptions = {}): CheckReport {
  const problems: ReadProblem[] = [];
  const objects: SourceObject[] = [];
  const duplicates: DuplicateKey[] = [];
  const textOf = new Map<SourceDocument, ManifestText>();
  let passedOver = 0;
  for (const own of texts) {
    if (own.found && !looksLikeManifest(own.text)) continue;
    const read = readDocuments(own.file, own.text, scopeOf(own.file, own.found === true));
    problems.push(...read.problems);
    passedOver += read.passedOver;
    const all = objectsOf(read.documents);
    const patches = own.found === true || own.rendered !== undefined;
    const unreadable = new Map(all.flatMap((object) => problemOf(object, patches)));
    problems.push(...unreadable.values());
    const more = all.filter((object) => !unreadable.has(object));
    if (objects.length + more.length > OBJECT_LIMIT) {
      const sentence = `with this file there are more than ${OBJECT_LIMIT} objects; it and the rest are not read. Check the folders one by one.`;
      problems.push({ file: own.file, line: 1, column: 1, sentence });
      break;
    }
    objects.push(...more);
    duplicates.push(...read.duplicates);
    for (const { source } of read.documents) textOf.set(source, own);
  }
  const related = new Related(objects);
  const input: CheckInput = {
    objects,
    related,
    duplicates,
    workloads: workloadsOf(objects, related),
    kubernetesMinor: options.kubernetesMinor ?? assumedMinor,
  };
  const found = rules.flatMap((rule) =>
    (options.every ? (drafts: readonly Draft[]) => drafts : fewOfEach)(
      rule
        .find(input)
        .filter(
          (draft) => !ignores(draft.object, rule.id) && !(draft.other && ignores(draft.other, rule.id)),
        ),
    ).map((draft) => findingOf(rule, draft, textOf.get(draft.object.source)!)),
  );
  const order = new Map(texts.map(({ file }, index) => [file, index]));
  return {
    findings: found.toSorted(
      (a, b) => order.get(a.file)! - order.get(b.file)! || a.line - b.line || a.column - b.column,
    ),
    problems,
    objects: objects.length + passedOver,
    workloads: input.workloads.length,
    partial: objects.filter(isPartial).map(nameOf),
  };
}

function problemOf(object: SourceObject, patches: boolean): [SourceObject, ReadProblem][] {
  const problem = misshapen(object, patches);
  return problem ? [[object, problem]] : [];
}

/** Findings of one rule about one object: what is generated may have thousands of one kind, and nobody reads them. */
const FINDINGS_MOST = 50;

/** The first ones of each object; the last of them says how many more there are. */
function fewOfEach(drafts: readonly Draft[]): readonly Draft[] {
  const counts = new Map<SourceObject, number>();
  for (const { object } of drafts) counts.set(object, (counts.get(object) ?? 0) + 1);
  const told = new Map<SourceObject, number>();
  return drafts.flatMap((draft) => {
    const nth = (told.get(draft.object) ?? 0) + 1;
    told.set(draft.object, nth);
    const more = counts.get(draft.object)! - FINDINGS_MOST;
    if (nth > FINDINGS_MOST) return [];
    if (nth < FINDINGS_MOST || more <= 0) return [draft];
    return [{ ...draft, message: `${draft.message} (${more} more of this rule in this object.)` }];
  });
}

function looksLikeManifest(text: string): boolean {
  return ['apiVersion', 'kind'].every((key) =>
    new RegExp(`(?:^|[{,[])[\\s"'-]*${key}["']?\\s*:`, 'm').test(text),
  );
}

function findingOf(rule: Rule, draft: Draft, text: ManifestText): CheckedFinding {
  const { object, changes } = draft;
  const { source } = object;
  const place = draft.place ?? placeIn(source, draft.path, draft.want ?? 'key');
  const from = text.sourceOf?.({ kind: object.kind, name: object.name, text: source.text });
  const fixable =
    changes.length > 0 && draft.byHand === undefined && text.rendered === undefined && !source.relaxed;
  return {
    rule: rule.id,
    file: source.file,
    ...place,
    ...(from !== undefined && { source: from }),
    severity: draft.severity ?? rule.severity,
    object: nameOf(object),
    message: draft.message,
    why: rule.why,
    fix:
      changes.length > 0
        ? `${draft.byHand === undefined ? '' : `# --fix leaves this alone: ${draft.byHand}\n`}${snippetOf(source, source.document.toJS({ maxAliasCount: -1 }), changes)}`
        : (draft.advice ?? ''),
    scenario: rule.scenario,
    fixable,
    fixed: () => ({
      file: source.file,
      text: fixable
        ? inFile(text.text, source, checkedChanges(source.text, changes) ?? source.text)
        : text.text,
    }),
  };
}

/** A document's new text in its file. What follows starts on a line of its own. */
function inFile(file: string, { offset, text }: SourceDocument, changed: string): string {
  const after = file.slice(offset + text.length);
  const glued = after !== '' && text.endsWith('\n') && !changed.endsWith('\n');
  return file.slice(0, offset) + changed + (glued ? '\n' : '') + after;
}

/** Whether anything was there to check: no data is never a pass. */
export function nothingChecked(report: CheckReport): boolean {
  return report.objects === 0 && report.problems.length === 0;
}
