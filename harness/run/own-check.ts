// What we add to somebody's manifests is looked at by our own static check before it runs.
import { stringify } from 'yaml';
import { type CheckedFinding, checkManifests } from '../check/check.ts';
import { withScenario } from '../deploy/assemble.ts';
import { isForeign } from '../deploy/definition.ts';
import { scenarioTarget } from '../deploy/scenario-target.ts';
import type { Manifest } from '../model/manifest.ts';
import { applyVariant } from '../settings/index.ts';
import type { ExperimentKey, RunContext } from './experiment/index.ts';
import { settingContext } from './experiment/objects.ts';

/** Which setting answers for an error of a rule: one that is left where the setting was applied is the setting's own. */
const settingOfRule: Readonly<Record<string, string>> = {
  'no-readiness-probe': 'readinessProbe',
  'prestop-exceeds-grace': 'preStop',
  'prestop-without-shell': 'preStop',
  'max-unavailable-all': 'surge',
  'surge-and-unavailable-zero': 'surge',
  'surge-blocked-by-host-port': 'surge',
  'surge-blocked-by-anti-affinity': 'surge',
  'surge-blocked-by-volume': 'surge',
  'recreate-strategy': 'surge',
  'min-ready-exceeds-deadline': 'minReadySeconds',
  'pdb-blocks-drain': 'podDisruptionBudget',
};

/** What is known of a run before its experiments. */
export type VariantContext = Pick<RunContext, 'target' | 'preStopSeconds'> & {
  readonly cluster: { readonly info: { readonly kubernetesVersion: string } };
};

/** The variant on the target's manifests with the scenario's knobs. */
export function appliedTo(
  run: VariantContext,
  { scenario, variant }: Pick<ExperimentKey, 'scenario' | 'variant'>,
): ReturnType<typeof applyVariant> {
  const target = scenarioTarget(run.target, scenario);
  const { kubernetesVersion } = run.cluster.info;
  const context = settingContext({ ...run, target, kubernetesVersion }, variant);
  return applyVariant(withScenario(target, scenario), variant, context);
}

/** Why the variant must not run on somebody's workload; undefined: nothing speaks against it. */
export function refusedByCheck(
  run: VariantContext,
  { scenario, variant }: Pick<ExperimentKey, 'scenario' | 'variant'>,
): string | undefined {
  const target = scenarioTarget(run.target, scenario);
  // Taking settings away is meant to make it worse.
  if (!isForeign(target) || variant.settings.length === 0 || variant.takesAway) return undefined;
  const base = withScenario(target, scenario);
  const { manifests, applied } = appliedTo(run, { scenario, variant });
  const minor = minorOf(run.cluster.info.kubernetesVersion);
  const before = new Set(errorsIn(base, minor).map(identity));
  // What stands beside the workload under test gets no settings: its errors are its own.
  const changed = (object: string) =>
    object.replace(/ .*\//, ' ') === `${target.workload.kind} ${target.workload.name}`;
  const ours = errorsIn(manifests, minor).find(
    (finding) =>
      !before.has(identity(finding)) ||
      (changed(finding.object) && applied.includes(settingOfRule[finding.rule] ?? '')),
  );
  return ours && `not run: our own check finds an error in it (${ours.rule}): ${ours.message}`;
}

function errorsIn(manifests: readonly Manifest[], minor: number | undefined): readonly CheckedFinding[] {
  const text = manifests.map((manifest) => stringify(manifest)).join('---\n');
  const { findings } = checkManifests(
    [{ file: 'manifests', text }],
    minor === undefined ? {} : { kubernetesMinor: minor },
  );
  return findings.filter(({ severity }) => severity === 'error');
}

const identity = ({ rule, object }: CheckedFinding): string => `${rule} ${object}`;

function minorOf(version: string): number | undefined {
  const minor = /^v?1\.(\d+)/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}
