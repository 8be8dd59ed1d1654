// A run: experiments on a cluster that is up, in turn (deployed two at a time) or, where the cluster says that this does
// not change what is measured, several side by side.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeNamespaces } from '../deploy/remove.ts';
import { FaultError } from '../model/errors.ts';
import { Lifetime } from '../model/lifetime.ts';
import { asIsName } from '../model/setting.ts';
import {
  type ExperimentKey,
  type ExperimentOutcome,
  experimentName,
  type PreparedExperiment,
  prepareExperiment,
  type RunContext,
  runExperiment,
} from './experiment/index.ts';
import type { Progress } from './progress.ts';

export interface Ran {
  readonly key: ExperimentKey;
  /** File name of the journal in the output folder; undefined: it could not even be deployed. */
  readonly journal: string | undefined;
  readonly outcome: ExperimentOutcome;
}

/** Experiments that are deployed at the same time: their pods idle while another one is measured. */
const TOGETHER = 2;
const REMOVE_LIMIT_MS = 90_000;
/** Until the API server has accepted every deletion. */
const REMOVE_LIMIT_INTERRUPTED_MS = 10_000;

export interface RunExperiments {
  readonly ran: readonly Ran[];
  /** Removal goes on while reports are made; to be awaited. */
  readonly removed: Promise<void>;
  /** Namespaces that nobody removes because the cluster goes away with them. */
  readonly remaining: readonly string[];
  /** Time in which load ran, ms. */
  readonly loadMs: number;
}

interface RunOptions {
  /** The journal that stands for an experiment already. */
  readonly reuse?: (key: ExperimentKey) => string | undefined;
  /** Not side by side, also where the cluster would allow it. */
  readonly oneByOne?: boolean;
}

export const journalFolder = 'journals';

/** Relative to the output folder. ":" and "/" of a variant's name are in no file name that archives and uploads accept. */
export const journalFile = (key: ExperimentKey): string =>
  join(journalFolder, `${experimentName(key).replaceAll(':', '=').replaceAll('/', '~')}.ndjson`);

/**
 * Runs all experiments, each into `out`/journals/NAME.ndjson. Namespaces are removed before it returns, or by the
 * returned `removed`, or stay on a cluster that goes away.
 */
export async function runExperiments(
  run: RunContext,
  keys: readonly ExperimentKey[],
  out: string,
  progress: Progress,
  { reuse = () => undefined, oneByOne = false }: RunOptions = {},
): Promise<RunExperiments> {
  mkdirSync(join(out, journalFolder), { recursive: true });
  const ran: Ran[] = [];
  const removals: Promise<void>[] = [];
  const remaining: string[] = [];
  const missing: ExperimentKey[] = [];
  for (const key of keys) {
    const journal = reuse(key);
    if (journal) ran.push({ key, journal, outcome: { status: 'complete' } });
    else missing.push(key);
  }
  const loaded = stopwatch();
  const shared: Shared = { run, out, progress, loaded, halt: { reason: undefined } };
  const remove = (namespace: string) => removeFrom(run, [namespace], removeLimitMs(run));
  /** Not awaited: pods that go away are no load. */
  const removeMeanwhile = (namespace: string) => {
    const removal = remove(namespace);
    removal.catch(() => {});
    removals.push(removal);
  };
  const lanes = oneByOne ? 1 : (run.cluster.sideBySide ?? 1);
  const together = lanes > 1 ? missing.filter((key) => !needsClusterAlone(key)) : [];
  if (together.length > 1) ran.push(...(await runSideBySide(shared, together, lanes, removeMeanwhile)));
  const pending = together.length > 1 ? missing.filter((key) => !together.includes(key)) : missing;
  // In one namespace everything has the same names.
  const batches = batchesOf(pending, run.cluster.namespace === undefined ? TOGETHER : 1);
  for (const batch of batches) {
    if (run.signal.aborted) break;
    if (batch.some(({ scenario }) => scenario.needs.alone)) await Promise.allSettled(removals);
    const last = () => batch === batches.at(-1) || run.signal.aborted || shared.halt.reason !== undefined;
    ran.push(
      ...(await runBatch(shared, batch, (namespace) => {
        if (!last()) return remove(namespace);
        // A cluster that goes away takes its namespaces with it.
        if (run.cluster.stays) removeMeanwhile(namespace);
        else remaining.push(namespace);
      })),
    );
  }
  ran.sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key));
  const removed = Promise.all(removals).then(() => {});
  // Whoever awaits it is told; on a cluster that goes away nobody does, and the API server may be gone first.
  removed.catch(() => {});
  return { ran, removed, remaining, loadMs: loaded.ms() };
}

