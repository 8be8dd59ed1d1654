// The queue of a consuming target, from its manifests to what is judged and shown of it.
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { labelled } from '../../harness/deploy/assemble.ts';
import { builtInTarget } from '../../harness/deploy/built-in.ts';
import type { TargetDefinition } from '../../harness/deploy/definition.ts';
import { queueName, queueObjects, withConsumers } from '../../harness/deploy/queue.ts';
import { factsOf } from '../../harness/journal/facts.ts';
import { readJournal, uncheckedJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Measures } from '../../harness/judge/measures.ts';
import { label, type Manifest } from '../../harness/model/manifest.ts';
import { processedPerSecond, type QueueCounters } from '../../harness/model/queue.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import { followQueue } from '../../harness/record/queue.ts';
import { timeline } from '../../reports/html/timeline.ts';
import { limits } from '../../reports/html/types.ts';
import { readTargetConfig } from '../../target/config.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('queue');
const identity = { namespace: 'ns', runId: 'r1', experiment: 'x' };
const spec = { enqueuePerSecond: 30, coldPerSecond: 1, warmPerSecond: 10, warmUpMs: 4000 };

const counters = (atMs: number, fields: Partial<QueueCounters> = {}): QueueCounters => ({
  atMs,
  enqueued: 0,
  processed: 0,
  backlog: 0,
  inHand: 0,
  returned: 0,
  rejected: 0,
  ...fields,
});

type WithEnv = {
  spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
};
function environmentOf(manifest: Manifest | undefined): Record<string, string | undefined> {
  const container = (manifest as unknown as WithEnv).spec.template.spec.containers[0];
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
}

test('the queue is one pod with a Service of its own; what it is told, it understands', () => {
  const [service, deployment] = queueObjects(
    identity,
    { containers: true, images: { agent: 'agent:1', target: 'image:1' }, node: 'node' },
    { node: 'node1' },
    spec,
  );
  assert.equal([service.kind, service.metadata.name], ['Service', queueName]);
  assert.is(deployment.metadata.labels?.[label.role], 'queue');
  const { mode, queueing } = readTargetConfig(environmentOf(deployment));
  assert.is(mode, 'queue');
  assert.equal([queueing.enqueuePerSecond, queueing.quietMs], [30, 6000]);
});

test('the built-in target becomes its consumer, and so do its next pods; a foreign target does not', () => {
  const target = builtInTarget({ current: 'a:1' }, {});
  const manifests = labelled(
    withConsumers(target.manifests, target, '10.0.0.7:80', spec),
    'target',
    identity,
  );
  const config = readTargetConfig(environmentOf(manifests.find(({ kind }) => kind === 'Deployment')));
  assert.equal([config.mode, config.queue], ['consumer', '10.0.0.7:80']);
  assert.equal(config.pace, { coldPerSecond: 1, warmPerSecond: 10, warmUpMs: 4000 });
  const foreign: TargetDefinition = { ...target, builtIn: false };
  assert.is(withConsumers(target.manifests, foreign, '10.0.0.7:80', spec), target.manifests);
});

test('rates are means over two seconds of the queue’s own clock', () => {
  const readings = [0, 500, 1900, 2100, 4200].map((atMs, index) => counters(atMs, { processed: index * 21 }));
  assert.equal(processedPerSecond(readings), [undefined, undefined, undefined, 30, 10]);
  assert.equal(processedPerSecond([]), []);
});

/** Readings every 250 ms until 12 s; between 4 and 8 s half as much is done. */
function slump(journal: JournalBuilder, without: (atMs: number) => boolean = () => false): void {
  for (let atMs = -1000; atMs <= 12_000; atMs += 250) {
    const slow = Math.min(4000, Math.max(0, atMs - 4000));
    const enqueued = (30 * (atMs + 1000)) / 1000;
    const backlog = Math.round((15 * slow) / 1000);
    if (without(atMs)) continue;
    const values = { enqueued: Math.round(enqueued), processed: Math.round(enqueued) - backlog, backlog };
    journal.record(atMs + 10, { type: 'queue', t: 0, tookMs: 20, counters: counters(atMs + 77_000, values) });
  }
  journal.step(2000, { step: 'set-image', image: 'next' });
  journal.lane('new', { durationMs: 12_000 });
}

