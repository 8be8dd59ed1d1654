// Claims that many scenarios make, in the same words.
import type { Lane } from '../harness/model/load.ts';
import type { ClaimDefinition } from '../harness/model/scenario.ts';

export type ClaimInput = Omit<ClaimDefinition, 'appliesTo' | 'expected' | 'role' | 'builtInOnly'> &
  Partial<Pick<ClaimDefinition, 'appliesTo' | 'expected' | 'role' | 'builtInOnly'>>;

const article = 'Rolling updates article: readinessProbe and preStop';

/** Without settings, connections are lost while `what` happens. */
export const baselineLoses = (what: string, lane: Lane = 'new'): ClaimInput => ({
  id: `baseline-loses-${lane}`,
  text: `Without the settings, ${laneWords[lane]} are lost while ${what}.`,
  source: article,
  appliesTo: { variant: 'baseline', lane },
  that: [{ measure: 'lost', atLeast: 1 }],
  role: 'baseline-loses',
});

/** With the settings, nothing is lost in the lane while `what` happens. */
export const hardenedSafe = (what: string, lane: Lane = 'new'): ClaimInput => ({
  id: `hardened-safe-${lane}`,
  text: `With the settings, ${oneOf[lane]} is lost while ${what}.`,
  source:
    lane === 'kept'
      ? 'Measured on kind: an app that goes on serving with Connection: close loses none'
      : article,
  appliesTo: { variant: 'hardened', lane },
  that: [{ measure: 'lost', atMost: 0 }],
  role: 'hardened-safe',
});

const laneWords: Readonly<Record<Lane, string>> = {
  new: 'new connections',
  kept: 'requests on kept connections',
  long: 'requests in flight',
  stream: 'messages of open streams',
};

const oneOf: Readonly<Record<Lane, string>> = {
  new: 'no new connection',
  kept: 'no request on a kept connection',
  long: 'no request in flight',
  stream: 'no message of an open stream',
};

/** Cause (a) of the article: a pod without a readinessProbe is routed to before it listens. */
export const baselineBeforeListening: ClaimInput = {
  id: 'baseline-before-listening',
  text: 'Without a readinessProbe, connections go to pods that do not listen yet.',
  source: 'Rolling updates article, cause (a)',
  appliesTo: { variant: 'baseline', lane: 'new' },
  that: [{ measure: 'cause:routed-before-listening', atLeast: 1 }],
  builtInOnly: true,
};

/** Cause (b) of the article: a pod is gone while kube-proxy still routes to it. */
export const baselineAfterStop: ClaimInput = {
  id: 'baseline-after-stop',
  text: 'Without a preStop sleep, connections go to pods that have stopped.',
  source: 'Rolling updates article, cause (b)',
  appliesTo: { variant: 'baseline', lane: 'new' },
  that: [{ measure: 'cause:routed-after-stop', atLeast: 1 }],
  builtInOnly: true,
};
