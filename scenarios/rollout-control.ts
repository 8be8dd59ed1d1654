import { defineScenario } from '../harness/model/scenario.ts';
import { baselineLoses, hardenedSafe } from './claims.ts';

export const pauseResume = defineScenario({
  id: 'pause-resume',
  title: 'Pause in mid-rollout, change again, resume',
  question: 'Does a paused rollout keep serving, and does resuming with another change lose connections?',
  source: 'Rolling updates article: rollout pause and resume',
  group: 'connections',
  target: { replicas: 4 },
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'updated', atLeast: 1 },
    { step: 'pause' },
    { step: 'wait', for: 'time', ms: 3000 },
    { step: 'set-image', image: 'third' },
    { step: 'wait', for: 'time', ms: 2000 },
    { step: 'history', as: 'paused' },
    { step: 'resume' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
    { step: 'history', as: 'after' },
  ],
  claims: [
    baselineLoses('the rollout is paused and resumed'),
    hardenedSafe('the rollout is paused and resumed'),
    hardenedSafe('the rollout is paused and resumed', 'kept'),
    {
      id: 'no-revision-while-paused',
      text: 'A change of the template makes no new revision while the rollout is paused.',
      source: 'Kubernetes documentation: pausing a rollout',
      that: [{ measure: 'history:paused', equals: '1,2' }],
    },
    {
      id: 'revision-after-resume',
      text: 'Resuming rolls out what was changed meanwhile, as one revision.',
      source: 'Kubernetes documentation: resuming a rollout',
      that: [{ measure: 'history:after', equals: '1,2,3' }],
    },
  ],
});

export const restart = defineScenario({
  id: 'restart',
  title: 'Rollout restart under load',
  question: 'Does `kubectl rollout restart` lose connections like a change of the image?',
  source: 'Rolling updates article: rollout restart',
  group: 'connections',
  steps: [{ step: 'restart' }, { step: 'wait', for: 'rollout', limitMs: 180_000 }],
  claims: [
    baselineLoses('all pods are restarted'),
    hardenedSafe('all pods are restarted'),
    hardenedSafe('all pods are restarted', 'kept'),
  ],
});

export const rollover = defineScenario({
  id: 'rollover',
  title: 'A second image while the first rolls',
  question: 'What happens when the image changes again before the first change is through?',
  source: 'Kubernetes documentation: rollover',
  group: 'connections',
  target: { replicas: 4 },
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'updated', atLeast: 1 },
    { step: 'set-image', image: 'third' },
    { step: 'wait', for: 'rollout', limitMs: 240_000 },
    { step: 'history', as: 'after' },
  ],
  claims: [
    baselineLoses('one rollout overtakes the other'),
    hardenedSafe('one rollout overtakes the other'),
    hardenedSafe('one rollout overtakes the other', 'kept'),
    {
      id: 'three-revisions',
      text: 'Both changes are in the history; the first is not waited for.',
      source: 'Kubernetes documentation: rollover',
      that: [{ measure: 'history:after', equals: '1,2,3' }],
    },
  ],
});

export const recreate = defineScenario({
  id: 'recreate',
  title: 'Recreate instead of RollingUpdate',
  question: 'How long is nothing served when a Deployment is recreated?',
  source: 'Rolling updates article: strategy Recreate',
  group: 'connections',
  target: {
    patches: [
      { kind: 'Deployment', patch: { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } } },
    ],
  },
  variants: ['baseline', 'readinessProbe+gracefulShutdown'],
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
  ],
  claims: [
    {
      id: 'outage',
      text: 'Recreate takes all pods away before the first new one: there is an outage, whatever the settings.',
      source: 'Kubernetes documentation: Recreate Deployment',
      appliesTo: { lane: 'new' },
      that: [{ measure: 'longestOutageMs', atLeast: 1000 }],
    },
    {
      id: 'no-ready-pod',
      text: 'There is a time without any ready pod.',
      source: 'Kubernetes documentation: Recreate Deployment',
      that: [{ measure: 'minReady', equals: 0 }],
    },
    {
      id: 'no-endpoint',
      text: 'Connections are refused because no endpoint is ready.',
      source: 'kube-proxy: a Service without endpoints is rejected',
      appliesTo: { lane: 'new' },
      that: [{ measure: 'cause:no-endpoint', atLeast: 1 }],
    },
  ],
});
