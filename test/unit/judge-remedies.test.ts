// What to change, from how pods ended, what the manifests say and what the endpoints said.
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { judgeScenario } from '../../harness/judge/scenario.ts';
import type { ExperimentResult } from '../../harness/model/results.ts';
import { JournalBuilder, type Loss, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: remedies');

interface Case {
  /** Of the pod template's container, and of the Service. */
  readonly container?: string;
  readonly service?: string;
  readonly second?: string;
  /** Further fields of the pod. */
  readonly pod?: string;
  readonly losses: readonly Loss[];
  readonly setup: (journal: JournalBuilder) => void;
  /** Id of the remedy that speaks; undefined: none does. */
  readonly id: string | undefined;
  readonly says?: RegExp;
  readonly never?: RegExp;
}

const manifestsOf = ({ container = '', service = '', second = '', pod = '' }: Partial<Case>) => `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]${service}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
${pod}
      containers:
        - {name: app, image: "app:1"${container}}
${second}`;

const two = (journal: JournalBuilder) => {
  journal.oldPod('a');
  journal.oldPod('b');
  journal.endpoints(-500, { a: 'ready', b: 'ready', old: 'ready' });
};
/** Deleted at 8000; its container ended at `endedMs` with `exitCode`. */
const goes = (
  journal: JournalBuilder,
  endedMs: number,
  exitCode: number,
  graceSeconds = 30,
  second?: NonNullable<Parameters<JournalBuilder['pod']>[1]>['second'],
) => {
  two(journal);
  const options = { graceSeconds, ...(second && { second }) };
  journal.pod('old', options).runningReady(-1000).terminating(8000).ended(endedMs, exitCode).deleted(20_500);
  journal.endpoints(8060, { a: 'ready', b: 'ready', old: 'terminating' });
};
const refused = lossesBetween(8100, 8400, {}, 50);
const cut = [{ dueMs: 19_990, outcome: 'reset' as const, endMs: 20_010, reused: true, pod: 'old' }];

const table: Readonly<Record<string, Case>> = {
  '(a) a shell is the first process, and the container lives until its grace period ends': {
    container:
      ', command: [/bin/sh, -c, "echo booting; node app.mjs; echo ended"], lifecycle: {preStop: {sleep: {seconds: 5}}}',
    losses: cut,
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: 'signal-not-received',
    says: /SIGTERM never reaches the app of container app: a shell is its first process, which runs node app\.mjs.*exec as the script’s last command/,
    never: /[Rr]aise|[Ll]engthen/,
  },
  '(a) the same of an image’s own entry point: every pod was killed at the end': {
    losses: cut,
    setup: (journal) => {
      goes(journal, 20_100, 137, 12);
      journal
        .pod('older', { graceSeconds: 12 })
        .runningReady(-1000)
        .terminating(8000)
        .ended(20_100, 137)
        .deleted(20_500);
    },
    id: 'signal-not-received',
    says: /SIGTERM does not stop the app of container app: all 2 pods/,
    never: /[Rr]aise|[Ll]engthen/,
  },
  'one pod of two was killed at the end of its grace period: that may be a long request': {
    losses: cut,
    setup: (journal) => {
      goes(journal, 20_100, 137, 12);
      journal
        .pod('older', { graceSeconds: 12 })
        .runningReady(-1000)
        .terminating(8000)
        .ended(8200, 0)
        .deleted(8500);
    },
    id: undefined,
  },
  '(a) one command under Debian’s sh, which stays beside it': {
    container: ', command: [sh, -c, "node app.mjs"]',
    losses: cut,
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: 'signal-not-received',
    says: /a shell is its first process, which runs node app\.mjs .* so that the pod that ended lived/,
  },
  '(a) an init before the shell ends with it: that is no remedy': {
    container: ', command: [/bin/sh, -c, "echo booting; node app.mjs; echo ended"]',
    losses: cut,
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: 'signal-not-received',
    says: /an init such as tini in the shell’s place \(one that has the shell as its child ends with the shell/,
  },
  '(a) an init before the shell: the shell dies of the signal, and the app with it': {
    container: ', command: [tini, --, /bin/sh, -c, "echo booting; node app.mjs; echo ended"]',
    losses: [{ dueMs: 8090, outcome: 'reset', endMs: 8110, reused: true, pod: 'old', bytes: 10 }],
    setup: (journal) => goes(journal, 8120, 143),
    id: 'signal-not-received',
    says: /tini passes it to a shell, which dies of it \(exit code 143\), and node app\.mjs is killed with the container\. Start the app with exec/,
  },
  '(a) an init before the app': {
    container: ', command: [tini, --, node, app.mjs]',
    losses: [{ dueMs: 8090, outcome: 'reset', endMs: 8110, reused: true, pod: 'old', bytes: 10 }],
    setup: (journal) => goes(journal, 8120, 143),
    id: undefined,
    never: /tini/,
  },
  'it hears the signal, refuses, and then waits for kept connections: no shell is at fault': {
    losses: [
      ...lossesBetween(8100, 8400, { pod: 'old', podKnownBy: 'route' }, 50),
      ...['old', 'older'].map((pod, index) => ({ ...cut[0], dueMs: 19_985 + index * 5, pod }) as Loss),
    ],
    setup: (journal) => {
      goes(journal, 20_100, 137, 12);
      journal
        .pod('older', { graceSeconds: 12 })
        .runningReady(-1000)
        .terminating(8000)
        .ended(20_100, 137)
        .deleted(20_500)
        .phase(8010, 'sigterm');
    },
    id: 'does-not-end',
    says: /the app of container app hears that it should stop \(100 ms after the deletion it refused a new connection\) and does not end: all 2 pods/,
    never: /SIGTERM does not stop|never reaches|tini|[Rr]aise/,
  },
  'one that was killed refuses until that is seen: it has not heard the signal': {
    container: ', command: [/bin/sh, -c, "echo booting; node app.mjs; echo ended"]',
    losses: [...cut, ...lossesBetween(20_100, 22_000, { pod: 'old', podKnownBy: 'route' }, 50)],
    setup: (journal) => goes(journal, 23_500, 137, 12),
    id: 'signal-not-received',
    never: /[Rr]aise/,
  },
  'requests that take as long as the grace period need a longer one': {
    losses: [
      ...lossesBetween(8100, 8400, { pod: 'old', podKnownBy: 'route' }, 50),
      { dueMs: 9000, outcome: 'reset', endMs: 20_010, reused: true, pod: 'old', bytes: 10 },
    ],
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: undefined,
    says: /Raise terminationGracePeriodSeconds/,
  },
  'a container that no client is sent to is killed: the app ended long before': {
    container: ', ports: [{containerPort: 80}]',
    second: '        - {name: logger, image: "logger:1", command: [sh, -c, "echo a; tail -F /log; echo b"]}',
    losses: cut,
    setup: (journal) => {
      two(journal);
      for (const name of ['old', 'older'])
        journal
          .pod(name, { graceSeconds: 12, second: { name: 'logger', laterMs: 11_000, exitCode: 137 } })
          .runningReady(-1000)
          .terminating(8000)
          .ended(20_100, 0)
          .deleted(20_500);
      journal.endpoints(8060, { a: 'ready', b: 'ready', old: 'terminating', older: 'terminating' });
    },
    id: undefined,
    never: /SIGTERM|tini/,
  },
  '(b) a hook that stops the server itself': {
    container: ', lifecycle: {preStop: {exec: {command: [nginx, -s, quit]}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8400, 0),
    id: 'hook-stops-server',
    says: /stops the server itself \(nginx -s quit\).*Put a sleep of 5 s in the hook’s place/,
    never: /add a preStop|Lengthen/,
  },
  '(c) a second container ends while the first one serves': {
    container: ', ports: [{containerPort: 9000}]',
    second:
      '        - {name: web, image: "web:1", ports: [{containerPort: 8080}], lifecycle: {preStop: {sleep: {seconds: 10}}}}',
    losses: lossesBetween(
      8500,
      9500,
      { outcome: 'http5xx', status: 502, pod: 'old', podKnownBy: 'route' },
      100,
    ),
    setup: (journal) => goes(journal, 18_400, 0, 30, { name: 'web', laterMs: 10_000 }),
    id: 'container-ends-first',
    says: /container app ends up to 10\.0 s before container web, which sleeps 10 s in its preStop hook and goes on serving and answers 502.*Give container app the same preStop hook/,
    never: /add a preStop sleep, so/,
  },
  '(c) both have the hook, and one is faster after it': {
    container: ', ports: [{containerPort: 9000}], lifecycle: {preStop: {sleep: {seconds: 10}}}',
    second:
      '        - {name: web, image: "web:1", ports: [{containerPort: 8080}], lifecycle: {preStop: {sleep: {seconds: 10}}}}',
    losses: lossesBetween(
      18_500,
      19_000,
      { outcome: 'http5xx', status: 502, pod: 'old', podKnownBy: 'route' },
      50,
    ),
    setup: (journal) => goes(journal, 20_000, 0, 30, { name: 'web', laterMs: 2000 }),
    id: 'container-ends-first',
    says: /Both wait equally long, and then container app is the faster one: let it sleep some seconds longer/,
    never: /the same preStop hook/,
  },
  '(c) the one that the Service sends to ends first, the app behind it waits': {
    container: ', ports: [{containerPort: 80}]',
    second:
      '        - {name: web, image: "web:1", ports: [{containerPort: 8080}], lifecycle: {preStop: {sleep: {seconds: 10}}}}',
    losses: refused,
    setup: (journal) => goes(journal, 18_400, 0, 30, { name: 'web', laterMs: 10_000 }),
    id: 'container-ends-first',
    says: /container app, to which Service web sends, has no preStop hook and ends up to 10\.0 s before container web, which sleeps 10 s in its own.*Give container app the same preStop hook as container web \(sleep 10 s\)/,
    never: /add a preStop/,
  },
  '(c) the app ends before its proxy, which is a sidecar': {
    pod: '      initContainers: [{name: proxy, image: "proxy:1", restartPolicy: Always, ports: [{containerPort: 80}]}]',
    container: ', ports: [{containerPort: 9000}]',
    losses: lossesBetween(
      8500,
      9500,
      { outcome: 'http5xx', status: 503, pod: 'old', podKnownBy: 'route' },
      100,
    ),
    setup: (journal) => goes(journal, 12_000, 0, 30, { name: 'proxy', laterMs: 4000, sidecar: true }),
    id: 'container-ends-first',
    says: /container app ends up to 4\.00 s before container proxy \(a sidecar, which is stopped after all others\).*answers 503 for what it passes on.*Give container app a preStop sleep of its own/,
    never: /the app answers|start it as a sidecar/,
  },
  '(c) both end in the same second, and the proxy says what is behind it is gone': {
    container: ', ports: [{containerPort: 9000}]',
    second: '        - {name: web, image: "web:1", ports: [{containerPort: 80}]}',
    losses: lossesBetween(
      8100,
      8400,
      { outcome: 'http5xx', status: 502, pod: 'old', podKnownBy: 'route' },
      50,
    ),
    setup: (journal) => goes(journal, 8600, 0, 30, { name: 'web', laterMs: 0 }),
    id: 'container-ends-first',
    says: /container web answers 502 while its pod is being stopped, as a proxy does whose backend \(container app\) has ended/,
    never: /the app answers/,
  },
  '(c) the app says no by itself while a helper lives on': {
    container: ', ports: [{containerPort: 80}]',
    second: '        - {name: logger, image: "logger:1"}',
    losses: lossesBetween(
      8100,
      8600,
      { outcome: 'http5xx', status: 503, pod: 'old', podKnownBy: 'route' },
      50,
    ),
    setup: (journal) => goes(journal, 18_600, 0, 30, { name: 'logger', laterMs: 10_000 }),
    id: 'refuses-after-sigterm',
    says: /the app answers 503 from SIGTERM on/,
  },
  '(d) a Service publishes pods that are not ready': {
    service: ', publishNotReadyAddresses: true',
    losses: lossesBetween(3100, 3600, {}, 50),
    setup: (journal) => {
      two(journal);
      journal
        .pod('new')
        .created(2500)
        .running(3000)
        .ready(5000)
        .phase(3000, 'starting')
        .phase(4900, 'listening');
      journal.endpoints(3020, { a: 'ready', b: 'ready', new: 'ready' });
    },
    id: 'not-ready-published',
    says: /Service web has publishNotReadyAddresses: true.*Take spec\.publishNotReadyAddresses out/,
    never: /add a readinessProbe/,
  },
  '(e) a sleep of 0': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 0}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 0),
    id: 'hook-too-short',
    says: /the preStop hook of container app sleeps 0 s, which is too short.*Let it sleep 5 s/,
    never: /[Aa]dd preStop|add a preStop|Keep preStop/,
  },
  '(e) a hook that does something and does not wait': {
    container: ', lifecycle: {preStop: {exec: {command: [/bin/sh, -c, "touch /tmp/draining"]}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 0),
    id: 'hook-too-short',
    says: /touch \/tmp\/draining\) does not wait/,
  },
  'a hook that waits for something ended too soon, whatever its text says': {
    container: ', lifecycle: {preStop: {exec: {command: [/bin/sh, -c, "while busy; do sleep 1; done"]}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 0),
    id: 'hook-too-short',
    says: /while busy; do sleep 1; done\) ends before the routing has forgotten the pod, or stops the server itself \(100 ms after a pod’s deletion container app was seen ended\)/,
    never: /does not wait|[Aa]dd preStop|add a preStop/,
  },
  'a hook that is a request': {
    container: ', lifecycle: {preStop: {httpGet: {path: /drain, port: 8080}}}',
    losses: lossesBetween(8100, 8400, { pod: 'old', podKnownBy: 'route' }, 50),
    setup: (journal) => goes(journal, 14_100, 0),
    id: 'hook-too-short',
    says: /container app \(GET \/drain\) ends before .* \(100 ms after a pod’s deletion it refused a new connection\)\. Let it sleep 5 s before anything else \(an exec hook can, a request cannot/,
    never: /add a preStop/,
  },
  'a program of the user’s own': {
    container: ', lifecycle: {preStop: {exec: {command: [python, /hooks/leave.py]}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8300, 0),
    id: 'hook-too-short',
    says: /\(python \/hooks\/leave\.py\) ends before/,
    never: /does not wait|add a preStop/,
  },
  'a sleep of 5, and the pod stopped all the same': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 5}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 0),
    id: 'hook-too-short',
    says: /sleeps 5 s, and yet pods stopped 100 ms after their deletion .*A longer sleep changes nothing/,
    never: /add a preStop|Lengthen/,
  },
  'a sleep of 5, and the routing lags longer': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 5}}}',
    losses: lossesBetween(13_200, 13_900, { pod: 'old', podKnownBy: 'route' }, 50),
    setup: (journal) => {
      two(journal);
      journal.step(0, { step: 'proxy-delay', delayMs: 7000 });
      journal.pod('old').runningReady(-1000).terminating(8000).ended(13_100, 0).deleted(20_500);
      journal.endpoints(8060, { a: 'ready', b: 'ready', old: 'terminating' });
    },
    id: 'hook-too-short',
    says: /sleeps 5 s, and web was routed to a pod for longer after its deletion.*Let it sleep longer than that/,
    never: /add a preStop/,
  },
  'a hook that fails': {
    container: ', lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}',
    losses: refused,
    setup: (journal) => {
      goes(journal, 8100, 0);
      journal.event(8050, 'FailedPreStopHook', 'PreStopHook failed', 'old');
    },
    id: 'hook-fails',
    says: /the preStop hook of container app \(sleep 5\) fails, and nothing holds the app’s end back then\. Its command is started in the container’s image/,
    never: /add a preStop|Lengthen|is too short|Also/,
  },
  '(f) 503 after SIGTERM': {
    losses: lossesBetween(
      8100,
      8600,
      { outcome: 'http5xx', status: 503, pod: 'old', podKnownBy: 'route' },
      50,
    ),
    setup: (journal) => goes(journal, 12_000, 0),
    id: 'refuses-after-sigterm',
    says: /the app answers 503 from SIGTERM on, while it is still routed to.*say 503 on the readiness path only/,
    never: /[Aa]dd preStop|add a preStop/,
  },
  '503 at any time': {
    losses: lossesBetween(2000, 7000, { outcome: 'http5xx', status: 503, pod: 'a', podKnownBy: 'route' }, 50),
    setup: (journal) => goes(journal, 12_000, 0),
    id: undefined,
  },
  '(g) the pod’s stop signal is SIGQUIT': {
    container: ', lifecycle: {stopSignal: SIGQUIT, preStop: {sleep: {seconds: 5}}}',
    losses: [{ dueMs: 13_000, outcome: 'reset', endMs: 13_050, reused: true, pod: 'old' }],
    setup: (journal) => goes(journal, 13_100, 131),
    id: 'stop-signal',
    says: /container app is stopped by SIGQUIT \(its lifecycle\.stopSignal\), not by SIGTERM, and the app dies of it \(exit code 131 = 128 \+ 3\)/,
  },
  '(g) the app does not know the pod’s stop signal, and lives until it is killed': {
    container: ', lifecycle: {stopSignal: SIGQUIT}',
    losses: cut,
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: 'stop-signal',
    says: /stopped by SIGQUIT .*not by SIGTERM, and the app does not end on it: 1 container lived until the end/,
    never: /[Rr]aise|tini/,
  },
  '(g) the image’s STOPSIGNAL is known by the exit code': {
    losses: [{ dueMs: 13_000, outcome: 'reset', endMs: 13_050, reused: true, pod: 'old' }],
    setup: (journal) => goes(journal, 13_100, 138),
    id: 'stop-signal',
    says: /stopped by SIGUSR1 \(the STOPSIGNAL of its image\)/,
  },
};

