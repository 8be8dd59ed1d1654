// The shortest preStop sleep that loses no new connection, from measured routing, then confirmed: what `rollproof tune`
// answers, and `rollproof harden` writes.
import { podTemplateOf, type TargetDefinition } from '../deploy/definition.ts';
import type { Entry, Hop } from '../model/entry.ts';
import { type ExitCode, exitCode } from '../model/errors.ts';
import { parseLineId, serviceEntry } from '../model/line.ts';
import type { ExperimentResult } from '../model/results.ts';
import { lineOfLoad, type Scenario } from '../model/scenario.ts';
import type { ExperimentKey } from './experiment/index.ts';
import { measure } from './measured.ts';
import type { Session } from './session.ts';
import {
  type GraceCheck,
  graceCheck,
  isCutOff,
  type Routing,
  routingOf,
  ShortestLengths,
} from './tune-advice.ts';

/** What tune.json says. Times in ms since a pod's deletion unless said. */
export interface Tuned {
  readonly scenario: string;
  readonly cluster: { kind: string; kubernetesVersion: string; emulated: boolean; proxyMode: string };
  /** Undefined: no length up to `longestSeconds` was confirmed. */
  readonly preStopSeconds: number | undefined;
  readonly measured: {
    preStopSeconds: number;
    lagMs: number;
    shutdownMs: number;
    /** By entry, where several were measured and as far as something tells. */
    byEntry?: Readonly<Record<string, number>>;
  }[];
  readonly confirmed: {
    preStopSeconds: number;
    tries: number;
    lost: number;
    attempts: number;
    lagMs: number;
    /** By entry, where several were measured. */
    byEntry?: Readonly<Record<string, EntryTries>>;
  }[];
  /** The shortest length with which clients of each entry lost nothing; null: none was found. */
  readonly byEntry?: Readonly<Record<string, number | null>>;
  /** Which of them asks for the longest, and why; undefined: all ask for the same. */
  readonly decidedBy?: Deciding;
  readonly marginMs: number;
  readonly grace: GraceCheck | undefined;
  readonly longestSeconds: number;
}

export interface Deciding {
  readonly entry: string;
  /** The longest length that was too short for it, and what it lost with it; undefined: none was tried that lost. */
  readonly tooShort?: { readonly preStopSeconds: number } & EntryTries;
  /** The hop with most of those losses; undefined: it is not proxied, or nothing was lost. */
  readonly hop?: Hop;
}

export interface EntryTries {
  readonly lost: number;
  readonly attempts: number;
  /** Latest new connection after a deletion; undefined: nothing tells. */
  readonly lagMs?: number;
  /** Lost by hop, where a proxy stands on the way. */
  readonly hops?: Partial<Record<Hop, number>>;
}

/** Kube-proxy applies changes once a second or so: long enough for nearly every cluster, short enough to wait for. */
const FIRST_SECONDS = 8;
/** No app that outlasts its own sleep by itself: what protects the connections is the sleep alone. */
const confirming = ['readinessProbe', 'preStop', 'gracePeriod', 'surge'];
const measuring = [...confirming, 'gracefulShutdown'];

interface TuneRequest {
  readonly scenario: Scenario;
  /** Folder for the journals; it is there. */
  readonly out: string;
  /** Runs without a loss that confirm a length. */
  readonly tries: number;
  /** Where load comes in, side by side; empty: the Service alone. A length is confirmed when no entry loses. */
  readonly entries?: readonly Entry[];
  /** The way of load where there are no entries. Default: the Service. */
  readonly path?: ExperimentKey['path'];
  /** Longest sleep to try. */
  readonly longestSeconds: number;
  /** What is in force while the routing is measured, and while a length is confirmed; default: tune's own. */
  readonly settings?: { readonly measuring: readonly string[]; readonly confirming: readonly string[] };
  /** What was measured already with a sleep that may outlast the routing: it need not be measured once more. */
  readonly known?: { readonly preStopSeconds: number; readonly result: ExperimentResult };
  /** When no answer names its pod, the routing cannot be measured: then lengths are tried one after the other. */
  readonly tryWithoutRouting?: boolean;
}

interface TuneAnswer {
  readonly tuned: Tuned;
  readonly code: ExitCode;
  readonly problems: readonly string[];
}

/** The session's cluster and target; the out folder gets the journals. */
export async function tunePreStop(session: Session, request: TuneRequest): Promise<TuneAnswer> {
  const search = new Search(session, request);
  const code = await search.find();
  return { tuned: search.result(), code, problems: search.problems };
}

