// A run: experiments on a cluster that is up, in turn (deployed two at a time) or, where the cluster says that this does
// not change what is measured, several side by side.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeNamespaces } from '../deploy/apply.ts';
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

export interface RunExperiments {
  readonly ran: readonly Ran[];
  /** Removal goes on while reports are made; to be awaited. */
  readonly removed: Promise<void>;
  /** Namespaces that nobody removes because the cluster goes away with them. */
  readonly remaining: readonly string[];
  /** Time in which load ran, ms. */
  readonly loadMs: number;
}

export interface RunOptions {
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
  const remove = (namespaces: string[]) => {
    const removal = removeNamespaces(run.kube, namespaces, run.runId, REMOVE_LIMIT_MS);
    removal.catch(() => {});
    removals.push(removal);
    return removal;
  };
  const missing: ExperimentKey[] = [];
  for (const key of keys) {
    const journal = reuse(key);
    if (journal) ran.push({ key, journal, outcome: { status: 'complete' } });
    else missing.push(key);
  }
  const loaded = stopwatch();
  const lanes = oneByOne ? 1 : (run.cluster.sideBySide ?? 1);
  const together = lanes > 1 ? missing.filter((key) => !needsClusterAlone(key)) : [];
  if (together.length > 1) {
    ran.push(...(await runSideBySide(run, together, lanes, out, progress, loaded, remove)));
  }
  const pending = together.length > 1 ? missing.filter((key) => !together.includes(key)) : missing;
  const batches = batchesOf(pending);
  for (const batch of batches) {
    if (run.signal.aborted) break;
    if (batch.some(({ scenario }) => scenario.needs.alone)) await Promise.allSettled(removals);
    const namespaces: string[] = [];
    let prepared: readonly (PreparedExperiment | Error)[] = [];
    try {
      prepared = await progress.stage(`Deploy ${batch.map(experimentName).join(' and ')}`, (say) =>
        prepareAll({ ...run, progress: ({ doing }) => say(doing) }, batch, namespaces),
      );
      for (const [index, key] of batch.entries()) {
        if (run.signal.aborted) break;
        const ready = prepared[index] as PreparedExperiment | Error;
        ran.push(
          ready instanceof Error
            ? undeployed(key, ready)
            : await loaded.during(() => measure(run, key, ready, out, progress)),
        );
      }
    } finally {
      for (const one of prepared) if (!(one instanceof Error)) await closed(one, progress);
      const last = batch === batches.at(-1) || run.signal.aborted;
      // A cluster that goes away takes its namespaces with it.
      if (run.cluster.stays || !last) {
        const removal = remove(namespaces);
        if (!last) await removal.catch(() => {});
      } else {
        remaining.push(...namespaces);
      }
    }
  }
  ran.sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key));
  const removed = Promise.all(removals).then(() => {});
  // Whoever awaits it is told; on a cluster that goes away nobody does, and the API server may be gone first.
  removed.catch(() => {});
  return { ran, removed, remaining, loadMs: loaded.ms() };
}

/** Waits until nothing of these experiments is left, also on a cluster that goes away and has more to measure. */
export async function removeAll(
  run: RunContext,
  { removed, remaining }: Pick<RunExperiments, 'removed' | 'remaining'>,
): Promise<void> {
  await Promise.all([removed, removeNamespaces(run.kube, remaining, run.runId, REMOVE_LIMIT_MS)]);
}

/** Neighbours are deployed together, but for those that must find the nodes empty. */
function batchesOf(keys: readonly ExperimentKey[]): ExperimentKey[][] {
  const batches: ExperimentKey[][] = [];
  for (const key of keys) {
    const open = batches.at(-1);
    const fits =
      open && open.length < TOGETHER && ![key, ...open].some(({ scenario }) => scenario.needs.alone);
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
  run: RunContext,
  keys: readonly ExperimentKey[],
  lanes: number,
  out: string,
  progress: Progress,
  loaded: Stopwatch,
  remove: (namespaces: string[]) => Promise<void>,
): Promise<Ran[]> {
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
        ran.push(await deployAndMeasure(run, key, out, inside, loaded, remove));
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  });
  return ran;
}

async function deployAndMeasure(
  run: RunContext,
  key: ExperimentKey,
  out: string,
  progress: Progress,
  loaded: Stopwatch,
  remove: (namespaces: string[]) => Promise<void>,
): Promise<Ran> {
  const namespaces: string[] = [];
  let prepared: PreparedExperiment | undefined;
  try {
    const [ready] = await prepareAll(run, [key], namespaces);
    if (!ready || ready instanceof Error) return undeployed(key, ready ?? new Error('interrupted'));
    prepared = ready;
    return await loaded.during(() => measure(run, key, ready, out, progress));
  } finally {
    if (prepared) await closed(prepared, progress);
    // Not awaited: pods that go away are no load.
    void remove(namespaces);
  }
}

/** What was measured counts, also when something cannot be taken away. */
const closed = (prepared: PreparedExperiment, progress: Progress): Promise<void> =>
  prepared.close().catch((error: unknown) => progress.note((error as Error).message));

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

/** Errors are values here: one experiment that cannot be deployed must not stop the other. */
async function prepareAll(run: RunContext, keys: readonly ExperimentKey[], namespaces: string[]) {
  return Promise.all(
    keys.map((key) =>
      prepareExperiment(run, key, (namespace) => void namespaces.push(namespace)).catch((error: unknown) =>
        error instanceof Error ? error : new Error(String(error)),
      ),
    ),
  );
}

async function measure(
  run: RunContext,
  key: ExperimentKey,
  prepared: PreparedExperiment,
  out: string,
  progress: Progress,
): Promise<Ran> {
  const name = experimentName(key);
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
  return { key, journal, outcome };
}

/** An experiment that could not be deployed leaves no journal; run.json keeps the reason. */
function undeployed(key: ExperimentKey, error: Error): Ran {
  return {
    key,
    journal: undefined,
    outcome: { status: 'faulted', reason: `could not be deployed: ${error.message}` },
  };
}
