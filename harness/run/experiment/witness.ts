// The witness of a measurement: connection tracking on the node at which the agents' connections are sent to a pod. Read
// while the load runs, into the journal; where it cannot be read, a note says so and everything else goes on.
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeWitness, WitnessRequest } from '../../cluster/provider.ts';
import type { PodReady } from '../../deploy/pods-ready.ts';
import { portsMissing } from '../../load/source-ports.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import type { AgentPlan, SourcePortRange } from '../../model/load.ts';
import type { Scenario } from '../../model/scenario.ts';
import { hostPortOf } from '../../model/url-path.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import { type WitnessReader, witnessReader } from '../../record/witness.ts';
import type { RunContext } from './context.ts';
import { highestRate } from './load-plan.ts';

/** All that anybody but root may use: the agent's network namespace is its own. */
const agentPorts: SourcePortRange = { from: 1024, to: 65_535 };

/** What may raise the rate. */
type Changing = Pick<Scenario, 'steps'>;

/** The ports that an agent binds its connections to; none where they do not suffice: then the kernel chooses. */
export const ownPorts = (plan: AgentPlan, scenario: Changing): Pick<AgentPlan, 'sourcePorts'> =>
  whyTooFew(plan, scenario) === undefined ? { sourcePorts: agentPorts } : {};

const whyTooFew = ({ streams }: AgentPlan, scenario: Changing): string | undefined =>
  portsMissing(
    streams.map((stream) => ({
      ...stream,
      ratePerSecond: highestRate(stream.rate, scenario) / stream.split.of,
    })),
    agentPorts,
  );

const FLUSH_MS = 500;
const CLOCK_EVERY_FLUSHES = 20;
const CLOCK_LIMIT_MS = 3000;

/** Connection tracking is read in this run: on a cluster of ours that has it, on somebody's where it was asked for. */
export const isWitnessed = ({ cluster, own }: Pick<RunContext, 'cluster' | 'own'>): boolean =>
  cluster.witness !== undefined || own.guest?.witness !== undefined;

/** Reads one node, the `index`-th; see RunningCluster.witness. */
export type ReadNode = (
  node: string,
  index: number,
  request: WitnessRequest,
) => Promise<NodeWitness | { readonly cannot: string }>;

/** A load agent's pod: its address, its node and that one's address. */
type AgentPlace = Pick<PodReady, 'ip' | 'node' | 'hostIp'>;

interface WitnessOptions {
  /** Undefined: nobody may, or nothing is tracked. */
  readonly read: ReadNode | undefined;
  /** On which the agents' connections are sent to a pod. */
  readonly nodes: readonly string[];
  /** Whose connections are wanted, where they come from pods of ours. */
  readonly agents?: readonly AgentPlace[];
  readonly plans: readonly AgentPlan[];
  readonly scenario: Changing;
  readonly journal: JournalWriter;
  readonly life: Lifetime;
  /** How long a busy machine may read on when the load has ended, ms. */
  readonly endLimitMs?: number;
}

export interface RunningWitness {
  /** Resolves when all that has happened until now has been read; where that takes too long, it is not known (a note says so). */
  readToEnd(signal: AbortSignal): Promise<void>;
}

