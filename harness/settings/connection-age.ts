// Setting: connections have an age, switched on by environment variables of the app.
import type { Setting } from '../model/setting.ts';
import { switchOff, switchOn } from './app-switch.ts';
import { everyWorkload } from './workload.ts';

export const connectionAge: Setting = {
  name: 'connectionAge',
  title: 'connections have an age',
  why: 'A client of gRPC or WebSocket stays on the pod that it found first: pods that come later get nothing. A connection that the server ends in order after a while is opened again, and goes anywhere.',
  changes: 'app',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => switchOn(manifests, context, context.appSwitches?.connectionAge),
  takeAway: (manifests, context) => switchOff(manifests, context, context.appSwitches?.connectionAge),
};
