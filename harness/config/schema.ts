// What rollproof.yaml may say: the schema that validates it and from which config.schema.json is generated.
import { z } from 'zod';
import { lanes, rateProfileSchema } from '../model/load.ts';
import { clusterKinds, scenarioSchema } from '../model/scenario.ts';

export const paths = ['cluster-ip', 'node-port', 'outside'] as const;

/** DNS label of a Kubernetes object's name (RFC 1123, with dots for those kinds that allow subdomains). */
const objectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a Kubernetes name: lower case letters, digits, "-" and "."');
const httpStatus = z.number().int().min(100).max(599);
const port = z.union([z.number().int().min(1).max(65_535), z.string().min(1)]);
const urlPath = z.string().regex(/^\//, 'a path that starts with "/"');
const text = z.string().min(1);
/** Names of variants and images: they become parts of file names and labels. */
const shortName = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9][-A-Za-z0-9_.:/]*$/, 'letters, digits and -_.:/');

const targetSchema = z
  .strictObject({
    manifests: z
      .array(text)
      .min(1)
      .describe('Files or folders with the manifests of the workload, its Service and what they need.'),
    deployment: objectName.optional().describe('Name of the Deployment under test.'),
    daemonSet: objectName.optional().describe('Name of the DaemonSet under test, instead of a Deployment.'),
    service: objectName.describe('Name of the Service that clients use.'),
    port: port.optional().describe("The Service's port, by number or name. Default: its only port."),
    path: urlPath.default('/').describe('Path that the load requests.'),
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
    headers: z.record(z.string(), z.string()).default({}).describe('Request headers. Never recorded.'),
    body: z.string().optional(),
    expectStatus: z
      .union([httpStatus, z.array(httpStatus).min(1)])
      .transform((status) => (typeof status === 'number' ? [status] : status))
      .optional()
      .describe('Status, or list of them, that counts as success. Default: 200 to 299.'),
    longPath: urlPath.optional().describe('Path of a slow request, for lane "long". Default: path.'),
    container: objectName.optional().describe('The serving container. Default: the first one.'),
    podHeader: text.optional().describe('Response header in which the app names the pod that answered.'),
    health: z
      .strictObject({ port: port.optional(), path: urlPath.optional() })
      .optional()
      .describe('Port and path that answer when the app can serve: used by the setting readinessProbe.'),
    gracefulEnv: z
      .record(z.string(), z.string())
      .optional()
      .describe('Environment that makes the app shut down gracefully: used by the setting gracefulShutdown.'),
    images: z
      .strictObject({
        current: text.optional().describe('Image to start with. Default: what the manifest says.'),
        next: text.describe('The image that a rollout changes to.'),
        previous: text.optional().describe('The image before the current one, for rollbacks.'),
        missing: text.optional().describe('An image that no registry has.'),
        broken: text.optional().describe('An image whose container does not get ready.'),
      })
      .optional(),
  })
  .superRefine((target, context) => {
    if (!target.deployment && !target.daemonSet)
      context.addIssue({
        code: 'custom',
        message: 'needs "deployment" (or "daemonSet"): the workload under test',
      });
    if (target.deployment && target.daemonSet)
      context.addIssue({
        code: 'custom',
        path: ['daemonSet'],
        message: 'cannot stand beside "deployment": there is one workload under test',
      });
  });

const loadSchema = z.strictObject({
  rate: z
    .union([z.number().positive().max(1_000_000), rateProfileSchema])
    .transform((rate) =>
      typeof rate === 'number' ? { shape: 'constant' as const, ratePerSecond: rate } : rate,
    )
    .optional()
    .describe('Requests per second and lane, or a profile (constant, steps, ramp).'),
  lanes: z
    .array(z.enum(lanes))
    .min(1)
    .optional()
    .describe('Kinds of client. Default: those of the scenario.'),
  connections: z.number().int().positive().max(100_000).optional().describe('Connections of lane "kept".'),
  timeoutMs: z.number().positive().max(600_000).optional().describe('Limit of one request.'),
  holdMs: z.number().positive().max(600_000).optional().describe('How long a request of lane "long" takes.'),
  durationLimits: z
    .strictObject({
      warmUpMs: z.number().nonnegative().optional().describe('Quiet load before the first step.'),
      tailMs: z.number().nonnegative().optional().describe('Quiet load after the last event.'),
      limitMs: z.number().positive().optional().describe('Limit of a whole experiment.'),
    })
    .optional(),
  agents: z.number().int().min(1).max(100).optional().describe('Load agents that share the schedule.'),
  path: z
    .union([z.enum(paths), z.array(z.enum(paths)).min(1)])
    .transform((path) => (typeof path === 'string' ? [path] : path))
    .optional()
    .describe('Where load enters: cluster-ip, node-port, outside (one or several).'),
});

export const gateSchema = z.strictObject({
  maxLost: z
    .partialRecord(z.enum(lanes), z.number().int().nonnegative())
    .optional()
    .describe('Most lost requests per lane, in every experiment of the gated variants.'),
  maxOutageMs: z.number().nonnegative().optional().describe('Longest outage allowed in any lane.'),
  noWorseThanLastGreen: z.boolean().optional().describe('Compare with the last run that was green.'),
  variants: z.array(shortName).min(1).default(['hardened']).describe('Variants that the gate judges.'),
});
export type Gate = z.output<typeof gateSchema>;

export const inlineScenarioSchema = z.strictObject({
  ...scenarioSchema.shape,
  quick: z.record(z.string(), z.unknown()).optional().describe('Fields that differ in the quick profile.'),
});

export const configurationSchema = z.strictObject({
  $schema: z.string().optional(),
  target: targetSchema.optional().describe('Your workload. Left out: the built-in target.'),
  load: loadSchema.default({}).describe('What is left out stays as the scenario says.'),
  images: z
    .record(
      shortName,
      z.strictObject({
        command: z
          .array(z.string())
          .min(1)
          .describe('Program and arguments, run from the configuration’s folder.'),
        env: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default({})
    .describe('For the embedded cluster: the local command that stands for an image.'),
  variants: z
    .record(shortName, z.array(text))
    .default({})
    .describe('More variants: a name and the settings that it turns on.'),
  scenarios: z
    .array(z.union([text, inlineScenarioSchema]))
    .min(1)
    .optional()
    .describe('Scenarios to run: an id, a file (.yaml, .yml, .json) or the scenario itself.'),
  preStopSeconds: z.number().int().min(0).max(3600).optional().describe('Length of the preStop sleep.'),
  gate: gateSchema.optional(),
  cluster: z
    .strictObject({
      kind: z.enum(['auto', ...clusterKinds]).optional(),
      nodeImage: text.optional().describe('kind: the node image.'),
      oneNode: z.boolean().optional().describe('kind: one node instead of four.'),
      keep: z.boolean().optional().describe('Leave the cluster running for the next run.'),
      context: text.optional().describe('Cluster "context": name of the kubeconfig context.'),
      kubeconfig: text.optional().describe('Cluster "context": the kubeconfig file.'),
    })
    .default({}),
  out: text.optional().describe('Folder of the results. Default: a new one under results/.'),
});

/** As written by a user: nothing filled in. */
export type ConfigurationInput = z.input<typeof configurationSchema>;
type Parsed = z.output<typeof configurationSchema>;
export type TargetConfiguration = NonNullable<Parsed['target']>;
export type LoadConfiguration = Parsed['load'];
export type ClusterConfiguration = Parsed['cluster'];
export type ParsedConfiguration = Parsed;
