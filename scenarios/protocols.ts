// Protocols whose connections live long: gRPC and HTTP/2, WebSocket, event streams, TCP.
import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';
import type { ClaimInput } from './claims.ts';

const rollout: NonNullable<ScenarioInput['steps']> = [
  { step: 'set-image', image: 'next' },
  { step: 'wait', for: 'settled', limitMs: 180_000 },
];
const target = { env: { PROTOCOLS: 'all' } };
const drained = 'hardened+streamDrain';
const variants = ['baseline', drained];
const settings = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge', 'streamDrain'];
const shorter = { warmUpMs: 1500, tailMs: 2500 } satisfies Partial<ScenarioInput>;

const loses = (line: string, text: string, source: string): ClaimInput => ({
  id: `baseline-loses-${line}`,
  text,
  source,
  appliesTo: { variant: 'baseline', lane: line },
  that: [{ measure: 'lost', atLeast: 1 }],
  role: 'baseline-loses',
});
const safe = (line: string, text: string, source: string, variant = drained): ClaimInput => ({
  id: `safe-${line}`,
  text,
  source,
  appliesTo: { variant, lane: line },
  that: [{ measure: 'lost', atMost: 0 }],
  role: variant === drained || variant === drainedGrpc ? 'hardened-safe' : 'fact',
});

/** An app that speaks gRPC is asked by gRPC. */
const drainedGrpc = 'grpcProbe+preStop+gracefulShutdown+surge+streamDrain';

const http2 = 'RFC 9113, section 6.8: GOAWAY';
const websocket = 'RFC 6455, section 7.4.1: close code 1001';
const events = 'HTML standard: server-sent events';
const tcp = 'RFC 9293, section 3.6: closing a connection';

export const grpcRollout = defineScenario(
  {
    id: 'grpc-rollout',
    title: 'A rollout under gRPC',
    question:
      'What do unary calls and a stream of the server lose when their pods are replaced, and does a drain save them?',
    source: http2,
    group: 'connections',
    target: { ...target, workMs: 50 },
    settings: settings.map((name) => (name === 'readinessProbe' ? 'grpcProbe' : name)),
    variants: ['baseline', drainedGrpc],
    load: [
      { lane: 'kept', protocol: 'grpc', connections: 10, rate: { shape: 'constant', ratePerSecond: 100 } },
      { lane: 'stream', protocol: 'grpc', connections: 20, intervalMs: 500 },
    ],
    steps: rollout,
    claims: [
      loses('grpc-kept', 'Without the settings, calls are cut with the pods that they are pinned to.', http2),
      safe('grpc-kept', 'With a drain (GOAWAY, then waiting) no call is lost.', http2, drainedGrpc),
      safe(
        'grpc-stream',
        'Streams that end with a status are opened again without a missing message.',
        http2,
        drainedGrpc,
      ),
      {
        id: 'baseline-cuts-streams',
        text: 'Without the settings, streams are cut.',
        source: http2,
        appliesTo: { variant: 'baseline', lane: 'grpc-stream' },
        that: [{ measure: 'lost', atLeast: 1 }],
      },
    ],
  },
  shorter,
);

export const grpcScaleUp = defineScenario(
  {
    id: 'grpc-scale-up',
    title: 'More replicas under gRPC',
    question:
      'How many of the calls do new pods get while clients keep their connections, and what does a connection age change?',
    source: 'gRPC: keepalive and maxConnectionAge',
    group: 'connections',
    target: { ...target, replicas: 2 },
    settings: ['readinessProbe', 'connectionAge', 'streamDrain'],
    variants: ['only:readinessProbe', 'readinessProbe+streamDrain+connectionAge'],
    load: [
      { lane: 'kept', protocol: 'grpc', connections: 12, rate: { shape: 'constant', ratePerSecond: 100 } },
    ],
    steps: [
      { step: 'scale', replicas: 6 },
      { step: 'wait', for: 'rollout' },
      { step: 'wait', for: 'time', ms: 12_000 },
    ],
    claims: [
      safe('grpc-kept', 'New pods cost no call.', http2, 'only:readinessProbe'),
      {
        id: 'pinned',
        text: 'While clients keep their connections, pods that come get no call at all.',
        source: http2,
        appliesTo: { variant: 'only:readinessProbe', lane: 'grpc-kept' },
        that: [{ measure: 'newPodsShare', atMost: 0 }],
      },
      {
        id: 'age-moves-calls',
        // An even share is two thirds; twelve connections that choose by chance come near it.
        text: 'With a connection age they get a good part of the calls.',
        source: 'gRPC: maxConnectionAge',
        appliesTo: { variant: 'readinessProbe+streamDrain+connectionAge', lane: 'grpc-kept' },
        that: [{ measure: 'newPodsShare', atLeast: 0.25 }],
      },
      {
        id: 'age-costs-nothing',
        text: 'Connections that are ended in order for their age cost no call.',
        source: http2,
        appliesTo: { variant: 'readinessProbe+streamDrain+connectionAge', lane: 'grpc-kept' },
        that: [{ measure: 'lost', atMost: 0 }],
      },
      {
        id: 'reaches-six',
        text: 'The Deployment reaches the wanted number of pods.',
        source: 'Kubernetes documentation: scaling a Deployment',
        that: [{ measure: 'maxPodsNotTerminating', equals: 6 }],
      },
    ],
  },
  shorter,
);

