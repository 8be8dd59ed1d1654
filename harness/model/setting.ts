// A setting: one practice that can be on or off; a variant: a named, versioned list of settings.
import type { Manifest } from './manifest.ts';

/** What a setting may depend on when it patches: facts of target and cluster, no side effects. */
export interface SettingContext {
  /** Kubernetes version of the cluster, for example "v1.34.4". */
  readonly kubernetesVersion: string;
  /** The workload to patch and its serving container. */
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
  /** Port (number or name) and path that answer when the app is able to serve. */
  readonly health: { readonly port: number | string; readonly path: string };
  /** preStop length in whole seconds. */
  readonly preStopSeconds: number;
  /** The variant's own name says the length: a sleep that is there is set to it, longer or shorter. */
  readonly preStopExact?: boolean;
  /** What the variant's name says; undefined: the setting's own figure. */
  readonly minReadySeconds?: number | undefined;
  readonly maxSurge?: number | undefined;
  /** Environment variables that make the app shut down gracefully; undefined: a foreign app that has no such switch. */
  readonly gracefulEnv: Readonly<Record<string, string>> | undefined;
  /** By setting: environment that switches on what else the app can do; undefined: a foreign app. */
  readonly appSwitches?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
  /** Somebody's own workload: what it has is kept, only what is missing is added, and nothing is shortened or lowered. */
  readonly foreign?: boolean;
}

/** What became of a setting on these manifests. */
export type SettingOutcome =
  | { readonly manifests: readonly Manifest[] }
  /** Why there was nothing to change: they have it already, or something that does the same. */
  | { readonly unchanged: string }
  /** Why these manifests cannot have it. */
  | { readonly cannot: string };

export interface Setting {
  readonly name: string;
  readonly title: string;
  /** Why it matters, in one or two sentences. */
  readonly why: string;
  readonly changes: 'manifest' | 'app';
  readonly appliesTo: readonly string[];
  readonly conflictsWith: readonly string[];
  /** Never changes its input. */
  apply(manifests: readonly Manifest[], context: SettingContext): SettingOutcome;
  /** The manifests without it, whoever wrote it; not there: a setting that no variant takes away. */
  takeAway?(manifests: readonly Manifest[], context: SettingContext): readonly Manifest[];
}

export interface Variant {
  readonly name: string;
  readonly version: number;
  readonly settings: readonly string[];
  /** What somebody's own workload loses before the settings are applied. */
  readonly takesAway?: readonly string[];
  /** Length of the preStop sleep of this variant, whole seconds; undefined: the run's. */
  readonly preStopSeconds?: number;
  /** Whole seconds, and pods; undefined: what the settings of these names set. */
  readonly minReadySeconds?: number;
  readonly maxSurge?: number;
  /** How the built-in target stops with setting gracefulShutdown; undefined: its recommended way. */
  readonly stopMode?: string;
}

/** The variant that changes nothing: somebody's workload as it stands in their files. */
export const asIsName = 'as-is';
/** The variant of what somebody else changed while it was watched. */
export const watchedName = 'watched';
