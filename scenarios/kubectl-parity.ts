import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';

type Steps = NonNullable<ScenarioInput['steps']>;
type Step = Steps[number];

const documentation = 'Kubernetes documentation: kubectl rollout, kubectl apply';
const rolledOut: Steps = [
  { step: 'wait', for: 'rollout' },
  { step: 'kubectl', args: ['rollout', 'status', 'deployment/{twin}', '--timeout=120s'] },
];

/** Our step on the target, kubectl on its twin, and what then differs. */
const both = (as: string, ours: Step, args: readonly string[], until: Steps = rolledOut): Steps => [
  ours,
  { step: 'kubectl', args: [...args] },
  ...until,
  { step: 'compare-twin', as },
];

const applied = (as: string, fields: { metadata: object; spec: object }): Steps => {
  const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', ...fields };
  return [
    { step: 'apply', manifest },
    { step: 'kubectl', args: ['apply', '-f', '-'], manifest },
    ...rolledOut,
    { step: 'compare-twin', as },
  ];
};

const cause = (text: string) => ({ annotations: { 'kubernetes.io/change-cause': text } });
const setImage = (as: string, image: string, until?: Steps): Steps =>
  both(
    as,
    { step: 'set-image', image },
    ['set', 'image', 'deployment/{twin}', `{container}={image:${image}}`],
    until,
  );
const rollout = (as: string, ours: Step, verb: string, until?: Steps): Steps =>
  both(as, ours, ['rollout', verb, 'deployment/{twin}'], until);

export const kubectlParity = defineScenario({
  id: 'kubectl-parity',
  title: 'Our steps and the real kubectl',
  question: 'Do the harness’s steps leave the cluster as kubectl would?',
  source: 'Rolling updates article: the kubectl commands of a rollout',
  group: 'rollout',
  target: { replicas: 2, startMs: 500 },
  settings: [],
  variants: ['readinessProbe+gracefulShutdown'],
  load: [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 20 } }],
  needs: { images: ['next', 'third'] },
  steps: [
    { step: 'twin' },
    { step: 'compare-twin', as: 'create' },
    ...applied('apply', {
      metadata: cause('first release'),
      spec: {
        revisionHistoryLimit: 7,
        template: { metadata: { annotations: { release: '1', owner: 'a' } } },
      },
    }),
    ...applied('apply of a manifest without some fields', {
      metadata: cause('second release'),
      spec: { template: { metadata: { annotations: { release: '2' } } } },
    }),
    ...setImage('set image', 'next'),
    ...rollout('pause', { step: 'pause' }, 'pause', []),
    ...setImage('set image while paused', 'third', []),
    { step: 'history', as: 'paused' },
    ...rollout('resume', { step: 'resume' }, 'resume'),
    ...rollout('restart', { step: 'restart' }, 'restart'),
    ...both('scale', { step: 'scale', replicas: 3 }, ['scale', 'deployment/{twin}', '--replicas=3']),
    { step: 'history', as: 'before' },
    ...rollout('undo', { step: 'rollback' }, 'undo'),
    ...both('undo to a revision', { step: 'rollback', toRevision: 2 }, [
      'rollout',
      'undo',
      'deployment/{twin}',
      '--to-revision=2',
    ]),
    ...both('undo to the present revision', { step: 'rollback', toRevision: 8 }, [
      'rollout',
      'undo',
      'deployment/{twin}',
      '--to-revision=8',
    ]),
    { step: 'history', as: 'after' },
  ],
  claims: [
    {
      id: 'no-difference',
      text: 'After each action the Deployment and its ReplicaSets are as kubectl leaves them: specification, annotations, revisions, conditions, field owners; and get, rollout status and rollout history say the same.',
      source: documentation,
      that: [
        { measure: 'differences', equals: 0 },
        { measure: 'differenceList' },
        { measure: 'comparisons', equals: 12 },
        { measure: 'fieldsCompared', atLeast: 1000 },
        { measure: 'kubectlVersion' },
      ],
    },
    {
      id: 'no-revision-while-paused',
      text: 'A change of the image while the rollout is paused makes no revision.',
      source: 'Kubernetes documentation: pausing and resuming a rollout',
      that: [{ measure: 'history:paused', equals: '1,2,3,4' }],
    },
    {
      id: 'history-before',
      text: 'Each change of the template is a revision; a change of the number of replicas is none.',
      source: 'Kubernetes documentation: rollout history',
      that: [{ measure: 'history:before', equals: '1,2,3,4,5,6' }],
    },
    {
      id: 'history-after',
      text: 'Undo makes 5 the newest, undo to revision 2 makes that the newest; undo to the present revision changes nothing.',
      source: 'Kubernetes documentation: rolling back',
      that: [{ measure: 'history:after', equals: '1,3,4,6,7,8' }],
    },
  ],
});
