import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';

const light: ScenarioInput['load'] = [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 50 } }];
const hostname = 'kubernetes.io/hostname';
const selector = { matchLabels: { app: 'target' } };
const pod = (spec: Record<string, unknown>, deploymentSpec: Record<string, unknown> = {}) => ({
  kind: 'Deployment',
  patch: { spec: { ...deploymentSpec, template: { spec } } },
});
const oneMore = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
const round: NonNullable<ScenarioInput['steps']> = [{ step: 'restart' }, { step: 'wait', for: 'settled' }];

export const placementAffinity = defineScenario({
  id: 'placement-affinity',
  title: 'Preferred anti-affinity, rollout after rollout',
  question: 'Do pods pile up on nodes when old and new ones count together in the anti-affinity?',
  source: 'Rolling updates article: podAntiAffinity is evaluated with the old pods still there',
  group: 'rollout',
  needs: { nodes: 3 },
  target: {
    startMs: 500,
    patches: [
      pod(
        {
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 100, podAffinityTerm: { topologyKey: hostname, labelSelector: selector } },
              ],
            },
          },
        },
        oneMore,
      ),
    ],
  },
  settings: [],
  variants: ['only:readinessProbe'],
  load: light,
  steps: [...round, ...round, ...round],
  claims: [
    {
      id: 'starts-even',
      text: 'At first each of the three nodes carries one pod.',
      source: 'Kubernetes documentation: preferred anti-affinity',
      that: [{ measure: 'placementSkewStart', equals: 0 }],
    },
    {
      id: 'skew',
      text: 'After rollouts some node carries more pods than another.',
      source: 'Rolling updates article: the new pods are placed around the old ones',
      that: [{ measure: 'placementSkewEnd', atLeast: 1 }],
      expected: 'fails',
      because:
        'the ReplicaSet takes first the old pod whose node carries most pods of the Deployment: the one beside the new pod. That evens it out in every round (recorded on v1.34.4).',
    },
    {
      id: 'skew-meanwhile',
      text: 'While a rollout is going on, some node carries two.',
      source: 'Recorded on v1.34.4',
      that: [{ measure: 'podsPerNodeMax', equals: 2 }],
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

export const placementAlternatives = defineScenario({
  id: 'placement-alternatives',
  title: 'Topology spread with and without matchLabelKeys',
  question: 'Does a required topology spread let a rollout through?',
  source: 'Rolling updates article: alternatives to anti-affinity; KEP-3243',
  group: 'rollout',
  needs: { nodes: 3 },
  target: {
    startMs: 500,
    patches: [pod({ topologySpreadConstraints: [spread] }, { ...oneMore, progressDeadlineSeconds: 8 })],
  },
  settings: ['topologySpread'],
  variants: ['only:readinessProbe'],
  load: light,
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'failed-rollout', limitMs: 60_000 },
    {
      step: 'patch',
      patch: {
        spec: {
          template: {
            spec: { topologySpreadConstraints: [{ ...spread, matchLabelKeys: ['pod-template-hash'] }] },
          },
        },
      },
    },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'without-keys-sticks',
      text: 'Without matchLabelKeys old and new pods count together, a tainted node counts as empty: no room for the surge pod.',
      source: 'Recorded on v1.34.4',
      that: [
        { measure: 'progressDeadlineExceeded', equals: 1 },
        { measure: 'event:FailedScheduling', atLeast: 1 },
      ],
    },
    {
      id: 'with-keys-rolls',
      text: 'With matchLabelKeys each version is spread by itself, and the rollout goes through.',
      source: 'KEP-3243: matchLabelKeys in topology spread',
      that: [
        { measure: 'readyAtEnd', equals: 3 },
        { measure: 'updatedAtEnd', equals: 3 },
        { measure: 'placementSkewEnd', equals: 0 },
      ],
    },
    {
      id: 'safe-capacity',
      text: 'Three pods stay ready all the time.',
      source: 'Kubernetes documentation: maxUnavailable 0',
      that: [{ measure: 'minReady', equals: 3 }],
    },
  ],
});
