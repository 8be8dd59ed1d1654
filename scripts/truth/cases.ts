// What is measured: the scenarios of the quick profile, with a target that logs, and apps that do not speak to us.
import { scenarioSchema } from '../../harness/model/scenario.ts';
import { quickIds } from '../../harness/run/selection.ts';
import { scenarios } from '../../scenarios/index.ts';
import { appScenarios } from './apps.ts';
import { loggingEnv } from './logging.ts';

/** The port of every pod in them. */
export const podPort = 8080;

/** A configuration of `rollproof verify`, and the ids of its scenarios. */
export function truthCases(): { readonly configuration: object; readonly ids: readonly string[] } {
  const quick = scenarios
    .filter(({ id }) => quickIds.includes(id))
    .map(({ id, quick: { target, ...scenario } }) => ({
      ...scenario,
      id: `truth-${id}`,
      target: { ...target, env: { ...target.env, ...loggingEnv } },
      variants: ['baseline'],
      claims: [],
    }));
  const all = [...quick, ...appScenarios().map((one) => scenarioSchema.parse(one))];
  return { configuration: { scenarios: all }, ids: all.map(({ id }) => id) };
}
