// The load plan of one experiment: the scenario's lanes against the target's address, and a trickle against the
// control target. Pure.
import type { TargetDefinition } from '../../deploy/definition.ts';
import { type EntryKind, isProxied } from '../../model/entry.ts';
import { type AgentPlan, peakRate, type RateProfile } from '../../model/load.ts';
import {
  defaultKeptConnections,
  type LaneLoad,
  lineOfLoad,
  rateOfLoad,
  type Scenario,
} from '../../model/scenario.ts';

export const controlStream = 'control';
/** Enough to see a pause of the harness of a tenth of a second, too little to be a load. */
const controlRatePerSecond = 20;
/** A node's proxy applies changes within a second or two; a busy machine takes longer. */
const preflightMs = 10_000;
/** Spare slots above rate × timeout: arrivals come at whole ticks, not evenly to the microsecond. */
const spareSlots = 20;

interface Addresses {
  /** host:port of the target's Service and of the control target's. */
  readonly target: string;
  readonly control: string | undefined;
  /** Where load comes in, side by side; undefined or empty: `target` alone. */
  readonly entries?: readonly PlannedEntry[];
}

interface PlannedEntry {
  readonly measured: { readonly name: string; readonly kind: EntryKind };
  /** Scheme, host and port; of kind `url` with its path. */
  readonly base: string;
  readonly host: string | undefined;
  readonly stands: string;
}

export function loadPlan(
  scenario: Scenario,
  target: TargetDefinition,
  addresses: Addresses,
  runId: string,
  split = { index: 0, of: 1 },
  /** Which of target and control target this agent fires at. */
  parts: { readonly target: boolean; readonly control: boolean; readonly stands?: string } = {
    target: true,
    control: split.index === 0,
  },
): AgentPlan {
  const { path, headers, body, expectStatus, longPath } = target.request;
  const method = (target.builtIn && scenario.target.method) || target.request.method;
  const streamAt = (load: LaneLoad, entry: PlannedEntry | undefined): AgentPlan['streams'][number] => {
    const id = lineOfLoad(load, entry?.measured.name);
    const asked = pathOf(target, load, path, longPath);
    const scheme = load.tls ? 'https' : 'http';
    const proxied = entry !== undefined && isProxied(entry.measured);
    return {
      id,
      lane: load.lane,
      url:
        entry?.measured.kind === 'url'
          ? entry.base
          : `${entry?.base ?? `${scheme}://${addresses.target}`}${asked}`,
      method,
      headers: {
        ...headers,
        ...ownHeaders(target, load),
        ...(entry?.host !== undefined && { host: entry.host }),
      },
      ...spoken(target, load),
      ...(body !== undefined && { body }),
      expectStatus: [...expectStatus],
      insecure: false,
      ...(entry && entry.measured.kind !== 'service' && { entry: entry.measured.name }),
      // Several agents would number alike.
      ...(proxied && split.of === 1 && { requestIds: `rp-${id}` }),
      rate: rateOfLoad(load),
      connections: connectionsOf(load, highestRate(rateOfLoad(load), scenario), split.of),
      timeoutMs: load.timeoutMs,
      maxDurationMs: scenario.limitMs,
      split,
    };
  };
  const entries = addresses.entries ?? [];
  const streams: AgentPlan['streams'] =
    entries.length > 0
      ? entries
          .filter(({ stands }) => stands === (parts.stands ?? 'inside'))
          .flatMap((entry) => scenario.load.map((load) => streamAt(load, entry)))
      : (parts.target ? scenario.load : []).map((load) => streamAt(load, undefined));
  if (addresses.control && parts.control) streams.push(controlTrickle(addresses.control, scenario.limitMs));
  return { runId, streams, podHeader: target.podHeader, preflightMs };
}

/** What tells the harness's own noise: a little at a target that nothing changes. `address`: host:port. */
export function controlTrickle(address: string, maxDurationMs: number): AgentPlan['streams'][number] {
  const timeoutMs = 3000;
  return {
    id: controlStream,
    lane: 'new',
    url: `http://${address}/`,
    method: 'GET',
    headers: {},
    expectStatus: [],
    insecure: false,
    rate: { shape: 'constant', ratePerSecond: controlRatePerSecond },
    connections: slots(controlRatePerSecond, timeoutMs),
    timeoutMs,
    maxDurationMs,
    split: { index: 0, of: 1 },
  };
}

/** Where and what our own target answers to a protocol; anybody's has its path. */
function pathOf(
  target: TargetDefinition,
  load: LaneLoad,
  path: string,
  longPath: string | undefined,
): string {
  if (load.path !== undefined) return load.path;
  if (load.protocol === 'sse' && target.builtIn) {
    return load.lane === 'long'
      ? `/events?interval=200&for=${load.holdMs ?? 5000}`
      : `/events?interval=${intervalOf(load)}`;
  }
  if (load.protocol !== undefined && load.protocol !== 'http1' && load.protocol !== 'http2') return path;
  return load.lane === 'long' ? slowPath(target, load, longPath) : path;
}

/** What a lane of another protocol says beside its address. */
function spoken(target: TargetDefinition, load: LaneLoad): Partial<AgentPlan['streams'][number]> {
  const { protocol, tls, message, grpc, streamsPerConnection, lane } = load;
  if (protocol === undefined && tls === undefined) return {};
  const own = { method: `rollproof.v1.Target/${lane === 'stream' ? 'Stream' : 'Call'}`, message: '' };
  return {
    ...(protocol !== undefined && { protocol }),
    ...(tls && { tls }),
    ...(message !== undefined && { message }),
    ...(protocol === 'grpc' && (grpc ?? target.builtIn) && { grpc: grpc ?? own }),
    ...(streamsPerConnection !== undefined && { streamsPerConnection }),
    ...(lane === 'stream' && {
      stream: {
        expect: load.expect ?? (protocol === 'websocket' ? ('echo' as const) : ('push' as const)),
        lateMs: load.lateMs ?? 1000,
      },
    }),
  };
}

function ownHeaders(target: TargetDefinition, load: LaneLoad): Record<string, string> {
  if (!target.builtIn || load.protocol !== 'grpc' || load.grpc) return {};
  if (load.lane === 'stream') return { 'x-rollproof-interval-ms': String(intervalOf(load)) };
  return load.lane === 'long' ? { 'x-rollproof-ms': String(load.holdMs ?? 2000) } : {};
}

const intervalOf = (load: LaneLoad): number => load.intervalMs ?? 1000;

function slowPath(target: TargetDefinition, load: LaneLoad, longPath: string | undefined): string {
  if (longPath) return longPath;
  return target.builtIn ? `/slow?ms=${load.holdMs ?? 2000}` : target.request.path;
}

/** kept: connections, used in turn. new and long: slots ≥ rate × timeout, or arrivals would be shed while others hang. */
export function connectionsOf(load: LaneLoad, ratePerSecond: number, agents: number): number {
  if (load.connections > 0) return load.connections;
  if (load.lane === 'kept' || load.lane === 'stream') return defaultKeptConnections;
  return slots(ratePerSecond / agents, load.timeoutMs);
}

export const slots = (ratePerSecond: number, timeoutMs: number): number =>
  Math.ceil((ratePerSecond * timeoutMs) / 1000) + spareSlots;

/** Of the profile and of the steps that change it. */
export function highestRate(profile: RateProfile, scenario: Pick<Scenario, 'steps'>): number {
  const steps = scenario.steps.flatMap((step) => (step.step === 'load-rate' ? [step.ratePerSecond] : []));
  return Math.max(peakRate(profile), ...steps);
}
