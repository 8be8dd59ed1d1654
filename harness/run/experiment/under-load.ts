// One measurement under load, whoever makes the change: record, fire, warm up, change, settle, quiet tail, end. `verify` and
// `watch` both go through here; a driver says who makes the change and when it is over.
import type { AgentClient } from '../../control/agent-client.ts';
import type { Pulling } from '../../control/frame-puller.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import type { AgentPlan } from '../../model/load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { Recorder } from '../../record/recorder.ts';
import type { ProgressEvent } from './context.ts';
import type { CrossCheck } from './cross-check.ts';
import type { Driver, Scene } from './driver.ts';
import { changeRate, type Firing, loadOf, warmUp } from './fire.ts';
import { quietTail } from './tail.ts';
import type { RunningWitness } from './witness.ts';

interface UnderLoad {
  readonly kube: Kube;
  readonly clients: readonly AgentClient[];
  /** One for each client. */
  readonly plans: readonly AgentPlan[];
  /** Its header is written. */
  readonly journal: JournalWriter;
  readonly life: Lifetime;
  readonly warmUpMs: number;
  readonly tailMs: number;
  readonly pulling?: Pulling;
  /** Starts the watches; they are stopped at the end of `life`. */
  record(): Promise<Recorder>;
  /** What else is started before the load, once the watches run; it ends with `life`. */
  beside?(): Promise<Beside>;
  progress(event: Omit<ProgressEvent, 'experiment'>): void;
  /** Called when there is a load whose length and losses can be asked for. */
  onFiring(firing: Firing): void;
}

interface Beside {
  readonly crossCheck?: CrossCheck | undefined;
  readonly witness?: RunningWitness | undefined;
}

/** A watch that was cut off tries again within 2 s (record/watch.ts). */
const WATCHES_LIMIT_MS = 5000;

/** Resolves when all has ended in order; what the watches missed is in the recorder's `faults`. */
export async function measureUnderLoad(measurement: UnderLoad, driver: Driver): Promise<Recorder> {
  const { life, journal, clients, plans, warmUpMs, tailMs, pulling } = measurement;
  const { signal } = life;
  const recorder = await recordIn(measurement);
  const { crossCheck, witness } = (await measurement.beside?.()) ?? {};
  journal.write({ type: 'milestone', name: 'ready-for-load' });
  const firing = loadOf({
    clients,
    plans,
    journal,
    life,
    ...(pulling && { pulling }),
    progress: (event) => measurement.progress({ doing: 'under load', ...event }),
  });
  measurement.onFiring(firing);
  await firing.start(async () => crossCheck?.begin());
  const scene = sceneOf(measurement, recorder.live, firing);
  await life.run('warm up', () => warmUp(warmUpMs, signal));
  await life.run('end the change', () => driver.drive(scene));
  await life.run('wait for the change to settle', () => driver.settled(scene));
  scene.say('quiet tail');
  await life.run('wait for a quiet tail', () => quietTail(tailMs, recorder.live, firing, journal, signal));
  const others = crossCheck?.stop();
  await life.run('end the load', () => firing.end(signal));
  (await others)?.(firing.ends);
  await life.run('see the last events', () =>
    Promise.all([recorder.verify(WATCHES_LIMIT_MS), witness?.readToEnd(signal)]),
  );
  return recorder;
}

/** What the watches missed makes an experiment worthless. */
export function refuseFaults({ faults }: Recorder): void {
  if (faults.length > 0) throw new FaultError(faults.join(' '));
}

async function recordIn({ life, record }: UnderLoad): Promise<Recorder> {
  let recorder: Recorder | undefined;
  life.defer('end the watches', () => recorder?.stop());
  return life.run('start the watches', async () => {
    recorder = await record();
    return recorder;
  });
}

function sceneOf({ kube, journal, life, progress }: UnderLoad, live: Scene['live'], firing: Firing): Scene {
  const { signal } = life;
  return {
    kube: kube.during(signal),
    live,
    journal,
    signal,
    say: (doing) => progress({ doing }),
    setRate: (ratePerSecond, overMs, lane) => changeRate(firing, ratePerSecond, overMs, lane, signal),
    compareClocks: () => firing.compareClocks(signal),
    defer: (what, undo) => life.defer(what, (limit) => undo(kube.during(limit))),
  };
}