const waits = 'readinessProbe+preStop+gracefulShutdown+streamDrain';
const doesNotWait = 'readinessProbe+preStop+gracefulShutdown';

export const http2Goaway = defineScenario(
  {
    id: 'http2-goaway',
    title: 'GOAWAY in order, and without waiting',
    question: 'Is GOAWAY enough, or must the server wait for the streams that it has taken?',
    source: http2,
    group: 'connections',
    target: { ...target, workMs: 100 },
    settings: ['streamDrain'],
    variants: [doesNotWait, waits],
    load: [
      {
        lane: 'kept',
        protocol: 'http2',
        connections: 10,
        streamsPerConnection: 4,
        rate: { shape: 'constant', ratePerSecond: 200 },
      },
    ],
    steps: rollout,
    claims: [
      {
        id: 'no-wait-loses',
        text: 'A server that closes right behind its GOAWAY loses what was under way.',
        source: http2,
        appliesTo: { variant: doesNotWait, lane: 'http2-kept' },
        that: [{ measure: 'lost', atLeast: 1 }],
        role: 'baseline-loses',
      },
      {
        id: 'wait-is-safe',
        text: 'One that waits for its streams loses none.',
        source: http2,
        appliesTo: { variant: waits, lane: 'http2-kept' },
        that: [{ measure: 'lost', atMost: 0 }],
        role: 'hardened-safe',
      },
    ],
  },
  shorter,
);

export const websocketRollout = defineScenario(
  {
    id: 'websocket-rollout',
    title: 'A rollout under WebSockets',
    question:
      'How many WebSockets are cut with their pods, how soon is each back, and what does close 1001 change?',
    source: websocket,
    group: 'connections',
    target,
    settings,
    variants,
    load: [{ lane: 'stream', protocol: 'websocket', connections: 60, intervalMs: 500 }],
    steps: rollout,
    claims: [
      loses(
        'websocket-stream',
        'Without the settings, messages are lost with the streams that are cut.',
        websocket,
      ),
      safe(
        'websocket-stream',
        'Streams that are closed with 1001 and opened again lose no message.',
        websocket,
      ),
    ],
  },
  shorter,
);

export const eventStreamRollout = defineScenario(
  {
    id: 'event-stream-rollout',
    title: 'A rollout under answers that stream',
    question:
      'How many answers that stream for a while, as tokens do, end whole while their pods are replaced?',
    source: events,
    group: 'connections',
    // Whole answers need their time after SIGTERM, on top of the preStop sleep.
    target: {
      ...target,
      patches: [
        {
          kind: 'Deployment',
          patch: { spec: { template: { spec: { terminationGracePeriodSeconds: 60 } } } },
        },
      ],
    },
    settings,
    variants,
    load: [
      {
        lane: 'long',
        protocol: 'sse',
        holdMs: 20_000,
        timeoutMs: 40_000,
        rate: { shape: 'constant', ratePerSecond: 2 },
      },
    ],
    steps: rollout,
    claims: [
      loses('sse-long', 'Without the settings, answers are cut in the middle.', events),
      safe('sse-long', 'With a drain and a grace period that is long enough all of them end whole.', events),
    ],
    warmUpMs: 4000,
  },
  {
    tailMs: 2500,
    load: [
      {
        lane: 'long',
        protocol: 'sse',
        holdMs: 5000,
        timeoutMs: 15_000,
        rate: { shape: 'constant', ratePerSecond: 4 },
      },
    ],
  },
);

export const tcpRollout = defineScenario(
  {
    id: 'tcp-rollout',
    title: 'A rollout under TCP',
    question: 'What do connections of a line protocol lose when their pods are replaced?',
    source: tcp,
    group: 'connections',
    target,
    settings,
    variants,
    load: [
      { lane: 'kept', protocol: 'tcp', connections: 20, rate: { shape: 'constant', ratePerSecond: 100 } },
    ],
    steps: rollout,
    claims: [
      loses('tcp-kept', 'Without the settings, lines are lost with their connections.', tcp),
      {
        id: 'drained-tcp',
        text: 'A connection that is ended behind an answer loses at most a line that crosses the FIN.',
        source: tcp,
        appliesTo: { variant: drained, lane: 'tcp-kept' },
        that: [{ measure: 'lost' }],
      },
    ],
  },
  shorter,
);

