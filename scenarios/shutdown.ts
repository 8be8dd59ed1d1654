import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import type { ClaimInput } from './claims.ts';

const rollout: NonNullable<ScenarioInput['steps']> = [
  { step: 'set-image', image: 'next' },
  { step: 'wait', for: 'settled', limitMs: 180_000 },
];
const measured = 'Measured on kind v1.34.4';
const lifecycle = 'Kubernetes documentation: termination of pods';

/** Nothing is lost in the lane with the variant. */
const safe = (variant: string, text: string, lane: 'new' | 'kept' | 'long'): ClaimInput => ({
  id: `safe-${lane}-${variant.replace(/[^A-Za-z0-9]+/g, '-')}`,
  text,
  source: measured,
  appliesTo: { variant, lane },
  that: [{ measure: 'lost', atMost: 0 }],
});

const exits = 'readinessProbe+preStop';
const drains = 'readinessProbe+preStop+gracefulShutdown=drain';

export const keptConnections = defineScenario({
  id: 'kept-connections',
  title: 'Kept connections and what the app does at SIGTERM',
  question: 'Does a preStop sleep save kept-alive connections, and what must the app do at SIGTERM?',
  source: 'Rolling updates article: preStop; measured beyond it',
  group: 'connections',
  // An answer takes as long as an ordinary one does, so that an app that exits has requests to cut: with answers in
  // 5 ms a run on kind went without a loss.
  target: { workMs: 50 },
  settings: ['preStop', 'gracefulShutdown'],
  variants: [exits, drains, 'hardened'],
  load: [{ lane: 'new' }, { lane: 'kept', connections: 50 }],
  steps: rollout,
  claims: [
    safe(exits, 'A preStop sleep saves new connections, whatever the app does at SIGTERM.', 'new'),
    {
      id: 'exits-loses-kept',
      text: 'It does not save kept ones: an app that exits at SIGTERM cuts those that are still pinned to it.',
      source: measured,
      appliesTo: { variant: exits, lane: 'kept' },
      that: [{ measure: 'lost', atLeast: 1 }],
      role: 'baseline-loses',
      builtInOnly: true,
    },
    safe(
      drains,
      'Closing the listener and draining is safe for new connections behind a preStop sleep.',
      'new',
    ),
    {
      id: 'drains-kept',
      text: 'Closing idle connections at SIGTERM races with requests that are on their way (measured: 7 lost on kind).',
      source: measured,
      appliesTo: { variant: drains, lane: 'kept' },
      that: [{ measure: 'lost' }],
    },
    safe('hardened', 'Serving on with Connection: close loses no new connection.', 'new'),
    {
      ...safe(
        'hardened',
        'Serving on with Connection: close until each client has reconnected loses no kept connection.',
        'kept',
      ),
      role: 'hardened-safe',
    },
  ],
});

const short = 6;
export const longRequests = defineScenario({
  id: 'long-requests',
  title: 'Requests of several seconds in flight',
  question: 'Are long requests finished, and what if the grace period is too short for them?',
  source: lifecycle,
  group: 'connections',
  target: {
    patches: [
      {
        kind: 'Deployment',
        patch: { spec: { template: { spec: { terminationGracePeriodSeconds: short } } } },
      },
    ],
  },
  settings: ['gracefulShutdown', 'gracePeriod'],
  variants: ['baseline', 'hardened', 'hardened+gracePeriod'],
  load: [
    {
      lane: 'long',
      rate: { shape: 'constant', ratePerSecond: 10 },
      holdMs: 8000,
      timeoutMs: 15_000,
    },
    { lane: 'new', rate: { shape: 'constant', ratePerSecond: 100 } },
  ],
  steps: rollout,
  warmUpMs: 3000,
  claims: [
    {
      id: 'baseline-loses-long',
      text: 'Without the settings, requests in flight are cut off.',
      source: lifecycle,
      appliesTo: { variant: 'baseline', lane: 'long' },
      that: [{ measure: 'lost', atLeast: 1 }],
      role: 'baseline-loses',
    },
    {
      id: 'grace-too-short',
      text: `A grace period of ${short} s with a preStop sleep of 5 s kills requests of 8 s, however graceful the app.`,
      source: lifecycle,
      appliesTo: { variant: 'hardened', lane: 'long' },
      that: [
        { measure: 'lost', atLeast: 1 },
        { measure: 'graceExceeded', atLeast: 1 },
      ],
      builtInOnly: true,
    },
    {
      ...safe('hardened+gracePeriod', 'With a grace period that fits, every request is finished.', 'long'),
      role: 'hardened-safe',
    },
    safe('hardened+gracePeriod', 'New connections lose nothing either.', 'new'),
  ],
});

