// Identities that every true journal keeps, whoever wrote it and however the experiment ended. What is redundant in a
// journal is compared with itself: counts with buckets, intervals with losses, percentiles with histograms, steps with
// the scenario. A figure that has no second witness cannot be checked here.
import type { Journal } from '../journal.ts';
import type { Broken } from './broken.ts';
import { brokenHeader } from './header.ts';
import { brokenLoad } from './load.ts';
import { brokenQueue } from './queue.ts';
import { brokenSettled } from './settled.ts';
import { brokenSteps } from './steps.ts';
import { brokenWatches } from './watches.ts';
import { brokenWitness } from './witness.ts';

/** The first identity that does not hold, in order of lines. */
export function firstBroken(journal: Journal): Broken | undefined {
  const all = [
    ...brokenHeader(journal),
    ...brokenSteps(journal),
    ...brokenSettled(journal),
    ...brokenWatches(journal),
    ...brokenQueue(journal),
    ...brokenWitness(journal),
    ...brokenLoad(journal),
  ];
  return all.sort((a, b) => a.line - b.line)[0];
}
