import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';

const light: ScenarioInput['load'] = [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 50 } }];
const hostname = 'kubernetes.io/hostname';
const selector = { matchLabels: { app: 'target' } };
const pod = (spec: Record<string, unknown>, deploymentSpec: Record<string, unknown> = {}) => ({
  kind: 'Deployment',
  patch: { spec: { ...deploymentSpec, template: { spec } } },
});
const oneMore = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
const steps = (...list: NonNullable<ScenarioInput['steps']>) => list;
/** A new image, until the last old pod is gone. */
const round = (image: 'current' | 'next' | 'third') =>
  steps({ step: 'set-image', image }, { step: 'wait', for: 'settled' });

/** Something that the pods want to be near to, one pod per node at most. */
const cache = (replicas: number): NonNullable<NonNullable<ScenarioInput['target']>['extra']>[number] => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'cache' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'cache' } },
    template: {
      metadata: { labels: { app: 'cache' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: hostname, labelSelector: { matchLabels: { app: 'cache' } } },
            ],
          },
        },
        containers: [{ name: 'cache', image: 'current', imagePullPolicy: 'IfNotPresent' }],
      },
    },
  },
});

/** As the article has it: beside a cache pod whatever happens, away from each other where possible. */
const besideCache = (replicas: number): ScenarioInput['target'] => ({
  startMs: 500,
  extra: [cache(replicas)],
  patches: [
    pod(
      {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: hostname, labelSelector: { matchLabels: { app: 'cache' } } },
            ],
          },
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 100, podAffinityTerm: { topologyKey: hostname, labelSelector: selector } },
            ],
          },
        },
        // A pod that terminates still counts for anti-affinity: long enough that each next pod sees it.
        containers: [{ name: 'target', lifecycle: { preStop: { sleep: { seconds: 2 } } } }],
      },
      oneMore,
    ),
  ],
});
const cacheOn = (replicas: number) =>
  steps(
    { step: 'patch', kind: 'Deployment', name: 'cache', patch: { spec: { replicas } } },
    { step: 'wait', for: 'replicas', of: 'beside', atLeast: replicas, atMost: replicas },
    { step: 'wait', for: 'ready', of: 'beside', atLeast: replicas },
    { step: 'wait', for: 'no-terminating', of: 'beside' },
  );

const article = 'Rolling updates article: the new pods are placed around the old ones';
const everyNode = 'cache-on-every-node';
const oneNode = 'cache-on-one-node';
const moves = 'cache-comes-and-goes';

