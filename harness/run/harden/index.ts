// The whole of `rollproof harden`, flags apart: measured as it is, the smallest and cheapest settings that are enough
// found, put where the workload is described, and what the edited files give measured once more before they are written.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderHardenPage } from '../../../reports/html/harden-page.ts';
import { scenarios as knownScenarios } from '../../../scenarios/index.ts';
import type { LoadedConfiguration } from '../../config/load.ts';
import type { TargetConfiguration } from '../../config/schema.ts';
import type { TargetDefinition } from '../../deploy/definition.ts';
import { asIsTarget } from '../../deploy/foreign.ts';
import type { SourceContext } from '../../deploy/sources/index.ts';
import { type ExitCode, exitCode, FaultError, UsageError } from '../../model/errors.ts';
import type { Manifest } from '../../model/manifest.ts';
import { assumedMinor } from '../../model/rendering.ts';
import type { ExperimentResult } from '../../model/results.ts';
import type { Scenario } from '../../model/scenario.ts';
import type { Variant } from '../../model/setting.ts';
import { applyVariant, asIs, hardened } from '../../settings/index.ts';
import { uncleanReason } from '../../write/git-clean.ts';
import { planDiff, planSettings, type WritePlan, writePlan } from '../../write/index.ts';
import type { ExperimentKey, RunContext } from '../experiment/index.ts';
import { settingContext } from '../experiment/objects.ts';
import { measure } from '../measured.ts';
import { appliedTo, refusedByCheck } from '../own-check.ts';
import { targetDigest } from '../same-measurement.ts';
import { cannotRun, select } from '../selection.ts';
import { outputFolder, type Session, withSession } from '../session.ts';
import { tunePreStop } from '../tune.ts';
import { candidateSeconds, routingOf } from '../tune-advice.ts';
import { explore, figuresOf, isBetter, isEnough, lostInAll, ranked, type SetFigures } from './sets.ts';
import { type Hardened, hardenedMarkdown, hardenedText, tellHardened } from './text.ts';

interface HardenRequest {
  readonly loaded: LoadedConfiguration;
  readonly foreign: TargetDefinition;
  /** Where the target is described, for reading it again. */
  readonly source: SourceContext;
  /** Undefined: another image where the configuration names one, else a restart. */
  readonly scenario: string | undefined;
  /** Runs without a loss that confirm a preStop length, and the edited files. */
  readonly tries: number;
  readonly longestSeconds: number;
  readonly write: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly out: string | undefined;
  readonly proxyDelayMs: number | undefined;
  readonly seed: number | undefined;
  readonly arguments: readonly string[];
}

/** Long enough for nearly every cluster: what is measured with it shows what settings can do at all. */
const FIRST_SECONDS = 8;
/** Sets whose edited files are measured: what was enough once may lose in more tries. */
const CHOICES_MOST = 3;
/** How often a sleep that turns out too short is lengthened. */
const LENGTHENED_MOST = 4;

export async function hardenRun(request: HardenRequest): Promise<ExitCode> {
  const { loaded, foreign } = request;
  const { configuration } = loaded;
  const id = request.scenario ?? (configuration.target?.images?.next ? 'image-change' : 'restart');
  const selection = select(knownScenarios, configuration, {
    profile: 'quick',
    scenarios: [id],
    variants: ['as-is'],
    repeat: 1,
    paths: ['cluster-ip'],
    agents: configuration.load.agents ?? 1,
    builtIn: false,
  });
  const scenario: Scenario = { ...(selection.scenarios[0] as Scenario), claims: [] };
  if (scenario.target.own)
    throw new UsageError(`--scenario ${id}: brings a workload of its own; it says nothing about yours.`);
  await refuseUnwritable(request);
  const out = outputFolder(request.out ?? configuration.out);
  return withSession(
    {
      configuration,
      foreign,
      scenarios: [scenario],
      out,
      needs: { proxyDelayMs: request.proxyDelayMs },
      profile: 'quick',
      seed: request.seed,
      arguments: request.arguments,
    },
    async (session) => {
      const { run, lackingImages } = session;
      const reason = cannotRun(scenario, run.cluster, run.target, lackingImages);
      if (reason) throw new FaultError(`harden: scenario ${scenario.id} cannot run here. ${reason}`);
      mkdirSync(out, { recursive: true });
      return new Hardening(request, session, scenario, out).run();
    },
  );
}