class Search {
  readonly problems: string[] = [];
  private readonly measured: Tuned['measured'] = [];
  private readonly confirmed: Tuned['confirmed'] = [];
  private lengths: ShortestLengths | undefined;
  private found: number | undefined;
  private readonly settings: {
    readonly measuring: readonly string[];
    readonly confirming: readonly string[];
  };

  private readonly session: Session;
  private readonly request: TuneRequest;

  constructor(session: Session, request: TuneRequest) {
    this.session = session;
    this.request = request;
    this.settings = request.settings ?? { measuring, confirming };
  }

  async find(): Promise<ExitCode> {
    const { longestSeconds, tryWithoutRouting } = this.request;
    const routing = await this.measureRouting();
    if (!routing && !tryWithoutRouting) return exitCode.inconclusive;
    const lengths = new ShortestLengths(
      this.ways,
      // Of a way of which nothing tells, the shortest length is tried.
      (way) => (this.several ? (routing?.byEntry?.[way] ?? 0) : (routing?.lagMs ?? 0)),
    );
    this.lengths = lengths;
    for (let seconds = lengths.next; seconds !== undefined; seconds = lengths.next) {
      if (seconds > longestSeconds) break;
      const tries = await this.confirm(seconds);
      if (!tries) return exitCode.inconclusive;
      lengths.tried(seconds, (way) => (this.several ? (tries.byEntry?.[way] ?? nothingSaid) : tries));
    }
    if (lengths.next === undefined) {
      this.found = Math.max(...this.ways.map((way) => lengths.of(way) ?? 0));
      return exitCode.ok;
    }
    this.problems.push(
      `No sleep of up to ${longestSeconds} s kept all connections; allow more with --longest.`,
    );
    return exitCode.refuted;
  }

  private get several(): boolean {
    return (this.request.entries?.length ?? 0) > 0;
  }

  private get ways(): readonly string[] {
    return this.several ? (this.request.entries ?? []).map(({ name }) => name) : [serviceEntry];
  }

  /** With a sleep that outlasts the routing; a longer one, when it turns out that it did not. */
  private async measureRouting(): Promise<Routing | undefined> {
    const { longestSeconds, scenario, tryWithoutRouting, known } = this.request;
    for (let seconds = Math.min(FIRST_SECONDS, longestSeconds); ; seconds *= 2) {
      const preStop = Math.min(seconds, longestSeconds);
      const [result] =
        known?.preStopSeconds === preStop
          ? [known.result]
          : await this.experiments(preStop, 'measure', this.settings.measuring, scenario, 1);
      if (!result) return undefined;
      const routing = routingOf(result, preStop);
      if (!routing) {
        if (!tryWithoutRouting)
          this.problems.push(
            'tune: no answer says which pod gave it, so the routing cannot be measured. Let the app name its pod in a response header (target.podHeader).',
          );
        return undefined;
      }
      this.measured.push({ preStopSeconds: preStop, ...routing });
      if (!isCutOff(routing, preStop) || preStop === longestSeconds) return routing;
    }
  }

  private async confirm(seconds: number): Promise<Tuned['confirmed'][number] | undefined> {
    const { scenario, tries: wanted } = this.request;
    const load = scenario.load.filter((load) => lineOfLoad(load) === 'new');
    const results = await this.experiments(
      seconds,
      'confirm',
      this.settings.confirming,
      { ...scenario, load },
      wanted,
    );
    if (results.length < wanted) return undefined;
    const sum = (pick: (result: ExperimentResult) => number) =>
      results.reduce((total, result) => total + pick(result), 0);
    const tries = {
      preStopSeconds: seconds,
      tries: results.length,
      lost: sum((result) => newLines(result).reduce((lost, { figures }) => lost + figures.lost, 0)),
      attempts: sum((result) => newLines(result).reduce((all, { figures }) => all + figures.attempts, 0)),
      lagMs: Math.max(...results.map((result) => routingOf(result, seconds)?.lagMs ?? 0)),
    };
    const said = { ...tries, ...(this.several && { byEntry: byEntry(results, seconds) }) };
    this.confirmed.push(said);
    return said;
  }

  /** Only those that are valid; the reason why one is not goes to `problems`. */
  private async experiments(
    preStopSeconds: number,
    what: string,
    settings: readonly string[],
    scenario: Scenario,
    repeats: number,
  ): Promise<ExperimentResult[]> {
    const { run, timed } = this.session;
    const variant = { name: `${what}-${preStopSeconds}s`, version: 1, settings, preStopSeconds };
    const keys = Array.from(
      { length: repeats },
      (_, repeat): ExperimentKey => ({
        scenario,
        variant,
        path: this.request.path ?? 'cluster-ip',
        ...(this.request.entries?.length && { entries: this.request.entries }),
        agents: 1,
        repeat,
      }),
    );
    const measured = await measure({ ...run, preStopSeconds }, keys, {
      out: this.request.out,
      progress: timed,
      who: 'tune',
      onProblem: (sentence) => this.problems.push(sentence),
    });
    return measured.flatMap(({ result }) => result ?? []);
  }

