import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import { baselineBeforeListening, hardenedSafe } from './claims.ts';

const container = (fields: Record<string, unknown>) => ({
  kind: 'Deployment',
  patch: { spec: { template: { spec: { containers: [{ name: 'target', ...fields }] } } } },
});
const light: ScenarioInput['load'] = [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 50 } }];
const article = 'Rolling updates article: readinessProbe, period 15, timeout 2, success 2, failure 2';
const recorded = 'Recorded on v1.34.4';

export const readinessArithmetic = defineScenario({
  id: 'readiness-arithmetic',
  title: 'When is a pod ready: the arithmetic of a probe',
  question: 'With period 15 s and two successes, when is a pod ready: after 30 s, after 60 s, or otherwise?',
  source: article,
  group: 'rollout',
  target: {
    replicas: 1,
    startMs: 0,
    patches: [
      container({
        readinessProbe: {
          httpGet: { path: '/healthz', port: 'http' },
          periodSeconds: 15,
          timeoutSeconds: 2,
          successThreshold: 2,
          failureThreshold: 2,
        },
      }),
    ],
  },
  settings: ['readinessProbe'],
  variants: ['preStop+gracefulShutdown'],
  load: light,
  steps: [
    { step: 'restart' },
    { step: 'wait', for: 'rollout' },
    { step: 'set-env', env: { START_MS: '3000' } },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [
    {
      id: 'article-best-case',
      text: 'At best a pod is ready about 30 s after its start: two probes, 15 s apart, after the first period.',
      source: article,
      that: [{ measure: 'readyAfterStartMsMin', atLeast: 25_000 }],
      expected: 'fails',
      because:
        'the kubelet probes at once when the container has started, and again about a second later while it is not ready: an app that listens at once is ready after about a second.',
    },
    {
      id: 'article-after-a-failure',
      text: 'After a failed first check it takes about 60 s.',
      source: article,
      that: [{ measure: 'readyAfterStartMsMax', atLeast: 50_000 }],
      expected: 'fails',
      because:
        'the first probes fail within two seconds; then one success comes after a period and the second after another: about 32 s.',
    },
    {
      id: 'listens-at-once',
      text: 'An app that listens at once is ready about a second after its start.',
      source: recorded,
      that: [{ measure: 'readyAfterStartMsMin', atMost: 5000 }],
    },
    {
      id: 'listens-after-3-s',
      text: 'One that needs 3 s is ready after about 32 s: two periods and the first two probes.',
      source: recorded,
      that: [{ measure: 'readyAfterStartMsMax', atLeast: 28_000, atMost: 36_000 }],
    },
  ],
});

const readyFile = '/tmp/rollproof-ready';

export const execProbe = defineScenario({
  id: 'exec-probe',
  title: 'Readiness by a command, with an initial delay',
  question: 'Does an exec probe with initialDelaySeconds 5 keep a pod out until it can serve?',
  source: 'Rolling updates article: readinessProbe exec /startup.sh, initialDelaySeconds 5',
  group: 'rollout',
  target: {
    env: { READY_FILE: readyFile },
    patches: [
      container({
        readinessProbe: {
          exec: { command: ['/bin/sh', '-c', `test -f ${readyFile}`] },
          initialDelaySeconds: 5,
          periodSeconds: 2,
        },
      }),
    ],
  },
  settings: ['readinessProbe'],
  variants: ['preStop+gracefulShutdown'],
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
  ],
  claims: [
    {
      id: 'delay-is-a-minimum',
      text: 'No pod is ready before its initial delay is over, though it listens after 2 s.',
      source: 'Kubernetes documentation: initialDelaySeconds',
      // Container start times are whole seconds, cut off: the delay may seem up to a second short.
      that: [{ measure: 'readyAfterStartMsMin', atLeast: 4000 }],
    },
    {
      id: 'delay-skips-ticks',
      text: 'The delay only skips probes: the first one comes at the next tick after it.',
      source: recorded,
      that: [{ measure: 'readyAfterStartMsMax', atMost: 9000 }],
    },
    {
      id: 'safe',
      text: 'No new connection is lost.',
      source: 'Rolling updates article: readinessProbe',
      appliesTo: { lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
    },
  ],
});

export const livenessIsNotReadiness = defineScenario({
  id: 'liveness-is-not-readiness',
  title: 'A livenessProbe is no readinessProbe',
  question: 'Does a livenessProbe keep connections away from pods that do not listen yet?',
  source: 'Rolling updates article: readinessProbe and livenessProbe are different things',
  group: 'rollout',
  target: {
    patches: [
      container({
        livenessProbe: { httpGet: { path: '/livez', port: 'http' }, periodSeconds: 2, failureThreshold: 5 },
      }),
    ],
  },
  settings: ['readinessProbe'],
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'rollout', limitMs: 180_000 },
  ],
  claims: [
    {
      id: 'liveness-does-not-route',
      text: 'With a livenessProbe alone, connections go to pods that do not listen yet.',
      source: 'Kubernetes documentation: probes',
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'lost', atLeast: 1 }],
      role: 'baseline-loses',
    },
    baselineBeforeListening,
    {
      id: 'ready-before-listening',
      text: 'Such a pod counts as ready when its container runs.',
      source: 'Kubernetes documentation: a container without readinessProbe is ready',
      appliesTo: { variant: 'baseline' },
      that: [{ measure: 'readyAfterStartMsMax', atMost: 1000 }],
    },
    {
      id: 'restarts-nothing',
      text: 'The livenessProbe restarts nothing here.',
      source: 'Kubernetes documentation: failureThreshold',
      that: [{ measure: 'restarts', equals: 0 }],
    },
    hardenedSafe('the image changes'),
  ],
});
