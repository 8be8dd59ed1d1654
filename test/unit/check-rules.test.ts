// Every rule: manifests that have the risk, the same with the fix applied, and near misses that must not alarm.
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { type CheckedFinding, checkManifests } from '../../harness/check/check.ts';
import { rules } from '../../harness/check/rules/index.ts';
import { suite } from '../suite.ts';

const test = suite('check-rules');

interface Row {
  readonly rule: string;
  readonly name: string;
  readonly manifest: string;
  /** `line severity` of each finding of the rule; empty: none. */
  readonly expected: readonly string[];
  /** Must stand in the message or the fix of the first finding. */
  readonly says?: readonly RegExp[];
  readonly fix?: readonly RegExp[];
  readonly kubernetesMinor?: number;
}

const check = (text: string, kubernetesMinor?: number) =>
  checkManifests([{ file: 'm.yaml', text }], kubernetesMinor === undefined ? {} : { kubernetesMinor });

/** Indents every line but the first: blocks put into a template. */
const at = (spaces: number, text: string) => text.trim().replaceAll('\n', `\n${' '.repeat(spaces)}`);

const service = (extra = '', name = 'web') => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
  ${at(2, extra || 'type: ClusterIP')}
`;
const probe = 'readinessProbe: {httpGet: {path: /ready, port: http}}';
const hook = 'lifecycle: {preStop: {sleep: {seconds: 5}}}';

interface Parts {
  readonly kind?: string;
  readonly spec?: string;
  readonly pod?: string;
  readonly container?: string;
  readonly image?: string;
}
/** A workload without a risk, but for what the parts say. Line 1 is apiVersion; spec's parts start at line 7. */
const workload = ({
  kind = 'Deployment',
  spec = 'replicas: 2',
  pod = 'serviceAccountName: web',
  container = `${probe}\n${hook}`,
  image = 'shop/web:1.4',
}: Parts = {}) => `apiVersion: apps/v1
kind: ${kind}
metadata: {name: web}
spec:
  selector:
    matchLabels: {app: web}
  ${at(2, spec)}
  template:
    metadata:
      labels: {app: web}
    spec:
      ${at(6, pod)}
      containers:
        - name: web
          image: ${image}
          ports:
            - {name: http, containerPort: 8080}
          ${at(10, container)}
`;

const hpa = (extra = '') => `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  ${extra || 'minReplicas: 2'}
  maxReplicas: 10
`;
const budget = (spec: string, selector = '{matchLabels: {app: web}}') => `---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  ${spec}
  selector: ${selector}
