// When it is over: the rollout complete, no pod terminating, and a quiet tail.
import { rolloutComplete, rolloutSettled } from '../../model/rollout.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { Recorder } from '../../record/recorder.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import type { Firing } from './fire.ts';
import { experimentName } from './key.ts';

/** The quiet tail starts anew with every loss, this many times its length at most. */
const TAIL_STRETCH = 4;

/** The load goes on until the rollout is complete, no pod is terminating, and a quiet tail has passed. */
export async function untilOver(
  run: RunContext,
  prepared: PreparedExperiment,
  recorder: Recorder,
  firing: Firing,
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  const { scenario } = prepared.key;
  const { live } = recorder;
  const until = (what: string, met: () => boolean, limitMs: number) =>
    Promise.race([live.until(what, met, limitMs, signal), firing.failed]);
  const say = (doing: string) => run.progress({ experiment: experimentName(prepared.key), doing });

  const kind = run.target.workload.kind === 'DaemonSet' ? 'DaemonSet' : 'Deployment';
  if (scenario.until === 'rollout') {
    say('waiting for the rollout to complete');
    await until(
      `the rollout of ${run.target.workload.name} to complete`,
      () => rolloutComplete(live.all(kind).get(run.target.workload.name)),
      scenario.limitMs,
    );
    journal.write({ type: 'milestone', name: 'rollout-complete' });
  }
  say('waiting until no pod is terminating');
  await until(
    'no pod of the target to be terminating',
    () =>
      scenario.until === 'rollout'
        ? rolloutSettled(live.all(kind).get(run.target.workload.name), live.pods('target').values())
        : [...live.pods('target').values()].every((pod) => !pod.terminating),
    scenario.limitMs,
  );
  journal.write({ type: 'milestone', name: 'no-terminating' });
  say('quiet tail');
  const since = performance.now();
  const stretched = since + scenario.tailMs * TAIL_STRETCH;
  const quiet = () => performance.now() - Math.max(since, firing.lastLossAt) >= scenario.tailMs;
  await until(
    'a quiet tail',
    () => quiet() || performance.now() > stretched,
    scenario.tailMs * TAIL_STRETCH + 5000,
  );
  if (quiet()) journal.write({ type: 'milestone', name: 'quiet' });
  else {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `Connections were still lost ${(scenario.tailMs * TAIL_STRETCH) / 1000} s after the last pod had gone.`,
    });
  }
}
