// A Kubernetes object as data, loosely typed where it comes from the outside.
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

/** Labels that every object of ours carries. Nothing without the run's label is ever touched. */
export const label = {
  managedBy: 'app.kubernetes.io/managed-by',
  run: 'rollproof.dev/run',
  role: 'rollproof.dev/role',
  experiment: 'rollproof.dev/experiment',
} as const;
export const managedBy = 'rollproof';
/** Values of the role label. `beside`: pods that the target's manifests bring along and that are not under test. */
export type Role =
  | 'target'
  | 'entry'
  | 'beside'
  | 'control'
  | 'agent'
  | 'queue'
  | 'twin'
  | 'cross-check'
  | 'witness';