const everySetting: Variant = { name: 'as-is+hardened', version: 1, settings: hardened.settings };

/** Said before anything is measured: a source that cannot be edited, files that git could not bring back. */
async function refuseUnwritable(request: HardenRequest): Promise<void> {
  const { foreign, loaded, source } = request;
  const context = settingContext(
    { target: foreign, kubernetesVersion: `v1.${assumedMinor}.0`, preStopSeconds: FIRST_SECONDS },
    everySetting,
  );
  const target = loaded.configuration.target as TargetConfiguration;
  const { files } = await planSettings(
    target,
    (manifests) => applyVariant(manifests, everySetting, context).manifests,
    { ...source, workload: foreign.workload },
  );
  if (request.write && files.length === 0 && target.from === 'cluster')
    throw new UsageError(
      '--write: a live workload has no files. Leave it out: the patch is printed, with the command that applies it.',
    );
  if (request.write && !request.force)
    await refuseUnclean(
      files.map(({ file }) => file),
      source.signal,
    );
}

async function refuseUnclean(files: readonly string[], signal: AbortSignal): Promise<void> {
  for (const file of files) {
    const reason = await uncleanReason(file, signal);
    if (reason)
      throw new UsageError(`${file}: ${reason}. Commit it first, or write all the same with --force.`);
  }
}

class Hardening {
  private readonly request: HardenRequest;
  private readonly session: Session;
  private readonly scenario: Scenario;
  private readonly out: string;
  private readonly problems: string[] = [];
  private seconds = FIRST_SECONDS;

  constructor(request: HardenRequest, session: Session, scenario: Scenario, out: string) {
    this.request = request;
    this.session = session;
    this.scenario = scenario;
    this.out = out;
  }

  async run(): Promise<ExitCode> {
    const before = await this.measured([asIs], 1);
    const own = before?.get(asIs.name);
    if (!own) return this.end({ outcome: 'inconclusive' });
    const asItIs = figuresOf([], own);
    if (lostInAll(asItIs) === 0) return this.end({ outcome: 'safe', asIs: asItIs });
    const { applied } = appliedTo(this.context(), { scenario: this.scenario, variant: everySetting });
    const changing = everySetting.settings.filter((setting) => applied.includes(setting));
    if (changing.length === 0) return this.end({ outcome: 'nothing-helps', asIs: asItIs });
    const variant = this.variantOf(changing);
    const full = (await this.measured([variant], 1))?.get(variant.name);
    if (!full) return this.end({ outcome: 'inconclusive', asIs: asItIs });
    const all = figuresOf(changing, full);
    if (!isBetter(all, asItIs)) return this.end({ outcome: 'nothing-helps', asIs: asItIs, tried: [all] });
    const tuned = changing.includes('preStop') ? await this.tuned(all, full[0]!) : undefined;
    return this.choose(asItIs, all, tuned);
  }

