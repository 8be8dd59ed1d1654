// The end of a measurement with a witness: nothing of what the node has still to say is given up unread, and what is is said.
import * as assert from 'uvu/assert';
import type { NodeWitness, WitnessRequest } from '../../harness/cluster/provider.ts';
import { InterruptedError } from '../../harness/model/errors.ts';
import type { JournalRecord, RecordOf } from '../../harness/model/journal.ts';
import { Lifetime } from '../../harness/model/lifetime.ts';
import type { AgentPlan } from '../../harness/model/load.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import { startWitness } from '../../harness/run/experiment/witness.ts';
import { suite } from '../suite.ts';

const test = suite('witness: the end');

/** The node's clock is this far ahead. */
const AHEAD_S = 5000;

async function witnessed(
  endLimitMs = 10_000,
  comesAgain = 0,
  agents?: Parameters<typeof startWitness>[0]['agents'],
) {
  const records: JournalRecord[] = [];
  const journal: JournalWriter = {
    nowMs: () => performance.now(),
    truncated: false,
    write: (record) => void records.push(record as JournalRecord),
    end: async () => {},
  };
  const life = new Lifetime();
  let request: WitnessRequest | undefined;
  let over: (how: string) => void = () => {};
  const begun: number[] = [];
  const read = async (
    node: string,
    index: number,
    given: WitnessRequest,
  ): Promise<NodeWitness | { cannot: string }> => {
    begun.push(index);
    if (begun.length > comesAgain + 1) return { cannot: 'it does not come again' };
    request = given;
    return {
      node,
      ended: new Promise((resolve) => {
        over = resolve;
      }),
      ask: (question) => given.onLine(`clock ${question} ${(AHEAD_S + performance.now() / 1000).toFixed(6)}`),
      stop: async () => {},
    };
  };
  const plans: AgentPlan[] = [{ runId: 'r', streams: [], podHeader: '', preflightMs: 0 }];
  const witness = await startWitness({
    read,
    nodes: ['n1'],
    ...(agents && { agents }),
    plans,
    scenario: { steps: [] },
    journal,
    life,
    endLimitMs,
  });
  const line = (text: string) => request?.onLine(text);
  const now = () => (AHEAD_S + performance.now() / 1000).toFixed(6);
  const event = (from: string, to: string, port: number, pod: string) =>
    line(
      `[${now()}]\t    [NEW] tcp      6 120 SYN_SENT src=${from} dst=${to.split(':')[0]} sport=${port} dport=${to.split(':')[1]} [UNREPLIED] src=${pod} dst=${from} sport=8080 dport=${port} id=${port}`,
    );
  return {
    life,
    witness,
    mark: () => line(`[${now()}] mark 127.0.0.1:1`),
    markEvent: () => event('127.0.0.1', '127.0.0.1:1', 9, '127.0.0.1'),
    connection: (port: number, from = '10.0.0.1') => event(from, '10.96.0.1:80', port, '10.0.1.1'),
    begun,
    goes: (how: string) => over(how),
    lost: () => records.flatMap((record) => (record.type === 'witness' ? [record.lost] : [])),
    ports: () =>
      records
        .filter((record): record is RecordOf<'witness'> => record.type === 'witness')
        .flatMap(({ connections }) => connections.map(([port]) => port)),
    notes: () => records.flatMap((record) => (record.type === 'note' ? [record.text] : [])),
  };
}

const soon = (ms: number, act: () => void) => setTimeout(act, ms);
const until = async (met: () => boolean) => {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 10));
};
const never = () => new AbortController().signal;

test('what comes late is waited for, until a mark says that nothing can come any more', async () => {
  const { life, witness, mark, markEvent, connection, ports, notes } = await witnessed();
  mark();
  markEvent();
  // A mark from before the end is not enough, nor one that was only made.
  mark();
  const end = witness.readToEnd(never());
  soon(20, () => connection(2001));
  soon(40, markEvent);
  soon(150, mark);
  soon(200, () => connection(2002));
  soon(250, markEvent);
  await end;
  assert.equal(ports().sort(), [2001, 2002]);
  assert.equal(notes(), []);
  await life.end();
});

test('nobody makes marks: a short wait, and nothing is said that is not known', async () => {
  const { life, witness, connection, ports, notes } = await witnessed();
  const end = witness.readToEnd(never());
  soon(100, () => connection(2001));
  await end;
  assert.equal(ports(), [2001]);
  assert.equal(notes(), []);
  await life.end();
});

test('a node that says no more is not waited for; an interrupt ends the wait', async () => {
  const gone = await witnessed();
  gone.mark();
  gone.markEvent();
  soon(20, () => gone.goes('its pod ended'));
  await gone.witness.readToEnd(never());
  assert.match(gone.notes().join(), /on node n1 its pod ended: from then on it is not known/);
  const hung = await witnessed();
  hung.mark();
  hung.markEvent();
  const interrupt = new AbortController();
  soon(20, () => interrupt.abort(new InterruptedError('Ctrl-C')));
  let error: unknown;
  await hung.witness.readToEnd(interrupt.signal).catch((one: unknown) => {
    error = one;
  });
  assert.ok(error instanceof Error);
  await Promise.all([gone.life.end(), hung.life.end()]);
});

test('connections of others than the agents of that node are not kept; where none runs, all are', async () => {
  const agent = (node: string) => ({ ip: '10.0.0.1', node, hostIp: '172.18.0.2' });
  for (const [node, kept] of [
    ['n1', [2001]],
    ['n2', [2001, 2002]],
  ] as const) {
    const { life, witness, connection, ports } = await witnessed(10_000, 0, [agent(node)]);
    connection(2001);
    connection(2002, '10.0.0.9');
    await witness.readToEnd(never());
    assert.equal(ports().sort(), kept);
    await life.end();
  }
});

test('a reader that ends before its time is begun once more: of the time between nothing is known', async () => {
  const { life, witness, mark, markEvent, connection, goes, begun, ports, notes, lost } = await witnessed(
    10_000,
    1,
  );
  connection(2001);
  goes('ended with 137');
  await until(() => begun.length === 2);
  await until(() => notes().length > 0);
  connection(2002);
  mark();
  markEvent();
  soon(150, mark);
  soon(200, markEvent);
  await witness.readToEnd(never());
  assert.equal(ports().sort(), [2001, 2002]);
  assert.equal(begun, [0, 1]);
  assert.ok(lost().includes(true));
  assert.match(notes().join(), /on node n1 was not read from .*: of that time it is not known/);
  await life.end();
});

test('a node that hangs: a limit, and how much is not known', async () => {
  const { life, witness, mark, markEvent, notes } = await witnessed(500);
  mark();
  markEvent();
  await witness.readToEnd(never());
  assert.match(
    notes().join(),
    /^Connection tracking on node n1 was not read to the end within 0\.5 s: of the last \d+\.\d s it is not known/,
  );
  await life.end();
});

test.run();
