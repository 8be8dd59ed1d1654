// Reads results.json, given as a file or as the folder of a run: what is not one is told with its file and field.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, UsageError } from '../model/errors.ts';
import { lineIdSchema } from '../model/line.ts';
import { readNamedText } from '../model/named-file.ts';
import { directVerdicts, type Results, resultsSchemaVersion, verdicts } from '../model/results.ts';

const resultsFile = 'results.json';

/** Throws UsageError. */
export function readResultsFile(path: string): Results {
  const file = fileOf(path);
  let value: unknown;
  try {
    value = JSON.parse(readNamedText(file));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new UsageError(`${file}: not JSON: ${error.message}.`, { cause: error });
    throw new UsageError(`${file}: ${messageOf(error)}.`, { cause: error });
  }
  const parsed = comparedSchema.safeParse(value);
  if (parsed.success) return value as Results;
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') || '(all)';
  throw new UsageError(
    `${file}: field ${field}: ${issue?.message ?? 'not as expected'}. It takes a results.json that rollproof has written.`,
  );
}

function fileOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found)
    throw new UsageError(`${path}: there is no such file. Name a results.json or the folder of a run.`);
  if (!found.isDirectory()) return path;
  const file = join(path, resultsFile);
  if (existsSync(file)) return file;
  throw new UsageError(
    `${path}: has no ${resultsFile}. Write it from the journals with: rollproof report ${path}`,
  );
}

/** The fields that comparing and the history need; the others are not looked at. */
const laneSchema = z.looseObject({
  attempts: z.number(),
  lost: z.number(),
  races: z.number(),
  longestOutageMs: z.number(),
});
const comparedSchema = z.looseObject({
  schemaVersion: z.literal(resultsSchemaVersion),
  tool: z.looseObject({ name: z.string(), version: z.string() }),
  cluster: z.looseObject({
    name: z.string(),
    kind: z.string(),
    kubernetesVersion: z.string(),
    emulated: z.boolean(),
  }),
  startedAt: z.string(),
  durationMs: z.number(),
  runId: z.string(),
  exitCode: z.number(),
  scenarios: z.array(
    z.looseObject({
      name: z.string(),
      verdict: z.enum(verdicts),
      direct: z.looseObject({ verdict: z.enum(directVerdicts) }).optional(),
      experiments: z.array(
        z.looseObject({
          variant: z.string(),
          path: z.string(),
          agents: z.number(),
          valid: z.boolean(),
          rollout: z.looseObject({
            completedMs: z.number().nullable(),
            extraPodSeconds: z.number(),
            capacityLostPodSeconds: z.number(),
          }),
          lanes: z.record(lineIdSchema, laneSchema),
        }),
      ),
    }),
  ),
});
