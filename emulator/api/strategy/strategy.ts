// What the API server does to one kind beyond what it does to all: the seam between writes.ts and the files beside this.
// Source: kubernetes/pkg/registry/*/strategy.go and the admission plug-ins of a plain cluster.
import type { KubeObject } from '../objects.ts';
import type { ResourceDefinition } from '../resources.ts';
import type { Storage } from '../storage.ts';
import type { DeleteOptions } from '../types.ts';

/** What strategies may use. */
export interface StrategyTools {
  readonly storage: Storage;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Past all checks: what the server makes by itself. */
  create(definition: ResourceDefinition, draft: unknown): KubeObject;
  /** PEM of the authority that signs the API server's certificate. */
  readonly rootCertificate: string | undefined;
}

/** All of them change `object` in place; a refusal is thrown. */
export interface Strategy {
  /** A new object as it came, before defaults. */
  admit?(object: KubeObject, tools: StrategyTools): void;
  /** A new object with its defaults, before validation. */
  prepareForCreate?(object: KubeObject, tools: StrategyTools): void;
  /** A changed object before defaults: what was given out stays. */
  prepareForUpdate?(object: KubeObject, current: KubeObject, tools: StrategyTools): void;
  /** A changed object after validation. */
  finishUpdate?(object: KubeObject, current: KubeObject, tools: StrategyTools): void;
  /** What a write of the status may not touch. */
  prepareForStatusUpdate?(object: KubeObject, current: KubeObject): void;
  /** It is stored. */
  created?(object: KubeObject, tools: StrategyTools): void;
  /** Deleted gracefully: for how many seconds; absent: at once. */
  graceSeconds?(object: KubeObject, options: DeleteOptions): number;
  /** Deletion in steps of its own (namespaces): what is stored instead; undefined: nothing changes. */
  startDeletion?(current: KubeObject, tools: StrategyTools): KubeObject | undefined;
  /** PUT of an object that does not exist creates it. */
  readonly createsOnUpdate?: boolean;
  /** DELETE answers with the object instead of a Status. */
  readonly returnsDeleted?: boolean;
  /** The propagation policy of a DELETE that names none; Background where absent. */
  readonly defaultPropagation?: 'Orphan';
}