/** What all experiments of a run share while they run. */
interface Shared {
  readonly run: RunContext;
  readonly out: string;
  readonly progress: Progress;
  readonly loaded: Stopwatch;
  /** Why no further experiment begins: what it would measure could not be kept. */
  readonly halt: { reason: string | undefined };
}

type RemoveNamespace = (namespace: string) => Promise<void> | void;

/** Somebody who pressed Ctrl-C waits for the deletion to be under way; Kubernetes goes on by itself. */
const removeLimitMs = ({ signal }: RunContext): number =>
  signal.aborted ? REMOVE_LIMIT_INTERRUPTED_MS : REMOVE_LIMIT_MS;

/** A cluster that goes away takes its namespaces with it: whoever waited for them would go on asking when it has gone. */
async function removeFrom(run: RunContext, namespaces: readonly string[], limitMs: number): Promise<void> {
  if (run.cluster.stays) {
    const enough = run.signal.aborted ? 'accepted' : 'gone';
    return removeNamespaces(run.kube, namespaces, run.runId, limitMs, undefined, enough);
  }
  if (run.signal.aborted) return;
  await removeNamespaces(run.kube, namespaces, run.runId, limitMs, run.signal).catch((error: unknown) => {
    if (!run.signal.aborted) throw error;
  });
}

/** Deployed together, measured in turn. */
async function runBatch(
  shared: Shared,
  batch: readonly ExperimentKey[],
  removeNamespace: RemoveNamespace,
): Promise<Ran[]> {
  const { run, progress, loaded } = shared;
  const ran: Ran[] = [];
  const doomed = doomedOf(batch);
  const deployments = await progress.stage(`Deploy ${batch.map(experimentName).join(' and ')}`, (say) => {
    const saying = { ...run, progress: ({ doing }: { doing: string }) => say(doing) };
    return Promise.all(batch.map((key) => deploy(saying, key, removeNamespace, doomed(key))));
  });
  try {
    for (const deployment of deployments) {
      if (run.signal.aborted) break;
      ran.push(await loaded.during(() => measure(shared, deployment)));
    }
  } finally {
    await Promise.all(deployments.map((deployment) => endOf(deployment, progress)));
  }
  return ran;
}

/** Waits until nothing of these experiments is left, also on a cluster that goes away and has more to measure. */
export async function removeAll(
  run: RunContext,
  { removed, remaining }: Pick<RunExperiments, 'removed' | 'remaining'>,
): Promise<void> {
  await Promise.all([removed, removeFrom(run, remaining, REMOVE_LIMIT_MS)]);
}

/** Neighbours are deployed together, but for those that must find the nodes empty. */
function batchesOf(keys: readonly ExperimentKey[], most: number): ExperimentKey[][] {
  const batches: ExperimentKey[][] = [];
  for (const key of keys) {
    const open = batches.at(-1);
    const fits = open && open.length < most && ![key, ...open].some(({ scenario }) => scenario.needs.alone);
    if (fits) open.push(key);
    else batches.push([key]);
  }
  return batches;
}

/** Steps that every pod of the cluster feels, and placement that other pods would change. */
const needsClusterAlone = ({ scenario }: ExperimentKey): boolean =>
  scenario.needs.alone ||
  scenario.needs.nodes > 1 ||
  scenario.steps.some(({ step }) => step === 'drain-node' || step === 'proxy-delay');

/** At most `lanes` at a time, those with most steps first, so that no long one is left for the end. */
async function runSideBySide(
  shared: Shared,
  keys: readonly ExperimentKey[],
  lanes: number,
  removeNamespace: RemoveNamespace,
): Promise<Ran[]> {
  const { run, progress, loaded } = shared;
  const doomed = doomedOf(keys);
  const waiting = keys.toSorted((a, b) => b.scenario.steps.length - a.scenario.steps.length);
  const ran: Ran[] = [];
  await progress.stage(`${keys.length} experiments, ${lanes} side by side`, async (say) => {
    const inside: Progress = {
      note: progress.note,
      // One stage is shown at a time, so what happens inside is said by lines.
      stage: async (title, act) => {
        const result = await act((text) => say(`${title}: ${text}`));
        say(`${title}: done; ${ran.length + 1} of ${keys.length}`);
        return result;
      },
    };
    const lane = async () => {
      for (let key = waiting.shift(); key && !run.signal.aborted; key = waiting.shift()) {
        const deployment = await deploy(run, key, removeNamespace, doomed(key));
        try {
          ran.push(await loaded.during(() => measure(sharing(shared, inside), deployment)));
        } finally {
          await endOf(deployment, progress);
        }
      }
    };
    // One lane that fails must not leave the others firing at a cluster that is taken down.
    const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  });
  return ran;
}

