// Apps that do not speak to us, as people have them, each with a fault of its own. They log each connection
// (logging.ts), which nothing of the measurement sees.
import type { ScenarioInput } from '../../harness/model/scenario.ts';
import { loggingEnv, nginxLogFormat } from './logging.ts';

type Own = NonNullable<NonNullable<ScenarioInput['target']>['own']>;
type Manifest = Own['manifests'][number];

const image = 'node:20-bookworm-slim';
const port = 8080;
const folder = '/app';
const probe = { httpGet: { path: '/', port }, periodSeconds: 1 };

interface App {
  readonly title: string;
  /** Text of server.js; undefined: nginx. */
  readonly code?: string;
  /** Of the container. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly graceSeconds?: number;
  /** Both numbers of the rolling update; default: Kubernetes' own, 25 % of each. */
  readonly surgeAndUnavailable?: number;
}

const server = (answer: string, after: string) =>
  `const server = require('node:http').createServer((request, response) => { ${answer} });\n${after}`;
const endsAtOnce = "process.on('SIGTERM', () => process.exit(0));\n";

const apps: Readonly<Record<string, App>> = {
  nginx: { title: 'nginx, neither probe nor hook' },
  'no-drain': {
    title: 'Node.js, 200 ms of work per request, ends at SIGTERM at once',
    code: server("setTimeout(() => response.end('ok'), 200);", `${endsAtOnce}server.listen(${port});\n`),
    fields: { readinessProbe: probe },
  },
  late: {
    title:
      'Node.js, listens 1.5 s after its start, no readinessProbe, ends at SIGTERM at once: both gaps at a time',
    code: server("response.end('ok');", `${endsAtOnce}setTimeout(() => server.listen(${port}), 1500);\n`),
    surgeAndUnavailable: 1,
  },
  'says-no': {
    title: 'Node.js, answers 503 from SIGTERM on, ends 3 s later',
    code: server(
      "response.statusCode = going ? 503 : 200; response.end('ok');",
      `let going = false;
process.on('SIGTERM', () => { going = true; setTimeout(() => process.exit(0), 3000); });
server.listen(${port});
`,
    ),
    fields: { readinessProbe: probe },
  },
  shell: {
    title: 'Node.js behind a shell that is PID 1: no SIGTERM, killed after its grace period of 4 s',
    code: server("response.end('ok');", `server.listen(${port});\n`),
    fields: { readinessProbe: probe, command: ['sh', '-c', `node ${folder}/server.js; echo ended`] },
    graceSeconds: 4,
  },
};

const nginxConfiguration = `worker_processes 1;
error_log stderr;
events {}
http {
  log_format truth '${nginxLogFormat}';
  access_log /dev/stdout truth;
  server {
    listen ${port};
    location / { return 200 'ok'; }
  }
}
`;

/** Scenarios in which each of them is rolled out as it is. */
export function appScenarios(): ScenarioInput[] {
  return Object.entries(apps).map(([name, app]) => ({
    id: `app-${name}`,
    title: app.title,
    question: `${app.title}: is each lost attempt put to the right pod and cause?`,
    source: 'apps as people have them',
    group: 'connections',
    target: {
      own: {
        manifests: manifestsOf(name, app),
        deployment: name,
        service: name,
        ...(app.code === undefined && { images: { next: 'nginx:1.22.1' } }),
      },
    },
    variants: ['baseline'],
    steps: [
      app.code === undefined ? { step: 'set-image', image: 'next' } : { step: 'restart' },
      { step: 'wait', for: 'rollout', limitMs: 180_000 },
    ],
    claims: [],
    needs: { images: app.code === undefined ? ['nginx:1.22.0', 'nginx:1.22.1'] : [image] },
  }));
}

function manifestsOf(name: string, { code, fields, graceSeconds, surgeAndUnavailable }: App): Manifest[] {
  const labels = { app: name };
  const container = {
    name: 'app',
    ...(code === undefined
      ? {
          image: 'nginx:1.22.0',
          command: ['nginx', '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'],
        }
      : {
          image,
          command: ['node', `${folder}/server.js`],
          env: Object.entries(loggingEnv).map(([key, value]) => ({ name: key, value })),
        }),
    imagePullPolicy: 'IfNotPresent',
    ports: [{ containerPort: port }],
    volumeMounts: [{ name: 'code', mountPath: folder }],
    ...fields,
  };
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: code === undefined ? { 'nginx.conf': nginxConfiguration } : { 'server.js': code },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: labels, ports: [{ port: 80, targetPort: port }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        ...(surgeAndUnavailable !== undefined && {
          strategy: {
            rollingUpdate: { maxSurge: surgeAndUnavailable, maxUnavailable: surgeAndUnavailable },
          },
        }),
        template: {
          metadata: { labels },
          spec: {
            ...(graceSeconds !== undefined && { terminationGracePeriodSeconds: graceSeconds }),
            containers: [container],
            volumes: [{ name: 'code', configMap: { name } }],
          },
        },
      },
    },
  ];
}
