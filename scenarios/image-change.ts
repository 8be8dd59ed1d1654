import { defineScenario } from '../harness/model/scenario.ts';

export const imageChange = defineScenario({
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
    {
      id: 'baseline-loses-new',
      text: 'Without the settings, new connections are lost while the image changes.',
      source: 'Rolling updates article: pods are routed to before they listen and after they are gone',
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'lost', atLeast: 1 }],
      role: 'baseline-loses',
    },
    {
      id: 'baseline-before-listening',
      text: 'Without a readinessProbe, connections go to pods that do not listen yet.',
      source: 'Rolling updates article, cause (a)',
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'cause:routed-before-listening', atLeast: 1 }],
    },
    {
      id: 'baseline-after-stop',
      text: 'Without a preStop sleep, connections go to pods that have stopped.',
      source: 'Rolling updates article, cause (b)',
      appliesTo: { variant: 'baseline', lane: 'new' },
      that: [{ measure: 'cause:routed-after-stop', atLeast: 1 }],
    },
    {
      id: 'hardened-safe-new',
      text: 'With the settings, no new connection is lost.',
      source: 'Rolling updates article: readinessProbe and preStop sleep together',
      appliesTo: { variant: 'hardened', lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
      role: 'hardened-safe',
    },
    {
      id: 'hardened-safe-kept',
      text: 'With the settings and a graceful shutdown in the app, no request on a kept connection is lost.',
      source: 'Measured on kind: an app that goes on serving with Connection: close loses none',
      appliesTo: { variant: 'hardened', lane: 'kept' },
      that: [{ measure: 'lost', atMost: 0 }],
      role: 'hardened-safe',
    },
    {
      id: 'hardened-keeps-capacity',
      text: 'With surge and no unavailability, there are never fewer ready pods than wanted.',
      source: 'Kubernetes documentation: maxUnavailable 0',
      appliesTo: { variant: 'hardened' },
      that: [{ measure: 'minReady', atLeast: 3 }],
    },
  ],
});
