// All scenarios, in the order in which they are listed and run.
import type { ScenarioDefinition } from '../harness/model/scenario.ts';
import { imageChange } from './image-change.ts';

export const scenarios: readonly ScenarioDefinition[] = [imageChange];
