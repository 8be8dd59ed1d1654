// DaemonSet: the deprecated counter of its template (registry/apps/daemonset/strategy.go).

import { numberTemplate } from '../defaults/workloads.ts';
import { equalObjects } from '../objects.ts';
import type { DaemonSet } from '../types.ts';
import type { Strategy } from './strategy.ts';

export const daemonSetStrategy: Strategy = {
  prepareForCreate: (object) => numberTemplate(object as unknown as DaemonSet, 1),
  finishUpdate(object, current) {
    const annotation = 'deprecated.daemonset.template.generation';
    const number = Number(current.metadata.annotations?.[annotation] ?? 1);
    const before = (current as unknown as DaemonSet).spec?.template;
    const daemonSet = object as unknown as DaemonSet;
    numberTemplate(daemonSet, equalObjects(before, daemonSet.spec?.template) ? number : number + 1);
  },
};
