// What profile quick shortens in the scenarios that it runs: nothing that decides a verdict.
import type { ScenarioInput } from '../harness/model/scenario.ts';

export const shorter = { warmUpMs: 1000, tailMs: 2000 } satisfies Partial<ScenarioInput>;