  result(): Tuned {
    const { cluster, target } = this.session.run;
    const { kind, kubernetesVersion, emulated, proxyMode } = cluster.info;
    const shutdownMs = Math.max(0, ...this.measured.map((one) => one.shutdownMs));
    const lagMs = Math.max(
      0,
      ...this.measured.map((one) => one.lagMs),
      ...this.confirmed.map((one) => one.lagMs),
    );
    return {
      scenario: this.request.scenario.id,
      cluster: { kind, kubernetesVersion, emulated, proxyMode },
      preStopSeconds: this.found,
      measured: this.measured,
      confirmed: this.confirmed,
      ...(this.several && {
        byEntry: Object.fromEntries(this.ways.map((way) => [way, this.lengths?.of(way) ?? null])),
      }),
      ...(this.several && decided(this.ways, this.lengths, this.confirmed)),
      marginMs: this.found === undefined ? 0 : Math.round(this.found * 1000 - lagMs),
      grace:
        this.found === undefined ? undefined : graceCheck(this.found, shutdownMs, graceSecondsOf(target)),
      longestSeconds: this.request.longestSeconds,
    };
  }
}

function graceSecondsOf({ manifests, workload }: TargetDefinition): number | undefined {
  const manifest = manifests.find((one) => one.kind === workload.kind && one.metadata.name === workload.name);
  const seconds = manifest && podTemplateOf(manifest)?.spec.terminationGracePeriodSeconds;
  return typeof seconds === 'number' ? seconds : undefined;
}

/** The lines of new connections, with the entry of each. */
const newLines = ({ lanes }: ExperimentResult) =>
  Object.entries(lanes).flatMap(([id, figures]) => {
    const line = parseLineId(id);
    return line?.kind === 'new' && figures ? [{ entry: line.entry, figures }] : [];
  });

const nothingSaid: EntryTries = { lost: 0, attempts: 0 };

function byEntry(results: readonly ExperimentResult[], seconds: number): Record<string, EntryTries> {
  const sums: Record<string, { -readonly [Field in keyof EntryTries]: EntryTries[Field] }> = {};
  const routings = results.map((result) => routingOf(result, seconds)?.byEntry ?? {});
  for (const { entry, figures } of results.flatMap(newLines)) {
    const lags = routings.flatMap((one) => one[entry] ?? []);
    const sum = sums[entry] ?? {
      lost: 0,
      attempts: 0,
      ...(lags.length > 0 && { lagMs: Math.max(...lags) }),
    };
    sums[entry] = sum;
    sum.lost += figures.lost;
    sum.attempts += figures.attempts;
    for (const [hop, lost] of Object.entries(figures.hops ?? {}))
      sum.hops = { ...sum.hops, [hop]: (sum.hops?.[hop as Hop] ?? 0) + lost };
  }
  return sums;
}

/** The way in that asks for the longest sleep: whose losses, or whose last connection, say where it is decided. */
export function decided(
  ways: readonly string[],
  lengths: Pick<ShortestLengths, 'of' | 'lagMs'> | undefined,
  confirmed: Tuned['confirmed'],
): { decidedBy?: Deciding } {
  if (!lengths) return {};
  const lengthOf = (way: string) => lengths.of(way) ?? Number.POSITIVE_INFINITY;
  const [entry, next] = [...ways].sort(
    (a, b) => lengthOf(b) - lengthOf(a) || lengths.lagMs(b) - lengths.lagMs(a),
  );
  if (entry === undefined || next === undefined || lengthOf(entry) === lengthOf(next)) return {};
  const short = confirmed
    .filter(({ byEntry: said }) => (said?.[entry]?.lost ?? 0) > 0)
    .sort((a, b) => b.preStopSeconds - a.preStopSeconds)[0];
  const tooShort = short?.byEntry?.[entry];
  const [hop] = Object.entries(tooShort?.hops ?? {}).sort(([, a], [, b]) => b - a)[0] ?? [];
  return {
    decidedBy: {
      entry,
      ...(short && tooShort && { tooShort: { preStopSeconds: short.preStopSeconds, ...tooShort } }),
      ...(hop !== undefined && { hop: hop as Hop }),
    },
  };
}
