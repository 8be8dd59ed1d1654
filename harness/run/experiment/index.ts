// One experiment, top to bottom: deploy, load, steps, wait for the end, record. What it yields is a journal.

import { setMaxListeners } from 'node:events';
import { queuePort } from '../../deploy/queue.ts';
import { FaultError, messageOf } from '../../model/errors.ts';
import type { AgentPlan } from '../../model/load.ts';
import { createJournalWriter, type JournalWriter } from '../../record/journal-writer.ts';
import { followQueue, queueCounters } from '../../record/queue.ts';
import { type Recorder, startRecorder } from '../../record/recorder.ts';
import {
  type ExperimentOutcome,
  type PreparedExperiment,
  READY_LIMIT_MS,
  type RunContext,
} from './context.ts';
import { beside, crossCheckOf, recordCrossCheck } from './cross-check.ts';
import { abandonLoad, outcomeOf, stopLoad } from './finish.ts';
import { type Firing, pause, startLoad } from './fire.ts';
import { headerOf, planOf, wholeStreams } from './header.ts';
import type { CrossCheck } from './k6-beside.ts';
import { runSteps } from './steps.ts';
import { untilOver } from './tail.ts';

export type { ExperimentOutcome, PreparedExperiment, ProgressEvent, RunContext } from './context.ts';
export { type ExperimentKey, experimentName } from './key.ts';
export { agentNodeOf } from './node.ts';
export { prepareExperiment } from './prepare.ts';

/** Fires, steps, waits, records. Never throws for what goes wrong in the experiment: the journal's end says it. */
export async function runExperiment(
  given: RunContext,
  prepared: PreparedExperiment,
  journalFile: string,
): Promise<ExperimentOutcome> {
  const run = { ...given, target: prepared.target };
  const journal = createJournalWriter(journalFile);
  const undo: { what: string; act: () => Promise<void> }[] = [];
  const startedAt = performance.now();
  const limit = AbortSignal.timeout(prepared.key.scenario.limitMs + READY_LIMIT_MS);
  const signal = AbortSignal.any([run.signal, limit]);
  setMaxListeners(0, signal);
  let recorder: Recorder | undefined;
  let firing: Firing | undefined;
  let crossCheck: CrossCheck | undefined;
  let queue: ReturnType<typeof followQueue> | undefined;
  let outcome: ExperimentOutcome = { status: 'complete' };
  try {
    const clients = prepared.agents.map((agent) => agent.client);
    const plans = prepared.agents.map((agent) => planOf(run, prepared, agent));
    const streams = wholeStreams(plans);
    journal.write(headerOf(run, prepared, { ...(plans[0] as AgentPlan), streams }));
    for (const { setting, reason } of prepared.notApplied) {
      journal.write({
        type: 'note',
        level: 'warning',
        text: `Setting ${setting} is not in effect: ${reason}.`,
      });
    }
    recorder = await startRecorder(run.kube, prepared.identity.namespace, journal);
    crossCheck = await crossCheckOf(run, prepared, plans, journal, signal);
    queue = followQueueOf(run, prepared, journal);
    journal.write({ type: 'milestone', name: 'ready-for-load' });
    const alsoFire = () => beside(crossCheck?.begin(), journal);
    firing = await startLoad(run, prepared, clients, plans, journal, alsoFire);
    await pause(prepared.key.scenario.warmUpMs, firing, signal);
    await runSteps(run, prepared, recorder, firing, journal, signal, (what, act) => undo.push({ what, act }));
    await untilOver(run, prepared, recorder, firing, journal, signal);
    const counted = beside(crossCheck?.stop(), journal);
    await stopLoad(firing, journal);
    recordCrossCheck(run, prepared, crossCheck?.version, await counted, firing, journal);
    await recorder.verify(2000);
    if (recorder.faults.length > 0) throw new FaultError(recorder.faults.join(' '));
  } catch (error) {
    outcome = outcomeOf(error, run.signal, limit, prepared.key.scenario.limitMs);
    if (firing) await abandonLoad(firing, journal);
  } finally {
    recorder?.stop();
    queue?.stop();
    firing?.stopPulling();
    await beside(crossCheck?.[Symbol.asyncDispose](), journal);
    for (const { what, act } of undo.reverse()) {
      await act().catch((error) => {
        journal.write({ type: 'note', level: 'fault', text: `Could not ${what}: ${messageOf(error)}` });
        outcome = { status: 'faulted', reason: `Could not ${what}: ${messageOf(error)}` };
      });
    }
    const totalMs = performance.now() - startedAt;
    await journal.end({ ...outcome, harness: { totalMs, loadMs: firing?.loadMs() ?? 0 } });
  }
  return outcome;
}

function followQueueOf({ kube }: RunContext, prepared: PreparedExperiment, journal: JournalWriter) {
  const { identity, queuePod } = prepared;
  if (queuePod === undefined) return undefined;
  return followQueue(() => queueCounters(kube, identity.namespace, queuePod, queuePort), journal);
}
