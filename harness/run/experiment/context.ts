// What an experiment is given, what it prepares and what it yields: the types that its parts share.
import type { RunningCluster } from '../../cluster/provider.ts';
import type { AgentClient } from '../../control/agent-client.ts';
import type { Identity } from '../../deploy/assemble.ts';
import type { TargetDefinition } from '../../deploy/definition.ts';
import type { PodReady } from '../../deploy/pods-ready.ts';
import type { Kube } from '../../kube/client.ts';
import type { HeaderRecord } from '../../model/journal.ts';
import type { ByLine } from '../../model/line.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { OwnPods } from '../../model/own-pods.ts';
import type { Scenario } from '../../model/scenario.ts';
import type { MakeAuthority } from './certificates.ts';

import type { K6Means } from './k6-program.ts';
import type { ExperimentKey } from './key.ts';
import type { OpenEntry, Standing } from './open-entry.ts';

/** What all experiments of a run share. */
export interface RunContext {
  readonly kube: Kube;
  readonly cluster: RunningCluster;
  readonly runId: string;
  readonly tool: HeaderRecord['tool'];
  readonly profile: HeaderRecord['profile'];
  readonly seed: number;
  /** By how much routing updates lag from the start; undefined: they do not. */
  readonly proxyDelayMs?: number | undefined;
  readonly target: TargetDefinition;
  /** How load agent and control target run. */
  readonly own: OwnPods;
  /** Of a foreign target; see run/same-measurement.ts. */
  readonly targetDigest?: string;
  /** What entries ingress and gateway are served by. */
  readonly entering?: {
    readonly install?: 'traefik' | undefined;
    readonly ingressClass?: string | undefined;
    readonly gatewayClass?: string | undefined;
  };
  readonly preStopSeconds: number;
  /** For scenarios with certificates. */
  readonly makeAuthority: MakeAuthority;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly arguments: readonly string[];
  readonly signal: AbortSignal;
  /** Fire the same plan with k6 beside the agents and record its counts. */
  readonly crossCheck?: K6Means | undefined;
  readonly progress: (event: ProgressEvent) => void;
}

/** What is going on, for people who wait. */
export interface ProgressEvent {
  readonly experiment: string;
  readonly doing: string;
  readonly lost?: ByLine<number>;
  /** ms since the load began, and how long an experiment like this takes at most. */
  readonly loadMs?: number;
  readonly limitMs?: number;
}

/** An experiment whose target, control target and agents can serve; nothing fires yet. */
export interface PreparedExperiment {
  readonly key: ExperimentKey;
  /** The key's scenario with its certificates in place: what is deployed, fired and done. Never recorded. */
  readonly filled: Scenario;
  readonly identity: Identity;
  /** The run's; on a cluster of somebody's it marks what is created through it. */
  readonly kube: Kube;
  /** Present: others use the namespace, too, and what is theirs is not recorded. */
  readonly shared: { readonly runId: string; readonly names: readonly string[] } | undefined;
  /** The node that the load agents got. */
  readonly agentNode: string | undefined;
  /** Their pods in the cluster. */
  readonly agentPods: readonly PodReady[];
  /** The nodes on which the agents' connections are sent to a pod. */
  readonly routedOn: readonly string[];
  /** The run's, or the scenario's own. */
  readonly target: TargetDefinition;
  readonly agents: readonly PreparedAgent[];
  readonly addresses: { readonly target: string; readonly control: string };
  /** Fired at side by side; empty: `addresses.target` alone. */
  readonly entries: readonly OpenEntry[];
  /** The pod of the queue that the target pulls from, where the scenario has one. */
  readonly queuePod: string | undefined;
  readonly manifests: readonly Manifest[];
  /** Settings in effect, and those that this target cannot have, each with the reason. */
  readonly applied: readonly string[];
  readonly notApplied: readonly { readonly setting: string; readonly reason: string }[];
  /** Settings that changed nothing, each with why. */
  readonly unchanged: readonly { readonly setting: string; readonly why: string }[];
  readonly settingsDiff: string;
  readonly substitutions: HeaderRecord['substitutions'];
}

/** One agent, and what it fires at. */
export interface PreparedAgent {
  readonly client: AgentClient;
  readonly split: { readonly index: number; readonly of: number };
  readonly parts: { readonly target: boolean; readonly control: boolean; readonly stands: Standing };
}

export interface ExperimentOutcome {
  readonly status: 'complete' | 'faulted' | 'interrupted';
  readonly reason?: string;
  /** The journal could not be written: no later one could be, either. */
  readonly unwritable?: boolean;
}

export const READY_LIMIT_MS = 120_000;
