// The groups of Kubernetes' tests that docs/embedded.md publishes, and why some of them do not pass here.
import type { E2eGroup } from './program.ts';

const conformance = (what: string) => `\\[${what}.*\\[Conformance\\]`;

const autoscaling = '\\[sig-autoscaling\\].*Horizontal pod autoscaling';

export const groups: readonly E2eGroup[] = [
  // DaemonSet and ControllerRevision tests label nodes: together, so that they take turns.
  { name: 'daemonset', focus: conformance('sig-apps\\] (Daemon set|ControllerRevision)'), limitMinutes: 15 },
  { name: 'deployment', focus: conformance('sig-apps\\] (Deployment|ReplicaSet)'), limitMinutes: 20 },
  { name: 'disruption', focus: conformance('sig-apps\\] DisruptionController'), limitMinutes: 10 },
  { name: 'statefulset', focus: conformance('sig-apps\\] StatefulSet'), limitMinutes: 30 },
  {
    name: 'replicationcontroller',
    focus: conformance('sig-apps\\] ReplicationController'),
    limitMinutes: 10,
  },
  { name: 'job', focus: conformance('sig-apps\\] Job'), limitMinutes: 20 },
  { name: 'cronjob', focus: conformance('sig-apps\\] CronJob'), limitMinutes: 25 },
  {
    name: 'lifecycle',
    focus: conformance(
      'sig-node\\] (Probing container|Pods|PreStop|Container Lifecycle Hook|Container Runtime|InitContainer)',
    ),
    limitMinutes: 40,
  },
  { name: 'endpoints', focus: '(terminating endpoints|EndpointSlice.*\\[Conformance\\])', limitMinutes: 25 },
  { name: 'services', focus: conformance('sig-network\\] Services'), limitMinutes: 40 },
  {
    name: 'autoscaling',
    focus: `${autoscaling} \\(scale resource: CPU\\) (Deployment \\((Pod|Container) Resource\\)|ReplicaSet|ReplicationController)`,
    limitMinutes: 90,
  },
  { name: 'autoscaling-behavior', focus: `${autoscaling} \\(non-default behavior\\)`, limitMinutes: 90 },
];

/** Under three minutes, without a network or a file system of a pod's own: what CI runs. */
export const fastGroup: E2eGroup = {
  name: 'fast',
  focus:
    '\\[sig-apps\\] (DisruptionController .*\\[Conformance\\]|ReplicationController should (get and update|test the lifecycle|surface)|CronJob should support CronJob API|Deployment (should have a working scale|Deployment should have a working scale|should validate Deployment Status)|ReplicaSet (Replicaset should have a working|should validate Replicaset Status|should list and delete)|Job should (delete a job|apply changes to a job status))',
  limitMinutes: 4,
};

/** By a part of the test's name; `none`: only where pods are processes of this machine. */
const reasons: readonly (readonly [part: RegExp, reason: string, isolation?: 'none'])[] = [
  [
    /fail health check node port/,
    'nobody asks the health check port of a Service of type LoadBalancer: there is no cloud',
  ],
  [
    /serve a basic image on each replica|terminating endpoints|EndpointSlices \[Conf|healthz http liveness|GRPC liveness|initial delay and never|PreStop should call|session affinity|functioning NodePort|(NodePort|ClusterIP) to External|endpoints? from pods/,
    'agnhost listens on all addresses, and these pods share those of this machine',
    'none',
  ],
  [
    /termination message (from file|if TerminationMessagePath)/,
    'the message is written to a path, and containers share this machine’s file system',
    'none',
  ],
  [
    /Horizontal pod autoscaling/,
    'the resource consumer’s controller is started by its path in the image, /agnhost, and containers share this machine’s file system',
    'none',
  ],
  [/same port and different protocols/, 'UDP: Services route TCP only, and others are refused by name'],
];

export const reasonFor = (name: string, isolation: 'auto' | 'none', message: string): string | undefined =>
  // What the emulated cluster refuses says why by itself.
  /Unsupported by the emulated cluster: ([^;]+)/.exec(message)?.[1] ??
  reasons.find(([part, , only]) => part.test(name) && (only ?? isolation) === isolation)?.[1];
