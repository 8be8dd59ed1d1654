// The journal's first record: everything that decides what was measured.

import { stringify } from 'yaml';
import type { TargetDefinition } from '../../deploy/definition.ts';
import type { MeasuredEntry } from '../../model/entry.ts';
import type { HeaderRecord } from '../../model/journal.ts';
import type { AgentPlan } from '../../model/load.ts';
import type { Manifest } from '../../model/manifest.ts';
import { redactArguments, redactManifest, redactValue } from '../../record/redact.ts';
import type { PreparedAgent, PreparedExperiment, RunContext } from './context.ts';
import { loadPlan } from './load-plan.ts';
import { isWitnessed, ownPorts } from './witness.ts';

export const withoutSecrets = (manifests: readonly Manifest[], target: TargetDefinition): Manifest[] =>
  manifests.map((manifest) => redactManifest(manifest, target.builtIn || target.published !== undefined));

export function planOf(
  run: RunContext,
  prepared: PreparedExperiment,
  { split, parts }: PreparedAgent,
): AgentPlan {
  const plan = loadPlan(
    prepared.filled,
    run.target,
    { ...prepared.addresses, entries: prepared.entries },
    run.runId,
    split,
    parts,
  );
  return {
    ...plan,
    ...(isWitnessed(run) && ownPorts(plan, prepared.key.scenario)),
  };
}

export function headerOf(run: RunContext, prepared: PreparedExperiment, plan: AgentPlan): HeaderRecord {
  const { key } = prepared;
  const { target } = run;
  return {
    type: 'header',
    schemaVersion: 1,
    tool: run.tool,
    runId: run.runId,
    startedAt: new Date().toISOString(),
    seed: run.seed,
    scenario: key.scenario,
    profile: run.profile,
    variant: { ...key.variant, settings: [...prepared.applied] },
    path: key.path,
    ...(prepared.entries.length > 0 && {
      entries: prepared.entries.map(({ measured }) => redactValue(measured) as MeasuredEntry),
    }),
    agents: key.agents,
    repeat: key.repeat,
    ...(run.proxyDelayMs && { proxyDelayMs: run.proxyDelayMs }),
    cluster: { agentNode: prepared.agentNode, ...run.cluster.info },
    target: {
      builtIn: target.builtIn,
      workload: `${target.workload.kind}/${target.workload.name}`,
      service: `${target.service.name}:${target.service.port}`,
      images: { ...target.images },
      ...(run.targetDigest && { digest: run.targetDigest }),
    },
    plan: redactValue(plan) as AgentPlan,
    manifests: withoutSecrets(prepared.manifests, target)
      .map((manifest) => stringify(manifest))
      .join('---\n'),
    settingsDiff: prepared.settingsDiff,
    ...(prepared.target.asIs?.warnings.length && { warnings: [...prepared.target.asIs.warnings] }),
    ...(prepared.unchanged.length > 0 && { unchanged: [...prepared.unchanged] }),
    ...(prepared.substitutions?.length && { substitutions: prepared.substitutions }),
    configuration: redactValue(run.configuration) as Record<string, unknown>,
    arguments: redactArguments(run.arguments),
  };
}

/** The streams as one agent alone would fire them. */
export function wholeStreams(plans: readonly AgentPlan[]): AgentPlan['streams'] {
  const whole = new Map<string, AgentPlan['streams'][number]>();
  for (const stream of plans.flatMap((plan) => plan.streams)) {
    const connections = (whole.get(stream.id)?.connections ?? 0) + stream.connections;
    whole.set(stream.id, { ...stream, connections, split: { index: 0, of: 1 } });
  }
  return [...whole.values()];
}
