// A published best-practice manifest, run as it stands and then with one change after the other, each as small as it gets.
import { defineScenario, type ScenarioInput } from '../harness/model/scenario.ts';

type Target = NonNullable<ScenarioInput['target']>;
type Own = NonNullable<Target['own']>;
type Substitution = NonNullable<Own['substitutions']>[number];

/** Every field as published; name and labels are ours. */
const published = {
  apiVersion: 'extensions/v1beta1',
  kind: 'Deployment',
  metadata: { name: 'nginx' },
  spec: {
    replicas: 1,
    template: {
      metadata: { labels: { app: 'nginx' } },
      spec: {
        containers: [
          {
            name: 'nginx',
            image: 'nginx',
            ports: [{ containerPort: 80, hostPort: 80 }],
            readinessProbe: {
              httpGet: {
                path: '/healthz',
                port: 80,
                httpHeaders: [{ name: 'X-Custom-Header', value: 'Awesome' }],
              },
              initialDelaySeconds: 15,
              timeoutSeconds: 1,
            },
            lifecycle: { preStop: { exec: { command: ['/bin/bash', '-c', 'sleep 30'] } } },
          },
        ],
      },
    },
  },
};

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx' },
  spec: { selector: { app: 'nginx' }, ports: [{ name: 'http', port: 80 }] },
};

const now = 'nginx:1.22.0';
const next = 'nginx:1.22.1';

/** The files that the image serves; from the moment on that /tmp/draining is there, each answer ends its connection. */
const drainingConfiguration = `worker_processes auto;
events {}
http {
  include mime.types;
  server {
    listen 80;
    root /usr/share/nginx/html;
    location / {
      if (-f /tmp/draining) { rewrite ^(.*)$ /draining$1 last; }
    }
    location /draining/ {
      internal;
      keepalive_timeout 0;
      alias /usr/share/nginx/html/;
    }
  }
}
`;

const changed = (because: string, patch: Record<string, unknown>): Substitution => ({
  because,
  kind: 'Deployment',
  patch,
});
const inContainer = (because: string, fields: Record<string, unknown>): Substitution =>
  changed(because, { spec: { template: { spec: { containers: [{ name: 'nginx', ...fields }] } } } });

const withService: Substitution = {
  because: 'Clients need a Service to come through; the manifest has none.',
  add: service,
};
const version = changed('The API server has not served extensions/v1beta1 since v1.16.', {
  apiVersion: 'apps/v1',
});
const selector = changed('apps/v1 demands a selector; the old version took it from the labels.', {
  spec: { selector: { matchLabels: { app: 'nginx' } } },
});
const tag = inContainer('An image without a tag is "latest", which is pulled at every start.', {
  image: now,
});
const path = inContainer('nginx answers 404 on /healthz: such a pod never gets ready.', {
  readinessProbe: { httpGet: { path: '/' } },
});
const repairs: readonly Substitution[] = [
  inContainer('Behind a Service nobody needs the node\u2019s port, and two pods cannot share it.', {
    ports: [{ containerPort: 80 }],
  }),
  inContainer(
    'nginx listens within a second: asked every second and without a delay, it is ready that soon.',
    {
      readinessProbe: { initialDelaySeconds: null, periodSeconds: 1 },
    },
  ),
  inContainer(
    'Longer than the routing lags, shorter than the grace period: what is left of that is for nginx to stop.',
    {
      lifecycle: { preStop: { exec: { command: ['/bin/bash', '-c', 'sleep 5'] } } },
    },
  ),
  {
    because:
      'Kept connections stay at the old pod until it ends, and a request may cross the close: while it still serves, it has to answer them with Connection: close.',
    kind: 'Deployment',
    patch: {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'nginx',
                lifecycle: {
                  preStop: { exec: { command: ['/bin/bash', '-c', 'touch /tmp/draining; sleep 5'] } },
                },
                volumeMounts: [
                  { name: 'configuration', mountPath: '/etc/nginx/nginx.conf', subPath: 'nginx.conf' },
                ],
              },
            ],
            volumes: [{ name: 'configuration', configMap: { name: 'nginx' } }],
          },
        },
      },
    },
    add: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'nginx' },
      data: { 'nginx.conf': drainingConfiguration },
    },
  },
];