/** Resolves when it is read on every node, or is known not to be. It ends with the lifetime. Throws what `read` throws. */
export async function startWitness({
  read,
  nodes,
  agents = [],
  plans,
  scenario,
  journal,
  life,
  endLimitMs = END_LIMIT_MS,
}: WitnessOptions): Promise<RunningWitness> {
  const readers: WitnessReader[] = [];
  const witness: RunningWitness = {
    readToEnd: async (signal) =>
      void (await Promise.all(readers.map((reader) => readToEnd(reader, endLimitMs, journal, signal)))),
  };
  if (!read) return witness;
  const tooFew = plans.map((plan) => whyTooFew(plan, scenario)).find((why) => why !== undefined);
  if (tooFew !== undefined) {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `Connection tracking is not read, so which pod was asked is not known: ${tooFew}.`,
    });
    return witness;
  }
  const addresses = [...new Set(plans.flatMap(({ streams }) => streams.map(({ url }) => hostPortOf(url))))];
  const all = [...new Set(nodes)];
  await Promise.all(
    all.map(async (node, index) => {
      const reader = witnessReader(node, journal, comingFrom(agents, node, addresses));
      let running: NodeWitness | undefined;
      let ending = false;
      let end: () => void = () => {};
      life.defer(`stop reading connection tracking on ${node}`, async () => {
        ending = true;
        end();
        await running?.stop();
        if (running) reader.ended();
      });
      const begin = async (time: number): Promise<string | undefined> => {
        const begun = await read(node, index + time * all.length, {
          addresses,
          onLine: (line) => reader.line(line),
          onBreak: () => reader.paused(),
          onResumed: (whole) => reader.resumed(whole),
        });
        if ('cannot' in begun) return begun.cannot;
        if (ending) {
          await begun.stop();
          return undefined;
        }
        running = begun;
        void begun.ended.then((how) => {
          if (!ending) void again(how, time + 1);
        });
        return undefined;
      };
      /** It has ended before its time: another one is begun, and what came in between is not known. */
      const again = async (how: string, time: number): Promise<void> => {
        reader.paused();
        try {
          if (time > AGAIN_TIMES) throw new Error(how);
          await sleep(AGAIN_MS, undefined, { signal: life.signal });
          const cannot = await begin(time);
          if (cannot !== undefined) throw new Error(cannot);
          reader.resumed(false);
        } catch {
          if (!ending && !life.signal.aborted) reader.broken(how);
        }
      };
      const cannot = await begin(0);
      if (cannot !== undefined) {
        journal.write({ type: 'note', level: 'warning', text: `${cannot}.` });
        return;
      }
      const ask = (question: string) => running?.ask(question);
      end = keepReading(reader, ask);
      await untilKnown(journal, reader, ask);
      readers.push(reader);
    }),
  );
  return witness;
}

const AGAIN_TIMES = 3;
const AGAIN_MS = 500;

/**
 * Addresses that the agents' connections have on a node: undefined where others than their pods' are possible, because what is
 * asked is a node's own port, or because none of them runs there.
 */
function comingFrom(
  agents: readonly AgentPlace[],
  node: string,
  asked: readonly string[],
): ReadonlySet<string> | undefined {
  const own = agents.filter((agent) => agent.node === node);
  const ofNodes = new Set(agents.map(({ hostIp }) => hostIp));
  const isNodes = asked.some((address) => ofNodes.has(address.slice(0, address.lastIndexOf(':'))));
  return own.length === 0 || isNodes ? undefined : new Set(own.map(({ ip }) => ip));
}

const END_LIMIT_MS = 10_000;
/** Where nothing tells how far it was read (record/witness.ts). */
const UNMARKED_LIMIT_MS = 1000;
const END_LOOK_MS = 50;

async function readToEnd(
  reader: WitnessReader,
  endLimitMs: number,
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  const overMs = journal.nowMs();
  const { node, readUntilMs } = reader;
  const limitMs = readUntilMs === undefined ? UNMARKED_LIMIT_MS : endLimitMs;
  const lacksMs = () => overMs - (reader.readUntilMs ?? 0);
  while (!reader.isOver && lacksMs() > 0 && journal.nowMs() - overMs < limitMs)
    await sleep(END_LOOK_MS, undefined, { signal });
  reader.flush();
  if (reader.isOver || readUntilMs === undefined || lacksMs() <= 0) return;
  journal.write({
    type: 'note',
    level: 'warning',
    text: `Connection tracking on node ${node} was not read to the end within ${limitMs / 1000} s: of the last ${(lacksMs() / 1000).toFixed(1)} s it is not known which pods were asked.`,
  });
}

function keepReading(reader: WitnessReader, ask: (question: string) => void): () => void {
  let flushes = 0;
  const timer = setInterval(() => {
    reader.flush();
    if (++flushes % CLOCK_EVERY_FLUSHES === 0) reader.ask(ask);
  }, FLUSH_MS);
  return () => clearInterval(timer);
}

/** The node's clock must be known before its first event is worth anything: it is asked a few times, and until it answers. */
async function untilKnown(
  journal: JournalWriter,
  reader: WitnessReader,
  ask: (question: string) => void,
): Promise<void> {
  const until = journal.nowMs() + CLOCK_LIMIT_MS;
  for (let tries = 0; (tries < 5 || !reader.hasClock) && journal.nowMs() < until; tries++) {
    reader.ask(ask);
    await new Promise((resolve) => setTimeout(resolve, tries < 5 ? 30 : 200));
  }
  reader.flush();
}
