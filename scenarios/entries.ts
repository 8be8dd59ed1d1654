// Where clients really come in: changes seen through an ingress and a gateway, side by side with the Service itself.
import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import { baselineLoses, type ClaimInput, hardenedSafe } from './claims.ts';
import { shorter } from './profile.ts';

const traefik = 'traefik:v3.6.12';
/** No figure of a published measurement stands behind these: the scenario is there to ask. */
const asked = '502 and 504 during deployments: is it the app, kube-proxy or the ingress?';
const ingress: NonNullable<ScenarioInput['entries']> = [
  { name: 'service', kind: 'service' },
  { name: 'ingress', kind: 'ingress' },
];
const gateway: NonNullable<ScenarioInput['entries']> = [
  { name: 'service', kind: 'service' },
  { name: 'gateway', kind: 'gateway' },
];
const rate = { shape: 'constant' as const, ratePerSecond: 100 };
/** Two entries side by side: half the usual rate for each, so that the sum is the usual one. */
const load: NonNullable<ScenarioInput['load']> = [
  { lane: 'new', rate },
  { lane: 'kept', rate, connections: 10 },
];
const ours: NonNullable<ScenarioInput['needs']> = { clusters: ['kind', 'embedded'], images: [traefik] };

/** A claim on a line, in the words of the one on its lane. */
const through = (entry: string, claim: ClaimInput): ClaimInput => ({
  ...claim,
  id: `${claim.id}-${entry}`,
  text: claim.text.replace(/ (is|are) lost /, ` through the ${entry} $1 lost `),
  source: asked,
  appliesTo: { ...claim.appliesTo, lane: `${entry}/${claim.appliesTo?.lane ?? 'new'}` },
});

export const ingressRollout = defineScenario(
  {
    id: 'ingress-rollout',
    title: 'New image behind an ingress',
    question:
      'What do clients of an ingress lose when the image changes, and are the settings that protect the Service enough for them?',
    source: '502 and 504 during deployments: is it the app, kube-proxy or the ingress?',
    group: 'connections',
    entries: ingress,
    entryController: { replicas: 2 },
    needs: ours,
    load,
    steps: [
      { step: 'set-image', image: 'next' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
    ],
    claims: [
      baselineLoses('the image changes'),
      through('ingress', baselineLoses('the image changes')),
      hardenedSafe('the image changes'),
      hardenedSafe('the image changes', 'kept'),
      through('ingress', hardenedSafe('the image changes')),
      through('ingress', hardenedSafe('the image changes', 'kept')),
      {
        id: 'between-entry-and-pod',
        text: 'What clients of the ingress lose, they lose between the ingress and the pods, or in the pods: the ingress itself is there.',
        source: asked,
        appliesTo: { variant: 'baseline', lane: 'ingress/new' },
        that: [{ measure: 'hop:client-entry', atMost: 0 }],
      },
    ],
  },
  shorter,
);

export const ingressScaleDown = defineScenario(
  {
    id: 'ingress-scale-down',
    title: 'Fewer replicas behind an ingress',
    question: 'Does scaling down lose requests that come through an ingress?',
    source: 'Rolling updates article: change the number of replicas',
    group: 'connections',
    entries: ingress,
    entryController: { replicas: 2 },
    needs: ours,
    load,
    target: { replicas: 4 },
    settings: ['preStop', 'gracefulShutdown'],
    steps: [
      { step: 'scale', replicas: 2 },
      { step: 'wait', for: 'settled' },
    ],
    claims: [
      through('ingress', baselineLoses('pods are removed')),
      hardenedSafe('pods are removed'),
      through('ingress', hardenedSafe('pods are removed')),
      through('ingress', hardenedSafe('pods are removed', 'kept')),
    ],
  },
  shorter,
);

/** It is called ready only when its routes are loaded, goes on accepting while the routing still leads to it, says meanwhile that it is not ready, and then finishes. */
const gentle = {
  replicas: 2,
  args: [
    '--entrypoints.web.transport.lifecycle.requestacceptgracetimeout=8s',
    '--entrypoints.web.transport.lifecycle.gracetimeout=10s',
  ],
  patch: {
    spec: {
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        spec: {
          terminationGracePeriodSeconds: 30,
          // It answers its probe before it has heard of its routes, and 404 until then.
          containers: [{ name: 'traefik', readinessProbe: { initialDelaySeconds: 5 } }],
        },
      },
    },
  },
};

