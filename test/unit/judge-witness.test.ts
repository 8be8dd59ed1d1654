// Causes, lags and listening times by what the kernel's connection tracking says of each connection.
import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { type BuilderOptions, JournalBuilder, type Loss, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: witness');

const TO = '10.96.0.1:80';
const ip = { a: '10.0.0.1', b: '10.0.0.2', old: '10.0.0.3', new: '10.0.0.4' };
type Name = keyof typeof ip;
type Connection = Parameters<JournalBuilder['witness']>[1][number];

/** Losses with ports of their own from 20,000 on, by their due times. */
const ported = (losses: readonly Loss[], first = 20_000): Loss[] =>
  losses.map((loss, index) => ({ ...loss, localPort: first + index }));
const entries = (losses: readonly Loss[], pod: Name, more: Partial<Connection> = {}): Connection[] =>
  losses.map(({ dueMs, localPort = 0 }) => ({
    port: localPort,
    pod: `${ip[pod]}:8080`,
    atMs: dueMs + 0.4,
    to: TO,
    ...more,
  }));
const accepted = (pod: Name, ...times: number[]): Connection[] =>
  times.map((atMs, index) => ({
    port: 40_000 + Math.round(atMs) + index,
    pod: `${ip[pod]}:8080`,
    atMs,
    to: TO,
    answer: 'accepted',
  }));

/** Two old pods, one that goes at 3000 and one that comes at 2900 and listens from 3600 on; neither speaks. */
function mixed(journal: JournalBuilder): void {
  for (const name of ['a', 'b'] as const) journal.pod(name, { ip: ip[name] }).runningReady(-1000);
  journal.pod('old', { ip: ip.old }).runningReady(-1000).terminating(3000).ended(3500, 0).deleted(4000);
  journal.pod('new', { ip: ip.new }).created(2000).runningReady(2900);
  journal.endpoints(-500, { a: 'ready', b: 'ready', old: 'ready' });
  journal.endpoints(2920, { a: 'ready', b: 'ready', old: 'ready', new: 'ready' });
  journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'terminating', new: 'ready' });
}

async function judge(
  losses: readonly Loss[],
  connections: readonly Connection[],
  options: BuilderOptions = {},
) {
  const journal = new JournalBuilder(options);
  mixed(journal);
  journal.witness(0, []).witness(9000, connections);
  journal.lane('new', { losses: [...losses].sort((x, y) => x.dueMs - y.dueMs), durationMs: 8000 });
  return judgeExperiment(await readJournal(journal.lines()));
}