export const placementAffinity = defineScenario({
  id: 'placement-affinity',
  title: 'Beside a cache, away from each other, rollout after rollout',
  question: 'Do pods pile up on nodes when old and new ones count together in the anti-affinity?',
  source:
    'Rolling updates article: podAffinity and podAntiAffinity are evaluated with the old pods still there',
  group: 'rollout',
  needs: { nodes: 3, alone: true },
  settings: [],
  target: besideCache(3),
  load: light,
  steps: [...round('next'), ...round('third'), ...round('current')],
  variants: [everyNode, oneNode, moves],
  cases: {
    [everyNode]: {
      title: 'A cache pod on each of three nodes: three rollouts',
      settings: ['readinessProbe'],
    },
    [oneNode]: {
      title: 'One cache pod: three rollouts',
      settings: ['readinessProbe'],
      target: besideCache(1),
    },
    [moves]: {
      title: 'Three cache pods, then one, a rollout, three again, a rollout',
      settings: ['readinessProbe'],
      steps: [...cacheOn(1), ...round('next'), ...cacheOn(3), ...round('third')],
    },
  },
  claims: [
    {
      id: 'starts-even',
      text: 'With a cache on each of three nodes, each carries one pod at first.',
      source: 'Kubernetes documentation: preferred anti-affinity',
      appliesTo: { variant: everyNode },
      that: [{ measure: 'placementSkewStart', equals: 0 }],
    },
    {
      id: 'skew',
      text: 'After a rollout some node carries more pods than another.',
      source: article,
      appliesTo: { variant: everyNode },
      that: [{ measure: 'placementSkewSettledMax', atLeast: 1 }],
      expected: 'fails',
      because:
        'the ReplicaSet takes first the old pod whose node carries most pods of the Deployment, the one beside the new pod, and the next new pod keeps away from nodes that have a pod of its own version. That evens it out in every round (recorded on v1.34.4, too).',
    },
    {
      id: 'skew-meanwhile',
      text: 'While a rollout is going on, some node carries two.',
      source: 'Recorded on v1.34.4',
      appliesTo: { variant: everyNode },
      that: [{ measure: 'podsPerNodeMax', equals: 2 }],
    },
    {
      id: 'affinity-wins',
      text: 'Beside a single cache all three pods are on its node, and no rollout changes that: required affinity beats preferred anti-affinity.',
      source: 'Kubernetes documentation: required and preferred affinity',
      appliesTo: { variant: oneNode },
      that: [{ measure: 'placements', equals: '3/0/0, 3/0/0, 3/0/0, 3/0/0' }],
    },
    {
      id: 'skew-comes-with-the-rollout',
      text: 'When the cache shrinks to one node, the pods stay where they are until the next rollout moves all of them there.',
      source: 'Kubernetes documentation: ignored during execution',
      appliesTo: { variant: moves },
      that: [
        { measure: 'placementSkewStart', equals: 0 },
        { measure: 'placementSkewSettledMax', equals: 3 },
      ],
    },
    {
      id: 'skew-stays',
      text: 'When the cache is on every node again, one more rollout does not even it out: a node stays without a pod.',
      source:
        'Kubernetes source: anti-affinity counts pods that terminate; the last old pod is on the node that the new ones left',
      appliesTo: { variant: moves },
      that: [{ measure: 'placements', equals: '1/1/1, 3/0/0, 2/1/0' }],
    },
    {
      id: 'safe-capacity',
      text: 'Three pods stay ready all the time.',
      source: 'Kubernetes documentation: maxUnavailable 0',
      that: [{ measure: 'minReady', equals: 3 }],
    },
  ],
});

export const placementRequired = defineScenario({
  id: 'placement-required',
  title: 'Required anti-affinity on full nodes',
  question: 'Can a rollout with surge go on when every node already carries a pod and may carry but one?',
  source: 'Rolling updates article: required anti-affinity blocks the surge',
  group: 'rollout',
  needs: { nodes: 3 },
  target: {
    startMs: 500,
    patches: [
      pod(
        {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: hostname, labelSelector: selector },
              ],
            },
          },
        },
        { progressDeadlineSeconds: 8 },
      ),
    ],
  },
  settings: ['surge', 'noSurge'],
  variants: ['readinessProbe+surge', 'readinessProbe+noSurge'],
  load: light,
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'time', ms: 14_000 },
    { step: 'history', as: 'after' },
    { step: 'rollback' },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'surge-blocks',
      text: 'The surge pod finds no node: the rollout stands still until its deadline.',
      source: 'Kubernetes documentation: required anti-affinity',
      appliesTo: { variant: 'readinessProbe+surge' },
      that: [
        { measure: 'progressDeadlineExceeded', equals: 1 },
        { measure: 'event:FailedScheduling', atLeast: 1 },
        { measure: 'minReady', equals: 3 },
      ],
    },
    {
      id: 'no-surge-moves',
      text: 'Taking one away first lets it go on, at the price of one ready pod.',
      source: 'Kubernetes documentation: maxSurge 0',
      appliesTo: { variant: 'readinessProbe+noSurge' },
      that: [
        { measure: 'progressDeadlineExceeded', equals: 0 },
        { measure: 'minReady', equals: 2 },
        { measure: 'podsCreated', atLeast: 6 },
      ],
    },
  ],
});

const spread = {
  maxSkew: 1,
  topologyKey: hostname,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: selector,
};
const spreadPods = (
  constraint: Record<string, unknown>,
  deploymentSpec: Record<string, unknown>,
): ScenarioInput['target'] => ({
  startMs: 500,
  patches: [pod({ topologySpreadConstraints: [constraint] }, deploymentSpec)],
});
const withoutKeys = 'spread';
const withKeys = 'spread-by-version';
const recreated = 'recreate';
const perNode = 'daemon-set';

