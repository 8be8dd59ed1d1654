// What a watch sends, and how it is written down: the agents' plan, the scenario that stands for a Service, and the header of
// an episode's journal. Pure.
import { stringify } from 'yaml';
import type { MeasuredEntry } from '../../model/entry.ts';
import type { ClusterInfo, HeaderRecord } from '../../model/journal.ts';
import { lineId, serviceEntry } from '../../model/line.ts';
import type { AgentPlan, Lane } from '../../model/load.ts';
import { type Scenario, scenarioSchema } from '../../model/scenario.ts';
import { watchedName } from '../../model/setting.ts';
import { hostPortOf } from '../../model/url-path.ts';
import { redactArguments, redactManifest, redactValue } from '../../record/redact.ts';
import { controlStream, controlTrickle, slots } from '../experiment/load-plan.ts';
import { ownPorts } from '../experiment/witness.ts';
import type { CutService, CutStream, EpisodeBegin } from './episodes.ts';
import type { WatchedService } from './services.ts';

/** How each Service is asked. */
export interface Asking {
  readonly lanes: readonly Lane[];
  /** A whole number of requests per second, lane and Service. */
  readonly rate: number;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expectStatus: readonly number[];
  readonly timeoutMs: number;
}

/** Kept connections of a lane: each is used once a second, so that a Service may take as long to answer. */
const keptConnections = ({ rate }: Pick<Asking, 'rate'>): number => Math.max(FEWEST_KEPT, rate);
const FEWEST_KEPT = 10;
/** What an agent tells costs it more than what it sends at such a rate, ms. */
const FRAME_MS = 500;
/** Nobody waits for the figures of a moment ago, and each question costs the agent and the API server. */
export const PULL_MS = 500;
/** A load lasts no longer, ms. */
export const LONGEST_MS = 86_400_000;
/** What answers does so at once; one that does not is said within this time, ms. */
const PREFLIGHT_MS = 10_000;

/** `address`: host:port. */
export const cutControl = (address: string): CutStream => ({
  id: controlStream,
  as: controlStream,
  lane: 'new',
  address,
});

export const addressOf = ({ clusterIp, port }: Pick<WatchedService, 'clusterIp' | 'port'>): string =>
  `${clusterIp}:${port}`;

export const cutServices = (services: readonly WatchedService[], { lanes }: Asking): CutService[] =>
  services.map((service) => ({
    name: service.name,
    streams: entriesOf(service).flatMap(({ name: entry, base }) =>
      lanes.map((lane) => ({
        id: lineId({ kind: lane, entry, service: service.name }),
        as: lineId({ kind: lane, entry }),
        lane,
        address: hostPortOf(base),
      })),
    ),
  }));

/** Where load comes in, and what is asked for there: the Service itself, and the URL that leads to it, if one was named. */
const entriesOf = (service: WatchedService): readonly { readonly name: string; readonly base: string }[] => [
  { name: serviceEntry, base: `http://${addressOf(service)}${service.path}` },
  ...(service.url === undefined ? [] : [{ name: 'url', base: service.url }]),
];

/** For the journal; none where the Service alone is asked. */
function measuredEntries(service: WatchedService): MeasuredEntry[] {
  const { url } = service;
  if (url === undefined) return [];
  return [
    { name: serviceEntry, kind: 'service', address: addressOf(service) },
    { name: 'url', kind: 'url', url, from: 'agent', address: url },
  ];
}

interface Fired {
  readonly runId: string;
  /** host:port of the control target. */
  readonly control: string;
  /** Connection tracking is read: by the ports that the agent chooses. */
  readonly witnessed: boolean;
}

/** No step of ours raises the rate. */
export const noSteps: Pick<Scenario, 'steps'> = { steps: [] };

export function watchPlan(services: readonly WatchedService[], asking: Asking, fired: Fired): AgentPlan {
  return planOf(
    services.flatMap((service) => streamsOf(service, asking, true)),
    fired,
  );
}

