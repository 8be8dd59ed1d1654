// seal.json: the seal of a run's folder. Written when a run has ended; it says which files it left and what was in them.
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const sealFile = 'seal.json';

const sealedFileSchema = z.object({
  /** Relative to seal.json, with "/" between folders. */
  file: z.string(),
  bytes: z.number().int().nonnegative(),
  /** Of the whole file, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type SealedFile = z.infer<typeof sealedFileSchema>;

const sealedReportSchema = sealedFileSchema.extend({
  /** Which rollproof made it ("0.1.0 1a2b3c4d"): another one may make another of the same journals. */
  by: z.string(),
  /** As it was asked for then (--strict). */
  strict: z.boolean().optional(),
});
export type SealedReport = z.infer<typeof sealedReportSchema>;

export const runSealSchema = z.object({
  schemaVersion: z.literal(1),
  algorithm: z.literal('sha256'),
  runId: z.string(),
  /** run.json, journals and what else the run recorded, as they were when it ended. */
  evidence: z.array(sealedFileSchema),
  /** {@link rootOf} the evidence: one figure that stands for all of it. */
  root: z.string().regex(/^[0-9a-f]{64}$/),
  /** What was made of the evidence: renewed whenever reports are. */
  reports: z.array(sealedReportSchema),
});
export type RunSeal = z.infer<typeof runSealSchema>;

/** A chain over the files in their order: SHA-256 of the value before and the file's name, size and SHA-256. */
export function rootOf(files: readonly SealedFile[]): string {
  let chain = '';
  for (const { file, bytes, sha256 } of files) {
    chain = createHash('sha256').update(`${chain}${file}\n${bytes}\n${sha256}\n`).digest('hex');
  }
  return chain || createHash('sha256').digest('hex');
}
