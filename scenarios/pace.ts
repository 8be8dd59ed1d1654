import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';

const documentation = 'Kubernetes documentation: rolling update, maxSurge and maxUnavailable';
const light: ScenarioInput['load'] = [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 50 } }];
const rolloutWithin = (limitMs: number): NonNullable<ScenarioInput['steps']> => [
  { step: 'set-image', image: 'next' },
  { step: 'wait', for: 'rollout', limitMs },
];
const rollout = rolloutWithin(240_000);
const strategy = (maxSurge: number | string, maxUnavailable: number | string) => ({
  kind: 'Deployment',
  patch: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } } },
});

export const fencePosts = defineScenario({
  id: 'fence-posts',
  title: 'Between maxSurge and maxUnavailable: 8 replicas, 25 % and 25 %',
  question: 'Does a rollout keep within 125 % and 75 % of the wanted number of pods?',
  source: 'Rolling updates article: never more than 10 and never fewer than 6 of 8',
  group: 'rollout',
  target: { replicas: 8, startMs: 1000, patches: [strategy('25%', '25%')] },
  settings: [],
  variants: ['readinessProbe+preStop'],
  load: light,
  steps: [
    {
      step: 'expect-refusal',
      patch: { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
      message: 'may not be 0 when `maxSurge` is 0',
    },
    ...rollout,
  ],
  claims: [
    {
      id: 'both-zero',
      text: 'maxSurge 0 with maxUnavailable 0 is refused.',
      source: documentation,
      that: [{ measure: 'refusalsAsExpected', equals: 1 }],
    },
    {
      id: 'never-more-than-10',
      text: 'Never more than 10 pods that are not terminating.',
      source: documentation,
      that: [{ measure: 'maxPodsNotTerminating', atLeast: 9, atMost: 10 }],
    },
    {
      id: 'never-fewer-than-6',
      text: 'Never fewer than 6 ready pods.',
      source: documentation,
      that: [{ measure: 'minReady', atLeast: 6 }],
    },
    {
      id: 'at-most-10-in-all',
      text: 'Never more than 10 pods in all.',
      source: 'Rolling updates article: the sum of old and new pods is at most 10',
      that: [{ measure: 'maxPods', atMost: 10 }],
      expected: 'fails',
      because: 'terminating pods are not counted by the rollout and come on top (up to 14 recorded).',
    },
  ],
});

export const fencePostsPercent = defineScenario({
  id: 'fence-posts-percent',
  title: 'Percentages that do not come out even: 39 % of 10',
  question: 'Which way are maxSurge and maxUnavailable rounded?',
  source: documentation,
  group: 'rollout',
  target: { replicas: 10, startMs: 500, patches: [strategy('39%', '39%')] },
  settings: [],
  variants: ['only:readinessProbe'],
  load: light,
  steps: rollout,
  claims: [
    {
      id: 'surge-rounds-up',
      text: 'maxSurge rounds up: 39 % of 10 is 4.',
      source: documentation,
      that: [{ measure: 'maxPodsNotTerminating', equals: 14 }],
    },
    {
      id: 'unavailable-rounds-down',
      text: 'maxUnavailable rounds down: 39 % of 10 is 3.',
      source: documentation,
      that: [{ measure: 'minReady', atLeast: 7 }],
    },
  ],
});

export const fencePostsWhole = defineScenario({
  id: 'fence-posts-whole',
  title: 'Whole numbers: one pod more, or one pod fewer',
  question: 'What do surge 1 with unavailable 0, and surge 0 with unavailable 1, keep?',
  source: documentation,
  group: 'rollout',
  target: { startMs: 1000, patches: [] },
  settings: ['surge', 'noSurge'],
  variants: ['readinessProbe+surge', 'readinessProbe+noSurge'],
  load: light,
  steps: rollout,
  claims: [
    {
      id: 'surge-adds-first',
      text: '1/0: never fewer than three ready, never more than four.',
      source: documentation,
      appliesTo: { variant: 'readinessProbe+surge' },
      that: [
        { measure: 'minReady', atLeast: 3 },
        { measure: 'maxPodsNotTerminating', equals: 4 },
      ],
    },
    {
      id: 'no-surge-takes-first',
      text: '0/1: never more than three, one is missing.',
      source: documentation,
      appliesTo: { variant: 'readinessProbe+noSurge' },
      that: [
        { measure: 'minReady', equals: 2 },
        { measure: 'maxPodsNotTerminating', equals: 3 },
      ],
    },
  ],
});

export const fencePostsBoth = defineScenario({
  id: 'fence-posts-both',
  title: 'Template and number of replicas change together',
  question: 'Which number of replicas counts when both change at once?',
  source: 'Rolling updates article: the new specification counts',
  group: 'rollout',
  target: { replicas: 4, startMs: 1000, patches: [strategy('25%', '25%')] },
  settings: [],
  variants: ['only:readinessProbe'],
  load: light,
  steps: [
    {
      step: 'patch',
      patch: { spec: { replicas: 8, template: { metadata: { annotations: { release: '2' } } } } },
    },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'new-number-counts',
      text: 'The new number counts for the maximum: 8 and a quarter are 10.',
      source: documentation,
      that: [{ measure: 'maxPodsAsked', equals: 10 }],
    },
    {
      id: 'at-least-six-ready',
      text: 'Never fewer than 75 % of the new number are ready.',
      source: 'Rolling updates article: at least 75 % of the wanted number',
      that: [{ measure: 'minReady', atLeast: 6 }],
      expected: 'fails',
      because:
        'the four pods that there were are all that is ready at first; the minimum bounds what a rollout takes away, it makes no pod ready sooner.',
    },
    {
      id: 'keeps-what-is-there',
      text: 'None of the four ready pods is taken away before enough others are ready.',
      source: documentation,
      that: [{ measure: 'minReady', atLeast: 4 }],
    },
  ],
});