/** The same run, told about by another voice. */
const sharing = (shared: Shared, progress: Progress): Shared => ({ ...shared, progress });

interface Deployment {
  readonly key: ExperimentKey;
  readonly life: Lifetime;
  readonly prepared: PreparedExperiment | Error;
}

/** Errors are values here: one experiment that cannot be deployed must not stop the others. */
async function deploy(
  run: RunContext,
  key: ExperimentKey,
  removeNamespace: RemoveNamespace,
  doomed: Doomed | undefined,
): Promise<Deployment> {
  const life = new Lifetime({ parent: run.signal, undoLimitMs: REMOVE_LIMIT_MS + 10_000 });
  const deployed = life.run(`deploy ${experimentName(key)}`, () =>
    prepareExperiment(run, key, { life, removeNamespace }),
  );
  deployed.catch(() => {});
  const prepared = await Promise.race([deployed, ...(doomed ? [whenAborted(doomed.signal)] : [])]).catch(
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  if (prepared instanceof Error && key.variant.name === asIsName && !run.signal.aborted)
    doomed?.abort(new FaultError(`not waited for, because ${asIsName} could not be deployed either.`));
  return { key, life, prepared };
}

/** What cannot be deployed as it is, cannot with our settings: a variant that waits for its pods need not wait on. */
type Doomed = AbortController;

/** One for the variants of each scenario. */
function doomedOf(keys: readonly ExperimentKey[]): (key: ExperimentKey) => Doomed | undefined {
  const all = new Map(keys.map(({ scenario }) => [scenario.id, new AbortController()]));
  return ({ scenario }) => all.get(scenario.id);
}

function whenAborted(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  return aborted;
}

/** What was measured counts, also when something cannot be taken away. */
async function endOf({ life }: Deployment, progress: Progress): Promise<void> {
  for (const { what, why } of await life.end()) progress.note(`Could not ${what}: ${why}`);
}

interface Stopwatch {
  /** Time in which at least one `act` was going on, ms. */
  ms(): number;
  during<T>(act: () => Promise<T>): Promise<T>;
}

function stopwatch(): Stopwatch {
  let going = 0;
  let since = 0;
  let total = 0;
  return {
    ms: () => total + (going > 0 ? performance.now() - since : 0),
    async during(act) {
      if (going++ === 0) since = performance.now();
      try {
        return await act();
      } finally {
        if (--going === 0) total += performance.now() - since;
      }
    },
  };
}

async function measure(shared: Shared, { key, prepared }: Deployment): Promise<Ran> {
  const { run, out, progress, halt } = shared;
  const name = experimentName(key);
  if (prepared instanceof Error) return unmeasured(key, `could not be deployed: ${prepared.message}`);
  if (halt.reason !== undefined) return unmeasured(key, `was not begun: ${halt.reason}`);
  const journal = journalFile(key);
  const outcome = await progress.stage(name, (say) =>
    runExperiment(
      {
        ...run,
        progress: ({ doing, lost, loadMs, limitMs }) => {
          if (!lost || loadMs === undefined) return say(doing);
          const losses = Object.entries(lost)
            .map(([lane, count]) => `${lane} ${count}`)
            .join(', ');
          const left = limitMs ? `, at most ${Math.ceil((limitMs - loadMs) / 1000)} s left` : '';
          return say(`${doing}: ${(loadMs / 1000).toFixed(0)} s, lost ${losses || 'nothing'}${left}`);
        },
      },
      prepared,
      join(out, journal),
    ),
  );
  if (!outcome.unwritable) return { key, journal, outcome };
  halt.reason = outcome.reason ?? 'its journal could not be written';
  return unmeasured(key, `left no journal: ${halt.reason}`);
}

/** An experiment without a journal; run.json keeps the reason. */
function unmeasured(key: ExperimentKey, reason: string): Ran {
  return { key, journal: undefined, outcome: { status: 'faulted', reason } };
}
