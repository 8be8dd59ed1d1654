// Pods per node as a claim can name them: shapes without names, skew with the nodes that stayed empty.
import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { readJournal } from '../../harness/journal/read.ts';
import { evaluateClaim } from '../../harness/judge/claims.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Measures } from '../../harness/judge/measures.ts';
import { claimDefinitionSchema } from '../../harness/model/scenario.ts';
import { timeline } from '../../reports/html/timeline.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: placement');
const nodes = [
  { name: 'node0', role: 'control-plane' },
  ...[1, 2, 3, 4, 5].map((n) => ({ name: `node${n}`, role: 'worker' })),
];
const settled = { step: 'wait', for: 'settled', limitMs: 120_000 } as const;

/** Two pods on nodes 1 and 2; a rollout moves both to node 1. */
function moved(workers: number): JournalBuilder {
  const journal = new JournalBuilder({ replicas: 2, cluster: { nodes: nodes.slice(0, workers + 1) } });
  journal.replicaSet(-1000, 'web-aaa', 2, '1', 'EXISTING').deployment(-1000);
  journal.oldPod('a', { node: 'node1' }).terminating(5000).deleted(6000);
  journal.oldPod('b', { node: 'node2' }).terminating(7000).deleted(8000);
  journal.step(2000, { step: 'set-image', image: 'next' });
  journal.pod('c', { node: 'node1', templateHash: 'bbb' }).created(2100).running(3000).ready(4000);
  journal.pod('d', { node: 'node1', templateHash: 'bbb' }).created(5100).running(5500).ready(6500);
  journal.step(2100, settled, 9000);
  journal.event(2200, 'Unhealthy', 'statuscode: 404', 'c');
  return journal.lane('new');
}
const measuresOf = async (journal: JournalBuilder): Promise<Measures> =>
  judgeExperiment(await readJournal(journal.lines())).measures;

test('the shape at the first step and after each rollout, most first', async () => {
  const measures = await measuresOf(moved(2));
  assert.is(measures.placements, '1/1, 2/0');
  assert.is(measures.placementSkewStart, 0);
  assert.is(measures.placementSkewSettledMax, 2);
  assert.is(measures.placementSkewEnd, 2);
  assert.is(measures.podsPerNodeEnd, 'node1 2, node2 0');
});

const empty: readonly [workers: number, placements: string][] = [
  [1, '1, 1'],
  [2, '1/0, 1/0'],
  [5, '1/0, 1/0'],
];
for (const [workers, placements] of empty) {
  test(`one node carries all, ${workers} take pods: empty ones count as far as the pods could have used them`, async () => {
    const journal = new JournalBuilder({ replicas: 2, cluster: { nodes: nodes.slice(0, workers + 1) } });
    journal.deployment(-1000);
    journal.oldPod('a', { node: 'node1' });
    journal.step(2000, settled, 3000);
    const measures = await measuresOf(journal.lane('new'));
    assert.is(measures.placements, placements);
  });
}

test('without a rollout that was waited for there is no figure of it', async () => {
  const journal = new JournalBuilder();
  journal.oldPod('a');
  journal.step(2000, { step: 'restart' });
  const measures = await measuresOf(journal.lane('new'));
  assert.is(measures.placements, undefined);
  assert.is(measures.placementSkewSettledMax, undefined);
});

const texts: readonly [string, Record<string, unknown>, 'holds' | 'fails' | 'undecided'][] = [
  ['words that are in the event', { measure: 'eventMessage:Unhealthy', contains: '404' }, 'holds'],
  ['words that are not', { measure: 'eventMessage:Unhealthy', contains: '500' }, 'fails'],
  ['an event that did not come', { measure: 'eventMessage:Killing', contains: 'x' }, 'undecided'],
];
for (const [name, that, expected] of texts) {
  test(`a claim about ${name}`, async () => {
    const experiment = judgeExperiment(await readJournal(moved(2).lines()));
    const claim = claimDefinitionSchema.parse({ id: 'c', text: 'T.', source: 's', that: [that] });
    const { result, expect } = evaluateClaim(claim, [experiment]);
    assert.is(result, expected);
    assert.is(expect, `${that.measure} contains "${that.contains}"`);
  });
}

test('the picture: pods per node and version over time, empty workers too, the control plane not', async () => {
  const { nodes: lanes } = timeline(factsOf(await readJournal(moved(3).lines())));
  assert.equal(
    lanes.map(({ name }) => name),
    ['node1', 'node2', 'node3'],
  );
  const at = (node: number, ms: number) => {
    const found = lanes[node]?.counts.find(({ fromMs, toMs }) => fromMs <= ms && toMs > ms);
    return found && [...found.staying, found.terminating].join();
  };
  assert.is(at(0, 1000), '1,0,0', 'old');
  assert.is(at(0, 4500), '1,1,0', 'old and new');
  assert.is(at(0, 5300), '0,2,1', 'two new ones, the old one terminates');
  assert.is(at(0, 9000), '0,2,0');
  assert.is(at(1, 7500), '0,1', 'terminating');
  assert.is(at(1, 9000), '0,0');
  assert.is(at(2, 1000), undefined, 'never one');
});

test.run();