const tls = 'Kubernetes documentation: TLS Secrets; RFC 5280: validity';
/** The name that clients ask for; the Service's address is not in the certificate. */
const serverName = 'target.test';
const tlsOfLoad = { ca: '{authority}', serverName };
const secret = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `target-tls${name === 'first' ? '' : `-${name}`}` },
  type: 'kubernetes.io/tls',
  stringData: { 'tls.crt': `{certificate:${name}}`, 'tls.key': `{key:${name}}` },
});
const hardenedSettings = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge', 'streamDrain'];
/** The kubelet writes a changed Secret into running pods at its next sync: every minute, and a tenth on top. */
const secretReachesPodsMs = 80_000;

export const tlsRollout = defineScenario(
  {
    id: 'tls-rollout',
    title: 'TLS in the pod',
    question:
      'Does TLS that ends in the pod change what a rollout loses? What does a certificate cost that is replaced while all runs, or one that has expired and comes with the new version?',
    source: tls,
    group: 'connections',
    certificates: {
      first: { hosts: [serverName], validHours: 24 },
      renewed: { hosts: [serverName], validHours: 48 },
      expired: { hosts: [serverName], validHours: -1 },
    },
    target: {
      env: { PROTOCOLS: 'all', TLS_FOLDER: '/tls' },
      extra: [secret('first'), secret('expired')],
      patches: [
        {
          kind: 'Deployment',
          patch: {
            spec: {
              template: {
                spec: {
                  volumes: [{ name: 'tls', secret: { secretName: 'target-tls' } }],
                  containers: [
                    { name: 'target', volumeMounts: [{ name: 'tls', mountPath: '/tls', readOnly: true }] },
                  ],
                },
              },
            },
          },
        },
      ],
    },
    settings,
    variants: ['baseline', drained, 'certificate-renewed', 'certificate-expired'],
    cases: {
      'certificate-renewed': {
        title: 'The Secret is updated; no pod is replaced',
        settings: hardenedSettings,
        steps: [
          {
            step: 'patch',
            kind: 'Secret',
            name: 'target-tls',
            patch: { stringData: secret('renewed').stringData },
          },
          { step: 'wait', for: 'time', ms: secretReachesPodsMs },
        ],
      },
      'certificate-expired': {
        title: 'The new version brings a certificate that has expired',
        settings: hardenedSettings,
        // In one rollout, as one change of the template does it.
        steps: [
          { step: 'pause' },
          {
            step: 'patch',
            patch: {
              spec: {
                template: {
                  spec: { volumes: [{ name: 'tls', secret: { secretName: 'target-tls-expired' } }] },
                },
              },
            },
          },
          { step: 'set-image', image: 'next' },
          { step: 'resume' },
          { step: 'wait', for: 'settled', limitMs: 180_000 },
        ],
      },
    },
    load: [
      // A handshake costs some 5 ms of CPU, on both ends together.
      { lane: 'new', tls: tlsOfLoad, rate: { shape: 'constant', ratePerSecond: 20 } },
      {
        lane: 'kept',
        protocol: 'http2',
        tls: tlsOfLoad,
        connections: 10,
        rate: { shape: 'constant', ratePerSecond: 50 },
      },
    ],
    steps: rollout,
    claims: [
      loses('http1+tls-new', 'Without the settings, new connections are lost while pods are replaced.', tls),
      safe('http1+tls-new', 'With the settings, no new connection is lost: TLS changes nothing.', tls),
      safe('http2+tls-kept', 'With a drain no request of HTTP/2 through TLS is lost.', tls),
      {
        id: 'renewed-in-use',
        text: 'A certificate that is replaced in the Secret reaches pods that run, and new connections are shown it.',
        source: tls,
        appliesTo: { variant: 'certificate-renewed', lane: 'http1+tls-new' },
        that: [{ measure: 'certificates', equals: 2 }],
      },
      {
        id: 'renewed-costs-nothing',
        text: 'Replacing it costs no request, on new connections and on those that are open.',
        source: tls,
        appliesTo: { variant: 'certificate-renewed' },
        that: [{ measure: 'lost', atMost: 0 }],
      },
      {
        id: 'expired-is-lost',
        text: 'Probes do not look at certificates: the rollout completes, and new connections are lost.',
        source: 'Kubernetes documentation: probes skip the verification of certificates',
        appliesTo: { variant: 'certificate-expired', lane: 'http1+tls-new' },
        that: [{ measure: 'lost:tls', atLeast: 1 }],
      },
      {
        id: 'expired-is-named',
        text: 'Each of them is lost for this one reason: the certificate has expired.',
        source: 'RFC 5280: validity',
        appliesTo: { variant: 'certificate-expired', lane: 'http1+tls-new' },
        that: [{ measure: 'tlsReasons', equals: 'CERT_HAS_EXPIRED' }],
      },
    ],
  },
  shorter,
);
