// A recording of what a cluster did: one JSON object per line, the header first, then watch events in order of receipt.
// The format of the recordings of real clusters that the emulation is compared with; a replay writes the same.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError } from '../../harness/model/errors.ts';

const stepSchema = z.object({
  atMs: z.number(),
  doneMs: z.number().optional(),
  what: z.string(),
  /** Arguments of kubectl; null: something else does it (load from inside the cluster). */
  kubectl: z.array(z.string()).nullable(),
});

const printedSchema = z.object({
  cmd: z.string(),
  atMs: z.number().optional(),
  code: z.number().optional(),
  out: z.string().default(''),
  err: z.string().default(''),
});

const headerSchema = z.object({
  scenario: z.string(),
  kubernetes: z.string(),
  description: z.string().default(''),
  manifests: z.array(
    z.looseObject({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.looseObject({ name: z.string() }),
    }),
  ),
  steps: z.array(stepSchema),
  logs: z
    .array(z.object({ t: z.number(), pod: z.string(), restart: z.number().default(0), line: z.string() }))
    .default([]),
  kubectl: z.array(printedSchema).default([]),
  createdAtFirstStep: z.boolean().default(false),
});

const conditionSchema = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});

const containerStateSchema = z.looseObject({
  waiting: z.looseObject({ reason: z.string().optional() }).optional(),
  running: z.looseObject({}).optional(),
  terminated: z.looseObject({ reason: z.string().optional(), exitCode: z.number().optional() }).optional(),
});

export const podSchema = z.looseObject({
  owner: z.string().optional(),
  ownerKind: z.string().optional(),
  node: z.string().optional(),
  phase: z.string().default('Pending'),
  reason: z.string().optional(),
  deletionTimestamp: z.boolean().default(false),
  podIP: z.boolean().default(false),
  conditions: z.array(conditionSchema).default([]),
  containerStatuses: z
    .array(
      z.looseObject({
        name: z.string(),
        ready: z.boolean(),
        started: z.boolean().nullish(),
        restartCount: z.number(),
        state: containerStateSchema,
      }),
    )
    .default([]),
});
export type RecordedPod = z.infer<typeof podSchema>;

export const replicaSetSchema = z.looseObject({ specReplicas: z.number().default(0) });
export const workloadSchema = z.looseObject({
  status: z.looseObject({ conditions: z.array(conditionSchema).nullish() }).default({}),
});
export const eventSchema = z.looseObject({
  reason: z.string(),
  type: z.string(),
  message: z.string().default(''),
  involvedObject: z.looseObject({ kind: z.string(), name: z.string() }),
});
export const sliceSchema = z.looseObject({
  endpoints: z
    .array(
      z.looseObject({
        pod: z.string().nullish(),
        conditions: z.looseObject({
          ready: z.boolean().nullish(),
          serving: z.boolean().nullish(),
          terminating: z.boolean().nullish(),
        }),
      }),
    )
    .nullish(),
});

const recordedEventSchema = z.object({
  /** ms since the first step. */
  t: z.number(),
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED']),
  kind: z.string(),
  name: z.string(),
  object: z.record(z.string(), z.unknown()),
});

export type RecordingHeader = z.infer<typeof headerSchema>;
export type RecordedEvent = z.infer<typeof recordedEventSchema>;
export type RecordedStep = z.infer<typeof stepSchema>;
export interface Recording {
  readonly header: RecordingHeader;
  readonly events: readonly RecordedEvent[];
}

/** Throws UsageError that names file and line. */
export function readRecording(file: string): Recording {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`conform: cannot read ${file}: ${(error as Error).message}`);
  }
  const lines = text.split('\n');
  const parse = <T>(schema: z.ZodType<T>, line: number): T => {
    try {
      return schema.parse(JSON.parse(lines[line] ?? ''));
    } catch (error) {
      const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
      throw new UsageError(`conform: ${file}:${line + 1} is no line of a recording: ${why}`);
    }
  };
  const header = parse(headerSchema, 0);
  const events: RecordedEvent[] = [];
  for (let line = 1; line < lines.length; line++) {
    if (lines[line]?.trim()) events.push(parse(recordedEventSchema, line));
  }
  return { header, events };
}