  private async choose(asItIs: SetFigures, all: SetFigures, tuned: number | undefined): Promise<ExitCode> {
    const top = tuned === undefined ? all : (await this.figures([all.settings]))?.[0];
    const found = top && (await explore(top, (sets) => this.figures(sets)));
    if (!top || !found) return this.end({ outcome: 'inconclusive', asIs: asItIs, tried: [all] });
    const tried = [top, ...found.tried];
    const facts = { asIs: asItIs, tried, ...(tuned !== undefined && { preStopSeconds: tuned }) };
    for (const choice of ranked(found.enough).slice(0, CHOICES_MOST)) {
      const confirmed = await this.confirmed(choice, top);
      if (confirmed === 'unmeasured') return this.end({ ...facts, outcome: 'inconclusive' });
      if (confirmed === 'loses') continue;
      const { plan, edited } = confirmed;
      const outcome = lostInAll(edited) === 0 ? 'found' : 'less';
      if (this.request.write) await this.write(plan);
      return this.end({
        ...facts,
        ...(facts.preStopSeconds !== undefined && { preStopSeconds: this.seconds }),
        outcome,
        chosen: choice,
        plan,
        edited,
        written: this.request.write,
      });
    }
    return this.end({ ...facts, outcome: 'inconclusive' });
  }

  /** What the edited files give, measured; where connections came later than before, with a longer sleep. */
  private async confirmed(
    choice: SetFigures,
    top: SetFigures,
  ): Promise<{ plan: WritePlan; edited: SetFigures } | 'loses' | 'unmeasured'> {
    const name = choice.settings.join(' + ');
    for (let lengthened = 0; ; lengthened++) {
      const plan = await this.plan(choice.settings);
      const results = await this.edited(plan);
      if (!results) return 'unmeasured';
      const edited = figuresOf([], results);
      if (isEnough(edited, top)) return { plan, edited };
      const late = results.some(({ lanes }) =>
        Object.values(lanes).some(({ causes }) => (causes['routed-after-stop'] ?? 0) > 0),
      );
      const lagMs = Math.max(0, ...results.map((result) => routingOf(result, this.seconds)?.lagMs ?? 0));
      const longer = Math.max(this.seconds + 1, candidateSeconds(lagMs));
      const canSleep = late && choice.settings.includes('preStop') && longer <= this.request.longestSeconds;
      if (!canSleep || lengthened === LENGTHENED_MOST) {
        this.problems.push(`${name} was enough once, and lost in ${edited.runs} tries of the edited files.`);
        return 'loses';
      }
      this.problems.push(
        `With a preStop sleep of ${this.seconds} s the edited files lost connections that came too late for it; ${longer} s are tried.`,
      );
      this.seconds = longer;
    }
  }

  /** The shortest sleep with which no new connection is lost; undefined: the first one stays. */
  private async tuned(all: SetFigures, result: ExperimentResult): Promise<number | undefined> {
    const settings = [...new Set([...all.settings, 'gracePeriod'])];
    const { tuned, problems } = await tunePreStop(this.session, {
      scenario: this.scenario,
      out: this.out,
      tries: this.request.tries,
      longestSeconds: this.request.longestSeconds,
      settings: {
        measuring: settings,
        confirming: settings.filter((setting) => setting !== 'gracefulShutdown'),
      },
      known: { preStopSeconds: FIRST_SECONDS, result },
      tryWithoutRouting: true,
    });
    this.problems.push(...problems);
    if (tuned.preStopSeconds !== undefined) this.seconds = tuned.preStopSeconds;
    return tuned.preStopSeconds;
  }

  private async plan(settings: readonly string[]): Promise<WritePlan> {
    const { loaded, foreign, source } = this.request;
    const variant = this.variantOf(settings);
    const context = settingContext(this.context(), variant);
    const apply = (manifests: readonly Manifest[]) => applyVariant(manifests, variant, context).manifests;
    return planSettings(loaded.configuration.target as TargetConfiguration, apply, {
      ...source,
      signal: this.session.run.signal,
      workload: foreign.workload,
    });
  }

  /** What the edited files give, as it is: a target of its own. */
  private async edited({ manifests }: WritePlan): Promise<readonly ExperimentResult[] | undefined> {
    const { run } = this.session;
    const { loaded } = this.request;
    const target = asIsTarget(manifests, loaded.configuration.target as TargetConfiguration, loaded.at);
    const context = { ...run, target, targetDigest: targetDigest(target, run.runId) };
    const found = await this.measured([{ ...asIs, name: 'edited' }], this.request.tries, context);
    return found?.get('edited');
  }

