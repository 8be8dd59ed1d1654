// Setting: a readinessProbe of type grpc on the serving container.
import type { Setting, SettingContext } from '../model/setting.ts';
import { switchOn } from './app-switch.ts';
import { atLeast } from './kubernetes-version.ts';
import {
  type ContainerDraft,
  everyWorkload,
  findWorkload,
  patchWorkload,
  servingContainer,
} from './workload.ts';

/** From v1.24 on without a feature gate (KEP-2727). */
const SINCE_MINOR = 24;

export const grpcProbe: Setting = {
  name: 'grpcProbe',
  title: 'readinessProbe of type grpc',
  why: 'An app that speaks gRPC alone has no path to ask: the kubelet calls the standard health service (grpc.health.v1.Health/Check) itself, and routes to the pod only when it answers SERVING. A TCP probe would take an open port for an app that can serve.',
  changes: 'manifest',
  appliesTo: everyWorkload,
  conflictsWith: ['readinessProbe'],
  apply: (manifests, context) => {
    const serving = servingContainer(findWorkload(manifests, context), context);
    if (serving.readinessProbe) return { unchanged: 'it has a readinessProbe already' };
    if (!atLeast(context.kubernetesVersion, 1, SINCE_MINOR))
      return { cannot: `probes of type grpc need Kubernetes v1.${SINCE_MINOR}` };
    const port = numberOf(serving, context);
    if (port === undefined)
      return {
        cannot: `a probe of type grpc needs the port's number, and no port of the container is named ${context.health.port}`,
      };
    const switched = context.appSwitches && switchOn(manifests, context, context.appSwitches.grpcProbe);
    const spoken = switched && 'manifests' in switched ? switched.manifests : manifests;
    return {
      manifests: patchWorkload(spoken, context, (_, container) => {
        container.readinessProbe = { grpc: { port }, periodSeconds: 1, failureThreshold: 3 };
      }),
    };
  },
};

/** Other probes may name their port. */
function numberOf({ ports }: ContainerDraft, { health }: SettingContext): number | undefined {
  if (typeof health.port === 'number') return health.port;
  return ports?.find(({ name }) => name === health.port)?.containerPort;
}