export const placementAlternatives = defineScenario({
  id: 'placement-alternatives',
  title: 'One pod per node: topology spread, Recreate, DaemonSet',
  question: 'Which ways to have one pod on each node let a rollout through, and at what price?',
  source: 'Rolling updates article: alternatives to anti-affinity; KEP-3243',
  group: 'rollout',
  needs: { nodes: 3, alone: true },
  settings: [],
  load: light,
  steps: round('next'),
  variants: [withoutKeys, withKeys, recreated, perNode],
  cases: {
    [withoutKeys]: {
      title: 'Required topology spread, old and new pods counted together, then undone',
      settings: ['readinessProbe'],
      target: spreadPods(spread, { ...oneMore, progressDeadlineSeconds: 8 }),
      steps: [
        { step: 'set-image', image: 'next' },
        { step: 'wait', for: 'failed-rollout', limitMs: 60_000 },
        { step: 'rollback' },
        { step: 'wait', for: 'settled' },
      ],
    },
    [withKeys]: {
      title: 'The same with matchLabelKeys: each version counted by itself',
      settings: ['readinessProbe'],
      target: spreadPods({ ...spread, matchLabelKeys: ['pod-template-hash'] }, oneMore),
    },
    [recreated]: {
      title: 'The same spread as the first, all old pods gone before the first new one',
      settings: ['readinessProbe'],
      target: spreadPods(spread, { strategy: { type: 'Recreate' } }),
    },
    [perNode]: {
      title: 'A DaemonSet: one pod per node by its nature, replaced node by node',
      settings: ['readinessProbe'],
      target: { startMs: 500, workload: 'DaemonSet' },
    },
  },
  claims: [
    {
      id: 'without-keys-sticks',
      text: 'Without matchLabelKeys old and new pods count together, a tainted node counts as empty: no room for the surge pod.',
      source: 'Recorded on v1.34.4',
      appliesTo: { variant: withoutKeys },
      that: [
        { measure: 'progressDeadlineExceeded', equals: 1 },
        {
          measure: 'eventMessage:FailedScheduling',
          contains: "didn't match pod topology spread constraints",
        },
        { measure: 'minReady', equals: 3 },
      ],
    },
    {
      id: 'with-keys-rolls',
      text: 'With matchLabelKeys each version is spread by itself: the rollout goes through, three pods stay ready, one per node at the end.',
      source: 'KEP-3243: matchLabelKeys in topology spread',
      appliesTo: { variant: withKeys },
      that: [
        { measure: 'updatedAtEnd', equals: 3 },
        { measure: 'minReady', equals: 3 },
        { measure: 'placements', equals: '1/1/1, 1/1/1' },
      ],
    },
    {
      id: 'recreate-rolls',
      text: 'Recreate gets the first spread through, since old and new pods are never there together; for a time nothing serves.',
      source: 'Kubernetes documentation: Recreate',
      appliesTo: { variant: recreated },
      that: [
        { measure: 'updatedAtEnd', equals: 3 },
        { measure: 'minReady', equals: 0 },
        { measure: 'podsPerNodeMax', equals: 1 },
        { measure: 'placements', equals: '1/1/1, 1/1/1' },
      ],
    },
    {
      id: 'recreate-outage',
      text: 'With Recreate, clients are refused meanwhile.',
      source: 'Kubernetes documentation: Recreate',
      appliesTo: { variant: recreated, lane: 'new' },
      that: [{ measure: 'cause:no-endpoint', atLeast: 1 }],
    },
    {
      id: 'daemon-set-rolls',
      text: 'A DaemonSet never has two pods on a node: each rollout takes one node after the other, at the price of one ready pod.',
      source: 'Recorded on v1.34.4: DaemonSet, maxUnavailable 1',
      appliesTo: { variant: perNode },
      that: [
        { measure: 'podsPerNodeMax', equals: 1 },
        { measure: 'minReady', equals: 2 },
        { measure: 'placements', equals: '1/1/1, 1/1/1' },
      ],
    },
  ],
});
