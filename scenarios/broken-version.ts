import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import { baselineBeforeListening, baselineLoses, hardenedSafe } from './claims.ts';

/** A deadline that a run can wait for; the default is 600 s. */
const deadline = (seconds: number): NonNullable<NonNullable<ScenarioInput['target']>['patches']> => [
  { kind: 'Deployment', patch: { spec: { progressDeadlineSeconds: seconds } } },
];
const documentation = 'Kubernetes documentation: failed Deployment';

export const badImage = defineScenario({
  id: 'bad-image',
  title: 'A new version whose image does not exist',
  question: 'What does a rollout that cannot pull its image cost, and does undo recover?',
  source: 'Rolling updates article: a failed rollout is undone',
  group: 'connections',
  target: { replicas: 4, patches: deadline(8) },
  settings: ['surge', 'preStop', 'readinessProbe'],
  steps: [
    { step: 'set-image', image: 'missing' },
    { step: 'wait', for: 'failed-rollout', limitMs: 60_000 },
    { step: 'rollback' },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    baselineLoses('a broken version is rolled out and undone'),
    baselineBeforeListening,
    hardenedSafe('a broken version is rolled out and undone'),
    hardenedSafe('a broken version is rolled out and undone', 'kept'),
    {
      id: 'stops-at-deadline',
      text: 'The rollout stops and says so at its progress deadline.',
      source: documentation,
      that: [{ measure: 'progressDeadlineExceeded', equals: 1 }],
    },
    {
      id: 'baseline-capacity',
      text: 'With maxUnavailable 25 % of four, one ready pod is taken away although nothing replaces it.',
      source: 'Kubernetes documentation: maxUnavailable 25 %',
      appliesTo: { variant: 'baseline' },
      that: [{ measure: 'minReady', equals: 3 }],
    },
    {
      id: 'hardened-capacity',
      text: 'With maxUnavailable 0 all four old pods stay.',
      source: 'Kubernetes documentation: maxUnavailable 0',
      appliesTo: { variant: 'hardened' },
      that: [{ measure: 'minReady', equals: 4 }],
    },
    {
      id: 'undo-recovers',
      text: 'Undo brings back four ready pods.',
      source: 'Kubernetes documentation: rolling back',
      that: [{ measure: 'readyAtEnd', equals: 4 }],
    },
  ],
});

export const neverReady = defineScenario({
  id: 'never-ready',
  title: 'A new version that starts and never listens',
  question: 'Who notices that a new version never gets able to serve?',
  source: 'Rolling updates article: readinessProbe',
  group: 'connections',
  target: { replicas: 4, patches: deadline(8) },
  settings: ['readinessProbe', 'surge'],
  steps: [
    { step: 'set-env', env: { START_MS: '600000' } },
    { step: 'wait', for: 'time', ms: 11_000 },
    { step: 'rollback' },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    baselineLoses('the new version does not listen'),
    hardenedSafe('the new version does not listen'),
    hardenedSafe('the new version does not listen', 'kept'),
    {
      id: 'baseline-outage',
      text: 'Without a readinessProbe the rollout takes it for success: nothing is served until it is undone.',
      source: 'Rolling updates article, cause (a)',
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'longestOutageMs', atLeast: 4000 }],
      builtInOnly: true,
    },
    {
      id: 'baseline-does-not-notice',
      text: 'Without a readinessProbe the Deployment never says that it failed.',
      source: documentation,
      appliesTo: { variant: 'baseline' },
      that: [{ measure: 'progressDeadlineExceeded', equals: 0 }],
      builtInOnly: true,
    },
    {
      id: 'hardened-stops',
      text: 'With it the rollout stops at its deadline, and all four old pods stay.',
      source: documentation,
      appliesTo: { variant: 'hardened' },
      that: [
        { measure: 'progressDeadlineExceeded', equals: 1 },
        { measure: 'minReady', equals: 4 },
      ],
      builtInOnly: true,
    },
  ],
});

export const crashAfterReady = defineScenario({
  id: 'crash-after-ready',
  title: 'A new version that gets ready and then crashes',
  question: 'Does minReadySeconds stop a version that crashes shortly after it was ready?',
  source: 'Rolling updates article: minReadySeconds',
  group: 'connections',
  target: { replicas: 4, patches: deadline(14) },
  settings: ['minReadySeconds'],
  variants: ['hardened', 'hardened+minReadySeconds'],
  steps: [
    { step: 'set-env', env: { CRASH_AFTER_MS: '3000' } },
    { step: 'wait', for: 'time', ms: 17_000 },
    { step: 'rollback' },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'without-spreads',
      text: 'Without minReadySeconds the crashing version replaces pods that served well.',
      source: 'Kubernetes documentation: minReadySeconds',
      appliesTo: { variant: 'hardened' },
      that: [{ measure: 'minReady', atMost: 3 }],
      builtInOnly: true,
    },
    {
      id: 'with-keeps-old',
      text: 'With minReadySeconds above the time to the crash, all four old pods stay.',
      source: 'Kubernetes documentation: minReadySeconds',
      appliesTo: { variant: 'hardened+minReadySeconds' },
      that: [{ measure: 'minReady', atLeast: 4 }],
      builtInOnly: true,
    },
    {
      id: 'deadline-starts-anew',
      text: 'The deadline of 14 s has not struck after 17 s: each time that the crashing pod gets ready again counts as progress.',
      source: 'Kubernetes deployment controller: more ready pods refresh the condition Progressing',
      appliesTo: { variant: 'hardened+minReadySeconds' },
      that: [{ measure: 'progressDeadlineExceeded', equals: 0 }],
      builtInOnly: true,
    },
    {
      id: 'traffic-comes-at-ready',
      text: 'minReadySeconds holds back the rollout, not the traffic: connections to the crashing pod are lost all the same.',
      source: 'Kubernetes documentation: a ready pod is an endpoint, whatever minReadySeconds says',
      appliesTo: { variant: 'hardened+minReadySeconds' },
      that: [{ measure: 'lost', atLeast: 1 }],
      builtInOnly: true,
    },
  ],
});
