// Judges a run: all its journals, scenario by scenario, into results.json. A pure function of journals and run.json.

import type { Journal } from '../journal/journal.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { ClusterInfo } from '../model/journal.ts';
import { type Results, resultsSchemaVersion, type ScenarioResult } from '../model/results.ts';
import type { RunFacts, WatchRunFacts } from '../model/run.ts';
import type { Scenario } from '../model/scenario.ts';
import { judgeExperiment } from './experiment.ts';
import { judgeScenario } from './scenario.ts';

export interface RunJournal {
  readonly journal: Journal;
  /** File name relative to the results. */
  readonly name: string;
}

interface JudgeRunOptions {
  /** `unneeded` and `not-run` are not good enough: exit code 2. */
  readonly strict?: boolean;
  readonly ignoreRouteKnowledge?: boolean;
}

/** `run`: what run.json says; without it the same is taken from the journals' headers, as far as they know. */
export function judgeRun(
  journals: readonly RunJournal[],
  run?: RunFacts,
  options: JudgeRunOptions = {},
): Results {
  const first = journals[0];
  if (!first && !run)
    throw new UsageError('There is no journal to judge. Name a folder that a run has written.');
  for (const { journal, name } of journals) refuseOtherCluster(first as RunJournal, journal, name);

  const scenarios = new Map<string, Scenario>();
  for (const { journal } of journals) keep(scenarios, journal.header.scenario);
  for (const { scenario } of run?.notRun ?? []) keep(scenarios, scenario);
  for (const { scenario } of run?.undeployed ?? []) keep(scenarios, scenario);
  for (const { scenario } of run?.watch?.services ?? []) keep(scenarios, scenario);

  const judged: ScenarioResult[] = [];
  for (const scenario of scenarios.values()) {
    const own = journals.filter(({ journal }) => journal.header.scenario.id === scenario.id);
    const experiments = own.map(({ journal, name }) =>
      judgeExperiment(journal, {
        journalName: name,
        ...(options.ignoreRouteKnowledge !== undefined && {
          ignoreRouteKnowledge: options.ignoreRouteKnowledge,
        }),
      }),
    );
    const watched = run?.watch?.services.find((one) => one.scenario.id === scenario.id);
    const notRun = run?.notRun.find((one) => one.scenario.id === scenario.id)?.reason;
    judged.push(
      judgeScenario(scenario, experiments, {
        ...(notRun !== undefined && experiments.length === 0 && { notRun }),
        ...(watched && { watched }),
        undeployed: run?.undeployed.filter((one) => one.scenario.id === scenario.id) ?? [],
        variantsNotRun: (run?.variantsNotRun ?? []).flatMap(({ scenario: of, ...told }) =>
          of === scenario.id ? [told] : [],
        ),
        measuredAgain: run?.measuredAgain.filter((one) => one.scenario === scenario.id) ?? [],
      }),
    );
  }
  const header = first?.journal.header;
  const times = run ?? timesOf(journals);
  const strict = options.strict ?? run?.strict ?? false;
  const loadMs = times.loadMs;
  return {
    schemaVersion: resultsSchemaVersion,
    tool: run?.tool ?? (header as NonNullable<typeof header>).tool,
    cluster: run?.cluster ?? (header as NonNullable<typeof header>).cluster,
    ...(run?.target !== undefined && { target: run.target }),
    startedAt: times.startedAt,
    durationMs: times.durationMs,
    idleShare: times.durationMs > 0 ? Math.min(1, Math.max(0, 1 - loadMs / times.durationMs)) : 0,
    runId: run?.runId ?? (header as NonNullable<typeof header>).runId,
    reproduce: run?.reproduce ?? reproduceLine(header?.arguments ?? []),
    scenarios: judged,
    ...(run?.watch && { watch: watchOf(run.watch) }),
    exitCode: runExitCode(judged, { strict, interrupted: run?.interrupted ?? false }),
  };
}

