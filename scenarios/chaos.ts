import { defineScenario } from '../harness/model/scenario.ts';
import { baselineAfterStop, baselineBeforeListening, baselineLoses, hardenedSafe } from './claims.ts';

const article = 'Rolling updates article: pods also go outside rollouts';

/**
 * One pod starts. Until it is routed to it takes up to a second of the kubelet's and up to another of kube-proxy's, more on a
 * busy node: an app that listens after the usual 2 s would sometimes be in time.
 */
const slowStart = { startMs: 4000 };

export const podDelete = defineScenario({
  id: 'pod-delete',
  title: 'One pod is deleted',
  question: 'Does deleting a pod lose connections, and is there a moment with one pod too few?',
  source: article,
  group: 'connections',
  target: slowStart,
  steps: [
    { step: 'delete-pod', count: 1 },
    { step: 'wait', for: 'ready', atLeast: 3 },
  ],
  claims: [
    baselineLoses('a pod is deleted'),
    baselineBeforeListening,
    baselineAfterStop,
    hardenedSafe('a pod is deleted'),
    hardenedSafe('a pod is deleted', 'kept'),
    {
      id: 'one-too-few',
      text: 'A deletion does not wait for the replacement: one pod is missing, whatever maxUnavailable says.',
      source: 'Kubernetes documentation: ReplicaSet',
      that: [{ measure: 'minReady', equals: 2 }],
    },
  ],
});

export const forceDelete = defineScenario({
  id: 'force-delete',
  title: 'One pod is deleted by force',
  question: 'What do the settings save when a pod is deleted with --grace-period=0 --force?',
  source: 'Kubernetes documentation: forced pod termination',
  group: 'connections',
  target: slowStart,
  steps: [
    { step: 'delete-pod', count: 1, gracePeriodSeconds: 0 },
    { step: 'wait', for: 'ready', atLeast: 3 },
  ],
  claims: [
    baselineLoses('a pod is deleted by force'),
    baselineBeforeListening,
    {
      id: 'no-waiting',
      text: 'The pod object is gone at once: no preStop is waited for.',
      source: 'Kubernetes documentation: forced pod termination',
      that: [{ measure: 'terminationMsMax', atMost: 1000 }],
    },
    {
      id: 'hardened-loss',
      text: 'Losses that remain when preStop is cut short.',
      source: 'Measured here',
      appliesTo: { variant: 'hardened', lane: 'new' },
      that: [{ measure: 'lost' }],
    },
  ],
});

export const nodeDrain = defineScenario({
  id: 'node-drain',
  title: 'A node is drained',
  question: 'Does `kubectl drain` lose connections, and what does a PodDisruptionBudget change?',
  source: 'Kubernetes documentation: safely drain a node',
  group: 'connections',
  target: { replicas: 4 },
  settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'podDisruptionBudget'],
  variants: ['baseline', 'hardened', 'hardened+podDisruptionBudget'],
  needs: { nodes: 2 },
  steps: [{ step: 'drain-node', node: 'busiest' }, { step: 'wait', for: 'settled' }, { step: 'uncordon' }],
  claims: [
    baselineLoses('a node is drained'),
    baselineAfterStop,
    hardenedSafe('a node is drained'),
    hardenedSafe('a node is drained', 'kept'),
    {
      id: 'without-budget',
      text: 'Without a budget all pods of the node go at once.',
      source: 'Kubernetes documentation: disruption budgets',
      appliesTo: { variant: 'hardened' },
      that: [{ measure: 'minReady', atMost: 2 }],
    },
    {
      id: 'with-budget',
      text: 'With maxUnavailable 1 never more than one is missing; other evictions are refused until it is replaced.',
      source: 'Kubernetes documentation: disruption budgets',
      appliesTo: { variant: 'hardened+podDisruptionBudget' },
      that: [
        { measure: 'minReady', atLeast: 3 },
        { measure: 'evictionsRefused', atLeast: 1 },
      ],
    },
    {
      id: 'budget-safe',
      text: 'Nothing is lost with a budget either.',
      source: article,
      appliesTo: { variant: 'hardened+podDisruptionBudget' },
      that: [{ measure: 'lost', atMost: 0 }],
    },
    {
      id: 'skew-stays',
      text: 'Nothing moves back when the node is there again: the pods stay unevenly placed.',
      source: 'Kubernetes documentation: pods are not rescheduled',
      that: [{ measure: 'placementSkewEnd', atLeast: 2 }],
    },
  ],
});

export const crash = defineScenario({
  id: 'crash',
  title: 'A process crashes',
  question: 'What do the settings save when a container dies by itself?',
  source: article,
  group: 'connections',
  settings: ['readinessProbe'],
  steps: [
    { step: 'chaos', action: 'crash', count: 1 },
    { step: 'wait', for: 'time', ms: 1000 },
    { step: 'wait', for: 'ready', atLeast: 3 },
  ],
  claims: [
    {
      id: 'baseline-loses-new',
      text: 'Without the settings, connections are lost while the container is down and starts again.',
      source: article,
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'lost', atLeast: 1 }],
    },
    {
      id: 'hardened-loses-new',
      text: 'No setting saves what a crash cuts off: connections are lost until the endpoint is taken out.',
      source: article,
      appliesTo: { variant: 'hardened', lane: 'new' },
      that: [{ measure: 'lost', atLeast: 1 }],
    },
    {
      id: 'restarts-in-place',
      text: 'The container is started again in the same pod; no new pod is made.',
      source: 'Kubernetes documentation: restartPolicy Always',
      that: [
        { measure: 'restarts', equals: 1 },
        { measure: 'podsCreated', equals: 0 },
      ],
    },
  ],
});
