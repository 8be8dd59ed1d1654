import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import { baselineBeforeListening, baselineLoses, hardenedSafe } from './claims.ts';
import { shorter } from './profile.ts';

const quietRate = 2;
const busyRate = 30;
const documentation = 'Kubernetes documentation: HorizontalPodAutoscaler';
/** Scale-down waits 300 s by default; nothing about connections depends on it. */
const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } };
/**
 * Two lanes of 30/s at 2 ms and what HTTP costs: about 0.17 cores, more than three pods may use at 50 % of 80m. One pod
 * alone has to answer its readinessProbe all the while, on a busy machine too: one that does not is no endpoint, and no
 * figure for the autoscaler.
 */
const request: NonNullable<NonNullable<ScenarioInput['target']>['patches']> = [
  {
    kind: 'Deployment',
    patch: {
      spec: {
        template: { spec: { containers: [{ name: 'target', resources: { requests: { cpu: '80m' } } }] } },
      },
    },
  },
];

export const autoscale = defineScenario(
  {
    id: 'autoscale',
    title: 'An autoscaler adds and removes pods',
    question: 'Does a HorizontalPodAutoscaler lose connections on the way up and on the way down?',
    source: 'Rolling updates article: change the number of replicas; HorizontalPodAutoscaler',
    group: 'connections',
    target: { replicas: 1, cpuMs: 2, patches: request },
    load: [
      { lane: 'new', rate: { shape: 'constant', ratePerSecond: quietRate } },
      { lane: 'kept', connections: 10, rate: { shape: 'constant', ratePerSecond: quietRate } },
    ],
    needs: { metrics: true },
    limitMs: 420_000,
    steps: [
      { step: 'autoscale', min: 1, max: 3, cpuPercent: 50, behavior },
      { step: 'load-rate', ratePerSecond: busyRate },
      { step: 'wait', for: 'ready', atLeast: 3, limitMs: 180_000 },
      { step: 'wait', for: 'time', ms: 2000 },
      { step: 'load-rate', ratePerSecond: quietRate },
      { step: 'wait', for: 'replicas', atMost: 1, limitMs: 180_000 },
      { step: 'wait', for: 'settled' },
    ],
    claims: [
      baselineLoses('the autoscaler adds and removes pods'),
      baselineBeforeListening,
      hardenedSafe('the autoscaler adds and removes pods'),
      hardenedSafe('the autoscaler adds and removes pods', 'kept'),
      {
        id: 'up-and-down',
        text: 'The autoscaler goes from one pod to three and back to one.',
        source: documentation,
        that: [
          { measure: 'desiredMax', equals: 3 },
          { measure: 'desiredEnd', equals: 1 },
        ],
      },
      {
        id: 'time-to-scale',
        text: 'How long it takes from the load to the wish for most pods, by the cycle of metrics and autoscaler.',
        source: 'Measured here',
        that: [{ measure: 'peakMs' }],
      },
    ],
  },
  shorter,
);

const reapplied = (spec: object): NonNullable<ScenarioInput['steps']> => [
  { step: 'apply', manifest: { apiVersion: 'apps/v1', kind: 'Deployment', spec } },
  { step: 'wait', for: 'replicas', atMost: 1 },
  { step: 'wait', for: 'ready', atLeast: 3 },
];

export const autoscaleReapply = defineScenario({
  id: 'autoscale-reapply',
  title: 'Applying spec.replicas fights the autoscaler',
  question: 'What happens when a manifest that carries spec.replicas is applied again under an autoscaler?',
  source: 'Kubernetes documentation: migrating Deployments to horizontal autoscaling',
  group: 'connections',
  settings: ['readinessProbe', 'preStop', 'gracefulShutdown'],
  steps: [
    { step: 'autoscale', min: 3, max: 4, cpuPercent: 1000, behavior },
    { step: 'wait', for: 'time', ms: 2000 },
    ...reapplied({ replicas: 1 }),
    // What the last manifest said and this one leaves out is taken away, and the API server's default is 1.
    ...reapplied({}),
    {
      step: 'apply',
      manifest: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        spec: { template: { metadata: { annotations: { release: '2' } } } },
      },
    },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    baselineLoses('the manifest is applied'),
    hardenedSafe('the manifest is applied'),
    hardenedSafe('the manifest is applied', 'kept'),
    {
      id: 'falls-to-the-manifest',
      text: 'Applying replicas 1 takes two of three pods away, until the autoscaler looks again and brings them back.',
      source: 'Kubernetes documentation: migrating Deployments to horizontal autoscaling',
      that: [
        { measure: 'minReady', equals: 1 },
        { measure: 'specReplicas', equals: '3>1>3>1>3' },
      ],
    },
    {
      id: 'falls-once-more',
      text: 'Leaving spec.replicas out of the manifest takes them away once more: what was applied before is removed, and the default is 1.',
      source: 'Kubernetes documentation: migrating Deployments to horizontal autoscaling',
      that: [{ measure: 'specReplicas', equals: '3>1>3>1>3' }],
    },
    {
      id: 'stays-without-replicas',
      text: 'From then on, applied without spec.replicas, the number stays the autoscaler’s.',
      source: 'Kubernetes documentation: migrating Deployments to horizontal autoscaling',
      that: [{ measure: 'specReplicasEnd', equals: 3 }],
    },
  ],
});