export const scaleDuringRollout = defineScenario({
  id: 'scale-during-rollout',
  title: 'Scaling down while a rollout is going on',
  question: 'Is the minimum of ready pods kept when the number changes in mid-rollout?',
  source: 'Kubernetes documentation: proportional scaling',
  group: 'rollout',
  target: { replicas: 10, startMs: 1000, patches: [strategy(3, 2)] },
  settings: [],
  variants: ['only:readinessProbe'],
  load: light,
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'updated', atLeast: 3 },
    { step: 'scale', replicas: 5 },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'ends-with-five',
      text: 'It ends with five pods of the new version.',
      source: 'Kubernetes documentation: proportional scaling',
      that: [
        { measure: 'readyAtEnd', equals: 5 },
        { measure: 'updatedAtEnd', equals: 5 },
      ],
    },
    {
      id: 'minimum-is-a-wish',
      text: 'How few were ready: the minimum of three is computed from what the controller last saw, no guarantee.',
      source: 'Recorded on v1.34.4: a stale status scaled down one step too early',
      that: [{ measure: 'minReady' }],
    },
    {
      id: 'maximum',
      text: 'Never more than the old number and its surge.',
      source: documentation,
      that: [{ measure: 'maxPodsAsked', atMost: 13 }],
    },
  ],
});

export const threeByOne = defineScenario({
  id: 'three-by-one',
  title: 'Three replicas, one at a time',
  question: 'Which steps does a rollout with surge 1 and unavailable 0 take?',
  source: 'Rolling updates article: 3 replicas, maxSurge 1, maxUnavailable 0',
  group: 'rollout',
  target: { patches: [strategy(1, 0)] },
  settings: [],
  variants: ['readinessProbe+preStop'],
  load: light,
  steps: rollout,
  claims: [
    {
      id: 'steps',
      text: 'One new pod, one old pod fewer, three times over.',
      source: 'Rolling updates article; recorded on v1.34.4',
      that: [{ measure: 'scaleSteps', equals: 'rs2 0>1, rs1 3>2, rs2 1>2, rs1 2>1, rs2 2>3, rs1 1>0' }],
    },
    {
      id: 'three-to-four',
      text: 'Three are always ready, four are never exceeded (terminating ones apart).',
      source: documentation,
      that: [
        { measure: 'minReady', equals: 3 },
        { measure: 'maxPodsNotTerminating', equals: 4 },
      ],
    },
    {
      id: 'picture',
      text: 'Ready, not ready and terminating pods, each time one of them changes.',
      source: 'Measured here',
      that: [{ measure: 'podCounts' }],
    },
  ],
});

