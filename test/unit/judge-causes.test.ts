import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Lane } from '../../harness/model/load.ts';
import type { CauseShare, ExperimentResult } from '../../harness/model/results.ts';
import { type BuilderOptions, JournalBuilder, type Loss, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: causes');

type Row = readonly [cause: string, lost: number, pods: readonly string[], confidence: string];
interface Case {
  readonly lane?: Lane;
  readonly losses: readonly Loss[];
  readonly setup: (journal: JournalBuilder) => void;
  readonly options?: BuilderOptions;
  readonly ignoreRouteKnowledge?: boolean;
  readonly expected: readonly Row[];
  /** A fact that must be among the first cause's. */
  readonly fact?: RegExp;
}

async function judge(
  lane: Lane,
  losses: readonly Loss[],
  setup: (journal: JournalBuilder) => void,
  options?: BuilderOptions,
  ignoreRouteKnowledge = false,
): Promise<ExperimentResult> {
  const journal = new JournalBuilder(options);
  setup(journal);
  journal.lane(lane, { losses });
  return judgeExperiment(await readJournal(journal.lines()), { ignoreRouteKnowledge });
}

/** Every fourth arrival: one of four pods. */
const quarter = (fromMs: number, toMs: number, loss: Omit<Loss, 'dueMs'> = {}) =>
  lossesBetween(fromMs, toMs, loss, 50);

const alive = (journal: JournalBuilder, ...names: string[]) => {
  for (const name of names) journal.oldPod(name);
};
/** Three old pods that go on serving, and routed from the start. */
const three = (journal: JournalBuilder) => {
  alive(journal, 'a', 'b', 'c');
  journal.endpoints(-500, { a: 'ready', b: 'ready', c: 'ready' });
};
/** Pod `new`: Ready with Running at 3000, listens at 5000. */
const lateListener = (journal: JournalBuilder, phases = true) => {
  const pod = journal.pod('new').created(2500).runningReady(3000);
  if (phases) pod.phase(3000, 'starting').phase(5000, 'listening');
  journal.endpoints(3020, { a: 'ready', b: 'ready', c: 'ready', new: 'ready' });
};
/** Pod `old`: deleted at 8000, SIGTERM and end at 8050, seen ended at 8400, gone at 9000. */
const earlyStopper = (journal: JournalBuilder, phases = true) => {
  const pod = journal.pod('old').runningReady(-1000).terminating(8000).ended(8400, 0).deleted(9000);
  if (phases) pod.phase(-900, 'listening').phase(8050, 'sigterm').phase(8052, 'closed');
  journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
  journal.endpoints(8060, { a: 'ready', b: 'ready', c: 'ready', old: 'terminating' });
  journal.endpoints(8420, { a: 'ready', b: 'ready', c: 'ready' });
};
/** Of an app that does not speak: `new` is fresh while `old` is being deleted. */
const freshBesideDeleted = (journal: JournalBuilder) => {
  three(journal);
  earlyStopper(journal, false);
  journal.pod('new').created(7000).runningReady(7500);
  journal.endpoints(7520, { a: 'ready', b: 'ready', c: 'ready', old: 'ready', new: 'ready' });
  journal.endpoints(8065, { a: 'ready', b: 'ready', c: 'ready', old: 'terminating', new: 'ready' });
};

const table: Readonly<Record<string, Case>> = {
  'refused while a routed pod does not listen yet': {
    losses: quarter(3100, 4900),
    setup: (journal) => {
      three(journal);
      lateListener(journal);
    },
    expected: [['routed-before-listening', 90, ['new'], 'high']],
    fact: /pod new listened from 5.00 s on/,
  },
  'refused by a pod that has stopped and is still routed to': {
    losses: quarter(8060, 8400),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 17, ['old'], 'high']],
    fact: /pod old stopped listening at 8.05 s/,
  },
  'timeouts after its network is gone, within a sync of the routing': {
    losses: quarter(8420, 9000, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 29, ['old'], 'high']],
    fact: /left the routed endpoints at 8.06 s/,
  },
  'unreachable, as another network plugin says it': {
    losses: quarter(8420, 9000, { outcome: 'unreachable' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 29, ['old'], 'high']],
  },
  'later than one sync and within the bound: less sure': {
    losses: quarter(9500, 10_500, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 50, ['old'], 'medium']],
  },
  'later than the bound: unknown': {
    losses: quarter(11_100, 11_300, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['unknown', 10, [], 'low']],
    fact: /no pod that the Service may have routed to was unable to accept/,
  },
  'later than the bound, with a recorded proxy delay': {
    losses: quarter(11_100, 11_300, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
      journal.step(1000, { step: 'proxy-delay', delayMs: 4000 });
    },
    expected: [['routed-after-stop', 10, ['old'], 'high']],
  },
  'a proxy delay that was ended long before': {
    losses: quarter(11_100, 11_300, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
      journal
        .step(500, { step: 'proxy-delay', delayMs: 1000 })
        .step(600, { step: 'proxy-delay', delayMs: 0 });
    },
    expected: [['unknown', 10, [], 'low']],
  },
  'both kinds at once, nothing decides: split by the number of pods and how likely rules pointed to them': {
    losses: quarter(4000, 4400),
    setup: (journal) => {
      three(journal);
      journal.pod('new').created(2500).runningReady(3000).phase(3000, 'starting').phase(5000, 'listening');
      journal.pod('new2').created(2500).runningReady(3000).phase(3000, 'starting').phase(5000, 'listening');
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(3900)
        .phase(3920, 'sigterm')
        .phase(3921, 'closed');
      journal.endpoints(3020, { a: 'ready', b: 'ready', old: 'ready', new: 'ready', new2: 'ready' });
      journal.endpoints(3950, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready', new2: 'ready' });
      journal.pod('old').terminating(8000).deleted(8001);
    },
    expected: [
      ['routed-before-listening', 15, ['new', 'new2'], 'low'],
      ['routed-after-stop', 5, ['old'], 'low'],
    ],
    fact: /split by the number of pods/,
  },
  'both kinds at once, timeouts fit only the pod whose network is gone': {
    losses: quarter(4000, 4400, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      lateListener(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(3900)
        .phase(3920, 'sigterm')
        .phase(3921, 'closed')
        .deleted(4500);
      journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'ready', new: 'ready' });
      journal.endpoints(3950, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready' });
    },
    expected: [['routed-after-stop', 20, ['old'], 'high']],
  },
  'both kinds at once, the route says who was asked': {
    losses: quarter(4000, 4400, { pod: 'new', podKnownBy: 'route' }),
    setup: (journal) => {
      three(journal);
      lateListener(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(3900)
        .phase(3920, 'sigterm')
        .phase(3921, 'closed')
        .deleted(4500);
      journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'ready', new: 'ready' });
      journal.endpoints(3950, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready' });
    },
    expected: [['routed-before-listening', 20, ['new'], 'high']],
  },
  'refused, and the pod that stopped was seen ended: its network is gone, so the other pod refused': {
    losses: quarter(4700, 4800),
    setup: (journal) => {
      three(journal);
      lateListener(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(3900)
        .phase(3920, 'sigterm')
        .phase(3921, 'closed')
        .ended(4300, 0)
        .deleted(4900);
      journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'ready', new: 'ready' });
      journal.endpoints(3950, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready' });
    },
    expected: [['routed-before-listening', 5, ['new'], 'high']],
  },
  'refused after the only pod that stopped was seen ended: it was asked all the same': {
    losses: quarter(8600, 8800),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 10, ['old'], 'medium']],
  },
  'the same judged without the knowledge of routes': {
    losses: quarter(4000, 4400, { pod: 'new', podKnownBy: 'route' }),
    ignoreRouteKnowledge: true,
    setup: (journal) => {
      three(journal);
      lateListener(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(3900)
        .phase(3920, 'sigterm')
        .phase(3921, 'closed')
        .deleted(4500);
      journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'ready', new: 'ready' });
      journal.endpoints(3950, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready' });
    },
    expected: [
      ['routed-before-listening', 11, ['new'], 'low'],
      ['routed-after-stop', 9, ['old'], 'low'],
    ],
  },
  'refused with the route known and the pod listening: unknown, not the other pod': {
    losses: quarter(8100, 8200, { pod: 'a', podKnownBy: 'route' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['unknown', 5, [], 'low']],
    fact: /pod a was asked/,
  },
  'refused by the pod that is known to have been asked, just before its stop was heard of': {
    losses: [{ dueMs: 8030, pod: 'old', podKnownBy: 'route' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 1, ['old'], 'medium']],
  },
  'the same when it is not known who was asked: unknown': {
    losses: [{ dueMs: 8030 }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['unknown', 1, [], 'low']],
    fact: /too close to the attempt at 8.03 s/,
  },
  'a listener that draining closed: stopping, no other pod explains it': {
    losses: quarter(8100, 8400),
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(8000)
        .phase(8050, 'sigterm')
        .phase(9500, 'closed')
        .deleted(9900);
      journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
      journal.endpoints(8060, { a: 'ready', b: 'ready', c: 'ready', old: 'terminating' });
    },
    expected: [['routed-after-stop', 15, ['old'], 'medium']],
  },
  'a crashed pod that is still routed to': {
    losses: quarter(5050, 5500),
    setup: (journal) => {
      three(journal);
      journal.pod('old').runningReady(-1000).phase(-900, 'listening').phase(5000, 'gone').restarted(5600, 1);
      journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
    },
    expected: [['routed-after-stop', 22, ['old'], 'high']],
    fact: /the process of pod old was gone at 5.00 s, without a word/,
  },
  'the restarted container of the same pod, Ready before it listens': {
    losses: quarter(6100, 7000),
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .phase(5000, 'gone')
        .restarted(6000, 1)
        .phase(6000, 'starting')
        .phase(8000, 'listening');
      journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
    },
    expected: [['routed-before-listening', 45, ['old'], 'high']],
  },
  'no endpoint at all': {
    losses: lossesBetween(10_000, 11_000),
    setup: (journal) => {
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(7000)
        .phase(7050, 'sigterm')
        .phase(7051, 'closed')
        .deleted(7800);
      journal.endpoints(-400, { old: 'ready' });
      journal.endpoints(7060, { old: 'terminating' });
      journal.endpoints(7400, {});
      journal
        .pod('new')
        .created(8000)
        .running(9000)
        .phase(9000, 'starting')
        .phase(11_000, 'listening')
        .ready(11_500);
      journal.endpoints(9020, { new: 'unready' });
      journal.endpoints(11_520, { new: 'ready' });
    },
    expected: [['no-endpoint', 200, [], 'high']],
    fact: /no endpoint was ready or serving from 7.40 s/,
  },
  'no endpoint until the routing learns of the new one': {
    losses: lossesBetween(11_600, 12_000),
    setup: (journal) => {
      journal
        .pod('new')
        .created(8000)
        .running(9000)
        .phase(9000, 'starting')
        .phase(11_000, 'listening')
        .ready(11_500);
      journal.endpoints(-400, {});
      journal.endpoints(9020, { new: 'unready' });
      journal.endpoints(11_520, { new: 'ready' });
    },
    expected: [['no-endpoint', 80, [], 'medium']],
  },
  'just without endpoints: rules may still point to the pod that is gone': {
    losses: lossesBetween(7500, 7900),
    setup: (journal) => {
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(7000)
        .phase(7050, 'sigterm')
        .phase(7051, 'closed')
        .deleted(7800);
      journal.endpoints(-400, { old: 'ready' });
      journal.endpoints(7060, { old: 'terminating' });
      journal.endpoints(7400, {});
    },
    expected: [
      ['routed-after-stop', 56, ['old'], 'low'],
      ['no-endpoint', 24, [], 'low'],
    ],
  },
  'the last endpoint terminates and still serves: it is routed to': {
    losses: lossesBetween(7200, 7300),
    setup: (journal) => {
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(7000)
        .phase(7050, 'sigterm')
        .phase(7051, 'closed')
        .deleted(7800);
      journal.endpoints(-400, { old: 'ready' });
      journal.endpoints(7060, { old: 'terminating' });
    },
    expected: [['routed-after-stop', 20, ['old'], 'high']],
  },
  'reset in flight when the process ended': {
    losses: [{ dueMs: 8045, outcome: 'reset', endMs: 8052 }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
    fact: /pod old received SIGTERM at 8.05 s/,
  },
  'truncated answer on a new connection when the process ended': {
    losses: [{ dueMs: 8045, outcome: 'closed', phase: 'body', bytes: 300, endMs: 8053 }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'accepted, then silence: the pod went with the request': {
    losses: [{ dueMs: 8045, outcome: 'timeout', phase: 'first-byte' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'long request in flight, killed at its pod’s end': {
    lane: 'long',
    losses: [{ dueMs: 6500, outcome: 'reset', endMs: 8053, pod: 'old', podKnownBy: 'route' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'reset at a time when no pod was stopping': {
    losses: [{ dueMs: 6000, outcome: 'reset', endMs: 6003 }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['unknown', 1, [], 'low']],
  },
  'kept connection closed by a stopping pod while a request crossed': {
    lane: 'kept',
    losses: [{ dueMs: 8050, outcome: 'closed', endMs: 8051, race: true, pod: 'old' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['kept-connection-cut', 1, ['old'], 'high']],
    fact: /received SIGTERM/,
  },
  'kept connection cut by a pod that drains, no race': {
    lane: 'kept',
    losses: [{ dueMs: 8500, outcome: 'closed', endMs: 8501, pod: 'old' }],
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(8000)
        .phase(8050, 'sigterm')
        .phase(9500, 'closed')
        .deleted(9900);
      journal.endpoints(-400, { a: 'ready', old: 'ready' });
    },
    expected: [['kept-connection-cut', 1, ['old'], 'high']],
  },
  'kept connection whose request was under way long before the pod stopped': {
    lane: 'kept',
    losses: [{ dueMs: 6000, outcome: 'closed', endMs: 8052, race: true, pod: 'old' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'kept connection cut in the middle of an answer': {
    lane: 'kept',
    losses: [{ dueMs: 8045, outcome: 'reset', phase: 'body', bytes: 500, endMs: 8053, pod: 'old' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'kept connection to a pod that had gone without a FIN': {
    lane: 'kept',
    losses: [{ dueMs: 9500, outcome: 'timeout', reused: true, pod: 'old' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['kept-connection-cut', 1, ['old'], 'high']],
  },
  'kept connection, the pod not known, one was stopping': {
    lane: 'kept',
    losses: [{ dueMs: 8050, outcome: 'reset', endMs: 8052, race: true }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['kept-connection-cut', 1, ['old'], 'high']],
  },
  'kept connection closed by a pod that was not stopping': {
    lane: 'kept',
    losses: [{ dueMs: 4000, outcome: 'closed', race: true, pod: 'a' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['kept-connection-cut', 1, ['a'], 'low']],
    fact: /although no pod was stopping/,
  },
  'lane kept, but the connection was new': {
    lane: 'kept',
    losses: quarter(8100, 8400),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['routed-after-stop', 15, ['old'], 'high']],
  },
  '503 by a pod that was stopping': {
    losses: [
      {
        dueMs: 8040,
        outcome: 'http5xx',
        status: 503,
        phase: 'body',
        pod: 'old',
        podKnownBy: 'answer',
        endMs: 8060,
      },
    ],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['app-error', 1, ['old'], 'high']],
    fact: /pod old answered 503 while it was stopping/,
  },
  '503 by a pod that had just begun to listen': {
    losses: [
      { dueMs: 5100, outcome: 'http5xx', status: 503, phase: 'body', pod: 'new', podKnownBy: 'answer' },
    ],
    setup: (journal) => {
      three(journal);
      lateListener(journal);
    },
    expected: [['app-error', 1, ['new'], 'high']],
    fact: /while it was starting/,
  },
  '500 by a pod that was neither starting nor stopping': {
    losses: [{ dueMs: 5100, outcome: 'http5xx', status: 500, phase: 'body', pod: 'a', podKnownBy: 'answer' }],
    setup: three,
    expected: [['app-error', 1, ['a'], 'low']],
    fact: /neither starting nor stopping/,
  },
  '404 by a pod that does not say who it is, while one is stopping': {
    losses: [{ dueMs: 8100, outcome: 'http4xx', status: 404, phase: 'body' }],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal, false);
    },
    expected: [['app-error', 1, ['old'], 'medium']],
  },
  '500 by nobody knows whom, nothing is changing': {
    losses: [{ dueMs: 5100, outcome: 'http5xx', status: 500, phase: 'body' }],
    setup: three,
    expected: [['unknown', 1, [], 'low']],
  },
  'killed at the end of the grace period': {
    lane: 'long',
    losses: [{ dueMs: 10_000, outcome: 'reset', endMs: 13_010, pod: 'old', podKnownBy: 'route' }],
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(8000, 5)
        .phase(8050, 'sigterm')
        .phase(13_000, 'gone')
        .ended(13_400, 137)
        .deleted(13_900);
      journal.endpoints(-400, { a: 'ready', old: 'ready' });
    },
    expected: [['grace-exceeded', 1, ['old'], 'high']],
    fact: /was killed \(exit code 137, Error\) when its grace period of 5.00 s was over/,
  },
  'killed at once by a deletion without grace: in flight, not the grace period': {
    losses: [{ dueMs: 8045, outcome: 'reset', endMs: 8052 }],
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .terminating(8000, 0)
        .phase(8050, 'gone')
        .ended(8060, 137)
        .deleted(8070);
      journal.endpoints(-400, { a: 'ready', old: 'ready' });
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'restarted by the kubelet because of its liveness probe': {
    losses: [{ dueMs: 8045, outcome: 'reset', endMs: 8052 }, ...quarter(8100, 8300)],
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .phase(8048, 'sigterm')
        .phase(8050, 'closed')
        .restarted(9000, 0);
      journal.event(8040, 'Killing', 'Container app failed liveness probe, will be restarted', 'old');
      journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
    },
    expected: [['node-event', 11, ['old'], 'high']],
    fact: /failed liveness probe/,
  },
  'out of memory': {
    losses: quarter(8100, 8300),
    setup: (journal) => {
      three(journal);
      journal
        .pod('old')
        .runningReady(-1000)
        .phase(-900, 'listening')
        .phase(8050, 'gone')
        .restarted(9000, 137, 'OOMKilled');
      journal.endpoints(-400, { a: 'ready', b: 'ready', c: 'ready', old: 'ready' });
    },
    expected: [['node-event', 10, ['old'], 'high']],
    fact: /OOMKilled/,
  },
  'a node that was not ready, no other explanation': {
    losses: quarter(8100, 8300, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      journal.watch(9000, 'MODIFIED', 'node1', { kind: 'Node', ready: false, unschedulable: false });
    },
    expected: [['node-event', 10, ['a', 'b', 'c'], 'low']],
    fact: /node node1 was not ready/,
  },
  'the control target lost at the same time': {
    losses: quarter(8100, 8200, { outcome: 'reset' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
      journal.control({
        losses: [
          { dueMs: 8100, outcome: 'reset' },
          { dueMs: 8150, outcome: 'reset' },
        ],
      });
    },
    expected: [['harness-noise', 5, [], 'medium']],
    fact: /the control target, which no step touches, lost an attempt too/,
  },
  'a hanging app': {
    losses: lossesBetween(6000, 6050, { outcome: 'timeout', phase: 'first-byte' }),
    setup: (journal) => {
      three(journal);
      journal.step(5000, { step: 'chaos', action: 'hang', count: 1 }, 5020, { action: 'hang', pods: ['a'] });
    },
    expected: [['app-error', 10, ['a'], 'medium']],
    fact: /a step made pod a hang at 5.00 s/,
  },
  'foreign app: refused by a new pod, Ready with Running': {
    losses: quarter(3200, 4400),
    setup: (journal) => {
      three(journal);
      lateListener(journal, false);
    },
    expected: [['routed-before-listening', 60, ['new'], 'low']],
    fact: /no readinessProbe waited for it to listen/,
  },
  'foreign app: refused by a new pod, Ready with Running, that the route names': {
    losses: quarter(3200, 4400, { pod: 'new', podKnownBy: 'route' }),
    setup: (journal) => {
      three(journal);
      lateListener(journal, false);
    },
    expected: [['routed-before-listening', 60, ['new'], 'medium']],
    fact: /no readinessProbe waited for it to listen/,
  },
  'foreign app: the fresh pod is known to have been asked, while another one is being deleted': {
    losses: quarter(8200, 8390, { pod: 'new', podKnownBy: 'route' }),
    setup: freshBesideDeleted,
    expected: [['routed-before-listening', 10, ['new'], 'medium']],
  },
  'foreign app: a fresh pod is no explanation while a deleted one is': {
    losses: quarter(8200, 8390),
    setup: freshBesideDeleted,
    expected: [['routed-after-stop', 10, ['old'], 'medium']],
  },
  'foreign app: losses that go on after every deletion’s lag tell that the fresh pod did not listen': {
    losses: quarter(8200, 13_000),
    setup: (journal) => {
      freshBesideDeleted(journal);
      journal.endpoints(8425, { a: 'ready', b: 'ready', c: 'ready', new: 'ready' });
    },
    expected: [
      ['routed-before-listening', 229, ['new'], 'low'],
      ['routed-after-stop', 11, ['old'], 'low'],
    ],
    fact: /until 12.98 s connections were lost that nothing else explains/,
  },
  'foreign app: pods that ran before the load had been seen to answer': {
    losses: quarter(300, 400),
    setup: (journal) => {
      for (const name of ['a', 'b']) journal.pod(name).runningReady(-400);
      journal.endpoints(-300, { a: 'ready', b: 'ready' });
    },
    expected: [['unknown', 5, [], 'low']],
  },
  'foreign app: refused while a pod was being deleted': {
    losses: quarter(8200, 8390),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal, false);
    },
    expected: [['routed-after-stop', 10, ['old'], 'medium']],
    fact: /pod old was being deleted from 8.00 s on/,
  },
  'foreign app: timeouts when the pod was seen ended': {
    losses: quarter(8600, 9000, { outcome: 'timeout' }),
    setup: (journal) => {
      three(journal);
      earlyStopper(journal, false);
    },
    expected: [['routed-after-stop', 20, ['old'], 'high']],
    fact: /seen terminated \(exit code 0, Completed\) at 8.40 s/,
  },
  'foreign app: no answer from the pod that was asked, as its end was seen': {
    losses: [{ dueMs: 8410, outcome: 'timeout', pod: 'old', podKnownBy: 'route' }],
    options: { clockErrorMs: 60 },
    setup: (journal) => {
      three(journal);
      earlyStopper(journal, false);
    },
    expected: [['routed-after-stop', 1, ['old'], 'medium']],
    fact: /did not answer; it was being deleted/,
  },
  'foreign app: a pod that has answered before listens': {
    losses: quarter(4000, 4100),
    setup: (journal) => {
      three(journal);
      lateListener(journal, false);
      journal.lane('kept', { answeredBy: (dueMs) => (dueMs > 3500 ? 'new' : 'a') });
    },
    expected: [['unknown', 5, [], 'low']],
  },
  'order closer than the clocks’ error: unknown': {
    losses: [{ dueMs: 7950 }],
    options: { clockErrorMs: 60 },
    setup: (journal) => {
      three(journal);
      earlyStopper(journal, false);
    },
    expected: [['unknown', 1, [], 'low']],
    fact: /too close to the attempt at 7.95 s to tell which came first/,
  },
  'order closer than the agents’ clocks allow: unknown': {
    losses: [{ dueMs: 4990 }],
    options: { agents: 2, clockErrorMs: 10 },
    setup: (journal) => {
      three(journal);
      lateListener(journal);
    },
    expected: [['unknown', 1, [], 'low']],
    fact: /pod new listened from 5.00 s on, too close/,
  },
  'losses beyond the agent’s list are attributed by their 100 ms counts': {
    losses: quarter(3100, 4900).map((loss, index) => ({ ...loss, unlisted: index >= 10 })),
    setup: (journal) => {
      three(journal);
      lateListener(journal);
    },
    expected: [['routed-before-listening', 90, ['new'], 'high']],
  },
  'a protocol error by a pod that is known to be stopping': {
    losses: [
      {
        dueMs: 8045,
        outcome: 'protocol',
        phase: 'headers',
        bytes: 20,
        endMs: 8055,
        pod: 'old',
        podKnownBy: 'answer',
      },
    ],
    setup: (journal) => {
      three(journal);
      earlyStopper(journal);
    },
    expected: [['killed-in-flight', 1, ['old'], 'high']],
  },
  'a DNS failure': {
    losses: [{ dueMs: 8045, outcome: 'dns', phase: 'connect' }],
    setup: three,
    expected: [['unknown', 1, [], 'low']],
  },
};

for (const [name, one] of Object.entries(table)) {
  test(name, async () => {
    const { lane = 'new', losses, setup, options, ignoreRouteKnowledge, expected, fact } = one;
    const result = await judge(lane, losses, setup, options, ignoreRouteKnowledge);
    const { windows = [], lost } = result.lanes[lane] ?? {};
    const shares: CauseShare[] = windows.flatMap((window) => [...window.causes]);
    assert.equal(
      shares.map((share) => [share.cause, share.lost, share.pods, share.confidence]),
      expected,
    );
    assert.is(lost, losses.length);
    for (const window of windows) {
      assert.is(
        window.causes.reduce((sum, share) => sum + share.lost, 0),
        window.lost,
      );
      assert.is(
        Object.values(window.outcomes).reduce((sum, count) => sum + count, 0),
        window.lost,
      );
    }
    if (fact) {
      const texts = shares[0]?.facts.map((found) => found.text) ?? [];
      assert.ok(
        texts.some((text) => fact.test(text)),
        `${fact} is not among ${texts.join(' | ')}`,
      );
    }
    const lines = new Set(shares.flatMap((share) => share.facts.map((found) => found.line)));
    assert.ok([...lines].every((line) => line === undefined || line > 1));
  });
}

test.run();
