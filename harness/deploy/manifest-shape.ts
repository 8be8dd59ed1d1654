// The shape of the objects that the harness reads: what the API server would refuse for its type is refused before
// anything starts. Fields that are not named here are kept as they stand.
import { z } from 'zod';
import { podCount } from '../model/scenario.ts';

const text = z.string();
const name = z.string().min(1);
const count = z.number().int().nonnegative();
const texts = z.record(text, text);
const portNumber = z.number().int().min(1).max(65_535);
const portOrName = z.union([portNumber, name]);
const countOrPercent = z.union([count, text.regex(/^\d+(%)?$/, 'a whole number or a share as "25%"')]);
/** Null is the same as left out, everywhere (the API server drops it). */
const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullish();
const quantity = z.union([text, z.number()]);
const limits = maybe(z.record(text, quantity));

const handler = z.looseObject({
  exec: maybe(z.looseObject({ command: maybe(z.array(text)) })),
  httpGet: maybe(
    z.looseObject({
      port: portOrName,
      path: maybe(text),
      host: maybe(text),
      scheme: maybe(text),
      httpHeaders: maybe(z.array(z.looseObject({ name: text, value: text }))),
    }),
  ),
  tcpSocket: maybe(z.looseObject({ port: portOrName, host: maybe(text) })),
  grpc: maybe(z.looseObject({ port: portNumber, service: maybe(text) })),
  sleep: maybe(z.looseObject({ seconds: count })),
});
const probe = handler.extend({
  initialDelaySeconds: maybe(count),
  timeoutSeconds: maybe(count),
  periodSeconds: maybe(count),
  successThreshold: maybe(count),
  failureThreshold: maybe(count),
  terminationGracePeriodSeconds: maybe(count),
});

const container = z.looseObject({
  name,
  image: name,
  command: maybe(z.array(text)),
  args: maybe(z.array(text)),
  workingDir: maybe(text),
  imagePullPolicy: maybe(text),
  env: maybe(z.array(z.looseObject({ name, value: maybe(text), valueFrom: maybe(z.looseObject({})) }))),
  envFrom: maybe(z.array(z.looseObject({}))),
  ports: maybe(
    z.array(
      z.looseObject({
        containerPort: portNumber,
        name: maybe(name),
        protocol: maybe(text),
        hostPort: maybe(count),
      }),
    ),
  ),
  readinessProbe: maybe(probe),
  livenessProbe: maybe(probe),
  startupProbe: maybe(probe),
  lifecycle: maybe(
    z.looseObject({ preStop: maybe(handler), postStart: maybe(handler), stopSignal: maybe(text) }),
  ),
  resources: maybe(z.looseObject({ limits, requests: limits })),
  volumeMounts: maybe(
    z.array(z.looseObject({ name, mountPath: name, readOnly: maybe(z.boolean()), subPath: maybe(text) })),
  ),
  securityContext: maybe(z.looseObject({})),
});

const podSpec = z
  .looseObject({
    containers: z.array(container).min(1),
    initContainers: maybe(z.array(container)),
    volumes: maybe(
      z.array(
        z.looseObject({
          name,
          configMap: maybe(z.looseObject({ name: maybe(text) })),
          secret: maybe(z.looseObject({ secretName: maybe(text) })),
          persistentVolumeClaim: maybe(z.looseObject({ claimName: name })),
          emptyDir: maybe(z.looseObject({})),
          projected: maybe(z.looseObject({ sources: maybe(z.array(z.looseObject({}))) })),
        }),
      ),
    ),
    nodeSelector: maybe(texts),
    nodeName: maybe(text),
    tolerations: maybe(z.array(z.looseObject({}))),
    affinity: maybe(z.looseObject({})),
    readinessGates: maybe(z.array(z.looseObject({ conditionType: name }))),
    terminationGracePeriodSeconds: maybe(count),
    restartPolicy: maybe(text),
    serviceAccountName: maybe(text),
    hostNetwork: maybe(z.boolean()),
    shareProcessNamespace: maybe(z.boolean()),
    imagePullSecrets: maybe(z.array(z.looseObject({ name: maybe(text) }))),
    topologySpreadConstraints: maybe(z.array(z.looseObject({}))),
    securityContext: maybe(z.looseObject({})),
  })
  .superRefine(({ containers, initContainers }, context) => {
    const seen = new Set<string>();
    for (const [field, list] of [
      ['containers', containers],
      ['initContainers', initContainers ?? []],
    ] as const)
      for (const [index, one] of list.entries()) {
        if (seen.has(one.name))
          context.addIssue({
            code: 'custom',
            path: [field, index, 'name'],
            message: `is "${one.name}" a second time; containers of a pod have different names`,
          });
        seen.add(one.name);
      }
  });

