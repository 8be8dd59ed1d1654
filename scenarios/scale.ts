import { defineScenario } from '../harness/model/scenario.ts';
import { baselineAfterStop, baselineBeforeListening, baselineLoses, hardenedSafe } from './claims.ts';
import { shorter } from './profile.ts';

export const scaleUp = defineScenario(
  {
    id: 'scale-up',
    title: 'More replicas under load',
    question: 'Does scaling up lose connections to pods that do not listen yet?',
    source: 'Rolling updates article: change the number of replicas',
    group: 'connections',
    target: { replicas: 2 },
    settings: ['readinessProbe'],
    steps: [
      { step: 'scale', replicas: 4 },
      { step: 'wait', for: 'rollout' },
    ],
    claims: [
      baselineLoses('pods are added'),
      baselineBeforeListening,
      hardenedSafe('pods are added'),
      hardenedSafe('pods are added', 'kept'),
      {
        id: 'reaches-four',
        text: 'The Deployment reaches the wanted number of pods.',
        source: 'Kubernetes documentation: scaling a Deployment',
        that: [{ measure: 'maxPodsNotTerminating', equals: 4 }],
      },
    ],
  },
  shorter,
);

export const scaleDown = defineScenario(
  {
    id: 'scale-down',
    title: 'Fewer replicas under load',
    question: 'Does scaling down lose connections to pods that have stopped?',
    source: 'Rolling updates article: change the number of replicas',
    group: 'connections',
    target: { replicas: 6 },
    settings: ['preStop', 'gracefulShutdown'],
    steps: [
      // In two steps: kube-proxy applies the second within a second of the first late, as in any larger change.
      { step: 'scale', replicas: 4 },
      { step: 'wait', for: 'time', ms: 300 },
      { step: 'scale', replicas: 2 },
      { step: 'wait', for: 'settled' },
    ],
    claims: [
      baselineLoses('pods are removed'),
      baselineAfterStop,
      hardenedSafe('pods are removed'),
      hardenedSafe('pods are removed', 'kept'),
      {
        id: 'never-below-two',
        text: 'There are never fewer ready pods than the new number.',
        source: 'Kubernetes documentation: scaling a Deployment',
        that: [{ measure: 'minReady', atLeast: 2 }],
      },
    ],
  },
  shorter,
);
