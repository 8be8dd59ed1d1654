// Lines of a node's connection tracking, as `conntrack -E -o timestamp,id` says them, into the journal's records.
import * as assert from 'uvu/assert';
import type { JournalRecord, RecordOf } from '../../harness/model/journal.ts';
import { witnessRecordSchema } from '../../harness/model/journal.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import { witnessReader } from '../../harness/record/witness.ts';
import { suite } from '../suite.ts';

const test = suite('record: witness');

/** The node's clock is 1,000,000 s ahead of the harness's. */
const NODE_S = 1_000_000;

function reading(clockKnown = true, agents?: ReadonlySet<string>) {
  const records: JournalRecord[] = [];
  let now = 100;
  const journal = {
    nowMs: () => now,
    write: (record: JournalRecord) => void records.push(record),
  } as unknown as JournalWriter;
  const reader = witnessReader('node0', journal, agents);
  const askClock = (aheadMs = 0) =>
    reader.ask((question) => {
      now += 4;
      reader.line(`clock ${question} ${(NODE_S + (aheadMs + now - 2) / 1000).toFixed(6)}`);
    });
  if (clockKnown) askClock();
  return {
    askClock,
    reader,
    at: (t: number) => {
      now = t;
    },
    event: (
      t: number,
      what: string,
      port: number,
      pod: string,
      id: number,
      state = 'SYN_SENT',
      unreplied = true,
    ) =>
      reader.line(
        `[${(NODE_S + t / 1000).toFixed(6)}]\t${what.padStart(9)} tcp      6 120 ${state} src=10.244.0.5 dst=10.96.0.1 sport=${port} dport=80 ${unreplied ? '[UNREPLIED] ' : ''}src=${pod} dst=10.244.0.5 sport=8080 dport=${port} id=${id}`,
      ),
    /** Made at `t`; the event of its connection comes by itself. */
    mark: (t: number, number = 1) =>
      reader.line(`[${(NODE_S + t / 1000).toFixed(6)}] mark 127.7.7.${number}:1`),
    markEvent: (t: number, event = '[NEW]', number = 1) =>
      reader.line(
        `[${(NODE_S + t / 1000).toFixed(6)}]\t${event.padStart(9)} tcp      6 120 SYN_SENT src=127.0.0.1 dst=127.7.7.${number} sport=5 dport=1 [UNREPLIED] src=127.7.7.${number} dst=127.0.0.1 sport=1 dport=5 id=77`,
      ),
    witness: () => records.filter((one): one is RecordOf<'witness'> => one.type === 'witness'),
    notes: () => records.filter((one) => one.type === 'note'),
  };
}

test('accepted, refused (the kernel drops the entry at once), and never answered', () => {
  const { reader, at, event, witness } = reading();
  at(1400);
  event(1000, '[NEW]', 2001, '10.244.1.1', 1);
  event(1000.3, '[UPDATE]', 2001, '10.244.1.1', 1, 'SYN_RECV', false);
  event(1001, '[NEW]', 2002, '10.244.1.2', 2);
  event(1001.2, '[DESTROY]', 2002, '10.244.1.2', 2, 'CLOSE');
  event(1002, '[NEW]', 2003, '10.244.1.3', 3);
  at(1500);
  reader.flush();
  const [record] = witness();
  assert.ok(record);
  assert.equal(witnessRecordSchema.parse(record), record);
  assert.equal([record.from, record.to], [['10.244.0.5'], ['10.96.0.1:80']]);
  assert.equal(
    record.connections.map(([port, , , pod, began, answer, after]) => [
      port,
      record.pods[pod],
      Math.round(record.sinceT + began),
      answer,
      after,
    ]),
    [
      [2001, '10.244.1.1:8080', 1000, 1, 0.3],
      [2002, '10.244.1.2:8080', 1001, 2, 0.2],
      [2003, '10.244.1.3:8080', 1002, 0, 0],
    ],
  );
  assert.ok(record.errorMs >= 2 && record.errorMs < 3, String(record.errorMs));
});

test('what comes before the clock of the node is known waits for it', () => {
  const { reader, at, event, askClock, witness } = reading(false);
  at(1400);
  event(1000, '[NEW]', 2001, '10.244.1.1', 1);
  event(1000.3, '[UPDATE]', 2001, '10.244.1.1', 1, 'SYN_RECV', false);
  reader.flush();
  assert.equal([reader.hasClock, witness().length], [false, 0]);
  askClock();
  reader.flush();
  const [record] = witness();
  assert.equal([reader.hasClock, record?.lost], [true, false]);
  assert.equal(
    record?.connections.map(([port, , , , began, answer]) => [
      port,
      Math.round(record.sinceT + began),
      answer,
    ]),
    [[2001, 1000, 1]],
  );
});

