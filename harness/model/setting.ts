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
  /** What the variant's name says; undefined: the setting's own figure. */
  readonly minReadySeconds?: number | undefined;
  readonly maxSurge?: number | undefined;
  /** Environment variables that make the app shut down gracefully; undefined: a foreign app that has no such switch. */
  readonly gracefulEnv: Readonly<Record<string, string>> | undefined;
}

export interface Setting {
  readonly name: string;
  readonly title: string;
  /** Why it matters, in one or two sentences. */
  readonly why: string;
  readonly changes: 'manifest' | 'app';
  readonly appliesTo: readonly string[];
  readonly conflictsWith: readonly string[];
  /** Returns the patched manifests; never changes its input. `undefined`: does not apply here. */
  apply(manifests: readonly Manifest[], context: SettingContext): readonly Manifest[] | undefined;
}

export interface Variant {
  readonly name: string;
  readonly version: number;
  readonly settings: readonly string[];
  /** Length of the preStop sleep of this variant, whole seconds; undefined: the run's. */
  readonly preStopSeconds?: number;
  /** Whole seconds, and pods; undefined: what the settings of these names set. */
  readonly minReadySeconds?: number;
  readonly maxSurge?: number;
  /** How the built-in target stops with setting gracefulShutdown; undefined: its recommended way. */
  readonly stopMode?: string;
}
