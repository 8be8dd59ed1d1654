// A target that a scenario brings along: somebody's manifests as they were published, and what was changed to run them.
import { z } from 'zod';
import { urlPath } from './url-path.ts';

/** An object of Kubernetes as far as everybody needs it; everything else is kept as it stands. */
export const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/** One change of the published manifests: a strategic merge patch on those of a kind, an object that they lack, or both. */
export const substitutionSchema = z
  .object({
    /** Why it had to be made, as a sentence. */
    because: z.string(),
    kind: z.string().optional(),
    patch: z.record(z.string(), z.unknown()).optional(),
    add: manifestSchema.optional(),
  })
  .refine(
    ({ kind, patch, add }) => !kind === !patch && (patch || add),
    'needs "kind" and "patch", or "add", or all three',
  );
export type Substitution = z.infer<typeof substitutionSchema>;

export const ownTargetSchema = z
  .object({
    /** As published, to the letter. */
    manifests: z.array(manifestSchema).min(1),
    /** In order; each is shown as a difference, with its reason. */
    substitutions: z.array(substitutionSchema).default([]),
    deployment: z.string().optional(),
    daemonSet: z.string().optional(),
    service: z.string(),
    container: z.string().optional(),
    port: z.union([z.number().int(), z.string()]).optional(),
    path: urlPath.default('/'),
    expectStatus: z.array(z.number().int()).optional(),
    /** By the names that steps use; `current` is what the manifest says. */
    images: z.record(z.string(), z.string()).default({}),
  })
  .refine(({ deployment, daemonSet }) => !deployment !== !daemonSet, 'needs "deployment" or "daemonSet"');
export type OwnTarget = z.infer<typeof ownTargetSchema>;

/** A change as it is recorded and shown. */
export const substitutedSchema = z.object({
  because: z.string(),
  /** Unified diff of YAML. */
  diff: z.string(),
});
export type Substituted = z.infer<typeof substitutedSchema>;