export const ingressControllerRollout = defineScenario(
  {
    id: 'ingress-controller-rollout',
    title: 'The ingress controller itself is rolled, the target stands still',
    question: 'What do clients lose when the controller is restarted, and which settings of its own stop it?',
    source: 'Rollouts of the ingress controller, of which the app knows nothing',
    group: 'connections',
    entries: ingress,
    needs: ours,
    load: [{ lane: 'new', rate }],
    settings: [],
    variants: ['as-installed', 'gentle'],
    cases: {
      'as-installed': {
        title: 'The controller with its defaults',
        role: 'before',
        settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'],
        entryController: { replicas: 2 },
      },
      gentle: {
        title: 'The controller accepts for 8 s after SIGTERM, then finishes what it has',
        role: 'after',
        settings: ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'],
        entryController: gentle,
      },
    },
    steps: [{ step: 'restart', of: 'entry' }],
    claims: [
      {
        id: 'controller-loses',
        text: 'With its defaults the controller stops accepting at SIGTERM, while connections still lead to it.',
        source: asked,
        appliesTo: { variant: 'as-installed', lane: 'ingress/new' },
        that: [{ measure: 'lost', atLeast: 1 }],
        role: 'baseline-loses',
      },
      {
        id: 'before-the-entry',
        text: 'All of it is lost between the clients and the controller: no pod of the target has a part in it.',
        source: asked,
        appliesTo: { variant: 'as-installed', lane: 'ingress/new' },
        that: [
          { measure: 'hop:entry-pod', atMost: 0 },
          { measure: 'hop:pod', atMost: 0 },
        ],
      },
      {
        id: 'controller-safe',
        text: 'A controller that goes on accepting for a while loses no new connection.',
        source: asked,
        appliesTo: { variant: 'gentle', lane: 'ingress/new' },
        that: [{ measure: 'lost', atMost: 0 }],
        role: 'hardened-safe',
      },
      {
        id: 'service-untouched',
        text: 'Clients of the Service lose nothing.',
        source: asked,
        appliesTo: { lane: 'new' },
        that: [{ measure: 'lost', atMost: 0 }],
      },
    ],
  },
  shorter,
);

