// Puts the configuration's load on a scenario: what the configuration leaves out stays as the scenario says.
import { UsageError } from '../model/errors.ts';
import { peakRate } from '../model/load.ts';
import { type LaneLoad, laneLoadSchema, lineOfLoad, type Scenario } from '../model/scenario.ts';
import type { ConfiguredLane, LoadConfiguration } from './schema.ts';

export function withLoad(scenario: Scenario, load: LoadConfiguration): Scenario {
  const loadOf = (own: readonly LaneLoad[]) =>
    load.lanes
      ? load.lanes.map((lane) =>
          typeof lane === 'string' ? plainLane(own, lane, load) : configuredLane(lane, load),
        )
      : own.map((entry) => withFigures(entry, load));
  const { warmUpMs, tailMs, limitMs } = load.durationLimits ?? {};
  const changed: Scenario = {
    ...scenario,
    load: loadOf(scenario.load),
    // A case that fires at nothing has nothing that could answer.
    cases: Object.fromEntries(
      Object.entries(scenario.cases).map(([name, one]) => [
        name,
        one.load?.length ? { ...one, load: loadOf(one.load) } : one,
      ]),
    ),
    ...(warmUpMs !== undefined && { warmUpMs }),
    ...(tailMs !== undefined && { tailMs }),
    ...(limitMs !== undefined && { limitMs }),
  };
  refuseContradictions(changed, load.agents ?? 1);
  return changed;
}

/** A client has about 28,000 ports for one address and one address of its own; two lanes share them. */
const IN_FLIGHT_MOST = 60_000;

/** What a scenario and a configuration say together must be possible. Throws UsageError. */
function refuseContradictions({ id, load, warmUpMs, tailMs, limitMs }: Scenario, agents: number): void {
  if (limitMs <= warmUpMs + tailMs)
    throw new UsageError(
      `scenario ${id}: load.durationLimits.limitMs is ${limitMs}, but warmUpMs and tailMs take ${warmUpMs + tailMs} of it; raise it.`,
    );
  for (const { lane, rate, timeoutMs, holdMs } of load) {
    if (lane === 'long' && holdMs !== undefined && holdMs >= timeoutMs)
      throw new UsageError(
        `scenario ${id}: load.holdMs is ${holdMs} and load.timeoutMs ${timeoutMs}: every long request would end at its limit; raise load.timeoutMs.`,
      );
    const inFlight = (peakRate(rate) * timeoutMs) / 1000 / agents;
    if (lane !== 'kept' && inFlight > IN_FLIGHT_MOST)
      throw new UsageError(
        `scenario ${id}: lane ${lane} could have ${Math.round(inFlight)} requests in flight in one agent (load.rate × load.timeoutMs); ${IN_FLIGHT_MOST} is the most. Lower one of them or raise load.agents.`,
      );
  }
}

/** The scenario's own lane of that name, or one as any. */
function plainLane(of: readonly LaneLoad[], lane: LaneLoad['lane'], load: LoadConfiguration): LaneLoad {
  const own =
    of.find((entry) => lineOfLoad(entry) === lane) ??
    laneLoadSchema.parse({ lane, ...(lane === 'kept' && { connections: 20 }) });
  return withFigures(own, load);
}

function withFigures(own: LaneLoad, load: LoadConfiguration): LaneLoad {
  const { lane } = own;
  return {
    ...own,
    ...(load.rate && { rate: load.rate }),
    ...(load.timeoutMs !== undefined && { timeoutMs: load.timeoutMs }),
    ...(lane === 'kept' && load.connections !== undefined && { connections: load.connections }),
    ...(lane === 'long' && load.holdMs !== undefined && { holdMs: load.holdMs }),
  };
}

/** What it says itself wins over what is said for all. */
function configuredLane(
  { protocol, rate, method, descriptor: _, message, bytes, ...said }: ConfiguredLane,
  load: LoadConfiguration,
): LaneLoad {
  const own = laneLoadSchema.parse({
    ...said,
    ...(protocol !== 'http1' && { protocol }),
    ...(protocol === 'grpc' && method !== undefined && { grpc: { method, message: bytes ?? '' } }),
    ...(protocol !== 'grpc' && message !== undefined && { message }),
  });
  const common = withFigures(own, load);
  return {
    ...common,
    ...(rate !== undefined && { rate: { shape: 'constant' as const, ratePerSecond: rate } }),
    ...(said.timeoutMs !== undefined && { timeoutMs: said.timeoutMs }),
    ...(said.connections !== undefined && { connections: said.connections }),
    ...(said.holdMs !== undefined && { holdMs: said.holdMs }),
  };
}
