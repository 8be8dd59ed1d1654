// What a step gets to do its work: the API, the target's names, and the experiment's present state.
import type { Kube } from '../kube/client.ts';
import type { Kubectl } from '../kube/kubectl.ts';
import { rolloutApiVersion } from '../model/argo-rollout.ts';
import { factsKindOf, type WorkloadFacts } from '../model/facts.ts';
import type { LineId } from '../model/line.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ObservedState } from '../model/observed-state.ts';
import type { StepInput } from '../model/scenario.ts';

export interface StepContext {
  readonly kube: Kube;
  readonly namespace: string;
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
  /** Images by the names that steps use. */
  readonly images: Readonly<Record<string, string>>;
  /** Port of the target's admin server; undefined for foreign targets. */
  readonly adminPort: number | undefined;
  /** The workload as step `deploy` creates it; undefined: it was there from the start. */
  readonly undeployed: Manifest | undefined;
  readonly state: ObservedState;
  readonly signal: AbortSignal;
  /** Changes the rate of the target's streams (all lanes, or one). */
  setRate(ratePerSecond: number, overMs: number, lane: LineId | undefined): Promise<void>;
  /** The real kubectl on this cluster and namespace, opened once; undefined: there is none on the PATH. */
  kubectl(): Promise<Kubectl | undefined>;
  /** undefined where the cluster cannot delay routing. */
  readonly delayProxy: ((delayMs: number) => Promise<void>) | undefined;
  /**
   * Registers what must be undone on every way out, before it is done; run in reverse order after the experiment. `undo`
   * gets a client that still works then: `kube` above ends with the experiment.
   */
  defer(what: string, undo: (kube: Kube) => Promise<void>): void;
  /** A seeded random number in [0, 1). */
  random(): number;
}

/** Facts about what the step did, for the journal. */
export type StepDetail = Readonly<Record<string, unknown>>;
export type StepOf<K extends StepInput['step']> = Extract<import('../model/scenario.ts').Step, { step: K }>;
export type StepRunner<K extends StepInput['step']> = (
  step: StepOf<K>,
  context: StepContext,
) => Promise<StepDetail>;

/** The workload's facts, once the watch has seen it. */
export function workloadFacts(context: StepContext): WorkloadFacts | undefined {
  return context.state.all(factsKindOf(context.workload.kind)).get(context.workload.name);
}

/** API path of the workload. */
export function workloadPath({ namespace, workload }: StepContext, subresource = ''): string {
  const plural = `${factsKindOf(workload.kind).toLowerCase()}s`;
  return `/apis/${workloadApiOf(workload)}/namespaces/${namespace}/${plural}/${workload.name}${subresource}`;
}

/** apiVersion of the workload. */
export const workloadApiOf = (workload: { readonly kind: string }): string =>
  isRollout(workload) ? rolloutApiVersion : 'apps/v1';

export const isRollout = ({ kind }: { readonly kind: string }): boolean => kind === 'Rollout';

export const strategicMerge = 'application/strategic-merge-patch+json';
export const mergePatch = 'application/merge-patch+json';
export const jsonPatch = 'application/json-patch+json';