const early = (journal: JournalBuilder) => {
  two(journal);
  journal.pod('new').created(2500).running(3000).ready(3010).phase(3000, 'starting').phase(4900, 'listening');
  journal.endpoints(3020, { a: 'ready', b: 'ready', new: 'ready' });
};

const more: Readonly<Record<string, Case>> = {
  'a readinessProbe that succeeds too early': {
    container: ', readinessProbe: {tcpSocket: {port: 9000}}',
    losses: lossesBetween(3100, 3600, {}, 50),
    setup: early,
    id: 'ready-too-early',
    says: /the readinessProbe of container app \(TCP port 9000\) calls pods ready while they do not accept connections\. Let it ask the port and path/,
    never: /add a readinessProbe/,
  },
  'pods that are deleted by force': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 5}}}',
    losses: refused,
    setup: (journal) => goes(journal, 8050, 137, 0),
    id: 'deleted-by-force',
    says: /1 pod was deleted with a grace period of 0 \(by force\)/,
    never: /sleeps 5 s|add a preStop|Lengthen/,
  },
  'a process that ended of itself': {
    losses: [
      { dueMs: 8400, outcome: 'reset', phase: 'first-byte', endMs: 8490, pod: 'old', podKnownBy: 'route' },
    ],
    setup: (journal) => {
      two(journal);
      journal.pod('old').runningReady(-1000).restarted(8500, 1);
    },
    id: 'ended-undeleted',
    says: /container app ended of itself in 1 pod that nobody deleted \(exit code 1\), so that no preStop hook ran/,
    never: /add a preStop|On SIGTERM/,
  },
  'no readinessProbe': {
    losses: lossesBetween(3100, 3600, {}, 50),
    setup: early,
    id: undefined,
    says: /add a readinessProbe/,
  },
  'an app that ends by itself on its stop signal handles it: the sleep is what lacks': {
    container: ', lifecycle: {stopSignal: SIGQUIT}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 0),
    id: undefined,
    says: /add a preStop sleep/,
    never: /SIGQUIT/,
  },
  'a helper’s stop signal is its own affair': {
    container: ', ports: [{containerPort: 80}]',
    second: '        - {name: logger, image: "logger:1", lifecycle: {stopSignal: SIGINT}}',
    losses: [{ dueMs: 13_000, outcome: 'reset', endMs: 13_050, reused: true, pod: 'old' }],
    setup: (journal) => goes(journal, 13_100, 130, 30, { name: 'logger', laterMs: 0 }),
    id: 'stop-signal',
    says: /container app is stopped by SIGINT \(the STOPSIGNAL of its image\)/,
    never: /container logger/,
  },
  '(g) a signal that does not stop the app, and no sleep: both are said': {
    container: ', lifecycle: {stopSignal: SIGQUIT}',
    losses: refused,
    setup: (journal) => goes(journal, 8100, 131),
    id: 'stop-signal',
    says: /add a preStop sleep[\s\S]*Also: container app is stopped by SIGQUIT/,
  },
  'a sleep as long as the grace period leaves the app no time: that is not what a signal does': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 12}}}',
    losses: [{ dueMs: 21_990, outcome: 'reset' as const, endMs: 22_010, reused: true, pod: 'old' }],
    setup: (journal) => {
      goes(journal, 22_100, 137, 12);
      journal
        .pod('older', { graceSeconds: 12 })
        .runningReady(-1000)
        .terminating(8000)
        .ended(22_100, 137)
        .deleted(22_500);
    },
    id: undefined,
    never: /SIGTERM does not stop|only makes the wait longer|no setting of ours/,
  },
  'a sleep that the grace period cuts off': {
    container: ', lifecycle: {preStop: {sleep: {seconds: 15}}}',
    losses: lossesBetween(12_200, 12_900, { pod: 'old', podKnownBy: 'route' }, 50),
    setup: (journal) => {
      two(journal);
      journal.step(0, { step: 'proxy-delay', delayMs: 7000 });
      journal
        .pod('old', { graceSeconds: 4 })
        .runningReady(-1000)
        .terminating(8000)
        .ended(12_100, 143)
        .deleted(20_500);
      journal.endpoints(8060, { a: 'ready', b: 'ready', old: 'terminating' });
    },
    id: 'hook-too-short',
    says: /sleeps 15 s, but the grace period is over after 4\.00 s/,
    never: /it may fail|A longer sleep changes nothing/,
  },
  'a hook that sends the signal: the image has no part in it': {
    container: ', lifecycle: {preStop: {exec: {command: [kill, -INT, "1"]}}}',
    losses: [{ dueMs: 8090, outcome: 'reset', endMs: 8110, reused: true, pod: 'old', bytes: 10 }, ...refused],
    setup: (journal) => goes(journal, 8120, 130),
    id: 'hook-stops-server',
    never: /STOPSIGNAL/,
  },
  'several at once: the first speaks for the cause, the others are said, too': {
    service: ', publishNotReadyAddresses: true',
    container:
      ', command: [/bin/sh, -c, "echo booting; node app.mjs; echo ended"], lifecycle: {preStop: {sleep: {seconds: 1}}}',
    losses: [...refused, ...cut],
    setup: (journal) => goes(journal, 20_100, 137, 12),
    id: 'signal-not-received',
    says: /publishNotReadyAddresses[\s\S]*SIGTERM never reaches[\s\S]*Also: the preStop hook of container app sleeps 1 s/,
    never: /add a preStop/,
  },
};

