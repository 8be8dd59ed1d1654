// What a rule is: it looks at all objects of a check and drafts findings.
import type { Severity } from '../model/finding.ts';
import type { ExperimentResult } from '../model/results.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import type { DuplicateKey, Place } from './documents.ts';
import type { Change } from './edit.ts';
import type { SourceObject } from './objects.ts';
import type { Related } from './related.ts';
import type { Workload } from './workload.ts';

export interface CheckInput {
  readonly objects: readonly SourceObject[];
  readonly workloads: readonly Workload[];
  readonly related: Related;
  readonly duplicates: readonly DuplicateKey[];
  /** Minor version of Kubernetes 1.x that the manifests are meant for. */
  readonly kubernetesMinor: number;
}

export interface Draft {
  readonly object: SourceObject;
  /** The other object of a finding about two; its annotation can ignore the finding, too. */
  readonly other?: SourceObject;
  /** Absolute in the document. */
  readonly path: FieldPath;
  readonly want?: 'key' | 'value';
  /** Where it differs from the rule's. */
  readonly severity?: Severity;
  readonly message: string;
  /** None: the fix is not one that a manifest shows; then there is an advice. */
  readonly changes: readonly Change[];
  /** Why the changes are shown, and never written: only its owner knows the value, or the cluster comes first. */
  readonly byHand?: string;
  /** What to do where no change of the manifest is the answer, as comment lines. */
  readonly advice?: string;
  /** Where it stands, when no path of the value leads there. */
  readonly place?: Place;
}

/** What a measurement says about a rule: undefined when the experiment cannot tell. */
export type Measured = { readonly confirmed: boolean; readonly text: string } | undefined;

export interface Rule {
  readonly id: string;
  /** error: the API server refuses it, a rollout or drain cannot end, or requests are lost at every rollout whatever
   * the app does. warning: it loses requests, time or capacity in cases that the manifest alone does not decide.
   * note: matters in rarer events only. */
  readonly severity: Severity;
  readonly title: string;
  readonly why: string;
  /** Id of the scenario that shows it. */
  readonly scenario: string;
  find(input: CheckInput): readonly Draft[];
  /** Looks at one valid, complete experiment of the scenario. */
  measured(experiment: ExperimentResult): Measured;
}

/** Without a Service among the manifests a risk to connections is presumed only: one step less severe. */
export function severityFor(workload: Workload, severity: Severity): Severity {
  if (workload.traffic.kind !== 'presumed') return severity;
  return severity === 'error' ? 'warning' : 'note';
}
