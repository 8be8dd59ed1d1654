// One experiment, top to bottom: deploy (prepare.ts), then fire, change, wait for the end, record. What it yields is a
// journal. Who makes the change is a driver (driver.ts); everything that is started belongs to one lifetime.
import { ownPort } from '../../deploy/assemble.ts';
import { accessFormats } from '../../model/access.ts';
import { FaultError } from '../../model/errors.ts';
import { Lifetime } from '../../model/lifetime.ts';
import type { AgentPlan } from '../../model/load.ts';
import { followEntryPods } from '../../record/entry-pods.ts';
import { createJournalWriter, type JournalWriter } from '../../record/journal-writer.ts';
import { followQueue, queueCounters } from '../../record/queue.ts';
import { startRecorder } from '../../record/recorder.ts';
import {
  type ExperimentOutcome,
  type PreparedExperiment,
  READY_LIMIT_MS,
  type RunContext,
} from './context.ts';
import { crossCheckOf } from './cross-check.ts';
import type { Driver } from './driver.ts';
import { finish, limitWhole } from './finish.ts';
import type { Firing } from './fire.ts';
import { headerOf, planOf, wholeStreams } from './header.ts';
import { experimentName } from './key.ts';
import { agentsEndWithin } from './node.ts';
import { scenarioDriver } from './scenario-driver.ts';
import { measureUnderLoad, refuseFaults } from './under-load.ts';
import { isWitnessed, type ReadNode, startWitness } from './witness.ts';
import { witnessByPod } from './witness-pod.ts';

export type { ExperimentOutcome, PreparedExperiment, RunContext } from './context.ts';
export type { Driver, Scene } from './driver.ts';
export { type ExperimentKey, experimentName } from './key.ts';
export { prepareExperiment } from './prepare.ts';

/** Fires, drives, waits, records. Never throws for what goes wrong in the experiment: the outcome says it. */
export async function runExperiment(
  given: RunContext,
  prepared: PreparedExperiment,
  journalFile: string,
  driverOf: (run: RunContext, prepared: PreparedExperiment) => Driver = scenarioDriver,
): Promise<ExperimentOutcome> {
  const run = { ...given, target: prepared.target, kube: prepared.kube };
  const { limitMs } = prepared.key.scenario;
  const startedAt = performance.now();
  const life = new Lifetime({ parent: run.signal });
  limitWhole(life, limitMs, READY_LIMIT_MS);
  const journal = createJournalWriter(journalFile, { onFailure: (error) => life.fail(error) });
  const measurement: Measurement = { run, prepared, life, journal, firing: undefined };
  let failure: unknown;
  try {
    await measure(measurement, driverOf(run, prepared));
  } catch (error) {
    failure = error ?? new FaultError('something was thrown that is no error');
  }
  return finish(life, journal, failure, () => ({
    totalMs: performance.now() - startedAt,
    loadMs: measurement.firing?.loadMs() ?? 0,
  }));
}

interface Measurement {
  readonly run: RunContext;
  readonly prepared: PreparedExperiment;
  readonly life: Lifetime;
  readonly journal: JournalWriter;
  firing: Firing | undefined;
}

async function measure(measurement: Measurement, driver: Driver): Promise<void> {
  const { run, prepared, life, journal } = measurement;
  const { scenario } = prepared.key;
  const experiment = experimentName(prepared.key);
  const plans = prepared.agents.map((agent) => planOf(run, prepared, agent));
  recordHeader(measurement, plans);
  const recorder = await measureUnderLoad(
    {
      kube: run.kube,
      clients: prepared.agents.map(({ client }) => client),
      plans,
      journal,
      life,
      warmUpMs: scenario.warmUpMs,
      tailMs: scenario.tailMs,
      record: () =>
        startRecorder(run.kube, prepared.identity.namespace, journal, {
          workloads: [run.target.workload.kind],
          shared: prepared.shared,
        }),
      async beside() {
        const crossCheck = await crossCheckOf(run, prepared, plans, journal, life);
        const witness = await startWitness({
          read: witnessOf(measurement),
          nodes: prepared.routedOn,
          agents: prepared.agentPods,
          plans,
          scenario,
          journal,
          life,
        });
        followQueueOf(measurement);
        await followEntriesOf(measurement);
        return { crossCheck, witness };
      },
      progress: (event) =>
        run.progress({
          experiment,
          ...(event.loadMs !== undefined && { limitMs: scenario.limitMs }),
          ...event,
        }),
      onFiring: (firing) => {
        measurement.firing = firing;
      },
    },
    driver,
  );
  refuseFaults(recorder);
}

/** On a cluster of ours its provider knows how; on somebody's a pod, where it was asked for. */
function witnessOf({ run, prepared, life }: Measurement): ReadNode | undefined {
  if (!isWitnessed(run)) return undefined;
  const { witness } = run.cluster;
  if (witness) return (node, _, request) => witness(node, request);
  const pods = {
    kube: run.kube,
    identity: prepared.identity,
    own: run.own,
    agents: prepared.agentPods,
    deadlineMs: agentsEndWithin(prepared.key.scenario.limitMs),
    signal: life.signal,
  };
  return (node, index, request) => witnessByPod(pods, node, index, request);
}

function recordHeader({ run, prepared, journal }: Measurement, plans: readonly AgentPlan[]): void {
  journal.write(headerOf(run, prepared, { ...(plans[0] as AgentPlan), streams: wholeStreams(plans) }));
  for (const text of prepared.target.asIs?.warnings ?? [])
    journal.write({ type: 'note', level: 'warning', text });
  for (const { setting, reason } of prepared.notApplied) {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `Setting ${setting} is not in effect: ${reason}.`,
    });
  }
}

async function followEntriesOf({ run, prepared, journal, life }: Measurement): Promise<void> {
  const followed = new Set<string>();
  for (const { measured } of prepared.entries) {
    const { name: entry, service, accessLog } = measured;
    if (service === undefined || followed.has(service)) continue;
    followed.add(service);
    const watched = service.startsWith(`${prepared.identity.namespace}/`);
    const format = accessFormats.find((one) => one === accessLog);
    const pods = await followEntryPods(run.kube, { entry, service, watched, format }, journal);
    life.defer(`stop following the pods of entry ${entry}`, () => pods.stop());
  }
}

function followQueueOf({ run, prepared, journal, life }: Measurement): void {
  const { identity, queuePod } = prepared;
  if (queuePod === undefined) return;
  const queue = followQueue(() => queueCounters(run.kube, identity.namespace, queuePod, ownPort), journal);
  life.defer('stop reading the queue', () => queue.stop());
}
