// All scenarios, in the order in which they are listed and run.
import type { ScenarioDefinition } from '../harness/model/scenario.ts';
import { imageChange } from './image-change.ts';
import { rollback, rollbackToRevision } from './rollback.ts';
import { pauseResume, recreate, restart, rollover } from './rollout-control.ts';
import { scaleDown, scaleUp } from './scale.ts';

export const scenarios: readonly ScenarioDefinition[] = [
  imageChange,
  scaleUp,
  scaleDown,
  rollback,
  rollbackToRevision,
  pauseResume,
  restart,
  rollover,
  recreate,
];
