// Job: labels and selector tie it to its pods (registry/batch/job/strategy.go).
import { tieJobToPods } from '../defaults/workloads.ts';
import type { Job } from '../types.ts';
import type { Strategy } from './strategy.ts';

export const jobStrategy: Strategy = {
  prepareForCreate: (object) => tieJobToPods(object as unknown as Job),
  prepareForUpdate(object, current) {
    const spec = (object as unknown as Job).spec;
    if (spec) spec.selector ??= (current as unknown as Job).spec?.selector;
  },
  // batch/v1 keeps the default of its first days.
  defaultPropagation: 'Orphan',
};
