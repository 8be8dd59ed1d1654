// What rollproof.yaml may say: the schema that validates it and from which config.schema.json is generated.
import { z } from 'zod';
import { lineIdSchema } from '../model/line.ts';
import {
  lanes,
  lanesOfProtocol,
  longestMs,
  offeredRateSchema,
  plainLanes,
  protocols,
  rateBounds,
  tlsOptionsSchema,
} from '../model/load.ts';
import { agentResources } from '../model/own-pods.ts';
import { proxyModes } from '../model/proxy-mode.ts';
import {
  clusterKinds,
  connectionsMost,
  lineOfLoad,
  requestTimeoutMs,
  scenarioSchema,
} from '../model/scenario.ts';
import { urlPath } from '../model/url-path.ts';
import { entriesSchema, installableControllers } from './entries.ts';
import {
  command,
  environment,
  image,
  objectName,
  requestHeaders,
  text,
  token,
  variantName,
  withoutRepeats,
} from './texts.ts';

export const paths = ['cluster-ip', 'node-port', 'outside'] as const;

const httpStatus = z.number().int().min(100).max(599);
const port = z.union([z.number().int().min(1).max(65_535), text]);
/** DNS label (RFC 1123). */
const namespaceName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'the name of a namespace: lower case letters, digits and "-"');
/** As far as a typing error can be told: what the image really is, the cluster says. */
const imageName = z
  .string()
  .regex(
    /^[\w.-]+(:\d+)?(\/[a-z0-9._-]+)*(:[\w][\w.-]{0,127})?(@sha256:[a-f0-9]+)?$/,
    'the name of an image, such as node:20-bookworm-slim or registry.example/node@sha256:…',
  );

const helmSchema = z.strictObject({
  chart: text.describe(
    'Folder of the chart, an archive, or a reference that helm knows (repo/name, oci://…).',
  ),
  values: z.array(text).optional().describe('Files of values, in order. Relative to the configuration.'),
  set: z
    .record(text, z.union([text, z.number(), z.boolean()]))
    .optional()
    .describe('Single values, as --set-string.'),
  release: objectName.optional().describe('Name of the release. Default: the chart’s own.'),
  version: text.optional().describe('Version of the chart.'),
});
const sources = ['manifests', 'kustomize', 'helm', 'from'] as const;
const workloads = ['deployment', 'statefulSet', 'daemonSet', 'rollout'] as const;

const targetSchema = z
  .strictObject({
    manifests: z
      .array(text)
      .min(1)
      .optional()
      .describe(
        'Files or folders with the manifests of the workload, its Service and what they need; a folder with a kustomization is built.',
      ),
    kustomize: text.optional().describe('Folder with a kustomization, built by kubectl kustomize.'),
    helm: helmSchema.optional().describe('A chart, rendered by helm template.'),
    from: z
      .literal('cluster')
      .optional()
      .describe('The workload is read from the cluster of the kubeconfig and copied.'),
    namespace: objectName.optional().describe('With "from": the namespace that it is read from.'),
    deployment: objectName.optional().describe('Name of the Deployment under test.'),
    statefulSet: objectName
      .optional()
      .describe('Name of the StatefulSet under test, instead of a Deployment.'),
    daemonSet: objectName.optional().describe('Name of the DaemonSet under test, instead of a Deployment.'),
    rollout: objectName
      .optional()
      .describe(
        'Name of the Argo Rollout under test, instead of a Deployment; where its controller is, with cluster.kind: context.',
      ),
    service: objectName
      .optional()
      .describe('Name of the Service that clients use. Default: the only one that selects the pods.'),
    port: port.optional().describe("The Service's port, by number or name. Default: its only port."),
    path: urlPath.default('/').describe('Path that the load requests.'),
    method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
    headers: requestHeaders.default({}).describe('Request headers. Never recorded.'),
    body: z.string().optional(),
    expectStatus: z
      .union([httpStatus, z.array(httpStatus).min(1)])
      .transform((status) => (typeof status === 'number' ? [status] : status))
      .optional()
      .describe('Status, or list of them, that counts as success. Default: 200 to 299.'),
    longPath: urlPath.optional().describe('Path of a slow request, for lane "long". Default: path.'),
    container: objectName.optional().describe('The serving container. Default: the first one.'),
    podHeader: token.optional().describe('Response header in which the app names the pod that answered.'),
    health: z
      .strictObject({ port: port.optional(), path: urlPath.optional() })
      .optional()
      .describe('Port and path that answer when the app can serve: used by the setting readinessProbe.'),
    gracefulEnv: environment
      .optional()
      .describe('Environment that makes the app shut down gracefully: used by the setting gracefulShutdown.'),
    images: z
      .strictObject({
        current: image.optional().describe('Image to start with. Default: what the manifest says.'),
        next: image.describe('The image that a rollout changes to.'),
        previous: image.optional().describe('The image before the current one, for rollbacks.'),
        missing: image.optional().describe('An image that no registry has.'),
        broken: image.optional().describe('An image whose container does not get ready.'),
      })
      .optional(),
  })
  .superRefine((target, context) => {
    const named = (fields: readonly (keyof typeof target)[]) =>
      fields.filter((field) => target[field] !== undefined);
    const [source, another] = named(sources);
    if (!source)
      context.addIssue({
        code: 'custom',
        message: 'needs "manifests", "kustomize", "helm" or "from: cluster": where the workload is described',
      });
    if (another)
      context.addIssue({
        code: 'custom',
        path: [another],
        message: `cannot stand beside "${source}": the workload is described in one place`,
      });
    const [workload, second] = named(workloads);
    if (!workload)
      context.addIssue({
        code: 'custom',
        message: 'needs "deployment" (or "statefulSet", "daemonSet", "rollout"): the workload under test',
      });
    if (second)
      context.addIssue({
        code: 'custom',
        path: [second],
        message: `cannot stand beside "${workload}": there is one workload under test`,
      });
    if (target.namespace !== undefined && target.from === undefined)
      context.addIssue({
        code: 'custom',
        path: ['namespace'],
        message: 'is read with "from: cluster" alone: manifests run in namespaces of the run',
      });
  });

