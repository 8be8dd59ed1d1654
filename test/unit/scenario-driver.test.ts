import * as assert from 'uvu/assert';
import type { PodFacts } from '../../harness/model/facts.ts';
import { createLiveState } from '../../harness/record/live.ts';
import type { PreparedExperiment, RunContext } from '../../harness/run/experiment/context.ts';
import type { Scene } from '../../harness/run/experiment/driver.ts';
import { scenarioDriver } from '../../harness/run/experiment/scenario-driver.ts';
import { suite } from '../suite.ts';

const test = suite('scenario driver');

const pod = (terminating: boolean) =>
  ({ kind: 'Pod', role: 'target', phase: 'Running', terminating, containers: [] }) as unknown as PodFacts;

test('a milestone says what is so when it is written, not what was so one event before', async () => {
  const live = createLiveState();
  const [a, b] = [pod(true), pod(false)];
  live.update('EXISTING', 'a', a);
  live.update('EXISTING', 'b', b);
  const terminating = () => [...live.pods('target').values()].filter((one) => one.terminating).length;
  const written: [name: unknown, terminating: number][] = [];
  const driver = scenarioDriver(
    { target: { workload: { kind: 'Deployment', name: 'web' } } } as unknown as RunContext,
    {
      key: { scenario: { until: 'no-terminating', limitMs: 5000, steps: [] } },
    } as unknown as PreparedExperiment,
  );
  const settled = driver.settled({
    live,
    signal: new AbortController().signal,
    say() {},
    journal: {
      write: (record: { name?: unknown }) => void written.push([record.name, terminating()]),
    },
  } as unknown as Scene);
  // A watch brings both at once.
  live.update('DELETED', 'a', a);
  live.update('MODIFIED', 'b', pod(true));
  setTimeout(() => live.update('DELETED', 'b', b), 20);
  await settled;
  assert.equal(written, [['no-terminating', 0]]);
});

test.run();