const target = (substitutions: readonly Substitution[], fields: Partial<Target> = {}): Target => ({
  replicas: 1,
  own: {
    manifests: [published],
    substitutions: [withService, ...substitutions],
    deployment: 'nginx',
    service: 'nginx',
    images: { next },
  },
  ...fields,
});
/** What cannot serve is created while nothing fires at it. */
const watched: { load: []; until: 'no-terminating' } = { load: [], until: 'no-terminating' };
const pullPolicy = 'spec.template.spec.containers.0.imagePullPolicy';
const imageChange: NonNullable<ScenarioInput['steps']> = [
  { step: 'set-image', image: 'next' },
  { step: 'wait', for: 'settled', limitMs: 180_000 },
];

const article = 'Rolling updates article: the published manifest';
const recorded = 'Recorded on v1.34.4';

export const nginxPublished = defineScenario({
  id: 'nginx-published',
  title: 'A published best-practice manifest, line by line',
  question:
    'What does it take until the published manifest keeps its promise, that an image change loses no connection?',
  source: 'Rolling updates article: nginx with readinessProbe, preStop sleep 30 and hostPort 80',
  group: 'connections',
  needs: { nodes: 2, images: [now, next], alone: true },
  settings: [],
  target: target([version, selector, tag, path]),
  load: [{ lane: 'new' }, { lane: 'kept', connections: 20 }],
  steps: imageChange,
  variants: ['as-published', 'apps-v1', 'with-selector', 'with-tag', 'host-port', 'with-path', 'repaired'],
  cases: {
    'as-published': {
      title: 'As it stands',
      target: target([], { deployed: false }),
      steps: [{ step: 'deploy', refusedWith: '404 page not found' }],
      ...watched,
    },
    'apps-v1': {
      title: 'With an API version that is served',
      target: target([version], { deployed: false }),
      steps: [{ step: 'deploy', refusedWith: 'spec.selector: Required value' }],
      ...watched,
    },
    'with-selector': {
      title: 'With a selector: the first that the API server takes',
      target: target([version, selector], { deployed: false }),
      steps: [
        { step: 'deploy' },
        { step: 'read-fields', fields: { pullPolicy } },
        { step: 'wait', for: 'time', ms: 8000 },
      ],
      ...watched,
    },
    'with-tag': {
      title: 'With an image that the nodes have',
      target: target([version, selector, tag], { deployed: false }),
      steps: [
        { step: 'deploy' },
        { step: 'read-fields', fields: { pullPolicy } },
        { step: 'wait', for: 'time', ms: 35_000 },
      ],
      ...watched,
    },
    'host-port': {
      title: 'With a path that nginx answers, on one node: an image change, undone after 15 s',
      target: target([version, selector, tag, path], { oneNode: true }),
      steps: [
        { step: 'set-image', image: 'next' },
        { step: 'wait', for: 'time', ms: 15_000 },
        { step: 'rollback' },
        { step: 'wait', for: 'settled' },
      ],
    },
    'with-path': {
      title: 'The published manifest as far as it runs: the new pod finds another node',
      role: 'before',
    },
    repaired: {
      title: 'Repaired',
      role: 'after',
      target: target([version, selector, tag, path, ...repairs]),
    },
  },
  claims: [
    {
      id: 'version-is-gone',
      text: 'The API server does not know extensions/v1beta1 any more.',
      source: 'Kubernetes documentation: deprecated API migration guide, v1.16',
      appliesTo: { variant: 'as-published' },
      that: [
        { measure: 'refusalsAsExpected', equals: 1 },
        { measure: 'step:1.status', equals: 404 },
        { measure: 'step:1.message', contains: '404 page not found' },
      ],
    },
    {
      id: 'selector-is-required',
      text: 'Under apps/v1 it is refused again: a selector is required.',
      source: 'Kubernetes documentation: deprecated API migration guide, v1.16',
      appliesTo: { variant: 'apps-v1' },
      that: [
        { measure: 'refusalsAsExpected', equals: 1 },
        { measure: 'step:1.status', equals: 422 },
        { measure: 'step:1.message', contains: 'spec.selector: Required value' },
      ],
    },
    {
      id: 'latest-is-pulled',
      text: 'Without a tag the image is pulled at every start: the API server sets the policy to Always, and the kubelet pulls.',
      source: 'Kubernetes documentation: imagePullPolicy',
      appliesTo: { variant: 'with-selector' },
      that: [
        { measure: 'step:2.pullPolicy', equals: 'Always' },
        { measure: 'eventMessage:Pulling', contains: 'Pulling image "nginx"' },
      ],
    },
    {
      id: 'tag-is-not-pulled',
      text: 'With a tag the image that the node has is used.',
      source: 'Kubernetes documentation: imagePullPolicy',
      appliesTo: { variant: 'with-tag' },
      that: [
        { measure: 'step:2.pullPolicy', equals: 'IfNotPresent' },
        { measure: 'eventMessage:Pulled', contains: 'already present on machine' },
      ],
    },
    {
      id: 'serves',
      text: 'The pod gets ready.',
      source: article,
      appliesTo: { variant: 'with-tag' },
      that: [{ measure: 'neverReady', equals: 0 }],
      expected: 'fails',
      because: 'nginx has no /healthz: it answers 404, and a probe takes 200 to 399 for success.',
    },
    {
      id: 'answers-404',
      text: 'The probe says what nginx answers, 20 s after the start and from then on.',
      source: recorded,
      appliesTo: { variant: 'with-tag' },
      that: [
        { measure: 'event:Unhealthy', atLeast: 1 },
        { measure: 'eventMessage:Unhealthy', contains: 'HTTP probe failed with statuscode: 404' },
        { measure: 'readyAtEnd', equals: 0 },
      ],
    },
    {
      id: 'host-port-blocks',
      text: 'On one node the new pod finds the host port taken, and the old one waits for the new one: the rollout stands still.',
      source: recorded,
      appliesTo: { variant: 'host-port' },
      that: [
        {
          measure: 'eventMessage:FailedScheduling',
          contains: "didn't have free ports for the requested pod ports",
        },
        { measure: 'scaleSteps', equals: 'rs2 0>1, rs2 1>0' },
        { measure: 'minReady', equals: 1 },
      ],
    },
    {
      id: 'host-port-loses-nothing',
      text: 'Meanwhile the old pod goes on serving.',
      source: 'Kubernetes documentation: maxUnavailable 25 % of one is none',
      appliesTo: { variant: 'host-port' },
      that: [{ measure: 'lost', atMost: 0 }],
    },
    {
      id: 'ready-after-the-delay',
      text: 'A pod is ready 15 s after its start, when initialDelaySeconds is over.',
      source: article,
      appliesTo: { variant: 'with-path' },
      that: [{ measure: 'readyAfterStartMsMin', atMost: 17_000 }],
      expected: 'fails',
      because:
        'the delay only leaves out probes: they come about 1 s after the start and then every 10 s (periodSeconds is not given), so the first one that counts comes after 21 s.',
    },
    {
      id: 'ready-after-21-s',
      text: 'It takes about 21 s: the first tick of every 10 s after the delay.',
      source: recorded,
      appliesTo: { variant: 'with-path' },
      that: [{ measure: 'readyAfterStartMsMin', atLeast: 19_000, atMost: 24_000 }],
    },
    {
      id: 'prestop-takes-it-all',
      text: 'The hook sleeps as long as the grace period lasts, so it is cut, and nginx gets its stop signal with 2 s left.',
      source: recorded,
      appliesTo: { variant: 'with-path' },
      that: [
        { measure: 'preStopCut', atLeast: 1 },
        { measure: 'terminationMsMin', atLeast: 29_500, atMost: 35_000 },
      ],
    },
    {
      id: 'runs-safe-new',
      text: 'As far as it runs, it loses no new connection.',
      source: article,
      appliesTo: { variant: 'with-path', lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
    },
    {
      id: 'runs-kept',
      text: 'Kept connections stay at the old pod until nginx ends and closes them; what crosses the close is lost.',
      source: 'Measured here',
      appliesTo: { variant: 'with-path', lane: 'kept' },
      that: [{ measure: 'lost' }],
    },
    {
      id: 'repaired-safe-new',
      text: 'Repaired, it loses no new connection when the image changes.',
      source: article,
      appliesTo: { variant: 'repaired', lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
      role: 'hardened-safe',
    },
    {
      id: 'repaired-safe-kept',
      text: 'Nor does a request on a kept connection get lost.',
      source: article,
      appliesTo: { variant: 'repaired', lane: 'kept' },
      that: [{ measure: 'lost', atMost: 0 }],
      role: 'hardened-safe',
    },
    {
      id: 'repaired-quick',
      text: 'Its new pod is ready within 3 s, and the old one is gone within 12 s: the hook ends by itself.',
      source: recorded,
      appliesTo: { variant: 'repaired' },
      that: [
        { measure: 'readyAfterStartMsMax', atMost: 3000 },
        { measure: 'preStopCut', equals: 0 },
        { measure: 'terminationMsMax', atMost: 12_000 },
      ],
    },
  ],
});