/** A shorter experiment would end before its first rollout did. */
const shortestExperimentMs = 10_000;
const quietMs = z.number().nonnegative().max(longestMs);

/** A lane that says what it speaks. Files are relative to the configuration's folder. */
const configuredLaneSchema = z
  .strictObject({
    lane: z.enum(lanes),
    protocol: z.enum(protocols).default('http1'),
    tls: tlsOptionsSchema
      .optional()
      .describe('TLS: ca, cert and key are PEM files; insecure accepts any certificate.'),
    path: urlPath.optional().describe("Instead of the target's path."),
    message: z
      .string()
      .max(65_536)
      .optional()
      .describe('websocket, tcp: what is sent. grpc: the message as JSON, with descriptor.'),
    method: text.optional().describe('grpc: package.Service/Method. Default: the standard health check.'),
    descriptor: text.optional().describe('grpc: a .proto file or a descriptor set.'),
    bytes: text.optional().describe("grpc: the message's bytes in base64."),
    rate: z.number().min(rateBounds.least).max(rateBounds.most).optional(),
    connections: z.number().int().positive().max(connectionsMost).optional(),
    streamsPerConnection: z.number().int().positive().max(1000).optional(),
    timeoutMs: requestTimeoutMs.optional(),
    holdMs: requestTimeoutMs.optional(),
    intervalMs: z
      .number()
      .min(10)
      .max(600_000)
      .optional()
      .describe('stream: a message of each stream this often.'),
    expect: z.enum(['echo', 'push', 'open']).optional(),
    lateMs: z.number().positive().max(600_000).optional(),
  })
  .superRefine(({ lane, protocol, method }, context) => {
    const possible = lanesOfProtocol[protocol];
    if (!possible.includes(lane))
      context.addIssue({
        code: 'custom',
        path: ['lane'],
        message: `is "${lane}"; protocol ${protocol} has the lanes ${possible.join(', ')}`,
      });
    if (protocol === 'grpc' && lane === 'stream' && method === undefined)
      context.addIssue({
        code: 'custom',
        path: ['method'],
        message: 'is missing: lane stream of grpc needs a method whose answer is a stream',
      });
  });
export type ConfiguredLane = z.output<typeof configuredLaneSchema>;

