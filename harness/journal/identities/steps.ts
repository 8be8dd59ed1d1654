// Steps, milestones and the load's own events: each in the order of the scenario, and all of them when the experiment
// says that it is complete.
import { isDeepStrictEqual } from 'node:util';
import { milestoneNames } from '../../model/journal.ts';
import type { Journal, Lined } from '../journal.ts';
import type { Broken } from './broken.ts';

export function* brokenSteps(journal: Journal): Generator<Broken> {
  yield* steps(journal);
  yield* milestones(journal);
  yield* loads(journal);
  yield* ending(journal);
}

function* steps({ header, steps: records, end }: Journal): Generator<Broken> {
  const planned = header.scenario.steps;
  let open: Lined<'step'> | undefined;
  let next = 0;
  for (const record of records) {
    const { index, event, step, line } = record;
    const broken = (identity: string): Broken => ({ line, record: 'step', identity });
    if (index >= planned.length) yield broken(`the scenario has ${planned.length} steps`);
    else if (!isDeepStrictEqual(step, planned[index])) yield broken(`step ${index} is the scenario’s`);
    if (event === 'begin') {
      if (open || index !== next) yield broken('steps follow one another in the scenario’s order');
      open = record;
    } else {
      if (open?.index !== index) yield broken('a step ends that has begun');
      open = undefined;
      next = index + 1;
    }
  }
  if (end.status === 'complete' && (open || next < planned.length)) {
    yield {
      line: end.line,
      record: 'end',
      identity: `a complete experiment has done all ${planned.length} steps of its scenario, not ${next}`,
    };
  }
}

function* milestones({ header, milestones: records, steps: done, end }: Journal): Generator<Broken> {
  let last = -1;
  for (const { name, line } of records) {
    const position = milestoneNames.indexOf(name);
    if (position <= last) {
      yield {
        line,
        record: 'milestone',
        identity: `milestones come in the order ${milestoneNames.join(', ')}`,
      };
    }
    last = position;
    const lastStep = done.at(-1)?.line ?? 0;
    if (name === 'steps-done' && line < lastStep) {
      yield { line, record: 'milestone', identity: 'steps-done comes after the last step' };
    }
  }
  const passed = new Set(records.map(({ name }) => name));
  // Journals of other commands have no milestones.
  if (end.status !== 'complete' || !passed.has('ready-for-load')) return;
  const wanted = [
    'steps-done',
    ...(header.scenario.until === 'rollout' ? ['rollout-complete'] : []),
    'no-terminating',
  ] as const;
  const missing = wanted.find((name) => !passed.has(name as (typeof milestoneNames)[number]));
  if (missing) {
    yield {
      line: end.line,
      record: 'end',
      identity: `a complete experiment has passed milestone ${missing}`,
    };
  }
}

const loadOrder = ['started', 'stopping', 'ended'];

function* loads({ loads: records }: Journal): Generator<Broken> {
  const last = new Map<string, number>();
  for (const { agent, event, line } of records) {
    const position = loadOrder.indexOf(event);
    if (position <= (last.get(agent) ?? -1)) {
      yield {
        line,
        record: 'load',
        identity: `agent ${agent}: started, stopping and ended come once, in order`,
      };
    }
    last.set(agent, position);
  }
}

function* ending({ end }: Journal): Generator<Broken> {
  const broken = (identity: string): Broken => ({ line: end.line, record: 'end', identity });
  const { totalMs, loadMs } = end.harness ?? {};
  for (const [name, value] of Object.entries(end.harness ?? {})) {
    if (value < 0) yield broken(`harness.${name} is not below 0`);
  }
  if (totalMs !== undefined && loadMs !== undefined && loadMs > totalMs) {
    yield broken('the load did not last longer than the experiment');
  }
}