const nginx = 'nginx:1.22.1';
const greenLabels = { app: 'green' };
/** The other version: a Service and a Deployment of its own, which no step changes. */
const green = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'green' },
    spec: { selector: greenLabels, ports: [{ port: 80 }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'green' },
    spec: {
      replicas: 2,
      selector: { matchLabels: greenLabels },
      template: {
        metadata: { labels: greenLabels },
        spec: {
          containers: [
            {
              name: 'nginx',
              image: nginx,
              imagePullPolicy: 'IfNotPresent',
              ports: [{ containerPort: 80 }],
              readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  },
];
const weights = (target: number, other: number) => ({
  step: 'patch' as const,
  kind: 'HTTPRoute',
  name: 'rollproof-entry',
  patch: {
    spec: {
      rules: [
        {
          backendRefs: [
            { name: 'target', port: 80, weight: target },
            { name: 'green', port: 80, weight: other },
          ],
        },
      ],
    },
  },
});
/** The proxy gathers changes for 2 s; what it does after 5 s is counted (docs/claims.md, targetShare). */
const pause = { step: 'wait' as const, for: 'time' as const, ms: 9000 };
/** Answers of the target's own pods after each move, as step of the wait that follows it: [least, most]. */
const moves: Readonly<Record<'blue-green' | 'canary', Readonly<Record<number, readonly [number, number]>>>> =
  {
    'blue-green': { 2: [0, 0], 4: [1, 1] },
    canary: { 2: [0.8, 0.97], 4: [0.35, 0.65], 6: [0, 0] },
  };
const hardenedSettings = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'];

export const gatewayRollout = defineScenario(
  {
    id: 'gateway-rollout',
    title: 'Behind a Gateway: a new image, and weights moved to another Service',
    question:
      'Does an HTTPRoute lose requests when the image changes, and when its weights move from one Service to another?',
    source: 'Gateway API: HTTPRoute traffic splitting; blue/green and canary',
    group: 'connections',
    entries: gateway,
    entryController: { replicas: 2 },
    needs: { clusters: ['kind'], images: [traefik, nginx] },
    load,
    variants: ['baseline', 'hardened', 'blue-green', 'canary'],
    cases: {
      'blue-green': {
        title: 'All weight from one Service to the other at once, and back',
        settings: hardenedSettings,
        target: { replicas: 3, extra: green },
        steps: [weights(0, 100), pause, weights(100, 0), pause],
      },
      canary: {
        title: 'Weights 10, 50, 100 to the other Service',
        settings: hardenedSettings,
        target: { replicas: 3, extra: green },
        steps: [weights(90, 10), pause, weights(50, 50), pause, weights(0, 100), pause],
      },
    },
    steps: [
      { step: 'set-image', image: 'next' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
    ],
    claims: [
      through('gateway', baselineLoses('the image changes')),
      hardenedSafe('the image changes'),
      through('gateway', hardenedSafe('the image changes')),
      ...(['blue-green', 'canary'] as const).flatMap((variant) =>
        (['new', 'kept'] as const).flatMap((lane): ClaimInput[] => [
          {
            id: `${variant}-${lane}`,
            text: `Moving the weights (${variant}) loses nothing in lane ${lane}.`,
            source: 'Gateway API: HTTPRoute traffic splitting',
            appliesTo: { variant, lane: `gateway/${lane}` },
            that: [{ measure: 'lost', atMost: 0 }],
          },
          {
            id: `${variant}-${lane}-moved`,
            text: `Requests go where the weights say (${variant}, lane ${lane}).`,
            source: 'Gateway API: HTTPRoute traffic splitting',
            appliesTo: { variant, lane: `gateway/${lane}` },
            that: Object.entries(moves[variant]).map(([step, [atLeast, atMost]]) => ({
              measure: `targetShare:${step}`,
              atLeast,
              atMost,
            })),
          },
        ]),
      ),
    ],
  },
  shorter,
);

const IDLE_MS = 200;
/**
 * To one pod, one each 212 ms: a connection of the ingress to the pod has been idle for 200 ms just before it is used again.
 * The pod has other work, too, 40 ms of every 130, and cannot look at its connections meanwhile: where the 200 ms end in
 * such a moment and the next request comes in it, the pod closes the connection with the request in it. Any app whose work
 * keeps it from its timers has such moments; at a fifth of the requests it is no matter of luck.
 */
const sparse = { shape: 'constant' as const, ratePerSecond: 1000 / (IDLE_MS + 12) };
const busyApp = { KEEP_ALIVE_MS: String(IDLE_MS), STALL_MS: '40', STALL_EVERY_MS: '130' };

export const ingressKeepalive = defineScenario(
  {
    id: 'ingress-keepalive',
    title: 'Idle timeouts of proxy and app that cross each other',
    question:
      'What happens when the app closes idle connections before the ingress does, and when it is the other way round?',
    source:
      'nodejs/node, nginx, AWS ALB: 502 because the app’s keep-alive timeout is shorter than the balancer’s',
    group: 'connections',
    entries: ingress,
    needs: ours,
    load: [{ lane: 'new', rate: sparse }],
    settings: [],
    variants: ['app-shorter', 'proxy-shorter'],
    target: { replicas: 1 },
    cases: {
      'app-shorter': {
        title: 'The app closes idle connections after 0.2 s, the ingress keeps them for 90 s',
        role: 'before',
        settings: ['readinessProbe'],
        target: {
          replicas: 1,
          method: 'POST',
          env: busyApp,
        },
      },
      'proxy-shorter': {
        title: 'The ingress closes idle connections after 0.1 s, the app keeps them for 0.2 s',
        role: 'after',
        settings: ['readinessProbe'],
        target: {
          replicas: 1,
          method: 'POST',
          env: busyApp,
        },
        entryController: {
          replicas: 2,
          args: ['--serverstransport.forwardingtimeouts.idleconntimeout=100ms'],
        },
      },
    },
    entryController: { replicas: 1 },
    steps: [{ step: 'wait', for: 'time', ms: 20_000 }],
    until: 'no-terminating',
    claims: [
      {
        id: 'app-shorter-loses',
        text: 'The app’s limit the shorter one: requests that change something are lost, because the ingress may not send them again.',
        source: 'RFC 9110 section 9.2.2: only idempotent requests may be repeated by themselves',
        appliesTo: { variant: 'app-shorter', lane: 'ingress/new' },
        that: [{ measure: 'lost', atLeast: 1 }],
        role: 'baseline-loses',
      },
      {
        id: 'named-as-race',
        text: 'What is lost is a connection that the ingress had kept and the app closed.',
        source: asked,
        appliesTo: { variant: 'app-shorter', lane: 'ingress/new' },
        that: [
          { measure: 'cause:kept-connection-cut', atLeast: 1 },
          { measure: 'hop:client-entry', atMost: 0 },
        ],
      },
      {
        id: 'proxy-shorter-safe',
        text: 'The ingress’s limit the shorter one: nothing is lost.',
        source: asked,
        appliesTo: { variant: 'proxy-shorter', lane: 'ingress/new' },
        that: [{ measure: 'lost', atMost: 0 }],
        role: 'hardened-safe',
      },
      {
        id: 'service-untouched',
        text: 'Clients of the Service, which open connections of their own, lose nothing.',
        source: asked,
        appliesTo: { lane: 'new' },
        that: [{ measure: 'lost', atMost: 0 }],
      },
    ],
  },
  shorter,
);