test('two gaps at once, of an app that does not speak: each attempt has its pod and its cause, none is shared out', async () => {
  const toOld = ported(lossesBetween(3100, 3400, {}, 50), 20_000);
  const toNew = ported(
    lossesBetween(3100, 3500, {}, 50).map((loss) => ({ ...loss, dueMs: loss.dueMs + 5 })),
    30_000,
  );
  const result = await judge(
    [...toOld, ...toNew],
    [
      ...entries(toOld, 'old'),
      ...entries(toNew, 'new'),
      ...accepted('old', 500, 1500, 2990),
      ...accepted('new', 3600, 3700, 5000),
    ],
  );
  const causes = result.lanes.new?.windows.flatMap((window) => window.causes) ?? [];
  assert.equal(
    causes.map(({ cause, lost, pods, confidence }) => [cause, lost, pods, confidence]),
    [
      ['routed-before-listening', toNew.length, ['new'], 'high'],
      ['routed-after-stop', toOld.length, ['old'], 'high'],
    ].sort((x, y) => Number(y[1]) - Number(x[1])),
  );
  const facts = causes.flatMap((cause) => cause.facts.map(({ text }) => text)).join('\n');
  assert.match(facts, /node node0 sent the connection of 3\.1\d s to pod new, which refused it \(RST/);
  assert.match(facts, /the first connection that pod new accepted was that of 3\.60 s/);
  assert.match(facts, /the last connection that pod old accepted was that of 2\.99 s/);
  assert.not.match(facts, /which pod was asked is not known/);
});

test('what the embedded cluster knows (route) and what the kernel says are judged alike, of an app that speaks', async () => {
  const losses = ported(lossesBetween(3100, 3400, {}, 50));
  const speaking = (journal: JournalBuilder) => {
    for (const name of ['a', 'b'] as const) journal.pod(name, { ip: ip[name] }).runningReady(-1000);
    journal
      .pod('old', { ip: ip.old })
      .runningReady(-1000)
      .terminating(3000)
      .ended(3500, 0)
      .deleted(4000)
      .phase(-900, 'listening')
      .phase(3040, 'sigterm')
      .phase(3050, 'closed');
    journal.endpoints(-500, { a: 'ready', b: 'ready', old: 'ready' });
    journal.endpoints(3030, { a: 'ready', b: 'ready', old: 'terminating' });
  };
  const causesOf = async (make: (journal: JournalBuilder) => readonly Loss[]) => {
    const journal = new JournalBuilder();
    speaking(journal);
    journal.lane('new', { losses: make(journal), durationMs: 8000 });
    const { windows = [] } = judgeExperiment(await readJournal(journal.lines())).lanes.new ?? {};
    return windows.map(({ causes }) =>
      causes.map(({ cause, lost, pods, confidence }) => ({ cause, lost, pods, confidence })),
    );
  };
  const byKernel = await causesOf((journal) => {
    journal.witness(0, []).witness(9000, [...entries(losses, 'old'), ...accepted('old', 500, 2990)]);
    return losses;
  });
  const byRoute = await causesOf(() =>
    losses.map(({ localPort: _, ...loss }) => ({ ...loss, pod: 'old', podKnownBy: 'route' as const })),
  );
  assert.equal(byKernel, byRoute);
  assert.equal(byKernel, [
    [{ cause: 'routed-after-stop', lost: losses.length, pods: ['old'], confidence: 'high' }],
  ]);
});

test('the same without its word: shares, and low confidence', async () => {
  const losses = [...lossesBetween(3100, 3400, {}, 50), ...lossesBetween(3105, 3400, {}, 50)];
  const result = await judge(losses, []);
  const causes = result.lanes.new?.windows.flatMap((window) => window.causes) ?? [];
  assert.ok(causes.every(({ confidence }) => confidence !== 'high'));
  assert.is(result.routing, undefined);
});

test('a connection that the node rejected was sent to nobody', async () => {
  const journal = new JournalBuilder();
  journal.pod('a', { ip: ip.a }).runningReady(-1000).unready(3000);
  journal.endpoints(-500, { a: 'ready' }).endpoints(3020, { a: 'unready' }).endpoints(6000, { a: 'ready' });
  const losses = ported(lossesBetween(3300, 3800, {}, 50));
  journal.witness(0, []).witness(9000, accepted('a', 500, 6500));
  journal.lane('new', { losses, durationMs: 8000 });
  const result = judgeExperiment(await readJournal(journal.lines()));
  const [cause] = result.lanes.new?.windows[0]?.causes ?? [];
  assert.equal([cause?.cause, cause?.confidence], ['no-endpoint', 'high']);
  assert.match(cause?.facts.map(({ text }) => text).join() ?? '', /sent to no pod/);
});

test('several agents have the same ports: their own addresses tell them apart', async () => {
  const journal = new JournalBuilder({ agents: 2 });
  mixed(journal);
  for (const [index, address] of ['10.0.9.1', '10.0.9.2'].entries())
    journal.pod(`agent-${index}`, { role: 'agent', ip: address }).runningReady(-1400);
  const losses = ported(lossesBetween(3100, 3400));
  journal
    .witness(0, [])
    .witness(9000, [
      ...entries(losses, 'old', { from: '10.0.9.1' }),
      ...entries(losses, 'a', { from: '10.0.9.2', answer: 'accepted' }),
    ]);
  journal.lane('new', { losses, durationMs: 8000 });
  const { streams } = factsOf(await readJournal(journal.lines()));
  const asked = streams[0]?.failures.map(({ agent, pod, podKnownBy }) => `${agent} ${pod} ${podKnownBy}`);
  assert.equal([...new Set(asked)].sort(), ['agent-0 old kernel', 'agent-1 a kernel']);
});

/** What is said of attempts at 3100 ms, of which agent N on node N has one each, from the same port. */
async function askedOf(
  made: (journal: JournalBuilder, port: number) => void,
  { address = TO, agents = 1 } = {},
): Promise<string[]> {
  const journal = new JournalBuilder({ agents, address });
  mixed(journal);
  for (let index = 0; index < agents; index++)
    journal
      .pod(`agent-${index}`, { role: 'agent', ip: `10.0.9.${index + 1}`, node: `node${index}` })
      .runningReady(-1400);
  const losses = lossesBetween(3100, 3110).map((loss) => ({ ...loss, localPort: 20_000 }));
  made(journal, 20_000);
  journal.lane('new', { losses, durationMs: 8000 });
  const { streams } = factsOf(await readJournal(journal.lines()));
  return (streams[0]?.failures ?? []).map(({ agent, asked, pod }) =>
    [agent, asked === 'nobody' ? asked : pod].join(' '),
  );
}
const entry = (port: number, pod: string, more: Partial<Connection> = {}): Connection => ({
  port,
  pod,
  atMs: 3102,
  to: TO,
  ...more,
});

test('two agents on two nodes: each node says of its own, and one that was not read says nothing', async () => {
  const both = (journal: JournalBuilder, port: number) => {
    const own = (from: string, pod: Name) => [entry(port, `${ip[pod]}:8080`, { from })];
    journal.witness(0, []).witness(9000, own('10.0.9.1', 'old'));
    journal.witness(0, [], { node: 'node1' }).witness(9000, own('10.0.9.2', 'new'), { node: 'node1' });
  };
  assert.equal((await askedOf(both, { agents: 2 })).sort(), ['agent-0 old', 'agent-1 new']);
  const one = (journal: JournalBuilder) => void journal.witness(0, []).witness(9000, accepted('a', 500));
  assert.equal((await askedOf(one, { agents: 2 })).sort(), ['agent-0 nobody', 'agent-1 ']);
});

test('a connection of somebody else from the same port is not the agent’s', async () => {
  const others = (journal: JournalBuilder, port: number) =>
    void journal
      .witness(0, [])
      .witness(9000, [...accepted('a', 500), entry(port, `${ip.b}:8080`, { from: '10.0.7.7' })]);
  assert.equal(await askedOf(others), ['agent-0 nobody', 'agent-0 nobody']);
});

test('a port of another node: that one chooses, the agent’s only passes on', async () => {
  const address = '172.18.0.3:30080';
  const passed = (answer: Connection['answer']) => (port: number) =>
    entry(port, address, { to: address, from: '10.0.9.1', ...(answer && { answer }) });
  const asked = (
    mine: (port: number) => Connection,
    there: readonly Connection[] | undefined,
  ): Promise<string[]> =>
    askedOf(
      (journal, port) => {
        const known = { ...entry(1, `${ip.a}:8080`), to: address, atMs: 500, answer: 'accepted' } as const;
        journal.witness(0, []).witness(9000, [known, mine(port)]);
        if (there) journal.witness(0, [], { node: 'node1' }).witness(9000, there, { node: 'node1' });
      },
      { address },
    );
  const chosen = entry(20_000, `${ip.old}:8080`, { to: address, from: '172.18.0.2' });
  assert.equal(await asked(passed('refused'), [chosen]), ['agent-0 old', 'agent-0 old']);
  // It rejected the connection itself, or was not read, or chose under another port.
  assert.equal(await asked(passed('none'), []), ['agent-0 nobody', 'agent-0 nobody']);
  assert.equal(await asked(passed('none'), undefined), ['agent-0 ', 'agent-0 ']);
  assert.equal(await asked(passed('refused'), []), ['agent-0 ', 'agent-0 ']);
});

test('an entry that is told twice takes no answer back', async () => {
  const twice = (journal: JournalBuilder, port: number) =>
    void journal
      .witness(0, [])
      .witness(4000, [entry(port, `${ip.old}:8080`)])
      .witness(9000, [entry(port, `${ip.old}:8080`, { answer: 'none' })]);
  const journal = new JournalBuilder();
  mixed(journal);
  twice(journal, 20_000);
  journal.lane('new', { durationMs: 8000 });
  const { witness } = factsOf(await readJournal(journal.lines()));
  assert.equal(
    witness.connections.map(({ answer }) => answer),
    ['refused'],
  );
});

test('an entry far from the attempt, or a port that two connections had, is no word', async () => {
  const [loss] = ported([{ dueMs: 3100 }]);
  const far = await judge([loss as Loss], entries([{ ...(loss as Loss), dueMs: 800 }], 'old'));
  const causes =
    far.lanes.new?.windows.flatMap((window) => window.causes.flatMap(({ facts }) => facts)) ?? [];
  assert.not.match(causes.map(({ text }) => text).join(), /node node0 sent the connection/);
});

test('how long a node went on after a pod had left, and when pods accepted', async () => {
  const result = await judge(
    [],
    [
      ...accepted('a', 100, 7000),
      ...accepted('old', 500, 2990, 3430.5),
      { port: 50_000, pod: `${ip.new}:8080`, atMs: 3140, to: TO, answer: 'refused' },
      ...accepted('new', 3600.25, 5000),
    ],
  );
  assert.equal(result.routing, [
    {
      node: 'node0',
      left: { count: 1, p50Ms: 400.5, p90Ms: 400.5, maxMs: 400.5 },
      joined: { count: 1, p50Ms: 220, p90Ms: 220, maxMs: 220 },
    },
  ]);
  const listens = Object.fromEntries((result.listens ?? []).map((one) => [one.pod, one]));
  assert.equal(Object.keys(listens).sort(), ['new', 'old']);
  assert.ok(Math.abs((listens.new?.fromMs ?? 0) - 3600.45) < 0.2);
  assert.ok(Math.abs((listens.new?.notBeforeMs ?? 0) - 3140.2) < 0.2);
  assert.ok(Math.abs((listens.old?.toMs ?? 0) - 3430.7) < 0.2);
  assert.ok(Math.abs(Number(result.measures.lastNewConnectionAfterDeletionMsMax) - 430.5) < 0.2);
});

/** A lost attempt of pod `old`, and how its process ended, as npm run truth saw them on kind. */
interface Seen {
  readonly lane: 'new' | 'kept';
  readonly loss: Loss;
  /** Of its connection: when it began, and that it was accepted. */
  readonly openedMs: number;
  /** Others of the pod. */
  readonly others: readonly Connection[];
  /** What the watch and the process itself said of the pod. */
  readonly ends: (pod: ReturnType<JournalBuilder['pod']>) => void;
  readonly expected: readonly [cause: string, confidence: string];
}
const spoke = (pod: ReturnType<JournalBuilder['pod']>) =>
  void pod.phase(-900, 'listening').terminating(3000).ended(4000, 0).deleted(4500).phase(3050, 'sigterm');
const silent = (atMs: number) => (pod: ReturnType<JournalBuilder['pod']>) =>
  void pod
    .terminating(atMs)
    .ended(atMs + 900, 0)
    .deleted(atMs + 1400);
const refused = (atMs: number): Connection => ({ port: 50_000, pod: `${ip.old}:8080`, atMs, to: TO });
const cut = { phase: 'first-byte', bytes: 0 } as const;
const kept = { ...cut, reused: true, race: true } as const;

const seen: Record<string, Seen> = {
  'accepted after the app had said that it stopped, and cut: in flight, however long the process took to end':
    {
      lane: 'new',
      loss: { ...cut, dueMs: 3090, endMs: 3320, outcome: 'reset' },
      openedMs: 3090,
      others: [...accepted('old', 500, 3100), refused(3350)],
      ends: (pod) => {
        spoke(pod);
        pod.phase(3055, 'closed');
      },
      expected: ['killed-in-flight', 'high'],
    },
  'accepted and cut, and the watch told of the deletion 600 ms later': {
    lane: 'new',
    loss: { ...cut, dueMs: 3000, endMs: 3020, outcome: 'reset' },
    openedMs: 3000,
    others: [...accepted('old', 500, 2900), refused(3060)],
    ends: silent(3620),
    expected: ['killed-in-flight', 'medium'],
  },
  'accepted and cut by a pod that went on accepting: nothing says why': {
    lane: 'new',
    loss: { ...cut, dueMs: 2200, endMs: 2220, outcome: 'reset' },
    openedMs: 2200,
    others: accepted('old', 500, 2300, 2900),
    ends: silent(3620),
    expected: ['unknown', 'low'],
  },
  'a kept connection reset: the app had not read the request': {
    lane: 'kept',
    loss: { ...kept, dueMs: 2850, endMs: 2960, outcome: 'reset' },
    openedMs: 500,
    others: accepted('old', 600, 2900),
    ends: silent(3000),
    expected: ['kept-connection-cut', 'medium'],
  },
  'a kept connection closed long after the request was sent: the app had read it': {
    lane: 'kept',
    loss: { ...kept, dueMs: 2950, endMs: 3120, outcome: 'closed' },
    openedMs: 500,
    others: accepted('old', 600, 2900),
    ends: silent(3000),
    expected: ['killed-in-flight', 'medium'],
  },
  'a kept connection closed as the request was sent': {
    lane: 'kept',
    loss: { ...kept, dueMs: 3050, endMs: 3060, outcome: 'closed' },
    openedMs: 500,
    others: accepted('old', 600, 2900),
    ends: silent(3000),
    expected: ['kept-connection-cut', 'medium'],
  },
  'closed 35 ms after the request was sent, by an app that speaks: it may have read it, so nothing is sure': {
    lane: 'kept',
    loss: { ...kept, dueMs: 3045, endMs: 3080, outcome: 'closed' },
    openedMs: 500,
    others: accepted('old', 600, 2900),
    ends: (pod) => {
      spoke(pod);
      pod.phase(3055, 'closed');
    },
    expected: ['kept-connection-cut', 'medium'],
  },
  'a request that was sent when the pod already refused others': {
    lane: 'kept',
    loss: { ...kept, dueMs: 3200, endMs: 3400, outcome: 'closed' },
    openedMs: 500,
    others: [...accepted('old', 600, 2900), refused(3100)],
    ends: silent(3000),
    expected: ['kept-connection-cut', 'medium'],
  },
};
for (const [what, { lane, loss, openedMs, others, ends, expected }] of Object.entries(seen))
  test(what, async () => {
    const journal = new JournalBuilder();
    journal.pod('a', { ip: ip.a }).runningReady(-1000);
    ends(journal.pod('old', { ip: ip.old }).runningReady(-1000));
    journal.endpoints(-500, { a: 'ready', old: 'ready' });
    journal.endpoints(3660, { a: 'ready', old: 'terminating' });
    const own = {
      port: 20_000,
      pod: `${ip.old}:8080`,
      atMs: openedMs + 0.4,
      to: TO,
      answer: 'accepted',
    } as const;
    journal.witness(0, []).witness(9000, [own, ...others]);
    journal.lane(lane, { losses: [{ ...loss, localPort: 20_000, openedMs }], durationMs: 8000 });
    const result = judgeExperiment(await readJournal(journal.lines()));
    const [cause] = result.lanes[lane]?.windows[0]?.causes ?? [];
    assert.equal([cause?.cause, cause?.confidence], expected, JSON.stringify(cause));
    if (expected[0] !== 'unknown') assert.equal(cause?.pods, ['old']);
  });

test('a connection that was made and then cut is judged alike where the pod is known by the route', async () => {
  const journal = new JournalBuilder();
  journal.pod('a', { ip: ip.a }).runningReady(-1000);
  const old = journal.pod('old', { ip: ip.old }).runningReady(-1000);
  spoke(old);
  old.phase(3055, 'closed');
  journal.endpoints(-500, { a: 'ready', old: 'ready' });
  const loss = {
    ...cut,
    dueMs: 3090,
    endMs: 3320,
    outcome: 'reset',
    pod: 'old',
    podKnownBy: 'route',
  } as const;
  journal.lane('new', { losses: [loss], durationMs: 8000 });
  const result = judgeExperiment(await readJournal(journal.lines()));
  const [cause] = result.lanes.new?.windows[0]?.causes ?? [];
  assert.equal([cause?.cause, cause?.pods, cause?.confidence], ['killed-in-flight', ['old'], 'high']);
});

test.run();
