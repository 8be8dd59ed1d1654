import { defineScenario } from '../harness/model/scenario.ts';
import { baselineAfterStop, baselineLoses, hardenedSafe } from './claims.ts';
import { shorter } from './profile.ts';

export const rollback = defineScenario(
  {
    id: 'rollback',
    title: 'Undo under load',
    question: 'Does `kubectl rollout undo` lose connections like any other rollout?',
    source: 'Rolling updates article: rollout undo',
    group: 'connections',
    steps: [
      { step: 'set-image', image: 'next' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
      { step: 'history', as: 'before' },
      { step: 'rollback' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
      { step: 'history', as: 'after' },
    ],
    claims: [
      baselineLoses('the rollout is undone'),
      baselineAfterStop,
      hardenedSafe('the rollout is undone'),
      hardenedSafe('the rollout is undone', 'kept'),
      {
        id: 'history-before',
        text: 'The history lists revisions 1 and 2 before the undo.',
        source: 'Kubernetes documentation: rollout history',
        that: [{ measure: 'history:before', equals: '1,2' }],
      },
      {
        id: 'history-after',
        text: 'Undo makes the old revision the newest one: 1 becomes 3.',
        source: 'Kubernetes documentation: rolling back',
        that: [{ measure: 'history:after', equals: '2,3' }],
      },
    ],
  },
  { ...shorter, target: { replicas: 2 } },
);

export const rollbackToRevision = defineScenario({
  id: 'rollback-to-revision',
  title: 'Undo to a chosen revision under load',
  question: 'Does `kubectl rollout undo --to-revision` lose connections, and what becomes of the history?',
  source: 'Rolling updates article: rollout undo --to-revision',
  group: 'connections',
  target: { replicas: 2 },
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
    { step: 'set-image', image: 'third' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
    { step: 'history', as: 'before' },
    { step: 'rollback', toRevision: 1 },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
    { step: 'history', as: 'after' },
  ],
  claims: [
    baselineLoses('a revision is restored'),
    hardenedSafe('a revision is restored'),
    hardenedSafe('a revision is restored', 'kept'),
    {
      id: 'history-before',
      text: 'The history lists revisions 1, 2 and 3 before the undo.',
      source: 'Kubernetes documentation: rollout history',
      that: [{ measure: 'history:before', equals: '1,2,3' }],
    },
    {
      id: 'history-after',
      text: 'Revision 1 becomes revision 4.',
      source: 'Kubernetes documentation: rolling back',
      that: [{ measure: 'history:after', equals: '2,3,4' }],
    },
  ],
});