/** The published example sleeps 30 s within the default 30 s. */
function preStopTooLongFields(seconds: number, sleepSeconds: number) {
  return {
    target: {
      replicas: 2,
      env: { LINGER_MS: '4000' },
      patches: [
        {
          kind: 'Deployment',
          patch: {
            spec: {
              template: {
                spec: {
                  terminationGracePeriodSeconds: seconds,
                  containers: [
                    {
                      name: 'target',
                      lifecycle: {
                        preStop: { exec: { command: ['/bin/sh', '-c', `sleep ${sleepSeconds}`] } },
                      },
                    },
                  ],
                },
              },
            },
          },
        },
      ],
    },
    claims: [
      {
        id: 'hook-is-cut',
        text: 'The hook does not end in time: it is waited for no longer, and cut when the app ends, with an event.',
        source: 'Recorded on v1.34.4: FailedPreStopHook',
        appliesTo: { variant: 'only:readinessProbe' },
        that: [{ measure: 'preStopCut', atLeast: 1 }],
      },
      {
        id: 'sigterm-at-the-end',
        text: `SIGTERM comes ${seconds} s after the deletion.`,
        source: 'Recorded on v1.34.4',
        that: [
          { measure: 'sigtermAfterDeletionMsMin', atLeast: seconds * 1000 - 500 },
          { measure: 'sigtermAfterDeletionMsMax', atMost: seconds * 1000 + 2500 },
        ],
        builtInOnly: true,
      },
      {
        id: 'fast-app-exits',
        text: 'An app that exits at once ends with exit code 0 in the 2 s that are left.',
        source: 'kubelet: at least 2 s between SIGTERM and SIGKILL',
        appliesTo: { variant: 'only:readinessProbe' },
        that: [
          { measure: 'exitCode:0', atLeast: 2 },
          { measure: 'graceExceeded', equals: 0 },
        ],
        builtInOnly: true,
      },
      {
        id: 'time-to-drain',
        text: 'After the preStop sleep the app has its time to drain.',
        source: 'Rolling updates article: preStop sleep 30 with the default grace period',
        appliesTo: { variant: 'readinessProbe+gracefulShutdown' },
        that: [{ measure: 'graceExceeded', equals: 0 }],
        expected: 'fails' as const,
        because:
          'the grace period counts from the deletion, preStop included: 2 s are left, and a drain that takes longer is killed (137).',
        builtInOnly: true,
      },
    ],
  } satisfies Partial<ScenarioInput>;
}

export const preStopTooLong = defineScenario(
  {
    id: 'prestop-too-long',
    title: 'preStop as long as the grace period',
    question: 'Is there time to shut down when preStop uses the whole grace period?',
    source: 'Rolling updates article: preStop `sleep 30` with the default grace period of 30 s',
    group: 'connections',
    settings: ['gracePeriod', 'gracefulShutdown'],
    variants: ['only:readinessProbe', 'readinessProbe+gracefulShutdown'],
    steps: rollout,
    ...preStopTooLongFields(30, 30),
  },
  // A second more than fits: at equal lengths hook and limit end in the same moment.
  preStopTooLongFields(6, 7),
);

export const preStopSweep = defineScenario(
  {
    id: 'prestop-sweep',
    title: 'How long the preStop sleep must be',
    question: 'From which length of the preStop sleep on is no new connection lost here?',
    source: 'Rolling updates article: preStop; the length is not argued there',
    group: 'connections',
    target: { replicas: 2 },
    settings: ['preStop'],
    variants: ['only:readinessProbe', ...[1, 2, 5, 10].map((seconds) => `readinessProbe+preStop=${seconds}`)],
    load: [{ lane: 'new' }],
    steps: rollout,
    claims: sweepClaims([1, 2, 5, 10]),
  },
  {
    variants: ['only:readinessProbe', ...[1, 2, 5].map((seconds) => `readinessProbe+preStop=${seconds}`)],
    claims: sweepClaims([1, 2, 5]),
  },
);

function sweepClaims(lengths: readonly number[]): ClaimInput[] {
  const enough = 5;
  return [
    {
      id: 'zero-loses',
      text: 'Without a preStop sleep new connections are lost.',
      source: 'Rolling updates article, cause (b)',
      appliesTo: { variant: 'only:readinessProbe', lane: 'new' },
      that: [{ measure: 'lost', atLeast: 1 }],
      role: 'baseline-loses',
      builtInOnly: true,
    },
    ...lengths.map((seconds): ClaimInput => {
      const variant = `readinessProbe+preStop=${seconds}`;
      return {
        id: `sleep-${seconds}`,
        text:
          seconds < enough
            ? `What ${seconds} s of sleep let through: kube-proxy writes its rules at most once a second.`
            : `With ${seconds} s no new connection is lost.`,
        source: measured,
        appliesTo: { variant, lane: 'new' },
        that: [seconds < enough ? { measure: 'lost' } : { measure: 'lost', atMost: 0 }],
        ...(seconds >= enough && { role: 'hardened-safe' as const }),
      };
    }),
  ];
}

export const slowProxy = defineScenario({
  id: 'slow-proxy',
  title: 'Routing updates that lag',
  question: 'How must the preStop sleep grow when a node learns late which pods are gone?',
  source: 'Kubernetes documentation: kube-proxy minSyncPeriod; large clusters lag',
  group: 'connections',
  // One pod: with more, the second may be replaced just when kube-proxy catches up with the first.
  target: { replicas: 1 },
  settings: ['preStop'],
  variants: ['readinessProbe+preStop=2', 'readinessProbe+preStop=8'],
  load: [{ lane: 'new' }],
  steps: [{ step: 'proxy-delay', delayMs: 4000 }, ...rollout, { step: 'proxy-delay', delayMs: 0 }],
  claims: [
    {
      id: 'shorter-than-lag',
      text: 'A sleep that is shorter than the lag loses connections.',
      source: 'Rolling updates article, cause (b)',
      appliesTo: { variant: 'readinessProbe+preStop=2', lane: 'new' },
      that: [{ measure: 'cause:routed-after-stop', atLeast: 1 }],
      role: 'baseline-loses',
      builtInOnly: true,
    },
    {
      id: 'longer-than-lag',
      text: 'A sleep that is longer than the lag loses none.',
      source: 'Rolling updates article: preStop',
      appliesTo: { variant: 'readinessProbe+preStop=8', lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
      role: 'hardened-safe',
    },
    {
      id: 'lag-seen',
      text: 'The last new connection reaches a deleted pod about as late as the routing lags.',
      source: 'Measured here',
      appliesTo: { variant: 'readinessProbe+preStop=8' },
      that: [{ measure: 'lastNewConnectionAfterDeletionMsMax', atLeast: 3000, atMost: 7500 }],
    },
  ],
});