async function measuresOf(setup: (journal: JournalBuilder) => void): Promise<Measures> {
  const journal = new JournalBuilder();
  setup(journal);
  return judgeExperiment(await readJournal(journal.lines())).measures;
}

test('a slump is judged by what waited and how little was done', async () => {
  const measures = await measuresOf((journal) => slump(journal));
  assert.is(measures.maxBacklog, 60);
  assert.is(measures.backlogAtStart, 0);
  assert.is(measures.backlogAtEnd, 60);
  assert.ok(
    Math.abs((measures.processedPerSecondMin as number) - 15) < 1,
    String(measures.processedPerSecondMin),
  );
  assert.ok(Math.abs((measures.enqueuedPerSecond as number) - 30) < 0.5);
  assert.is(measures.itemsReturned, 0);
  assert.is(measures.queueGapMsMax, 250);
  assert.is(measures.processedPerSecondInRollout, undefined, 'no rollout was complete');
  const rolled = await measuresOf((journal) => {
    slump(journal);
    journal.deployment(2010, { generation: 2, observedGeneration: 1 });
    journal.deployment(8000, { generation: 2, observedGeneration: 2 });
  });
  // 2 s at 30 per second and 4 s at 15.
  const inRollout = rolled.processedPerSecondInRollout as number;
  assert.ok(Math.abs(inRollout - 20) < 1, String(inRollout));
});

test('readings that are missing too long decide nothing; without a queue there is no measure', async () => {
  for (const from of [1900, 5000, 9500]) {
    const measures = await measuresOf((journal) =>
      slump(journal, (atMs) => atMs > from && atMs < from + 2600),
    );
    assert.ok((measures.queueGapMsMax as number) > 2000, `gap from ${from}`);
    assert.is(measures.maxBacklog, undefined);
    assert.is(measures.processedPerSecondMin, undefined);
  }
  const none = await measuresOf((journal) => journal.lane('new', { durationMs: 4000 }));
  assert.is(none.queueGapMsMax, undefined);
});

test('the time line shows it, and keeps the highest backlog when there are too many readings', () => {
  const journal = new JournalBuilder();
  for (let atMs = 0; atMs < 12_000; atMs += 5) {
    const backlog = atMs === 6005 ? 99 : 1;
    journal.record(atMs, {
      type: 'queue',
      t: 0,
      tookMs: 0,
      counters: counters(atMs, { backlog, processed: Math.round(atMs / 100) }),
    });
  }
  journal.lane('new', { durationMs: 12_000 });
  const { queue } = timeline(factsOf(uncheckedJournal(journal.build())));
  assert.ok(queue.length <= limits.queuePoints, `${queue.length} points`);
  assert.equal(
    queue.filter((point) => point.backlog > 1).map(({ atMs, backlog }) => [atMs, backlog]),
    [[6005, 99]],
  );
  assert.is(queue.at(-1)?.perSecond, 10);
  assert.is(queue[0]?.perSecond, undefined);
});

test('readings go into the journal; a row of failures is noted once, and none comes after the stop', async () => {
  const written: { type: string; text?: string }[] = [];
  const journal = {
    nowMs: () => performance.now(),
    write: (record: object) => written.push(record as never),
  };
  let asked = 0;
  const following = followQueue(
    async () => {
      asked++;
      if (asked === 2 || asked === 3) throw new Error('no route');
      if (asked === 4) return { atMs: 1, enqueued: 'many' };
      return counters(asked);
    },
    journal as unknown as JournalWriter,
  );
  while (asked < 6) await sleep(20);
  following.stop();
  const seen = written.length;
  await sleep(400);
  assert.is(written.length, seen);
  assert.equal(
    written.map(({ type }) => type),
    ['queue', 'note', 'queue', 'queue'],
  );
  assert.match(written[1]?.text ?? '', /queue could not be read: no route/);
});

test.run();
