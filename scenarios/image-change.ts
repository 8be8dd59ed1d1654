import { defineScenario } from '../harness/model/scenario.ts';
import { baselineAfterStop, baselineBeforeListening, baselineLoses, hardenedSafe } from './claims.ts';
import { shorter } from './profile.ts';

export const imageChange = defineScenario(
  {
    id: 'image-change',
    title: 'New image under load',
    question: 'Does rolling out a new image lose connections, and do the recommended settings stop it?',
    source: 'Rolling updates without downtime: readinessProbe and preStop',
    group: 'connections',
    steps: [
      { step: 'set-image', image: 'next' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
    ],
    claims: [
      baselineLoses('the image changes'),
      baselineBeforeListening,
      baselineAfterStop,
      hardenedSafe('the image changes'),
      hardenedSafe('the image changes', 'kept'),
      {
        id: 'hardened-keeps-capacity',
        text: 'With surge and no unavailability, there are never fewer ready pods than wanted.',
        source: 'Kubernetes documentation: maxUnavailable 0',
        appliesTo: { variant: 'hardened' },
        that: [{ measure: 'minReady', atLeast: 3 }],
      },
    ],
  },
  shorter,
);