const metadata = z.looseObject({
  name,
  namespace: maybe(text),
  labels: maybe(texts),
  annotations: maybe(texts),
});
const object = z.looseObject({ apiVersion: name, kind: name, metadata });
const template = z.looseObject({
  metadata: maybe(z.looseObject({ labels: maybe(texts), annotations: maybe(texts) })),
  spec: podSpec,
});
const selector = z.looseObject({
  matchLabels: maybe(texts),
  matchExpressions: maybe(
    z.array(z.looseObject({ key: name, operator: name, values: maybe(z.array(text)) })),
  ),
});
const rollingUpdate = z.looseObject({
  maxSurge: maybe(countOrPercent),
  maxUnavailable: maybe(countOrPercent),
  partition: maybe(count),
});
const strategy = z.looseObject({ type: maybe(text), rollingUpdate: maybe(rollingUpdate) });
const workload = (spec: z.ZodRawShape) =>
  object.extend({
    spec: z.looseObject({ selector, template, minReadySeconds: maybe(count), ...spec }),
  });

const shapes: Readonly<Record<string, z.ZodType>> = {
  Deployment: workload({
    replicas: maybe(podCount),
    strategy: maybe(strategy),
    paused: maybe(z.boolean()),
    revisionHistoryLimit: maybe(count),
    progressDeadlineSeconds: maybe(count),
  }),
  ReplicaSet: workload({ replicas: maybe(podCount) }),
  StatefulSet: workload({
    replicas: maybe(podCount),
    serviceName: maybe(text),
    podManagementPolicy: maybe(text),
    updateStrategy: maybe(strategy),
    revisionHistoryLimit: maybe(count),
    volumeClaimTemplates: maybe(
      z.array(z.looseObject({ metadata: z.looseObject({ name }), spec: z.looseObject({}) })),
    ),
  }),
  DaemonSet: workload({ updateStrategy: maybe(strategy), revisionHistoryLimit: maybe(count) }),
  // Of Argo Rollouts; the template may stand in another object (workloadRef).
  Rollout: object.extend({
    spec: z.looseObject({
      selector: maybe(selector),
      template: maybe(template),
      replicas: maybe(podCount),
      minReadySeconds: maybe(count),
      paused: maybe(z.boolean()),
      workloadRef: maybe(z.looseObject({ kind: maybe(text), name: maybe(text) })),
      strategy: maybe(
        z.looseObject({
          canary: maybe(
            z.looseObject({
              maxSurge: maybe(countOrPercent),
              maxUnavailable: maybe(countOrPercent),
              stableService: maybe(text),
              canaryService: maybe(text),
              steps: maybe(z.array(z.looseObject({ pause: maybe(z.looseObject({})) }))),
            }),
          ),
          blueGreen: maybe(
            z.looseObject({
              activeService: maybe(text),
              previewService: maybe(text),
              autoPromotionEnabled: maybe(z.boolean()),
              autoPromotionSeconds: maybe(count),
            }),
          ),
        }),
      ),
    }),
  }),
  Job: object.extend({ spec: z.looseObject({ template }) }),
  Pod: object.extend({ spec: podSpec }),
  Service: object.extend({
    spec: z.looseObject({
      type: maybe(z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'])),
      selector: maybe(texts),
      clusterIP: maybe(text),
      externalName: maybe(text),
      externalTrafficPolicy: maybe(z.enum(['Cluster', 'Local'])),
      internalTrafficPolicy: maybe(z.enum(['Cluster', 'Local'])),
      sessionAffinity: maybe(z.enum(['None', 'ClientIP'])),
      ports: maybe(
        z.array(
          z.looseObject({
            port: portNumber,
            name: maybe(text),
            protocol: maybe(text),
            targetPort: maybe(portOrName),
            nodePort: maybe(count.max(65_535)),
          }),
        ),
      ),
    }),
  }),
  ConfigMap: object.extend({ data: maybe(texts), binaryData: maybe(texts) }),
  Secret: object.extend({ data: maybe(texts), stringData: maybe(texts), type: maybe(text) }),
};

const shapeOf = (kind: unknown): z.ZodType =>
  (typeof kind === 'string' && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined) ?? object;

/** Everything that is wrong with the object's fields, as zod says it; none: it can be read. */
export function shapeIssues(value: unknown): readonly z.core.$ZodIssue[] {
  const { success, error } = shapeOf((value as { kind?: unknown }).kind).safeParse(value);
  return success ? [] : error.issues;
}
