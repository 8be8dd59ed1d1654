// The workload under test as one experiment needs it, whether it is the built-in target or anybody's manifests.
import type { Manifest } from '../model/manifest.ts';

/** What scenarios call the container under test. */
export const builtInContainer = 'target';

export interface TargetDefinition {
  readonly builtIn: boolean;
  /** Manifests as they stand in the files: no setting applied, no namespace. */
  readonly manifests: readonly Manifest[];
  /** Ingresses and routes of somebody's manifests: created where their entry is measured. */
  readonly entries?: readonly Manifest[];
  readonly workload: { readonly kind: string; readonly name: string; readonly container: string };
  readonly service: { readonly name: string; readonly port: number };
  /** What clients ask for. `longPath` takes `holdMs` into account for the built-in target. */
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly expectStatus: readonly number[];
    readonly longPath?: string;
  };
  readonly health: { readonly port: number | string; readonly path: string };
  readonly podHeader: string;
  /** Images by the names that steps use: current, next, previous, missing, broken. */
  readonly images: Readonly<Record<string, string>>;
  /**
   * Makes those containers of another object run the built-in program whose image is one of `images`' names. Undefined:
   * a foreign target, or images that have the program in them.
   */
  readonly asProgram?: (manifest: Manifest) => Manifest;
  readonly gracefulEnv: Readonly<Record<string, string>> | undefined;
  /** By setting: environment that switches on what else the built-in target can do. */
  readonly appSwitches?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Environment for another way to stop of the built-in target; undefined: a foreign target, which has none. */
  readonly stopModeEnv?: (mode: string) => Readonly<Record<string, string>>;
  /** Port of the built-in target's admin server; undefined for foreign targets, which have none. */
  readonly adminPort: number | undefined;
  /** A scenario's own target: its manifests are published with the scenario, and what was changed of them. */
  readonly published?: { readonly substitutions: readonly AppliedSubstitution[] };
  /** Anybody's manifests: what was changed of them or left out, and what may stand still when they run. */
  readonly asIs?: {
    readonly substitutions: readonly AppliedSubstitution[];
    readonly warnings: readonly string[];
  };
}

/** Somebody's own manifests: not ours, and not published ones that a scenario brings along. */
export const isForeign = ({ builtIn, published }: TargetDefinition): boolean => !builtIn && !published;

/** One change of published manifests: all of them before and after it. */
export interface AppliedSubstitution {
  readonly because: string;
  readonly before: readonly Manifest[];
  readonly after: readonly Manifest[];
}

interface PodSpec {
  containers: Container[];
  nodeSelector?: Record<string, string>;
  tolerations?: unknown[];
  [field: string]: unknown;
}
export interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string; [field: string]: unknown }[];
  ports?: { containerPort: number; name?: string }[];
  [field: string]: unknown;
}
interface PodTemplate {
  metadata?: { labels?: Record<string, string>; [field: string]: unknown };
  spec: PodSpec;
}

/** The pod template of a workload manifest; undefined for kinds that have none. */
export function podTemplateOf(manifest: Manifest): PodTemplate | undefined {
  const spec = manifest.spec as { template?: PodTemplate } | undefined;
  return spec?.template?.spec?.containers ? spec.template : undefined;
}

/** What a StatefulSet makes a claim of for each of its pods; none for other kinds. */
export const claimTemplatesOf = ({ kind, spec }: Manifest): Pick<Manifest, 'metadata'>[] =>
  (kind === 'StatefulSet' &&
    (spec as { volumeClaimTemplates?: Pick<Manifest, 'metadata'>[] | null } | undefined)
      ?.volumeClaimTemplates) ||
  [];