/** What of a watch is no Service's own. */
const watchOf = ({ namespace, forMs, ended, command }: WatchRunFacts): Results['watch'] => ({
  namespace,
  forMs,
  ended,
  ...(command && { command }),
});

/** Two journals may name the same scenario; the one with most claims is the one that was asked about last. */
function keep(scenarios: Map<string, Scenario>, scenario: Scenario): void {
  if (!scenarios.has(scenario.id)) scenarios.set(scenario.id, scenario);
}

function refuseOtherCluster(first: RunJournal, journal: Journal, name: string): void {
  const a = first.journal.header.cluster;
  const b = journal.header.cluster;
  if (a.kind === b.kind && a.emulated === b.emulated && a.kubernetesVersion === b.kubernetesVersion) return;
  throw new UsageError(
    `${name}: line 1, field cluster: ${describe(b)}, but ${first.name} is from ${describe(a)}: journals of different ` +
      'clusters were mixed. Judge each folder on its own and use compare.',
  );
}

const describe = (cluster: ClusterInfo) =>
  `${cluster.kind} ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}`;

interface Times {
  readonly startedAt: string;
  readonly durationMs: number;
  readonly loadMs: number;
}

function timesOf(journals: readonly RunJournal[]): Times {
  const spans = journals
    .map(({ journal }) => {
      const fromMs = Date.parse(journal.header.startedAt);
      const started = Math.min(
        ...journal.loads.filter((load) => load.event === 'started').map((load) => load.t),
      );
      const ended = Math.max(
        ...journal.loads.filter((load) => load.event !== 'started').map((load) => load.t),
      );
      return { fromMs, toMs: fromMs + journal.end.t, loadMs: ended > started ? ended - started : 0 };
    })
    .filter((span) => Number.isFinite(span.fromMs));
  const startMs = Math.min(...spans.map((span) => span.fromMs));
  const endMs = Math.max(...spans.map((span) => span.toMs));
  return {
    startedAt: journals[0]?.journal.header.startedAt ?? '',
    durationMs: spans.length > 0 ? endMs - startMs : 0,
    loadMs: spans.reduce((sum, span) => sum + span.loadMs, 0),
  };
}

function reproduceLine(args: readonly string[]): string {
  const quoted = args.map((arg) =>
    /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`,
  );
  return ['rollproof', ...quoted].join(' ');
}

export function runExitCode(
  scenarios: readonly ScenarioResult[],
  { strict, interrupted }: { readonly strict: boolean; readonly interrupted: boolean },
): ExitCode {
  const codes: ExitCode[] = scenarios.map((scenario) => codeOf(scenario, strict));
  // No data is never a pass.
  if (scenarios.every(({ verdict }) => verdict === 'not-run' || verdict === 'nothing-changed'))
    codes.push(exitCode.inconclusive);
  const stopped = scenarios.some((scenario) =>
    scenario.experiments.some((experiment) => experiment.status === 'interrupted'),
  );
  if (interrupted || stopped) codes.push(exitCode.interrupted);
  return combineExitCodes(codes);
}

/** A workload of somebody's that loses as it is fails, also where settings were proven to stop it. */
function codeOf({ verdict, direct }: ScenarioResult, strict: boolean): ExitCode {
  if (verdict !== 'faulted' && direct?.verdict === 'loses') return exitCode.refuted;
  switch (verdict) {
    case 'proven':
    case 'safe':
    case 'clean':
    // Of one Service among others; that none of them changed is told apart.
    case 'nothing-changed':
      return exitCode.ok;
    case 'unneeded':
    case 'not-run':
      return strict ? exitCode.inconclusive : exitCode.ok;
    case 'refuted':
    case 'loses':
    case 'lost':
      return exitCode.refuted;
    case 'inconclusive':
      return exitCode.inconclusive;
    case 'faulted':
      return exitCode.faulted;
  }
}