/** Items per second: five warm consumers can do 50. */
const workload = { enqueuePerSecond: 35, coldPerSecond: 1, warmPerSecond: 10 };
/** Tells a workload that keeps up over the whole rollout from one that does not: short stalls of a machine even out. */
const nearlyAll = 0.9 * workload.enqueuePerSecond;
/** Items that wait: of a second's work, and at most so many when a busy machine stalls. */
const secondsWork = workload.enqueuePerSecond;
const stall = 2.5 * workload.enqueuePerSecond;

/** `seconds`: minReadySeconds; each of the five pods waits for it, and is warm by then. */
function slowRolloutFields(seconds: number, warmUpMs: number) {
  const atOnce = 'readinessProbe+gracefulShutdown';
  const slowly = `${atOnce}+surge=1+minReadySeconds=${seconds}`;
  const article = 'Rolling updates article: a workload that pulls from a queue, rolled out slowly';
  return {
    target: { replicas: 5, startMs: 1000, queue: { ...workload, warmUpMs } },
    variants: [atOnce, slowly],
    // Until the first five are warm and at work.
    warmUpMs: warmUpMs + 5000,
    steps: [
      ...rolloutWithin(600_000),
      // Without minReadySeconds the rollout is over while the new pods are cold: the backlog is still growing.
      { step: 'wait', for: 'time', ms: warmUpMs },
    ],
    claims: [
      {
        id: 'one-after-another',
        text: `Five pods one after another, each ready for ${seconds} s: the rollout takes at least ${5 * seconds} s.`,
        source: 'Rolling updates article: minReadySeconds 60 with five replicas takes five minutes',
        appliesTo: { variant: slowly },
        that: [{ measure: 'rolloutMs', atLeast: 5 * seconds * 1000 }],
      },
      {
        id: 'work-goes-on',
        text: 'Each new consumer is warm before the next old one goes: work is done as fast as it comes in, and hardly any waits.',
        source: article,
        appliesTo: { variant: slowly },
        that: [
          { measure: 'processedPerSecondInRollout', atLeast: nearlyAll },
          { measure: 'maxBacklog', atMost: stall },
          { measure: 'processedPerSecondMin' },
        ],
        builtInOnly: true,
      },
      {
        id: 'work-piles-up',
        text: 'With the default settings all are replaced by cold ones within seconds: less is done than comes in, and more than a second’s work piles up.',
        source: article,
        appliesTo: { variant: atOnce },
        that: [
          { measure: 'processedPerSecondInRollout', atMost: nearlyAll },
          { measure: 'maxBacklog', atLeast: secondsWork },
          { measure: 'processedPerSecondMin' },
        ],
        builtInOnly: true,
      },
      {
        id: 'nothing-undone',
        text: 'No item is lost or done twice: a consumer finishes what it has in hand.',
        source: 'Measured here',
        that: [
          { measure: 'itemsReturned', equals: 0 },
          { measure: 'itemsRejected', equals: 0 },
        ],
        builtInOnly: true,
      },
      {
        id: 'endpoint-at-once',
        text: 'A pod is an endpoint of the Service as soon as it is ready, whatever minReadySeconds says.',
        source: 'Kubernetes documentation: minReadySeconds; recorded on v1.34.4',
        that: [{ measure: 'endpointAfterReadyMsMax', atMost: 1500 }],
      },
      {
        id: 'traffic-at-once',
        text: `The Service sends it traffic at once, not ${seconds} s later.`,
        source: 'Kubernetes documentation: minReadySeconds',
        appliesTo: { variant: slowly },
        that: [{ measure: 'firstAnswerAfterReadyMsMax', atMost: 3000 }],
      },
      {
        id: 'capacity',
        text: 'All five stay ready throughout.',
        source: documentation,
        appliesTo: { variant: slowly },
        that: [{ measure: 'minReady', atLeast: 5 }],
      },
    ],
  } satisfies Partial<ScenarioInput>;
}

export const slowRollout = defineScenario(
  {
    id: 'slow-rollout',
    title: 'A rollout slowed down by minReadySeconds',
    question:
      'What does minReadySeconds cost and save a workload that warms up, and does it hold back traffic?',
    source: 'Rolling updates article: minReadySeconds 60, maxSurge 1, maxUnavailable 0',
    group: 'rollout',
    settings: ['surge', 'minReadySeconds'],
    load: light,
    limitMs: 700_000,
    ...slowRolloutFields(60, 30_000),
  },
  slowRolloutFields(12, 10_000),
);