  private async write(plan: WritePlan): Promise<void> {
    const { force, source } = this.request;
    if (!force)
      await refuseUnclean(
        plan.files.map(({ file }) => file),
        source.signal,
      );
    writePlan(plan);
  }

  private variantOf = (settings: readonly string[]): Variant => ({
    name: `as-is+${settings.join('+')}`,
    version: 1,
    settings,
  });

  private context(): RunContext & { readonly kubernetesVersion: string } {
    const { run } = this.session;
    const { kubernetesVersion } = run.cluster.info;
    return { ...run, preStopSeconds: this.seconds, kubernetesVersion };
  }

  private async figures(sets: readonly (readonly string[])[]): Promise<SetFigures[] | undefined> {
    const variants = sets.map(this.variantOf);
    const found = await this.measured(variants, 1);
    return found && sets.map((settings, index) => figuresOf(settings, found.get(variants[index]!.name)!));
  }

  private rounds = 0;

  /** Valid results by variant; undefined: one of them has none. */
  private async measured(
    variants: readonly Variant[],
    repeats: number,
    context: RunContext = this.context(),
  ): Promise<Map<string, ExperimentResult[]> | undefined> {
    for (const variant of variants) {
      const refused = refusedByCheck(context, { scenario: this.scenario, variant });
      if (refused) throw new UsageError(`harden: ${variant.name}: ${refused}`);
    }
    // A set that is measured once more, with another length of its sleep, gets a journal of its own.
    const from = this.rounds;
    this.rounds += repeats;
    const keys = variants.flatMap((variant) =>
      Array.from(
        { length: repeats },
        (_, index): ExperimentKey => ({
          scenario: this.scenario,
          variant,
          path: 'cluster-ip',
          agents: 1,
          repeat: from + index,
        }),
      ),
    );
    const all = await measure(context, keys, {
      out: this.out,
      progress: this.session.timed,
      who: 'harden',
      onProblem: (sentence) => this.problems.push(sentence),
    });
    const found = new Map<string, ExperimentResult[]>();
    for (const { key, result } of all)
      if (result) found.set(key.variant.name, [...(found.get(key.variant.name) ?? []), result]);
    const lacking = variants.some(({ name }) => (found.get(name)?.length ?? 0) < repeats);
    return lacking ? undefined : found;
  }

  private end(
    facts: Omit<Hardened, 'scenario' | 'cluster' | 'workload' | 'problems' | 'from' | 'diff'>,
  ): ExitCode {
    const { cluster, target } = this.session.run;
    const { kind, kubernetesVersion, emulated, proxyMode } = cluster.info;
    const hardened: Hardened = {
      ...facts,
      workload: `${target.workload.kind} ${target.workload.name}`,
      scenario: this.scenario.id,
      cluster: { kind, kubernetesVersion, emulated, proxyMode },
      problems: this.problems,
      diff: planDiff(facts.plan?.files ?? []),
      from: 'harden.json',
    };
    const { plan: _, ...told } = hardened;
    const json = `${JSON.stringify({ ...told, patch: hardened.plan?.patch, notes: hardened.plan?.notes }, null, 2)}\n`;
    writeFileSync(join(this.out, 'harden.json'), json);
    writeFileSync(join(this.out, 'index.html'), renderHardenPage(tellHardened(hardened)));
    writeFileSync(join(this.out, 'summary.md'), hardenedMarkdown(hardened));
    process.stdout.write(this.request.json ? json : hardenedText(hardened, this.out));
    return {
      safe: exitCode.ok,
      found: exitCode.ok,
      less: exitCode.refuted,
      'nothing-helps': exitCode.refuted,
      inconclusive: exitCode.inconclusive,
    }[facts.outcome];
  }
}