const loadSchema = z.strictObject({
  rate: z
    .union([z.number().min(rateBounds.least).max(rateBounds.most), offeredRateSchema])
    .transform((rate) =>
      typeof rate === 'number' ? { shape: 'constant' as const, ratePerSecond: rate } : rate,
    )
    .optional()
    .describe('Requests per second and lane, or a profile (constant, steps, ramp).'),
  lanes: z
    .array(z.union([z.enum(plainLanes), configuredLaneSchema]))
    .min(1)
    .superRefine((items, context) => {
      const lines = items.map((item) => lineOfLoad(typeof item === 'string' ? { lane: item } : item));
      for (const [index, line] of lines.entries()) {
        if (lines.indexOf(line) !== index)
          context.addIssue({ code: 'custom', path: [index], message: `names "${line}" a second time` });
      }
    })
    .optional()
    .describe(
      'Kinds of client: new, kept, long, or an object that says what is spoken. Default: those of the scenario.',
    ),
  connections: z
    .number()
    .int()
    .positive()
    .max(connectionsMost)
    .optional()
    .describe('Connections of lane "kept".'),
  timeoutMs: requestTimeoutMs.optional().describe('Limit of one request.'),
  holdMs: requestTimeoutMs.optional().describe('How long a request of lane "long" takes.'),
  durationLimits: z
    .strictObject({
      warmUpMs: quietMs.optional().describe('Quiet load before the first step.'),
      tailMs: quietMs.optional().describe('Quiet load after the last event.'),
      limitMs: z
        .number()
        .min(shortestExperimentMs)
        .max(longestMs)
        .optional()
        .describe('Limit of a whole experiment.'),
    })
    .optional(),
  agents: z.number().int().min(1).max(100).optional().describe('Load agents that share the schedule.'),
  path: z
    .union([z.enum(paths), withoutRepeats(z.array(z.enum(paths)).min(1))])
    .transform((path) => (typeof path === 'string' ? [path] : path))
    .optional()
    .describe(
      'An older name of entry: cluster-ip, node-port, outside; several are measured one after another.',
    ),
  entry: entriesSchema
    .optional()
    .describe(
      'Where load comes in: service, node-port, outside, ingress, gateway, {url, from}; several are measured side by side in one experiment.',
    ),
  ingressClass: objectName
    .optional()
    .describe(
      'IngressClass that serves the Ingress. Default: what the Ingress says, or the cluster’s default.',
    ),
  gatewayClass: objectName
    .optional()
    .describe('GatewayClass of the Gateway. Default: the only one that there is.'),
});