test('an answer that comes after the entry was written: written again; an entry that timed out was not refused', () => {
  const { reader, at, event, witness } = reading();
  at(1400);
  event(1000, '[NEW]', 2001, '10.244.1.1', 1);
  event(1000, '[NEW]', 2002, '10.244.1.1', 2);
  at(1500);
  reader.flush();
  at(2200);
  event(2100, '[UPDATE]', 2001, '10.244.1.1', 1, 'SYN_RECV', false);
  at(2500);
  reader.flush();
  at(121_050);
  event(121_000, '[DESTROY]', 2002, '10.244.1.1', 2);
  at(121_100);
  reader.flush();
  const said = witness().map(({ connections }) =>
    connections.map(([port, , , , , answer]) => [port, answer]),
  );
  assert.equal(said, [
    [
      [2001, 0],
      [2002, 0],
    ],
    [[2001, 1]],
    [],
  ]);
});

test('events that the kernel could not deliver, and an end that nobody asked for: marked, and said once', () => {
  const { reader, at, witness, notes } = reading();
  reader.line('WARNING: We have hit ENOBUFS! We are losing events.');
  reader.line('NOTICE: Netlink socket buffer size has been set to 16777216 bytes.');
  at(500);
  reader.flush();
  at(1000);
  reader.flush();
  reader.broken('ended with 137');
  at(1500);
  reader.flush();
  assert.equal(
    witness().map(({ lost }) => lost),
    [true, false, true],
  );
  assert.is(notes().length, 1);
});

test('how far it was read: to the last mark whose connection was read, whatever the time is', () => {
  const { reader, at, event, mark, markEvent, witness } = reading();
  at(1000);
  reader.flush();
  assert.is(reader.readUntilMs, undefined);
  mark(1000);
  mark(1250, 2);
  event(1400, '[NEW]', 2001, '10.244.1.1', 1);
  markEvent(1600);
  markEvent(1600, '[DESTROY]');
  at(1700);
  reader.flush();
  markEvent(1800, '[NEW]', 2);
  // It stands for no mark that was read.
  markEvent(1850, '[NEW]', 3);
  at(1900);
  reader.flush();
  assert.equal(
    witness().map((record) => [record.t, record.untilT, record.connections.length]),
    [
      [1000, undefined, 0],
      [1700, 1000, 1],
      [1900, 1250, 0],
    ],
  );
  for (const record of witness()) assert.equal(witnessRecordSchema.parse(record), record);
});

test('a mark whose connection was lost is not taken for another one', () => {
  const { reader, mark, markEvent } = reading();
  for (const [index, t] of [1000, 1250, 1500].entries()) mark(t, index + 1);
  markEvent(1600, '[NEW]', 2);
  assert.is(Math.round(reader.readUntilMs ?? 0), 1250);
  reader.paused();
  reader.resumed(false);
  markEvent(1700, '[NEW]', 1);
  assert.is(Math.round(reader.readUntilMs ?? 0), 1250);
  markEvent(1700, '[NEW]', 3);
  assert.is(Math.round(reader.readUntilMs ?? 0), 1500);
});

test('lost events: the kernel says that it has begun, and a mark that was made later that it is over', () => {
  const { reader, at, mark, markEvent, witness } = reading();
  at(1000);
  mark(900);
  mark(1100, 2);
  markEvent(1150);
  at(1200);
  reader.flush();
  at(1300);
  reader.line('WARNING: We have hit ENOBUFS! We are losing events.');
  at(1500);
  reader.flush();
  // It had waited since before.
  markEvent(1600, '[NEW]', 2);
  at(2000);
  reader.flush();
  mark(2100, 3);
  at(2500);
  reader.flush();
  mark(2600, 4);
  markEvent(2700, '[NEW]', 4);
  at(3000);
  reader.flush();
  at(3500);
  reader.flush();
  assert.equal(
    witness().map((record) => [record.t, record.lost, record.untilT]),
    [
      [1200, false, 900],
      [1500, true, 900],
      [2000, true, 1100],
      [2500, true, 1100],
      [3000, true, 2600],
      [3500, false, 2600],
    ],
  );
});