`;
const strategy = (surge: string, unavailable: string, replicas = 'replicas: 2') =>
  `${replicas}\nstrategy:\n  rollingUpdate: {maxSurge: ${surge}, maxUnavailable: ${unavailable}}`;
const antiAffinity = (extra = '', topology = 'kubernetes.io/hostname') => `affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - labelSelector: {matchLabels: {app: web}}
        topologyKey: ${topology}${extra && `\n        ${extra}`}`;
const execHook = (command: string) => `${probe}\nlifecycle: {preStop: {exec: {command: ${command}}}}`;
const handler = 'httpGet: {path: /ready, port: http}';

const table: readonly Row[] = [
  // no-readiness-probe
  {
    rule: 'no-readiness-probe',
    name: 'behind a Service',
    manifest: workload({ container: hook }) + service(),
    expected: ['14 error'],
    says: [/container "web" of Deployment web .* Service "web" .* before port http listens/],
    fix: [/readinessProbe:\n\s+tcpSocket:\n\s+port: http/],
  },
  {
    rule: 'no-readiness-probe',
    name: 'asks what the livenessProbe asks, but acts sooner',
    manifest: workload({ container: `livenessProbe: {${handler}}\n${hook}` }) + service(),
    expected: ['14 error'],
    fix: [/path: \/ready/, /periodSeconds: 5/],
  },
  {
    rule: 'no-readiness-probe',
    name: 'no Service given: presumed from its port',
    manifest: workload({ container: hook }),
    expected: ['14 warning'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'Service in another namespace',
    manifest:
      workload({ container: hook }).replace('{name: web}', '{name: web, namespace: a}') +
      service().replace('{name: web}', '{name: web, namespace: b}'),
    expected: ['14 warning'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'a Service that selects nothing here says nothing about who is given one',
    manifest: workload({ container: hook }) + service().replace('{app: web}', '{app: api}'),
    expected: ['14 warning'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'Service selects others',
    manifest:
      workload({ container: hook }) +
      service().replace('{app: web}', '{app: api}') +
      `---\n${workload().replaceAll('web', 'api')}`,
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'worker without ports',
    manifest: workload({ container: 'args: [work]' }).replace(/ +ports:\n.*\n/, ''),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'only a metrics port, no Service given',
    manifest: workload({ container: hook }).replace('name: http', 'name: metrics'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'only a metrics Service',
    manifest: workload({ container: hook }) + service('', 'web-metrics'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'a startupProbe holds it back',
    manifest: workload({ container: `startupProbe: {${handler}}\n${hook}` }) + service(),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'a readiness gate holds it back',
    manifest: workload({ pod: 'readinessGates: [{conditionType: lb}]', container: hook }) + service(),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'Service that publishes unready pods',
    manifest: workload({ container: hook }) + service('clusterIP: None\npublishNotReadyAddresses: true'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'UDP only',
    manifest: workload({ container: hook }) + service().replace('port: 80,', 'port: 80, protocol: UDP,'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'Service of another API group (Knative)',
    manifest:
      workload({ container: hook }).replace(/ +ports:\n.*\n/, '') +
      service().replace('apiVersion: v1', 'apiVersion: serving.knative.dev/v1'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'a serving sidecar (init container that goes on)',
    manifest:
      workload({
        pod: `initContainers:\n  - name: proxy\n    image: shop/proxy:1\n    restartPolicy: Always\n    ports: [{name: proxy, containerPort: 9999}]`,
      }) + service().replace('targetPort: http', 'targetPort: proxy'),
    expected: ['13 note'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'an init container that ends',
    manifest: workload({ pod: `initContainers:\n  - name: migrate\n    image: shop/migrate:1` }) + service(),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'StatefulSet whose Service names a port that nobody serves',
    manifest:
      workload({ kind: 'StatefulSet', spec: 'serviceName: web', container: hook }) +
      service().replace('targetPort: http', 'targetPort: 12345'),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'DaemonSet behind a Service',
    manifest: workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1', container: hook }) + service(),
    expected: ['14 warning'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'Job',
    manifest: `apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\nspec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: "a:1", ports: [{containerPort: 80}]}]}}}\n${service()}`,
    expected: [],
  },

  {
    rule: 'prestop-stops-server',
    name: 'a hook that stops the server at once',
    manifest: workload({ container: execHook('[/usr/sbin/nginx, -s, quit]') }) + service(),
    expected: ['19 warning'],
    says: [/stops the server at once \(\/usr\/sbin\/nginx -s quit\)/],
    fix: [/preStop:[^\n]*\n\s+sleep:\n\s+seconds: 5/],
  },
  {
    rule: 'no-prestop',
    name: 'a hook that waits before it stops the server',
    manifest: workload({ container: execHook('[sh, -c, "sleep 10 && nginx -s quit"]') }) + service(),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'a long grace period: the app does something at SIGTERM',
    manifest: workload({ container: probe, pod: 'terminationGracePeriodSeconds: 600' }) + service(),
    expected: ['14 note'],
  },
  {
    rule: 'no-readiness-probe',
    name: 'a metrics API server is called by the API server',
    manifest: workload({ container: hook }) + service('', 'metrics-server'),
    expected: ['14 error'],
  },
  {
    rule: 'image-tag-latest',
    name: 'a reference that a build tool replaces',
    manifest: workload({ image: 'ko://shop.example/cmd/web' }),
    expected: [],
  },

  {
    rule: 'no-readiness-probe',
    name: 'only a port that Prometheus scrapes, no Service given',
    manifest: workload({ container: hook })
      .replace('name: http, ', '')
      .replace(
        'labels: {app: web}\n    spec',
        'labels: {app: web}\n      annotations: {prometheus.io/port: "8080"}\n    spec',
      ),
    expected: [],
  },
  {
    rule: 'no-readiness-probe',
    name: 'DaemonSet without a Service: an agent',
    manifest: workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1', container: hook }),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'a proxy that drains by itself, injected',
    manifest: workload({ image: 'auto', container: probe }) + service(),
    expected: [],
  },

  // liveness-equals-readiness
  {
    rule: 'liveness-equals-readiness',
    name: 'the same',
    manifest:
      workload({ container: `readinessProbe: {${handler}}\nlivenessProbe: {${handler}}\n${hook}` }) +
      service(),
    expected: ['19 warning'],
    says: [/kills after 30 s .* readinessProbe acts after 30 s/],
    fix: [/failureThreshold: 9/],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'the same, written otherwise',
    manifest:
      workload({
        container: `readinessProbe: {${handler}}\nlivenessProbe:\n  periodSeconds: 5\n  httpGet: {scheme: HTTP, port: 8080, path: /ready}\n${hook}`,
      }) + service(),
    expected: ['19 warning'],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'the same, by anchor',
    manifest:
      workload({ container: `readinessProbe: &p {${handler}}\nlivenessProbe: *p\n${hook}` }) + service(),
    expected: ['19 warning'],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'TCP: a closed port wants a restart',
    manifest:
      workload({
        container: `readinessProbe: {tcpSocket: {port: http}}\nlivenessProbe: {tcpSocket: {port: http}}\n${hook}`,
      }) + service(),
    expected: ['19 note'],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'more patient',
    manifest:
      workload({
        container: `readinessProbe: {${handler}}\nlivenessProbe: {${handler}, failureThreshold: 6}\n${hook}`,
      }) + service(),
    expected: [],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'another path',
    manifest:
      workload({
        container: `readinessProbe: {${handler}}\nlivenessProbe: {httpGet: {path: /live, port: http}}\n${hook}`,
      }) + service(),
    expected: [],
  },
  {
    rule: 'liveness-equals-readiness',
    name: 'nobody sends it connections',
    manifest: workload({ container: `readinessProbe: {${handler}}\nlivenessProbe: {${handler}}` }).replace(
      'name: http',
      'name: health',
    ),
    expected: [],
  },

  // probe-timeout-exceeds-period
  {
    rule: 'probe-timeout-exceeds-period',
    name: 'over the default period',
    manifest: workload({
      container: `readinessProbe:\n  httpGet: {path: /ready, port: http}\n  timeoutSeconds: 30\n${hook}`,
    }),
    expected: ['20 warning'],
    says: [/timeoutSeconds 30 and periodSeconds 10 \(the default\).* after 90 s instead of 30 s/],
    fix: [/timeoutSeconds: 10/],
  },
  {
    rule: 'probe-timeout-exceeds-period',
    name: 'livenessProbe of a worker',
    manifest: workload({
      container: 'livenessProbe: {exec: {command: [ok]}, periodSeconds: 5, timeoutSeconds: 6}',
    }).replace(/ +ports:\n.*\n/, ''),
    expected: ['16 warning'],
  },
  {
    rule: 'probe-timeout-exceeds-period',
    name: 'equal',
    manifest: workload({
      container: `readinessProbe: {${handler}, periodSeconds: 5, timeoutSeconds: 5}\n${hook}`,
    }),
    expected: [],
  },

  // initial-delay-instead-of-startup-probe
  {
    rule: 'initial-delay-instead-of-startup-probe',
    name: 'readinessProbe',
    manifest:
      workload({ container: `readinessProbe:\n  ${handler}\n  initialDelaySeconds: 15\n${hook}` }) +
      service(),
    expected: ['20 warning'],
    says: [/waits 15 s/],
    fix: [/initialDelaySeconds: null # remove this line/, /startupProbe:/, /failureThreshold: 23/],
  },
  {
    rule: 'initial-delay-instead-of-startup-probe',
    name: 'livenessProbe',
    manifest:
      workload({
        container: `${probe}\nlivenessProbe:\n  httpGet: {path: /live, port: http}\n  initialDelaySeconds: 60\n${hook}`,
      }) + service(),
    expected: ['21 note'],
    says: [/longer than 90 s is killed/],
  },
  {
    rule: 'initial-delay-instead-of-startup-probe',
    name: 'short',
    manifest:
      workload({
        container: `readinessProbe: {${handler}, initialDelaySeconds: 10}\nlivenessProbe: {httpGet: {path: /l, port: http}, initialDelaySeconds: 20}\n${hook}`,
      }) + service(),
    expected: [],
  },
  {
    rule: 'initial-delay-instead-of-startup-probe',
    name: 'beside a startupProbe',
    manifest:
      workload({
        container: `startupProbe: {${handler}}\nreadinessProbe: {${handler}, initialDelaySeconds: 60}\n${hook}`,
      }) + service(),
    expected: [],
  },

  // no-prestop
  {
    rule: 'no-prestop',
    name: 'behind a Service',
    manifest: workload({ container: probe }) + service(),
    expected: ['14 warning'],
    says: [/container "web" of Deployment web has no preStop hook: Service "web"/],
    fix: [/lifecycle:\n\s+preStop:\n\s+sleep:\n\s+seconds: 5/],
  },
  {
    rule: 'no-prestop',
    name: 'grace period too short for it',
    manifest: workload({ container: probe, pod: 'terminationGracePeriodSeconds: 5' }) + service(),
    expected: ['14 warning'],
    fix: [/terminationGracePeriodSeconds: 30/, /- name: web\n\s+lifecycle:/],
  },
  {
    rule: 'no-prestop',
    name: 'before Kubernetes 1.30',
    manifest: workload({ container: probe }) + service(),
    kubernetesMinor: 28,
    expected: ['14 warning'],
    fix: [/command:\n\s+- sleep\n\s+- "5"/],
  },
  {
    rule: 'no-prestop',
    name: 'beside a postStart hook',
    manifest:
      workload({ container: `${probe}\nlifecycle:\n  postStart: {exec: {command: [warm]}}` }) + service(),
    expected: ['14 warning'],
  },
  {
    rule: 'no-prestop',
    name: 'no Service given',
    manifest: workload({ container: probe }),
    expected: ['14 note'],
  },
  {
    rule: 'no-prestop',
    name: 'app that lingers by a flag',
    manifest: workload({ container: `${probe}\nargs: ["--shutdown-delay-duration=10s"]` }) + service(),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'app that lingers by its ConfigMap',
    manifest: `${workload({ container: probe, pod: 'volumes: [{name: c, configMap: {name: c}}]' })}${service()}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {Corefile: "health { lameduck 5s }"}\n`,
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'Recreate: nobody takes over',
    manifest: workload({ container: probe, spec: 'strategy: {type: Recreate}' }) + service(),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'headless Service: clients choose',
    manifest: workload({ container: probe }) + service('clusterIP: None'),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'database: clients choose their pod',
    manifest:
      workload({ kind: 'StatefulSet', spec: 'replicas: 3', container: probe })
        .replaceAll('8080', '5432')
        .replace('name: http', 'name: postgres') +
      service().replace('80, targetPort: http', '5432, targetPort: postgres'),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'StatefulSet that serves HTTP',
    manifest: workload({ kind: 'StatefulSet', spec: 'replicas: 3', container: probe }) + service(),
    expected: ['14 warning'],
  },
  {
    rule: 'no-prestop',
    name: 'DaemonSet for its own node',
    manifest:
      workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1', container: probe }) +
      service('internalTrafficPolicy: Local'),
    expected: [],
  },

  // prestop-exceeds-grace
  {
    rule: 'prestop-exceeds-grace',
    name: 'sleep 30 in the default 30 s',
    manifest: workload({ container: execHook('["/bin/bash", "-c", "sleep 30"]') }),
    expected: ['19 error'],
    says: [/takes 30 s and the grace period is 30 s \(the default\)/],
    fix: [/terminationGracePeriodSeconds: 60/],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'native sleep longer than the grace period',
    manifest: workload({
      container: `${probe}\nlifecycle: {preStop: {sleep: {seconds: 20}}}`,
      pod: 'terminationGracePeriodSeconds: 10',
    }),
    expected: ['19 error'],
    says: [/API server refuses/],
    fix: [/terminationGracePeriodSeconds: 30/],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'several sleeps add up',
    manifest: workload({ container: execHook('[sh, -c, "sleep 15; nginx -s quit; sleep 15s"]') }),
    expected: ['19 error'],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'a worker, too',
    manifest: workload({ container: 'lifecycle: {preStop: {exec: {command: [sleep, 1m]}}}' }).replace(
      / +ports:\n.*\n/,
      '',
    ),
    expected: ['16 error'],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'room left',
    manifest: workload({ container: execHook('[sleep, "30"]'), pod: 'terminationGracePeriodSeconds: 60' }),
    expected: [],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'a loop may end sooner',
    manifest: workload({ container: execHook('[sh, -c, "while pgrep -x nginx; do sleep 60; done"]') }),
    expected: [],
  },
  {
    rule: 'prestop-exceeds-grace',
    name: 'a variable',
    manifest: workload({ container: execHook('[sh, -c, "sleep $DELAY"]') }),
    expected: [],
  },

  // prestop-without-shell
  {
    rule: 'prestop-without-shell',
    name: 'shell in a distroless image',
    manifest: workload({
      image: 'gcr.io/distroless/nodejs22',
      container: execHook('[/bin/sh, -c, "sleep 7"]'),
    }),
    expected: ['19 error'],
    says: [/has no \/bin\/sh: it is a distroless image/],
    fix: [/sleep:\n\s+seconds: 7/],
  },
  {
    rule: 'prestop-without-shell',
    name: 'sleep in a scratch image',
    manifest: workload({ image: 'traefik/whoami:v1.10', container: execHook('[sleep, "5"]') }),
    expected: ['19 error'],
    says: [/has no sleep/],
  },
  {
    rule: 'prestop-without-shell',
    name: 'one word',
    manifest: workload({ container: execHook('["sleep 10"]') }),
    expected: ['19 error'],
    says: [/one word/],
    fix: [/seconds: 10/],
  },
  {
    rule: 'prestop-without-shell',
    name: 'shell operators without a shell',
    manifest: workload({ container: execHook('[touch, /tmp/down, "&&", drain]') }),
    expected: ['19 error'],
    says: [/"&&" is passed to touch as an argument/],
    fix: [/- \/bin\/sh\n\s+- -c\n\s+- touch \/tmp\/down && drain/],
  },
  {
    rule: 'prestop-without-shell',
    name: 'bash in an alpine image',
    manifest: workload({
      image: 'nginx:1.27-alpine',
      container: execHook('[/bin/bash, -c, "nginx -s quit"]'),
    }),
    expected: ['19 error'],
    fix: [/- \/bin\/sh\n\s+- -c\n\s+- nginx -s quit/],
  },
  {
    rule: 'prestop-without-shell',
    name: 'debug image has a shell',
    manifest: workload({
      image: 'gcr.io/distroless/base:debug',
      container: execHook('[/bin/sh, -c, "sleep 5"]'),
    }),
    expected: [],
  },
  {
    rule: 'prestop-without-shell',
    name: 'a program of the image’s own',
    manifest: workload({ image: 'gcr.io/distroless/static', container: execHook('[/wait-shutdown]') }),
    expected: [],
  },
  {
    rule: 'prestop-without-shell',
    name: 'native sleep needs none',
    manifest: workload({ image: 'gcr.io/distroless/static' }),
    expected: [],
  },
  {
    rule: 'prestop-without-shell',
    name: 'an image that is not known',
    manifest: workload({ container: execHook('[/bin/sh, -c, "sleep 5"]') }),
    expected: [],
  },

  // max-unavailable-all
  {
    rule: 'max-unavailable-all',
    name: 'surge 0, 25 % of 1 rounds to 0: one may be unavailable',
    manifest: workload({ spec: strategy('0', '25%', 'replicas: 1') }) + service(),
    expected: ['9 error'],
    says: [/maxUnavailable 25% with maxSurge 0 of 1 replica .* the only pod/],
    fix: [/maxSurge: 1\n\s+maxUnavailable: 0/],
  },
  {
    rule: 'max-unavailable-all',
    name: '100 %',
    manifest: workload({ spec: strategy('1', '"100%"', 'replicas: 3') }) + service(),
    expected: ['9 error'],
    says: [/all 3 pods/],
  },
  {
    rule: 'max-unavailable-all',
    name: 'as many as there are',
    manifest: workload({ spec: strategy('1', '2') }) + service(),
    expected: ['9 error'],
  },
  {
    rule: 'max-unavailable-all',
    name: 'replicas not written',
    manifest: workload({ spec: strategy('1', '1', 'minReadySeconds: 1') }) + service(),
    expected: ['9 warning'],
  },
  {
    rule: 'max-unavailable-all',
    name: 'at the autoscaler’s minimum',
    manifest: workload({ spec: strategy('0', '2', 'minReadySeconds: 1') }) + service() + hpa(),
    expected: ['9 error'],
  },
  {
    rule: 'max-unavailable-all',
    name: 'a host port leaves no room for a surge',
    manifest:
      workload({ spec: strategy('0', '1', 'replicas: 1') }).replace(
        'containerPort: 8080',
        'containerPort: 8080, hostPort: 80',
      ) + service(),
    expected: ['9 error'],
    fix: [/replicas: 2/],
  },
  {
    rule: 'max-unavailable-all',
    name: '99 % of 2 rounds down to 1',
    manifest: workload({ spec: strategy('1', '99%') }) + service(),
    expected: [],
  },
  {
    rule: 'max-unavailable-all',
    name: 'default of 1 is 1/0',
    manifest: workload({ spec: 'replicas: 1' }) + service(),
    expected: [],
  },
  {
    rule: 'max-unavailable-all',
    name: 'nobody sends it connections',
    manifest: workload({ spec: strategy('0', '1', 'replicas: 1') }).replace('name: http', 'name: metrics'),
    expected: [],
  },
  {
    rule: 'max-unavailable-all',
    name: 'StatefulSet',
    manifest:
      workload({
        kind: 'StatefulSet',
        spec: 'replicas: 2\nupdateStrategy: {rollingUpdate: {maxUnavailable: 2}}',
      }) + service(),
    expected: ['8 error'],
  },
  {
    rule: 'max-unavailable-all',
    name: 'DaemonSet',
    manifest:
      workload({ kind: 'DaemonSet', spec: 'updateStrategy: {rollingUpdate: {maxUnavailable: 100%}}' }) +
      service(),
    expected: ['7 error'],
  },
  {
    rule: 'max-unavailable-all',
    name: 'DaemonSet, a tenth',
    manifest:
      workload({ kind: 'DaemonSet', spec: 'updateStrategy: {rollingUpdate: {maxUnavailable: 10%}}' }) +
      service(),
    expected: [],
  },

  // surge-and-unavailable-zero
  {
    rule: 'surge-and-unavailable-zero',
    name: 'both 0',
    manifest: workload({ spec: strategy('0', '0') }),
    expected: ['9 error'],
  },
  {
    rule: 'surge-and-unavailable-zero',
    name: 'both 0 %',
    manifest: workload({ spec: strategy('0%', '0%') }),
    expected: ['9 error'],
  },
  {
    rule: 'surge-and-unavailable-zero',
    name: 'a percentage that rounds to 0 is allowed',
    manifest: workload({ spec: strategy('0', '1%') }),
    expected: [],
  },

  // surge-blocked-by-host-port
  {
    rule: 'surge-blocked-by-host-port',
    name: 'one replica by default 1/0',
    manifest: workload({ spec: 'replicas: 1' }).replace(
      'containerPort: 8080',
      'containerPort: 8080, hostPort: 80',
    ),
    expected: ['17 warning'],
    says: [/hostPort 80 with maxUnavailable 0 and maxSurge 1 .* needs 2 nodes/],
    fix: [/hostPort: null # remove this line/],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'pinned to one node',
    manifest: workload({ spec: 'replicas: 1', pod: 'nodeSelector: {kubernetes.io/hostname: n1}' }).replace(
      'containerPort: 8080',
      'containerPort: 8080, hostPort: 80',
    ),
    expected: ['17 error'],
    says: [/node n1/],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'two replicas take turns',
    manifest: workload().replace('containerPort: 8080', 'containerPort: 8080, hostPort: 80'),
    expected: ['17 warning'],
    fix: [/maxSurge: 0\n\s+maxUnavailable: 1/],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'host network: declared ports are host ports',
    manifest: workload({ spec: 'replicas: 1', pod: 'hostNetwork: true' }),
    expected: ['17 warning'],
    fix: [/replicas: 2/],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'DaemonSet with a surge',
    manifest: workload({
      kind: 'DaemonSet',
      spec: 'updateStrategy:\n  rollingUpdate: {maxSurge: 1, maxUnavailable: 0}',
    }).replace('containerPort: 8080', 'containerPort: 8080, hostPort: 80'),
    expected: ['8 error'],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'one may go first (50 % of 2)',
    manifest: workload({ spec: strategy('25%', '50%'), pod: 'hostNetwork: true' }),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: '25 % of 4 is 1',
    manifest: workload({ spec: 'replicas: 4' }).replace(
      'containerPort: 8080',
      'containerPort: 8080, hostPort: 80',
    ),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'Recreate',
    manifest: workload({ spec: 'strategy: {type: Recreate}' }).replace(
      'containerPort: 8080',
      'containerPort: 8080, hostPort: 80',
    ),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-host-port',
    name: 'DaemonSet, default',
    manifest: workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1' }).replace(
      'containerPort: 8080',
      'containerPort: 8080, hostPort: 80',
    ),
    expected: [],
  },

  // surge-blocked-by-anti-affinity
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'default 25 % of 3 is 0',
    manifest: workload({ spec: 'replicas: 3', pod: antiAffinity() }),
    expected: ['15 warning'],
    says: [/needs 4 nodes/],
    fix: [/maxSurge: 0\n\s+maxUnavailable: 1/],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'per zone',
    manifest: workload({ spec: 'replicas: 3', pod: antiAffinity('', 'topology.kubernetes.io/zone') }),
    expected: ['15 warning'],
    says: [/4 values of topology.kubernetes.io\/zone/],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'one replica',
    manifest: workload({ spec: 'replicas: 1', pod: antiAffinity() }),
    expected: ['15 warning'],
    fix: [/matchLabelKeys:\n\s+- pod-template-hash/],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'one may go first',
    manifest: workload({ spec: strategy('1', '1'), pod: antiAffinity() }),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'only within a revision',
    manifest: workload({ pod: antiAffinity('matchLabelKeys: [pod-template-hash]') }),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'against others',
    manifest: workload({ pod: antiAffinity().replace('app: web', 'app: db') }),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'preferred',
    manifest: workload({
      pod: 'affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}}]}}',
    }),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-anti-affinity',
    name: 'StatefulSet has no surge',
    manifest: workload({ kind: 'StatefulSet', pod: antiAffinity() }),
    expected: [],
  },

  // recreate-strategy
  {
    rule: 'recreate-strategy',
    name: 'behind a Service',
    manifest: workload({ spec: 'replicas: 2\nstrategy:\n  type: Recreate' }) + service(),
    expected: ['9 error'],
    fix: [/type: RollingUpdate/],
  },
  {
    rule: 'recreate-strategy',
    name: 'no Service given',
    manifest: workload({ spec: 'replicas: 2\nstrategy:\n  type: Recreate' }),
    expected: ['9 warning'],
  },
  {
    rule: 'recreate-strategy',
    name: 'a volume for one writer',
    manifest:
      workload({
        spec: 'strategy: {type: Recreate}',
        pod: 'volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]',
      }) + service(),
    expected: [],
  },
  {
    rule: 'recreate-strategy',
    name: 'a volume for many',
    manifest: `${workload({ spec: 'strategy: {type: Recreate}', pod: 'volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]' })}${service()}---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {accessModes: [ReadWriteMany]}\n`,
    expected: ['7 warning'],
  },
  {
    rule: 'recreate-strategy',
    name: 'a host port leaves no other way',
    manifest: workload({ spec: 'strategy: {type: Recreate}', pod: 'hostNetwork: true' }) + service(),
    expected: [],
  },
  {
    rule: 'recreate-strategy',
    name: 'worker',
    manifest: workload({ spec: 'strategy: {type: Recreate}', container: 'args: [work]' }).replace(
      / +ports:\n.*\n/,
      '',
    ),
    expected: [],
  },

  {
    rule: 'recreate-strategy',
    name: 'a singleton by design',
    manifest: workload({ spec: 'replicas: 1\nstrategy: {type: Recreate}' }) + service(),
    expected: ['8 warning'],
  },

  // single-replica
  {
    rule: 'single-replica',
    name: 'behind a Service',
    manifest: workload({ spec: 'replicas: 1' }) + service(),
    expected: ['7 note'],
    fix: [/replicas: 2/],
  },
  {
    rule: 'single-replica',
    name: 'not written: it is one',
    manifest: workload({ spec: 'minReadySeconds: 1' }) + service(),
    expected: ['4 note'],
  },
  {
    rule: 'single-replica',
    name: 'controller without a Service',
    manifest: workload({ spec: 'replicas: 1', container: 'args: [run]' }).replace(
      'name: http',
      'name: metrics',
    ),
    expected: [],
  },
  {
    rule: 'single-replica',
    name: 'database',
    manifest: workload({ kind: 'StatefulSet', spec: 'replicas: 1' }) + service(),
    expected: [],
  },
  {
    rule: 'single-replica',
    name: 'a volume for one writer',
    manifest:
      workload({ spec: 'replicas: 1', pod: 'volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]' }) +
      service(),
    expected: [],
  },

  // min-ready-exceeds-deadline
  {
    rule: 'min-ready-exceeds-deadline',
    name: 'equal',
    manifest: workload({ spec: 'minReadySeconds: 60\nprogressDeadlineSeconds: 60' }),
    expected: ['7 error'],
    says: [/60 is not below progressDeadlineSeconds 60/],
    fix: [/progressDeadlineSeconds: 660/],
  },
  {
    rule: 'min-ready-exceeds-deadline',
    name: 'over the default',
    manifest: workload({ spec: 'minReadySeconds: 600' }),
    expected: ['7 error'],
    says: [/600 \(the default\)/],
  },
  {
    rule: 'min-ready-exceeds-deadline',
    name: 'below',
    manifest: workload({ spec: 'minReadySeconds: 59\nprogressDeadlineSeconds: 60' }),
    expected: [],
  },

  // pdb-blocks-drain
  {
    rule: 'pdb-blocks-drain',
    name: 'minAvailable as many as there are',
    manifest: workload() + budget('minAvailable: 2'),
    expected: ['25 error'],
    says: [/minAvailable 2 of 2 replicas \(Deployment web\)/],
    fix: [/minAvailable: null # remove this line/, /maxUnavailable: 1/],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'a percentage rounds up',
    manifest: workload() + budget('minAvailable: 51%'),
    expected: ['25 error'],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'maxUnavailable 0, whatever it selects',
    manifest: budget('maxUnavailable: 0').slice(4),
    expected: ['5 error'],
    fix: [/maxUnavailable: 1/],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'one replica',
    manifest: workload({ spec: 'replicas: 1' }) + budget('minAvailable: 1'),
    expected: ['25 error'],
    says: [/give it two/],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'replicas not written',
    manifest: workload({ spec: 'minReadySeconds: 1' }) + budget('minAvailable: 1'),
    expected: ['25 warning'],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'at the autoscaler’s minimum',
    manifest: workload({ spec: 'minReadySeconds: 1' }) + hpa('minReplicas: 1') + budget('minAvailable: 1'),
    expected: ['33 error'],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'one to spare',
    manifest: workload() + budget('minAvailable: 1'),
    expected: [],
  },
  {
    rule: 'pdb-blocks-drain',
    name: '50 % of 2',
    manifest: workload() + budget('minAvailable: 50%'),
    expected: [],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'maxUnavailable 1 % rounds up',
    manifest: workload() + budget('maxUnavailable: 1%'),
    expected: [],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'selects others',
    manifest: workload() + budget('minAvailable: 2', '{matchLabels: {app: db}}'),
    expected: [],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'scaled to none',
    manifest: workload({ spec: 'replicas: 0' }) + budget('minAvailable: 1'),
    expected: [],
  },
  {
    rule: 'pdb-blocks-drain',
    name: 'DaemonSet: a drain passes over it',
    manifest: workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1' }) + budget('minAvailable: 1'),
    expected: [],
  },

  // autoscaler-with-replicas
  {
    rule: 'autoscaler-with-replicas',
    name: 'both',
    manifest: workload() + hpa(),
    expected: ['7 warning'],
    fix: [/replicas: null # remove this line: the autoscaler owns it/],
  },
  {
    rule: 'autoscaler-with-replicas',
    name: 'not written',
    manifest: workload({ spec: 'minReadySeconds: 1' }) + hpa(),
    expected: [],
  },
  {
    rule: 'autoscaler-with-replicas',
    name: 'scales another',
    manifest:
      workload() +
      hpa()
        .replace('name: web}', 'name: api}')
        .replace('kind: Deployment, name: web', 'kind: Deployment, name: api'),
    expected: [],
  },

  // rules of the second round
  {
    rule: 'startup-exceeds-deadline',
    name: 'more than the deadline',
    manifest: workload({
      spec: 'replicas: 2\nprogressDeadlineSeconds: 60',
      container: `${probe}\n${hook}\nstartupProbe: {${handler}, failureThreshold: 30}`,
    }),
    expected: ['21 warning'],
    says: [/300 s to start, progressDeadlineSeconds is 60/],
  },
  {
    rule: 'startup-exceeds-deadline',
    name: 'less than the default',
    manifest: workload({ container: `${probe}\n${hook}\nstartupProbe: {${handler}, failureThreshold: 30}` }),
    expected: [],
  },
  {
    rule: 'readiness-gate',
    name: 'a gate',
    manifest: workload({ pod: 'readinessGates: [{conditionType: example.com/lb}]' }),
    expected: ['12 note'],
    says: [/condition example\.com\/lb/],
  },
  { rule: 'readiness-gate', name: 'none', manifest: workload(), expected: [] },
  {
    rule: 'publish-not-ready',
    name: 'with an address',
    manifest: workload() + service('publishNotReadyAddresses: true'),
    expected: ['27 warning'],
  },
  {
    rule: 'publish-not-ready',
    name: 'headless',
    manifest: workload() + service('publishNotReadyAddresses: true\nclusterIP: None'),
    expected: [],
  },
  {
    rule: 'prestop-too-short',
    name: 'sleep 0',
    manifest: workload({ container: `${probe}\nlifecycle: {preStop: {sleep: {seconds: 0}}}` }) + service(),
    expected: ['19 warning'],
  },
  {
    rule: 'prestop-too-short',
    name: 'sleep 1 in a shell',
    manifest: workload({ container: execHook('[/bin/sh, -c, "sleep 1"]') }) + service(),
    expected: ['19 warning'],
    fix: [/seconds: 5/],
  },
  {
    rule: 'prestop-stops-server',
    name: 'the hook of ingress-nginx',
    manifest: workload({ container: execHook('[/wait-shutdown]') }) + service(),
    expected: ['19 note'],
    says: [/stops the server at once \(\/wait-shutdown\)/],
  },
  {
    rule: 'prestop-stops-server',
    name: 'the hook of ingress-nginx with a controller that serves on after the signal',
    manifest:
      workload({ container: `${execHook('[/wait-shutdown]')}\nargs: [--shutdown-grace-period=10]` }) +
      service(),
    expected: [],
  },
  {
    rule: 'prestop-too-short',
    name: 'a hook that does something small and ends',
    manifest: workload({ container: execHook('[/bin/sh, -c, "touch /tmp/draining;"]') }) + service(),
    expected: ['19 warning'],
    says: [/ends at once \(touch \/tmp\/draining;\)/],
    fix: [/touch \/tmp\/draining; sleep 5/],
  },
  {
    rule: 'prestop-too-short',
    name: 'something small, and a sleep that is too short',
    manifest:
      workload({ container: execHook('[/bin/sh, -c, "echo bye > /proc/1/fd/1 && sleep 0.5"]') }) + service(),
    expected: ['19 warning'],
    fix: [/sleep 0.5; sleep 5/],
  },
  ...[
    'touch /tmp/a; sleep 5',
    'touch /tmp/a; /drain',
    'echo $(drain)',
    'touch /tmp/a & wait',
    'date || drain',
    '/drain',
  ].map(
    (command): Row => ({
      rule: 'prestop-too-short',
      name: `not: ${command}`,
      manifest: workload({ container: execHook(JSON.stringify(['/bin/sh', '-c', command])) }) + service(),
      expected: [],
    }),
  ),
  {
    rule: 'prestop-too-short',
    name: 'sleep 1 and more',
    manifest: workload({ container: execHook('[/bin/sh, -c, "sleep 1; /drain"]') }) + service(),
    expected: [],
  },
  ...[
    'kill -QUIT $(cat /run/nginx.pid)',
    'kill -s TERM 1',
    'kill -TERM `pidof app`',
    'kill $PID',
    'pkill -TERM gunicorn',
    'killall node',
    'supervisorctl stop all',
    'curl -XPOST http://localhost:8080/actuator/shutdown',
    'wget -qO- --post-data= localhost:9090/-/quit',
    'systemctl stop app',
    'httpd -k graceful-stop',
    'caddy stop',
    's6-svc -d /run/service/app',
    'pm2 stop all',
    'curl -X POST localhost:15000/quitquitquit',
  ].map(
    (command): Row => ({
      rule: 'prestop-stops-server',
      name: command,
      manifest: workload({ container: execHook(JSON.stringify(['/bin/sh', '-c', command])) }) + service(),
      expected: ['19 warning'],
      fix: [/sleep:\n\s+seconds: 5/],
    }),
  ),
  ...[
    'sleep 5; kill -QUIT 1',
    'kill -HUP 1',
    'kill -0 1',
    '/wait-shutdown-of-mine',
    'sleep 10; /wait-shutdown',
    'touch /tmp/draining',
    'curl localhost:8080/drain',
    'until ! nc -z localhost 80; do sleep 1; done; nginx -s quit',
    'nginx -s reload',
  ].map(
    (command): Row => ({
      rule: 'prestop-stops-server',
      name: `not: ${command}`,
      manifest: workload({ container: execHook(JSON.stringify(['/bin/sh', '-c', command])) }) + service(),
      expected: [],
    }),
  ),
  {
    rule: 'prestop-stops-server',
    name: 'a request of a shutdown path',
    manifest:
      workload({ container: `${probe}\nlifecycle: {preStop: {httpGet: {path: /shutdown, port: 8080}}}` }) +
      service(),
    expected: ['19 warning'],
  },
  {
    rule: 'container-ends-first',
    name: 'a proxy waits, the app behind it does not',
    manifest:
      workload({
        container: `${probe}\nlifecycle: {preStop: {sleep: {seconds: 10}}}`,
      }) +
      '        - name: app\n          image: shop/app:1\n          ports: [{containerPort: 9000, name: fcgi}]\n' +
      service(),
    expected: ['20 warning'],
    says: [/container "app" .* stops at once while container "web" sleeps 10 s/],
    fix: [/seconds: 10/],
  },
  {
    rule: 'container-ends-first',
    name: 'an exporter',
    manifest:
      workload() +
      '        - name: exporter\n          image: nginx/nginx-prometheus-exporter:1\n          ports: [{containerPort: 9113, name: metrics}]\n' +
      service(),
    expected: [],
  },
  {
    rule: 'injected-proxy',
    name: 'Istio',
    manifest:
      workload().replace('labels: {app: web}\n', 'labels: {app: web, sidecar.istio.io/inject: "true"}\n') +
      service(),
    expected: ['9 note'],
    fix: [/terminationDrainDuration: 10s/],
  },
  {
    rule: 'injected-proxy',
    name: 'Linkerd that waits',
    manifest:
      workload().replace(
        'labels: {app: web}\n',
        'labels: {app: web}\n      annotations: {linkerd.io/inject: enabled, config.alpha.linkerd.io/proxy-wait-before-exit-seconds: "20"}\n',
      ) + service(),
    expected: [],
  },
  {
    rule: 'shell-is-pid-1',
    name: 'several commands',
    manifest:
      workload({
        container: `${probe}\n${hook}\ncommand: [/bin/sh, -c, "cd /app && ./migrate && ./server"]`,
      }) + service(),
    expected: ['20 warning'],
    fix: [/exec \.\/server/],
  },
  {
    rule: 'shell-is-pid-1',
    name: 'over command and args',
    manifest:
      workload({
        container: `${probe}\n${hook}\ncommand: [sh, -c]\nargs: ["export A=1; node app.js --port 80"]`,
      }) + service(),
    expected: ['21 warning'],
    fix: [/exec node app\.js/],
  },
  ...['./server --port 80 | tee /log', './server & wait', 'cd /app; ./server --port 80 &\nwait $!'].map(
    (command): Row => ({
      rule: 'shell-is-pid-1',
      name: command,
      manifest: workload({ container: `command: ${JSON.stringify(['/bin/sh', '-c', command])}` }) + service(),
      expected: ['18 warning'],
      says: [/runs \.\/server( --port 80)? under a shell/],
    }),
  ),
  ...[
    'cat /banner | sed s/a/b/ | exec ./server',
    'exec ./server',
    './server',
    './migrate && exec ./server',
    'trap stop TERM; ./server & wait',
    'sleep infinity',
    'nginx -g "daemon off;"',
  ].map(
    (command): Row => ({
      rule: 'shell-is-pid-1',
      name: `not: ${command}`,
      manifest: workload({ container: `command: ${JSON.stringify(['/bin/sh', '-c', command])}` }) + service(),
      expected: [],
    }),
  ),
  {
    rule: 'shell-is-pid-1',
    name: 'bash puts the last command in its own place',
    manifest: workload({ container: 'command: [bash, -c, "cd /app && ./migrate && ./server"]' }) + service(),
    expected: [],
  },
  {
    rule: 'grace-period-zero',
    name: '0',
    manifest:
      workload({ pod: 'terminationGracePeriodSeconds: 0', container: execHook('[/drain]') }) + service(),
    expected: ['12 error'],
  },
  { rule: 'grace-period-zero', name: 'a default', manifest: workload(), expected: [] },
  {
    rule: 'grace-period-tight',
    name: '3 s left',
    manifest: workload({ pod: 'terminationGracePeriodSeconds: 8' }) + service(),
    expected: ['12 warning'],
    says: [/3 s are left/],
  },
  {
    rule: 'grace-period-tight',
    name: '25 s left',
    manifest: workload() + service(),
    expected: [],
  },
  {
    rule: 'surge-blocked-by-volume',
    name: 'ReadWriteOnce',
    manifest:
      workload({ pod: 'volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]' }) +
      '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {accessModes: [ReadWriteOnce]}\n',
    expected: ['4 warning'],
    fix: [/type: Recreate/],
  },
  {
    rule: 'surge-blocked-by-volume',
    name: 'ReadWriteMany',
    manifest:
      workload({ pod: 'volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]' }) +
      '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {accessModes: [ReadWriteMany]}\n',
    expected: [],
  },
  {
    rule: 'bare-pod',
    name: 'behind a Service',
    manifest: `apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: {containers: [{name: web, image: "a:1"}]}\n${service()}`,
    expected: ['2 warning'],
  },
  {
    rule: 'bare-pod',
    name: 'alone',
    manifest:
      'apiVersion: v1\nkind: Pod\nmetadata: {name: debug}\nspec: {containers: [{name: web, image: "a:1"}]}\n',
    expected: [],
  },
  {
    rule: 'two-budgets',
    name: 'over the same pods',
    manifest:
      workload() +
      budget('maxUnavailable: 1') +
      budget('minAvailable: 1').replace('{name: web}', '{name: more}'),
    expected: ['33 error'],
  },
  { rule: 'two-budgets', name: 'one', manifest: workload() + budget('maxUnavailable: 1'), expected: [] },
  {
    rule: 'budget-keeps-unhealthy-pods',
    name: 'by default',
    manifest: workload() + budget('maxUnavailable: 1'),
    expected: ['24 note'],
  },
  {
    rule: 'budget-keeps-unhealthy-pods',
    name: 'written',
    manifest: workload() + budget('maxUnavailable: 1\n  unhealthyPodEvictionPolicy: AlwaysAllow'),
    expected: [],
  },
  {
    rule: 'no-disruption-budget',
    name: 'two replicas',
    manifest: workload() + service(),
    expected: ['7 note'],
    fix: [/kind: PodDisruptionBudget[\s\S]*maxUnavailable: 1/],
  },
  {
    rule: 'no-disruption-budget',
    name: 'one that is there',
    manifest: workload() + service() + budget('maxUnavailable: 1'),
    expected: [],
  },
  { rule: 'no-spread', name: 'two replicas', manifest: workload() + service(), expected: ['11 note'] },
  {
    rule: 'no-spread',
    name: 'an affinity',
    manifest: workload({ pod: antiAffinity() }) + service(),
    expected: [],
  },
  {
    rule: 'local-traffic-policy',
    name: 'a DaemonSet without a hook',
    manifest:
      workload({ kind: 'DaemonSet', spec: 'minReadySeconds: 1', container: probe }) +
      service('type: LoadBalancer\nexternalTrafficPolicy: Local'),
    expected: ['27 warning'],
  },
  {
    rule: 'local-traffic-policy',
    name: 'a long hook',
    manifest:
      workload({ container: `${probe}\nlifecycle: {preStop: {sleep: {seconds: 20}}}` }) +
      service('type: LoadBalancer\nexternalTrafficPolicy: Local'),
    expected: [],
  },
  {
    rule: 'selector-matches-nothing',
    name: 'a Service beside its workload',
    manifest: workload() + service().replace('{app: web}', '{run: web}'),
    expected: ['25 error'],
    says: [/selects run: web, which no pod here has; Deployment web has app: web/],
  },
  {
    rule: 'selector-matches-nothing',
    name: 'a budget and an autoscaler',
    manifest:
      workload() +
      service() +
      budget('maxUnavailable: 1', '{matchLabels: {run: web}}') +
      hpa().replace('kind: Deployment, name: web', 'kind: StatefulSet, name: web'),
    expected: ['34 warning', '40 warning'],
  },
  {
    rule: 'selector-matches-nothing',
    name: 'pods that somebody else makes',
    manifest: workload() + service() + service('', 'db').replace('{app: web}', '{app: postgres}'),
    expected: [],
  },
  {
    rule: 'undeclared-port',
    name: 'a probe on a name that is not there',
    manifest: workload({ container: `readinessProbe: {httpGet: {path: /, port: web}}\n${hook}` }) + service(),
    expected: ['18 error'],
    says: [/asks port "web", which the container does not declare \("http"\)/],
  },
  {
    rule: 'undeclared-port',
    name: 'a Service on another number',
    manifest: workload() + service().replace('targetPort: http', 'targetPort: 9999'),
    expected: ['26 note'],
  },
  { rule: 'undeclared-port', name: 'by number or name', manifest: workload() + service(), expected: [] },
  {
    rule: 'autoscaler-without-request',
    name: 'no metric says CPU',
    manifest: workload({ spec: 'minReadySeconds: 1' }) + hpa(),
    expected: ['14 warning'],
  },
  {
    rule: 'autoscaler-without-request',
    name: 'a limit is a request',
    manifest:
      workload({
        spec: 'minReadySeconds: 1',
        container: `${probe}\n${hook}\nresources: {limits: {cpu: 1}}`,
      }) + hpa(),
    expected: [],
  },
  {
    rule: 'liveness-before-ready',
    name: 'liveness gives up after 25 s, readiness is asked after 60',
    manifest: workload({
      container: `readinessProbe: {httpGet: {path: /, port: 8080}, initialDelaySeconds: 60}\nlivenessProbe: {httpGet: {path: /live, port: 8080}, initialDelaySeconds: 5}\n${hook}`,
    }),
    expected: ['19 warning'],
    says: [/when nothing answers 25 s after its start, .* not asked before 60 s/],
  },
  {
    rule: 'liveness-before-ready',
    name: 'a startupProbe',
    manifest: workload({
      container: `readinessProbe: {httpGet: {path: /, port: 8080}, initialDelaySeconds: 60}\nlivenessProbe: {httpGet: {path: /live, port: 8080}, initialDelaySeconds: 5}\nstartupProbe: {httpGet: {path: /, port: 8080}}\n${hook}`,
    }),
    expected: [],
  },
  {
    rule: 'liveness-before-ready',
    name: 'patience enough',
    manifest: workload({
      container: `readinessProbe: {httpGet: {path: /, port: 8080}, initialDelaySeconds: 20}\nlivenessProbe: {httpGet: {path: /live, port: 8080}}\n${hook}`,
    }),
    expected: [],
  },
  {
    rule: 'no-prestop',
    name: 'the one pod of a database',
    manifest: workload({ image: 'mongo:7', spec: 'replicas: 1' }) + service(),
    expected: [],
  },
  {
    rule: 'stop-signal',
    name: 'another one',
    manifest: workload({
      container: `${probe}\nlifecycle: {stopSignal: SIGQUIT, preStop: {sleep: {seconds: 5}}}`,
    }),
    expected: ['19 note'],
    says: [/feature gate ContainerStopSignals/],
  },
  {
    rule: 'stop-signal',
    name: 'SIGKILL',
    manifest: workload({ container: `${probe}\nlifecycle: {stopSignal: SIGKILL}` }),
    expected: ['19 warning'],
    says: [/stopped by SIGKILL/],
  },
  {
    rule: 'stop-signal',
    name: 'SIGTERM',
    manifest: workload({ container: `${probe}\nlifecycle: {stopSignal: SIGTERM}` }),
    expected: [],
  },
  {
    rule: 'update-on-delete',
    name: 'of a DaemonSet',
    manifest: workload({ kind: 'DaemonSet', spec: 'updateStrategy: {type: OnDelete}' }),
    expected: ['7 note'],
  },
  {
    rule: 'update-on-delete',
    name: 'rolling',
    manifest: workload({ kind: 'DaemonSet', spec: 'updateStrategy: {type: RollingUpdate}' }),
    expected: [],
  },
  {
    rule: 'revision-history-zero',
    name: '0',
    manifest: workload({ spec: 'replicas: 2\nrevisionHistoryLimit: 0' }),
    expected: ['8 warning'],
  },
  {
    rule: 'revision-history-zero',
    name: '1',
    manifest: workload({ spec: 'replicas: 2\nrevisionHistoryLimit: 1' }),
    expected: [],
  },
  {
    rule: 'refused-by-api',
    name: 'Recreate with figures, a label that is not there, a probe that asks nothing',
    manifest: workload({
      spec: 'replicas: 2\nstrategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}',
      container: `readinessProbe: {periodSeconds: 5}\n${hook}`,
    }).replace('matchLabels: {app: web}', 'matchLabels: {app: web, tier: front}'),
    expected: ['5 error', '8 error', '19 error'],
  },
  { rule: 'refused-by-api', name: 'nothing', manifest: workload() + service(), expected: [] },
  {
    rule: 'refused-by-api',
    name: 'numbers and booleans where the API takes text',
    manifest: workload({
      container: `${probe}\n${hook}\nenv:\n  - {name: PORT, value: 8080}\n  - {name: DEBUG, value: yes}\n  - {name: VERSION, value: 1.10}`,
    }).replace(
      'labels: {app: web}\n',
      'labels: {app: web}\n      annotations: {prometheus.io/scrape: true}\n',
    ),
    expected: ['11 error', '22 error', '23 error', '24 error'],
    says: [/prometheus\.io\/scrape"? must be text, and true without quotes is a boolean/],
  },
  {
    rule: 'refused-by-api',
    name: 'quotes around numbers, and other types than fields and lists',
    manifest:
      workload({
        spec: 'replicas: "2"\nstrategy: RollingUpdate',
        container: `readinessProbe: true\n${hook}\nenv: {PORT: "8080"}`,
      }) +
      service('selector: app=web').replace('  selector: {app: web}\n', '') +
      '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {PORT: 8080}\n',
    expected: ['7 error', '8 error', '19 error', '21 error', '28 error', '33 error'],
    says: [/spec\.replicas must be a whole number, not "2"/],
  },
  {
    rule: 'refused-by-api',
    name: 'types that are right, null, and what is filled in later',
    manifest: workload({
      spec: 'replicas: <REPLICAS>',
      pod: 'terminationGracePeriodSeconds:\nnodeSelector:',
      container: `${probe}\n${hook}\nenv:\n  - {name: A, value: "yes"}\n  - {name: B, value: "1"}\n  - name: C\nargs: [serve, "8080"]`,
    }),
    expected: [],
  },
  {
    rule: 'unknown-field',
    name: 'misspelt, in other capitals, in another part',
    manifest: workload({
      spec: 'replicas: 2\nminReadySecond: 5\nstrategy: {rollingUpdate: {maxSurges: 1}}\nterminationGracePeriodSeconds: 30',
      container: `readynessProbe: {httpGet: {path: /, port: 8080}}\nlivenessProbe: {httpget: {path: /, port: 8080}, timeoutseconds: 2}\npreStop: {sleep: {seconds: 5}}\nlifecycle: {prestop: {sleep: {seconds: 5}}}`,
    }),
    expected: ['8 error', '9 error', '10 error', '21 error', '22 error', '22 error', '23 error', '24 error'],
    says: [
      /its spec has "minReadySecond", which Kubernetes does not know there; minReadySeconds is meant\.$/,
    ],
  },
  {
    rule: 'unknown-field',
    name: 'a hook outside of lifecycle',
    manifest: workload({ container: `${probe}\npreStop: {sleep: {seconds: 5}}` }),
    expected: ['19 error'],
    says: [
      /container "web" has "preStop", which Kubernetes does not know there; it belongs into lifecycle\.$/,
    ],
  },
  {
    rule: 'unknown-field',
    name: 'nothing: all is known, is nobody’s, or is another group’s',
    manifest:
      workload({ container: `${probe}\n${hook}\nx-note: mine\ncpus: 2\ntty: true` }) +
      workload({ container: 'readynessProbe: {}' })
        .replace('apps/v1', 'argoproj.io/v1')
        .replace('Deployment', 'Rollout'),
    expected: [],
  },
  {
    rule: 'duplicate-key',
    name: 'twice',
    manifest: workload({ spec: 'replicas: 2\nminReadySeconds: 1\nreplicas: 3' }),
    expected: ['9 warning'],
    says: [/"replicas" stands twice/],
  },
  { rule: 'duplicate-key', name: 'once', manifest: workload(), expected: [] },
  // image-tag-latest
  {
    rule: 'image-tag-latest',
    name: 'latest',
    manifest: workload({ image: 'shop/web:latest' }),
    expected: ['15 warning'],
    // Nobody but its owner knows the tag: a file with an invented one does not deploy.
    fix: [/^# --fix leaves this alone: only you know the tag\n/],
  },
  {
    rule: 'image-tag-latest',
    name: 'no tag, registry with a port',
    manifest: workload({ image: 'registry.local:5000/web' }),
    expected: ['15 warning'],
    says: [/without a tag/],
  },
  {
    rule: 'image-tag-latest',
    name: 'init container',
    manifest: workload({ pod: 'initContainers:\n  - name: init\n    image: busybox' }),
    expected: ['14 warning'],
  },
  {
    rule: 'image-tag-latest',
    name: 'digest',
    manifest: workload({ image: 'shop/web@sha256:0123' }),
    expected: [],
  },
  {
    rule: 'image-tag-latest',
    name: 'latest with a digest',
    manifest: workload({ image: 'shop/web:latest@sha256:0123' }),
    expected: [],
  },
  { rule: 'image-tag-latest', name: 'a variable', manifest: workload({ image: '"$(IMAGE)"' }), expected: [] },
  {
    rule: 'image-tag-latest',
    name: 'tagged by a kustomization',
    manifest: `${workload({ image: 'controller:latest' })}---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: [{name: controller, newTag: v1}]\n`,
    expected: [],
  },
  {
    rule: 'image-tag-latest',
    name: 'Job',
    manifest:
      'apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n',
    expected: [],
  },

  // removed-api-version
  {
    rule: 'removed-api-version',
    name: 'Deployment, its selector from the template',
    manifest: workload()
      .replace('apps/v1', 'extensions/v1beta1')
      .replace('  selector:\n    matchLabels: {app: web}\n', ''),
    expected: ['1 error'],
    says: [/extensions\/v1beta1 was removed in Kubernetes 1.16; use apps\/v1/],
    fix: [/apiVersion: apps\/v1/, /selector:\n\s+matchLabels:\n\s+app: web/],
  },
  {
    rule: 'removed-api-version',
    name: 'PodDisruptionBudget',
    manifest: budget('maxUnavailable: 1').slice(4).replace('policy/v1', 'policy/v1beta1'),
    expected: ['1 error'],
    fix: [/^apiVersion: policy\/v1$/],
  },
  {
    rule: 'removed-api-version',
    name: 'Ingress, with its backends',
    manifest:
      'apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: i}\nspec:\n  rules:\n    - host: a\n      http:\n        paths:\n          - path: /\n            backend:\n              serviceName: web\n              servicePort: 80\n',
    expected: ['1 error'],
    fix: [/pathType: ImplementationSpecific/, /service:\n\s+name: web\n\s+port:\n\s+number: 80/],
  },
  {
    rule: 'removed-api-version',
    name: 'HorizontalPodAutoscaler v2beta1, with its metrics',
    manifest:
      'apiVersion: autoscaling/v2beta1\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec:\n  maxReplicas: 3\n  metrics:\n    - type: Resource\n      resource:\n        name: cpu\n        targetAverageUtilization: 50\n',
    expected: ['1 error'],
    fix: [/averageUtilization: 50/],
  },
  {
    rule: 'removed-api-version',
    name: 'CustomResourceDefinition',
    manifest:
      'apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec:\n  group: b\n  version: v1\n  scope: Namespaced\n  names: {kind: A, plural: a}\n',
    expected: ['1 error'],
    fix: [/x-kubernetes-preserve-unknown-fields: true/],
  },
  {
    rule: 'removed-api-version',
    name: 'CronJob',
    manifest: 'apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: c}\n',
    expected: ['1 error'],
  },
  {
    rule: 'removed-api-version',
    name: 'for an older cluster',
    manifest: 'apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: c}\n',
    kubernetesMinor: 24,
    expected: [],
  },
  {
    rule: 'removed-api-version',
    name: 'in a List',
    manifest:
      'apiVersion: v1\nkind: List\nitems:\n  - apiVersion: batch/v1beta1\n    kind: CronJob\n    metadata: {name: c}\n',
    expected: ['4 error'],
  },
  {
    rule: 'removed-api-version',
    name: 'a CRD’s own v1beta1',
    manifest: 'apiVersion: cert.example/v1beta1\nkind: Deployment\nmetadata: {name: c}\n',
    expected: [],
  },
  {
    rule: 'removed-api-version',
    name: 'current',
    manifest: workload() + budget('maxUnavailable: 1') + hpa(),
    expected: [],
  },

  // unknown-rule-ignored
  {
    rule: 'unknown-rule-ignored',
    name: 'misspelt',
    manifest: workload().replace(
      '{name: web}',
      '{name: web, annotations: {rollproof.dev/ignore: "no-prestopp, no-prestop"}}',
    ),
    expected: ['3 note'],
    says: [/"no-prestopp"/],
  },
  {
    rule: 'unknown-rule-ignored',
    name: 'right',
    manifest: workload().replace(
      '{name: web}',
      '{name: web, annotations: {rollproof.dev/ignore: no-prestop}}',
    ),
    expected: [],
  },
];

for (const row of table) {
  test(`${row.rule}: ${row.name}`, () => {
    const report = check(row.manifest, row.kubernetesMinor);
    assert.equal(report.problems, [], 'readable');
    const own = report.findings.filter((finding) => finding.rule === row.rule);
    assert.equal(
      own.map((finding) => `${finding.line} ${finding.severity}`),
      row.expected,
      own.map((finding) => finding.message).join('\n'),
    );
    const [first] = own;
    for (const pattern of row.says ?? []) assert.match(first!.message, pattern);
    for (const pattern of row.fix ?? []) assert.match(first!.fix, pattern);
    for (const finding of own) goneWhenFixed(finding, row);
  });
}

/** The fix is YAML, and with it the finding is gone and no other error has come. */
function goneWhenFixed(finding: CheckedFinding, row: Row): void {
  if (!finding.fixable) {
    assert.match(finding.fix, /^# /, 'an advice');
    assert.is(finding.fixed().text, row.manifest);
    return;
  }
  assert.ok(parse(finding.fix.replace(/# one more object\n/, '')) !== undefined, 'the fix is YAML');
  const before = check(row.manifest, row.kubernetesMinor).findings;
  const { problems, findings } = check(finding.fixed().text, row.kubernetesMinor);
  assert.equal(problems, []);
  const count = (list: readonly CheckedFinding[]) => list.filter((own) => own.rule === row.rule).length;
  assert.is(count(findings), count(before) - 1, finding.fixed().text);
  const errors = (list: readonly CheckedFinding[]) =>
    list.filter((own) => own.severity === 'error' && own.rule !== row.rule).map((own) => own.rule);
  assert.equal(errors(findings), errors(before), finding.fixed().text);
}

test('every rule has a row with a finding and one without', () => {
  for (const { id } of rules) {
    const rows = table.filter((row) => row.rule === id);
    assert.ok(
      rows.some((row) => row.expected.length > 0),
      `${id}: a manifest that has it`,
    );
    assert.ok(
      rows.some((row) => row.expected.length === 0),
      `${id}: a near miss`,
    );
  }
});

test('all fixes applied one after the other leave a clean manifest', () => {
  let text =
    workload({
      spec: 'replicas: 1\nstrategy: {type: Recreate}',
      container: `livenessProbe: {${handler}, timeoutSeconds: 20, initialDelaySeconds: 40}`,
      image: 'web',
    }) +
    service() +
    budget('minAvailable: 1');
  const seen: string[] = [];
  for (let round = 0; round < 20; round++) {
    const finding = check(text).findings.find(({ fixable }) => fixable);
    if (!finding) break;
    seen.push(finding.rule);
    text = finding.fixed().text;
  }
  assert.equal(
    check(text).findings.map(({ rule }) => rule),
    ['image-tag-latest'],
    text,
  );
  assert.ok(seen.length >= 6, seen.join());
});

test('an annotation silences the rules that it names, on the object or the pod template', () => {
  const risky = workload({ container: 'args: [serve]' });
  const ids = (text: string) =>
    check(text + service())
      .findings.filter(({ severity }) => severity !== 'note')
      .map((finding) => finding.rule);
  assert.equal(ids(risky), ['no-readiness-probe', 'no-prestop']);
  const annotated = (where: string, value: string) =>
    risky.replace(where, where.replace('{', `{annotations: {rollproof.dev/ignore: "${value}"}, `));
  assert.equal(ids(annotated('metadata: {name: web}', 'no-prestop')), ['no-readiness-probe']);
  assert.equal(ids(annotated('metadata: {name: web}', 'no-prestop, no-readiness-probe')), []);
  assert.equal(ids(annotated('metadata: {name: web}', '*')), []);
  const template = risky.replace(
    '      labels: {app: web}',
    '      labels: {app: web}\n      annotations: {rollproof.dev/ignore: no-prestop}',
  );
  assert.equal(ids(template), ['no-readiness-probe']);
});

test.run();
