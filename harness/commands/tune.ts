// `rollproof tune`: the shortest preStop sleep that loses no new connection, from measured routing, then confirmed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { type ExitCode, FaultError } from '../model/errors.ts';
import type { Scenario } from '../model/scenario.ts';
import { cannotRun, select } from '../run/selection.ts';
import { outputFolder, withSession } from '../run/session.ts';
import { type Tuned, tunePreStop } from '../run/tune.ts';
import { MARGIN_MS } from '../run/tune-advice.ts';
import { hopText } from '../words/names.ts';
import { chosenEntries } from './entries.ts';
import { addClusterFlags, type ClusterFlags, clusterOption, configured, list, wholeNumber } from './flags.ts';
import { summaries } from './summaries.ts';
import { configuredTarget } from './target.ts';

interface TuneFlags extends ClusterFlags {
  readonly scenario: string;
  readonly entry: readonly string[];
  readonly tries: number;
  readonly longest: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function registerTune(program: Command): void {
  const command = program
    .command('tune')
    .description(summaries.tune)
    .addOption(clusterOption())
    .option('--scenario <id>', 'what happens to the pods', 'image-change')
    .option(
      '--entry <entries>',
      'where load comes in, side by side: service, ingress, gateway, a URL, here:URL',
      list,
      [],
    )
    .option('--tries <n>', 'runs without a loss that confirm a length', wholeNumber(1, 100), 3)
    .option('--longest <seconds>', 'longest preStop sleep to try', wholeNumber(1, 600), 60)
    .option('--out <dir>', 'folder for journals and tune.json (default: a new one under out/)')
    .option('--json', 'the answer as JSON');
  addClusterFlags(command)
    .addHelpText(
      'after',
      '\nExit code: 0 found; 1 every length up to --longest lost connections; 2 the measurement was not good enough.',
    )
    .action(async (flags: TuneFlags) => {
      process.exitCode = await tune(flags, process.argv.slice(2));
    });
}

async function tune(flags: TuneFlags, args: readonly string[]): Promise<ExitCode> {
  const loaded = configured(
    flags,
    knownScenarios.map((scenario) => scenario.id),
  );
  const { configuration } = loaded;
  const selection = select(knownScenarios, configuration, {
    profile: 'quick',
    scenarios: [flags.scenario],
    variants: ['hardened'],
    repeat: 1,
    paths: ['cluster-ip'],
    agents: configuration.load.agents ?? 1,
    builtIn: !configuration.target,
  });
  const { entries } = chosenEntries({ entry: flags.entry, path: [] }, configuration);
  const foreign = await configuredTarget(loaded, flags.copySecrets === true);
  const out = outputFolder(flags.out ?? configuration.out);
  const scenario = { ...(selection.scenarios[0] as Scenario), claims: [] };
  return withSession(
    {
      configuration,
      foreign,
      scenarios: [scenario],
      out,
      needs: { proxyDelayMs: flags.proxyDelay },
      profile: 'quick',
      seed: flags.seed,
      arguments: args,
    },
    async (session) => {
      const { run, lackingImages } = session;
      const reason = cannotRun(scenario, run.cluster, run.target, lackingImages);
      if (reason) throw new FaultError(`tune: scenario ${scenario.id} cannot run here. ${reason}`);
      mkdirSync(out, { recursive: true });
      const { tuned, code, problems } = await tunePreStop(session, {
        scenario,
        out,
        tries: flags.tries,
        entries: entries.length > 0 ? entries : (scenario.entries ?? []),
        longestSeconds: flags.longest,
      });
      writeFileSync(join(out, 'tune.json'), `${JSON.stringify(tuned, null, 2)}\n`);
      process.stdout.write(flags.json ? `${JSON.stringify(tuned, null, 2)}\n` : tunedText(tuned));
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      return code;
    },
  );
}

function tunedText({
  preStopSeconds,
  measured,
  confirmed,
  byEntry,
  marginMs,
  grace,
  cluster,
  scenario,
}: Tuned): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const where = `${cluster.kind} ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}, kube-proxy ${cluster.proxyMode}`;
  const lines = [
    ...measured.map(
      (one) =>
        `Measured with a sleep of ${one.preStopSeconds} s: the last new connection came ${seconds(one.lagMs)} after the deletion.`,
    ),
    ...confirmed.map(
      (one) =>
        `Tried ${one.preStopSeconds} s ${one.tries === 1 ? 'once' : `${one.tries} times`}: lost ${one.lost} of ${one.attempts} new connections, the last one came after ${seconds(one.lagMs)}.`,
    ),
  ];
  lines.push(...entryLines(byEntry, confirmed));
  if (preStopSeconds !== undefined && grace) {
    const [last] = confirmed.slice(-1);
    lines.push(
      '',
      `preStop: sleep ${preStopSeconds} s`,
      `Margin: ${seconds(marginMs)} after the last new connection (at least ${seconds(MARGIN_MS)}); nothing lost in ${last?.tries} of ${last?.tries} tries, an app that stops at SIGTERM.`,
      `It holds for this cluster (${where}) and scenario ${scenario}: another cluster, or a busier one, may route longer.`,
      'Kept connections are not saved by it: the app has to answer them with Connection: close before it ends.',
      grace.text,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The shortest length for each entry, side by side, and which hop asked for the longest. */
function entryLines(byEntry: Tuned['byEntry'], confirmed: Tuned['confirmed']): string[] {
  if (!byEntry) return [];
  const lines = Object.entries(byEntry).map(([entry, shortest]) =>
    shortest === null
      ? `Entry ${entry}: no length that was tried kept all its new connections.`
      : `Entry ${entry}: ${shortest} s was the shortest length tried that lost none of its new connections.`,
  );
  // What the last length that was too short lost, and where.
  const short = confirmed.findLast(({ lost }) => lost > 0)?.byEntry ?? {};
  for (const [entry, { lost, hops }] of Object.entries(short)) {
    const where = hopText(hops);
    if (lost > 0)
      lines.push(
        `What decides: entry ${entry} lost ${lost}${where ? `, ${where}` : ''}, at the last length that was too short.`,
      );
  }
  return ['', ...lines];
}
