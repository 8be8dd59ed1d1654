// Setting: open streams are ended in order, switched on by environment variables of the app.
import type { Setting } from '../model/setting.ts';
import { switchOff, switchOn } from './app-switch.ts';
import { everyWorkload } from './workload.ts';

export const streamDrain: Setting = {
  name: 'streamDrain',
  title: 'open streams are ended in order',
  why: 'A stream lives as long as its pod, so every rollout ends it. An app that says so (GOAWAY, then waits; close 1001; the end of the events) lets its clients come back without a loss; one that just ends cuts them.',
  changes: 'app',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => switchOn(manifests, context, context.appSwitches?.streamDrain),
  takeAway: (manifests, context) => switchOff(manifests, context, context.appSwitches?.streamDrain),
};
