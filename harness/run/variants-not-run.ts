// Variants of somebody's own workload that are not measured: those in which our own check finds an error, and those that
// would be the workload as it is once more.
import { isForeign } from '../deploy/definition.ts';
import { scenarioTarget } from '../deploy/scenario-target.ts';
import type { RunFacts } from '../model/run.ts';
import { asIsName } from '../model/setting.ts';
import type { ExperimentKey } from './experiment/index.ts';
import { appliedTo, refusedByCheck, type VariantContext } from './own-check.ts';

type NotRun = NonNullable<RunFacts['variantsNotRun']>[number];

interface Measurable {
  readonly keys: readonly ExperimentKey[];
  /** Said once for each scenario and variant. */
  readonly notRun: readonly NotRun[];
}

/** The experiments to measure, and the variants that are left out, each with its reason. */
export function measurable(run: VariantContext, all: readonly ExperimentKey[]): Measurable {
  const notRun = new Map<string, NotRun>();
  const known = new Set<string>();
  const nameOf = ({ scenario, variant }: ExperimentKey) => `${scenario.id} ${variant.name}`;
  for (const key of all) {
    if (known.has(nameOf(key))) continue;
    known.add(nameOf(key));
    const why = whyNot(run, key, all);
    if (why) notRun.set(nameOf(key), { scenario: key.scenario.id, variant: key.variant.name, ...why });
  }
  if (notRun.size === 0) return { keys: all, notRun: [] };
  const gone = (scenario: string, variant: string | undefined) =>
    [...notRun.values()].some((one) => one.scenario === scenario && one.variant === variant);
  const keys = all
    .filter((key) => !notRun.has(nameOf(key)))
    .map((key) => ({
      ...key,
      // A claim about what does not run cannot be decided.
      scenario: {
        ...key.scenario,
        claims: key.scenario.claims.filter(({ appliesTo }) => !gone(key.scenario.id, appliesTo.variant)),
      },
    }));
  return { keys, notRun: [...notRun.values()] };
}

function whyNot(
  run: VariantContext,
  key: ExperimentKey,
  all: readonly ExperimentKey[],
): Pick<NotRun, 'reason' | 'sameAs'> | undefined {
  const reason = refusedByCheck(run, key);
  if (reason) return { reason };
  const same = sameAsOwn(run, key);
  const ownRuns = all.some(
    ({ scenario, variant }) => scenario.id === key.scenario.id && variant.name === asIsName,
  );
  return same !== undefined && ownRuns ? { reason: same, sameAs: asIsName } : undefined;
}

/** Why the variant is the workload as it is: undefined where it changes something, or is that one itself. */
function sameAsOwn(run: VariantContext, key: ExperimentKey): string | undefined {
  const { variant, scenario } = key;
  if (!isForeign(scenarioTarget(run.target, scenario))) return undefined;
  if (variant.name === asIsName || variant.takesAway) return undefined;
  const { applied, unchanged, notApplied } = appliedTo(run, key);
  if (applied.length > 0) return undefined;
  const each = [
    ...unchanged.map(({ setting, why }) => `${setting}: ${why}`),
    ...notApplied.map(({ setting, reason }) => `${setting}: ${reason}`),
  ];
  return `not measured: its settings change nothing here, so it is ${asIsName}${each.length > 0 ? ` (${each.join('; ')})` : ''}.`;
}

/** Scenarios of which nothing is left to measure, each with why. */
export function scenariosLeftOut<T extends { readonly id: string }>(
  scenarios: readonly T[],
  { keys, notRun }: Measurable,
): { readonly scenario: T; readonly reason: string }[] {
  return scenarios.flatMap((scenario) => {
    const reasons = notRun.filter(({ scenario: id }) => id === scenario.id);
    if (reasons.length === 0 || keys.some((key) => key.scenario.id === scenario.id)) return [];
    return [
      { scenario, reason: reasons.map(({ variant, reason }) => `Variant ${variant} is ${reason}`).join(' ') },
    ];
  });
}