/** As the API server takes them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const quantity = z
  .union([
    z.number().positive(),
    z
      .string()
      .regex(/^\d+(\.\d+)?(m|k|Ki|[MGTPE]i?|[eE]\d+)?$/, 'a Kubernetes quantity, such as 250m or 128Mi'),
  ])
  .transform(String);
const quantities = z.record(text, quantity);

const scaleOf: Readonly<Record<string, number>> = {
  m: 1e-3,
  ...Object.fromEntries([...'kMGTPE'].map((letter, index) => [letter, 1000 ** (index + 1)])),
  ...Object.fromEntries([...'KMGTPE'].map((letter, index) => [`${letter}i`, 1024 ** (index + 1)])),
};
function amountOf(given: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+)(.*)$/.exec(given) ?? [];
  return Number(digits) * (/^[eE]\d/.test(unit) ? 10 ** Number(unit.slice(1)) : (scaleOf[unit] ?? 1));
}

const agentSchema = z.strictObject({
  image: imageName
    .default('node:20-bookworm-slim')
    .describe(
      'Image with Node.js 20 or later that runs the load agent, the control target and the built-in target.',
    ),
  nextImage: imageName
    .optional()
    .describe(
      'Another such image, for image changes of the built-in target. Default: the same image by another name.',
    ),
  build: z
    .boolean()
    .default(false)
    .describe(
      'kind: build images with the programs in them by Docker, instead of a ConfigMap beside a stock image.',
    ),
  node: text.default('node').describe('Node.js in the image: a program on its PATH, or a path.'),
  pullSecret: z
    .string()
    .regex(
      /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
      'the name of a Secret, or NAMESPACE/NAME',
    )
    .optional()
    .describe(
      'Secret for the registry of the image: with --namespace one of that namespace, else NAMESPACE/NAME (or NAME in "default"), copied to where our pods are.',
    ),
  resources: z
    .strictObject({ requests: quantities.default({}), limits: quantities.default({}) })
    .superRefine((given, context) => {
      const requests = { ...agentResources.requests, ...given.requests };
      const limits = { ...agentResources.limits, ...given.limits };
      for (const [name, limit] of Object.entries(limits)) {
        const request = requests[name];
        if (request === undefined || amountOf(request) <= amountOf(limit)) continue;
        const own = name in given.requests;
        context.addIssue({
          code: 'custom',
          path: [own ? 'requests' : 'limits', name],
          message: own
            ? `is ${request}, more than its limit of ${limit}: raise agent.resources.limits.${name} or ask for less`
            : `is ${limit}, less than the ${request} that is asked for: lower agent.resources.requests.${name}, too, or raise it`,
        });
      }
    })
    .default({ requests: {}, limits: {} })
    .describe('Cluster "context": requests and limits of the load agent that differ from the default.'),
  nodeSelector: z
    .record(text, z.string())
    .optional()
    .describe('Cluster "context": labels of the node for the load agent.'),
  tolerations: z
    .array(
      z
        .strictObject({
          key: text.optional(),
          operator: z.enum(['Equal', 'Exists']).optional(),
          value: z.string().optional(),
          effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
          tolerationSeconds: z.number().int().nonnegative().optional(),
        })
        // What the API server would refuse, once objects are there.
        .superRefine(({ key, operator = 'Equal', value, effect, tolerationSeconds }, context) => {
          const issue = (field: string, message: string) =>
            context.addIssue({ code: 'custom', path: [field], message });
          if (operator === 'Exists' && value)
            issue('value', 'cannot stand beside operator Exists; leave it out');
          if (operator === 'Equal' && key === undefined)
            issue('key', 'is missing: a toleration without a key needs operator Exists');
          if (tolerationSeconds !== undefined && effect !== 'NoExecute')
            issue('tolerationSeconds', 'needs effect NoExecute');
        }),
    )
    .optional()
    .describe('Cluster "context": taints that the load agent tolerates, as in a pod.'),
  spread: z
    .boolean()
    .default(false)
    .describe('Cluster "context": put several load agents (load.agents) on different nodes, evenly.'),
  mesh: z
    .boolean()
    .default(false)
    .describe('Cluster "context": let a service mesh put its proxy beside the load agent.'),
  witness: z
    .boolean()
    .default(false)
    .describe(
      'Cluster "context": read which pod each connection was sent to from the connection tracking of the load agent’s node, by a pod in the network of the node with the right NET_ADMIN and no other.',
    ),
  witnessImage: text
    .optional()
    .describe(
      'Image with conntrack, bash and grep for that pod. Default: the one of kube-proxy, which its node has.',
    ),
});
export type AgentConfiguration = z.output<typeof agentSchema>;

export const gateSchema = z.strictObject({
  maxLost: z
    .record(lineIdSchema, z.number().int().nonnegative())
    .optional()
    .describe('Most lost requests per lane, in every experiment of the gated variants.'),
  maxOutageMs: z
    .number()
    .nonnegative()
    .max(longestMs)
    .optional()
    .describe('Longest outage allowed in any lane.'),
  noWorseThanLastGreen: z.boolean().optional().describe('Compare with the last run that was green.'),
  variants: withoutRepeats(z.array(text).min(1))
    .optional()
    .describe(
      'Variants that the gate judges. Default: those that ran on your own workload (as-is, hardened); hardened for the built-in target.',
    ),
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
  agent: agentSchema
    .default(agentSchema.parse({}))
    .describe('How our own pods run: the load agent and what belongs to it.'),
  images: z
    .record(
      image,
      z.strictObject({
        command: command.describe('Program and arguments, run from the configuration’s folder.'),
        env: environment.default({}),
      }),
    )
    .default({})
    .describe('For the embedded cluster: the local command that stands for an image.'),
  variants: z
    .record(variantName, z.array(text))
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
      gatewayApi: text
        .optional()
        .describe(
          'kind: file with the standard CRDs of the Gateway API, installed for the run where they lack.',
        ),
      installIngress: z
        .enum(installableControllers)
        .optional()
        .describe(
          'The ingress controller to install for the run: kind; embedded, where its program is on the PATH.',
        ),
      proxyMode: z.enum(proxyModes).optional().describe('kind: how kube-proxy routes.'),
      keep: z.boolean().optional().describe('Leave the cluster running for the next run.'),
      context: text.optional().describe('Cluster "context": name of the kubeconfig context.'),
      kubeconfig: text.optional().describe('Cluster "context": the kubeconfig file.'),
      namespace: namespaceName
        .optional()
        .describe(
          'Cluster "context": one namespace that exists, for everything. Default: a new one per experiment.',
        ),
    })
    .default({}),
  out: text.optional().describe('Folder of the results. Default: a new one under results/.'),
});

type Parsed = z.output<typeof configurationSchema>;
export type TargetConfiguration = NonNullable<Parsed['target']>;
export type HelmSource = NonNullable<TargetConfiguration['helm']>;
export type LoadConfiguration = Parsed['load'];
export type ClusterConfiguration = Parsed['cluster'];
export type ParsedConfiguration = Parsed;