function planOf(streams: AgentPlan['streams'], { runId, control, witnessed }: Fired): AgentPlan {
  const plan: AgentPlan = {
    runId,
    streams: [...streams, controlTrickle(control, LONGEST_MS)],
    podHeader: 'x-rollproof-pod',
    preflightMs: PREFLIGHT_MS,
    frameMs: FRAME_MS,
  };
  return { ...plan, ...(witnessed && ownPorts(plan, noSteps)) };
}

/** `several`: named after the Service too; in the journal of one Service it goes without saying. */
function streamsOf(service: WatchedService, asking: Asking, several: boolean): AgentPlan['streams'] {
  const { method, headers, expectStatus, rate, timeoutMs } = asking;
  return entriesOf(service).flatMap(({ name: entry, base }) =>
    asking.lanes.map((lane) => ({
      id: lineId({ kind: lane, entry, ...(several && { service: service.name }) }),
      lane,
      url: base,
      ...(entry !== serviceEntry && { entry }),
      method,
      headers: { ...headers },
      expectStatus: [...expectStatus],
      insecure: false,
      rate: { shape: 'constant', ratePerSecond: rate },
      connections: lane === 'kept' ? keptConnections(asking) : slots(rate, timeoutMs),
      timeoutMs,
      maxDurationMs: LONGEST_MS,
      split: { index: 0, of: 1 },
    })),
  );
}

const scenarioIdOf = (service: string): string => `watch-${service.replaceAll('.', '-')}`;

/** What stands for a Service in results: no steps of ours, no claims; its episodes are its experiments. */
export function watchScenario(
  service: string,
  { lanes, rate, timeoutMs }: Asking,
  limitMs: number,
): Scenario {
  return scenarioSchema.parse({
    id: scenarioIdOf(service),
    title: `Service ${service}, as others changed it`,
    question: `Did what was changed behind Service ${service} lose connections?`,
    source: 'rollproof watch',
    group: 'connections',
    variants: [],
    settings: [],
    load: lanes.map((lane) => ({
      lane,
      rate: { shape: 'constant', ratePerSecond: rate },
      timeoutMs,
      ...(lane === 'kept' && { connections: keptConnections({ rate }) }),
    })),
    steps: [],
    claims: [],
    until: 'no-terminating',
    limitMs,
  });
}

interface WatchFacts extends Fired {
  readonly tool: HeaderRecord['tool'];
  readonly cluster: ClusterInfo;
  readonly limitMs: number;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly arguments: readonly string[];
}

export function episodeHeader(
  { service: name, number, fromLoadMs, trigger, startedAt }: EpisodeBegin,
  service: WatchedService,
  asking: Asking,
  watch: WatchFacts,
): HeaderRecord {
  const plan = planOf(streamsOf(service, asking, false), watch);
  return {
    type: 'header',
    schemaVersion: 1,
    tool: watch.tool,
    runId: watch.runId,
    startedAt,
    seed: 0,
    scenario: watchScenario(name, asking, watch.limitMs),
    profile: 'full',
    variant: { name: watchedName, version: 1, settings: [] },
    path: 'cluster-ip',
    ...(service.url !== undefined && {
      entries: measuredEntries(service).map((entry) => redactValue(entry) as MeasuredEntry),
    }),
    agents: 1,
    repeat: number - 1,
    cluster: watch.cluster,
    target: {
      builtIn: false,
      workload: service.workload,
      service: `${name}:${service.port}`,
      images: {},
    },
    plan: redactValue(plan) as AgentPlan,
    manifests: service.objects
      .map((object) => stringify(redactManifest(withoutStatus(object), false)))
      .join('---\n'),
    settingsDiff: '',
    episode: { service: name, number, fromLoadMs, trigger, owners: [...service.owners] },
    configuration: redactValue(watch.configuration) as Record<string, unknown>,
    arguments: redactArguments(watch.arguments),
  };
}

const withoutStatus = <T extends object>(object: T): T => {
  const { status: _, ...rest } = object as T & { status?: unknown };
  return rest as T;
};