test('a clock that is set: the next answer counts, and until then nothing is known better than that', () => {
  const { reader, at, event, askClock, witness, notes } = reading();
  at(1000);
  reader.flush();
  at(5000);
  askClock(-700);
  event(4500 - 700, '[NEW]', 2001, '10.244.1.1', 1);
  at(5500);
  reader.flush();
  at(6000);
  reader.flush();
  const [, set, then] = witness();
  assert.is(Math.round((set?.sinceT ?? 0) + (set?.connections[0]?.[4] ?? 0)), 4500);
  assert.ok((set?.errorMs ?? 0) > 690 && (then?.errorMs ?? 1000) < 10);
  assert.match(JSON.stringify(notes()), /clock of node node0 was set by 69\d ms or more/);
});

test('connections of others to the same address are none of ours; of another family nothing is known', () => {
  const { reader, at, event, witness } = reading(true, new Set(['10.244.0.9', '172.18.0.2']));
  at(1400);
  event(1000, '[NEW]', 2001, '10.244.1.1', 1);
  for (const [index, from] of ['10.244.0.9', '172.18.0.2', 'fd00::9'].entries())
    reader.line(
      `[${NODE_S + 1.1}]\t    [NEW] tcp      6 120 SYN_SENT src=${from} dst=fd00:10::7 sport=${3000 + index} dport=80 [UNREPLIED] src=fd00:244::5 dst=${from} sport=8080 dport=3000 id=${10 + index}`,
    );
  reader.flush();
  const [record] = witness();
  assert.equal(
    record?.connections.map(([port]) => port),
    [3000, 3001, 3002],
  );
  assert.equal([record?.to, record?.pods], [['[fd00:10::7]:80'], ['[fd00:244::5]:8080']]);
});

test('a node that counts packets says them of what has gone', () => {
  const { reader, at, event, witness } = reading();
  at(1400);
  event(1000, '[NEW]', 2001, '10.244.1.1', 1);
  reader.line(
    `[${NODE_S + 1.0002}]\t[DESTROY] tcp      6 CLOSE src=10.244.0.5 dst=10.96.0.1 sport=2001 dport=80 packets=1 bytes=60 [UNREPLIED] src=10.244.1.1 dst=10.244.0.5 sport=8080 dport=2001 packets=1 bytes=40 id=1`,
  );
  reader.flush();
  assert.is(witness()[0]?.connections[0]?.[5], 2);
});

test('before the node’s clock is known nothing is taken', () => {
  const records: JournalRecord[] = [];
  const journal = {
    nowMs: () => 5,
    write: (one: JournalRecord) => void records.push(one),
  } as unknown as JournalWriter;
  const reader = witnessReader('node0', journal);
  reader.line(
    '[1.0] [NEW] tcp 6 120 SYN_SENT src=1.1.1.1 dst=2.2.2.2 sport=1 dport=80 [UNREPLIED] src=3.3.3.3 dst=1.1.1.1 sport=8 dport=1 id=1',
  );
  reader.flush();
  assert.equal(records, []);
});

test('what has broken off says of no later moment that all of it is known', () => {
  const { reader, at, event, witness, notes } = reading();
  at(1000);
  event(900, '[NEW]', 2001, '10.244.1.7', 1);
  reader.broken('ended');
  at(1500);
  reader.flush();
  at(2000);
  reader.flush();
  assert.equal(
    witness().map(({ t, lost, connections }) => [t, lost, connections.length]),
    [[1000, true, 1]],
  );
  assert.is(notes().length, 1);
});

test('a pause: nothing is said of it until it is over, and then whether all of it is known', () => {
  const { reader, at, event, witness, notes } = reading();
  at(1000);
  reader.flush();
  reader.paused();
  at(1500);
  reader.flush();
  assert.is(witness().length, 1, 'nobody knows what has been');
  event(1200, '[NEW]', 2001, '10.244.1.1', 1);
  at(1600);
  reader.resumed(true);
  reader.flush();
  assert.equal([witness()[1]?.t, witness()[1]?.lost, witness()[1]?.connections.length], [1600, false, 1]);
  reader.paused();
  at(3000);
  reader.resumed(false);
  at(3500);
  reader.flush();
  at(4000);
  reader.flush();
  assert.equal(
    witness()
      .slice(2)
      .map(({ t, lost }) => [t, lost]),
    [
      [3500, true],
      [4000, false],
    ],
  );
  reader.paused();
  at(5000);
  reader.ended();
  assert.equal([witness().at(-1)?.t, witness().at(-1)?.lost], [5000, true]);
  assert.match(JSON.stringify(notes()), /was not read from 1\.6 to 3\.0 s: .*could not be read to the end/);
});

test.run();