for (const [name, { losses, setup, id, says, never, ...written }] of Object.entries({ ...table, ...more })) {
  test(name, async () => {
    const experiment = await judge(losses, setup, manifestsOf(written));
    assert.ok(experiment.lanes.new && experiment.lanes.new.lost > 0, 'something was lost');
    assert.is(experiment.remedies?.[0]?.id, id);
    const { scenario } = await journalOf([], () => {}, '');
    const advice = judgeScenario(scenario, [experiment]).advice.join('\n');
    if (says) assert.match(advice, says);
    if (never) assert.not.match(advice, never);
  });
}

test('an object of an operator: what is written stands in the workload below it', async () => {
  const { losses, setup, container } = table['(e) a sleep of 0'] as Case;
  const written = manifestsOf({ container: container as string }).replace(
    'metadata: {name: web}\nspec:\n',
    'metadata: {name: web-1}\nspec:\n',
  );
  const own = `---\napiVersion: x.io/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n`;
  assert.is((await judge(losses, setup, written + own)).remedies?.[0]?.id, 'hook-too-short');
});

test('as it is and with the settings: what is too short is said of the own hook, and which setting lengthens it', async () => {
  const { losses, setup, container } = table['(e) a sleep of 0'] as Case;
  const asIs = await judge(losses, setup, manifestsOf({ container: container as string }), 'as-is');
  const hardened = await judge([], setup, '', 'hardened', ['preStop']);
  const { scenario } = await journalOf([], () => {}, '');
  const { advice } = judgeScenario(scenario, [asIs, hardened]);
  assert.is(advice.length, 1);
  assert.match(
    advice[0] ?? '',
    /^As it is, \d+ in lane new were lost: the preStop hook of container app sleeps 0 s/,
  );
  assert.match(advice[0] ?? '', /Setting preStop does that: with the settings none were lost\.$/);
});

async function judge(
  losses: readonly Loss[],
  setup: (journal: JournalBuilder) => void,
  manifests: string,
  variant = 'as-is',
  settings: readonly string[] = [],
): Promise<ExperimentResult> {
  return judgeExperiment((await journalOf(losses, setup, manifests, variant, settings)).journal);
}

async function journalOf(
  losses: readonly Loss[],
  setup: (journal: JournalBuilder) => void,
  manifests: string,
  variant = 'as-is',
  settings: readonly string[] = [],
) {
  const builder = new JournalBuilder({ manifests, variant, settings });
  setup(builder);
  builder.lane('new', { losses, durationMs: 25_000 });
  const journal = await readJournal(builder.lines());
  return { journal, scenario: journal.header.scenario };
}

test.run();
