// What a line goes through, from the journal: the entry's own pods and endpoints, its access log, what the direct line lost
// at the same time, and what the target received of it.
import { routing } from '../../journal/endpoints.ts';
import type { JournalFacts } from '../../journal/facts.ts';
import type { PlacedFailure, Stream } from '../../journal/streams.ts';
import type { AccessLine } from '../../model/access.ts';
import { isProxied } from '../../model/entry.ts';
import { type LineId, parseLineId, serviceEntry } from '../../model/line.ts';
import { isLost } from '../../model/load.ts';
import type { Scene } from './scene.ts';
import type { AccessFact, Way } from './through.ts';

/** Undefined for a line that leads to the Service itself. */
export function wayOf(facts: JournalFacts, scene: Scene, line: LineId): Way | undefined {
  const { journal, clocks } = facts;
  const name = parseLineId(line)?.entry;
  const entry = journal.header.entries?.find((one) => one.name === name);
  if (!entry || !isProxied(entry)) return undefined;
  const kind = parseLineId(line)?.kind;
  const direct = facts.streams.find(({ id }) => {
    const other = parseLineId(id);
    return other?.entry === serviceEntry && other.kind === kind;
  });
  const directFailures = (direct?.failures ?? []).filter(({ outcome }) => isLost(outcome));
  const access = facts.journal.access
    .filter((one) => one.entry === entry.name || sameService(facts, one.entry, entry.service))
    .map(
      (one): AccessFact => ({ ...one.said, line: one.line, pod: one.pod, readMs: clocks.fromHarness(one.t) }),
    );
  const byId = new Map<string, AccessFact>();
  for (const one of access) if (one.requestId !== undefined) byId.set(one.requestId, one);
  const stream = facts.streams.find(({ id }) => id === line);
  const prefix = stream?.requestIds;
  const podByAddress = addresses(facts);
  return {
    name: entry.name,
    own:
      entry.service !== undefined && facts.entryPods.size > 0
        ? {
            ...scene,
            pods: facts.entryPods,
            routing: routing(journal, clocks, entry.service),
            answers: new Map(),
            startingUntil: new Map(),
            chaos: [],
          }
        : undefined,
    direct: direct === undefined ? undefined : near(directFailures),
    accessOf(sequence) {
      if (sequence === undefined || prefix === undefined) return undefined;
      return byId.get(`${prefix}.${String(sequence).padStart(9, '0')}`);
    },
    podAt: (address) => podByAddress.get(address.replace(/:\d+$/, '')),
    retries: (streams) => ({ ...deliveriesOf(facts, streams), ...retriedOf(access, streams) }),
  };
}

const sameService = ({ header }: JournalFacts, name: string, service: string | undefined): boolean =>
  service !== undefined && header.entries?.find((one) => one.name === name)?.service === service;

/** Losses of the direct line close to a time. */
const near =
  (failures: readonly PlacedFailure[]) =>
  (fromMs: number, toMs: number): readonly PlacedFailure[] =>
    failures.filter(({ startMs, endMs }) => startMs <= toMs && endMs >= fromMs);

/** Pod by its address. Addresses are given anew; within one experiment the last owner of one is as good as any. */
function addresses({ journal }: JournalFacts): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { facts, name } of journal.watches)
    if (facts.kind === 'Pod' && facts.ip && facts.role === 'target') found.set(facts.ip, name);
  return found;
}

function deliveriesOf(
  { journal }: JournalFacts,
  streams: readonly Stream[],
): Pick<ReturnType<Way['retries']>, 'deliveries'> {
  let received = 0;
  const again = new Map<string, Set<number>>();
  for (const { requestIds } of streams) {
    if (requestIds === undefined) continue;
    for (const { frame } of journal.frames) {
      const told = frame.deliveries?.[requestIds];
      if (!told) continue;
      received += told.received;
      const repeated = again.get(requestIds) ?? new Set();
      again.set(requestIds, repeated);
      for (const number of told.again) repeated.add(number);
    }
  }
  if (received === 0) return {};
  let repeated = 0;
  let hidden = 0;
  for (const { requestIds, failures } of streams) {
    const failed = new Set(failures.map(({ sequence }) => sequence));
    for (const number of again.get(requestIds ?? '') ?? []) {
      repeated++;
      if (!failed.has(number)) hidden++;
    }
  }
  return { deliveries: { received, repeated, hidden } };
}

/** Sent again by the entry, and answered: by its own word. Undefined: it has said nothing, or does not number. */
function retriedOf(
  access: readonly (AccessLine & { readonly requestId?: string | undefined })[],
  streams: readonly Stream[],
): Pick<ReturnType<Way['retries']>, 'retriedByLog'> {
  const prefixes = streams.flatMap(({ requestIds }) => requestIds ?? []);
  const ours = access.filter(({ requestId }) =>
    prefixes.some((prefix) => requestId?.startsWith(`${prefix}.`)),
  );
  if (ours.length === 0) return {};
  return { retriedByLog: ours.filter(({ retries, status }) => retries > 0 && status < 400).length };
}
