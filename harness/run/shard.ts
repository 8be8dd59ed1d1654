// `--shard i/n`: the i-th of n parts of a run. Scenarios are kept whole, since a verdict needs all their experiments.
import { InvalidArgumentError } from 'commander';
import { UsageError } from '../model/errors.ts';
import type { Selection } from './selection.ts';

export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly of: number;
}

export function parseShard(text: string): Shard {
  const [, index, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text)?.map(Number) ?? [];
  if (!index || !of || index > of) {
    throw new InvalidArgumentError('It is written i/n, for example 1/3: the first of three parts.');
  }
  return { index, of };
}

/** Every n-th scenario, so that neighbours, which take about as long, are spread over the parts. */
export function shardOf(selection: Selection, { index, of }: Shard): Selection {
  const { scenarios } = selection;
  if (of > scenarios.length) {
    throw new UsageError(
      `--shard ${index}/${of}: there ${scenarios.length === 1 ? 'is 1 scenario' : `are ${scenarios.length} scenarios`} to run, so at most ${scenarios.length} parts.`,
    );
  }
  const chosen = scenarios.filter((_, at) => at % of === index - 1);
  return {
    scenarios: chosen,
    keys: selection.keys.filter((key) => chosen.some(({ id }) => id === key.scenario.id)),
  };
}
