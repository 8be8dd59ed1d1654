// What connection tracking said, cut to one change: connections to the addresses of its Service that began within it. Of a
// connection that is older than the change that ended it, what was said when it began is remembered.
import type { RecordOf } from '../../model/journal.ts';
import type { Failure } from '../../model/load.ts';

type WitnessRecord = RecordOf<'witness'>;
type Connection = WitnessRecord['connections'][number];

/** On the clock of a journal that begins at `fromT`; `t` stays the whole watch's, as the writer of the episode wants it. */
export function cutWitness(
  record: WitnessRecord,
  fromT: number,
  addresses: ReadonlySet<string>,
): WitnessRecord {
  const sinceT = Math.max(0, rounded(record.sinceT - fromT));
  const shift = record.sinceT - fromT - sinceT;
  const connections = record.connections.flatMap((connection) => {
    const [port, from, to, pod, began, answer, answeredMs] = connection;
    const at = rounded(began + shift);
    if (at < 0 || !addresses.has(record.to[to] ?? '')) return [];
    return [[port, from, to, pod, at, answer, answeredMs] satisfies Connection];
  });
  return { ...record, sinceT, connections };
}

const PORTS = 65_536;
/** Between the agent's decision to connect and the kernel's word of it, and what two clocks may drift apart, ms. */
const NEAR_MS = 1000;
const DRIFT = 1e-4;

interface Ports {
  /** Of the last connection of each port, on the whole watch's clock; NaN: none was seen. */
  readonly began: Float64Array;
  /** Its index in `#asked`. */
  readonly asked: Uint32Array;
}

interface Asked {
  readonly node: string;
  readonly from: string;
  readonly pod: string;
}

/** A connection that had begun before a change did, and whom it was sent to. */
export interface Older extends Asked {
  readonly port: number;
  readonly address: string;
}

/** The last connection of every port to every address, a day long: less than a megabyte for each. */
export class AskedBefore {
  readonly #ports = new Map<string, Ports>();
  readonly #asked: Asked[] = [];
  readonly #known = new Map<string, number>();

  take({ node, sinceT, from, to, pods, connections }: WitnessRecord): void {
    for (const [port, source, address, pod, began] of connections) {
      const ports = this.#of(to[address] ?? '');
      ports.began[port] = sinceT + began;
      ports.asked[port] = this.#numberOf({ node, from: from[source] ?? '', pod: pods[pod] ?? '' });
    }
  }

  /** Undefined: it had not begun before `fromT`, or is not known. `offsetMs`: from the load's clock to the whole watch's. */
  older(
    { localPort, openedMs }: Pick<Failure, 'localPort' | 'openedMs'>,
    address: string,
    { fromT, nowT, offsetMs }: Record<'fromT' | 'nowT' | 'offsetMs', number>,
  ): Older | undefined {
    const ports = this.#ports.get(address);
    if (!ports || localPort === undefined || openedMs === undefined) return undefined;
    const began = ports.began[localPort] ?? Number.NaN;
    const off = Math.abs(began - openedMs - offsetMs);
    // Nothing is nearer than NaN, and nothing is before it.
    if (!(began < fromT && off <= NEAR_MS + (nowT - began) * DRIFT)) return undefined;
    const asked = this.#asked[ports.asked[localPort] ?? 0];
    return asked && { ...asked, port: localPort, address };
  }

  #of(address: string): Ports {
    const known = this.#ports.get(address);
    if (known) return known;
    const ports = { began: new Float64Array(PORTS).fill(Number.NaN), asked: new Uint32Array(PORTS) };
    this.#ports.set(address, ports);
    return ports;
  }

  #numberOf(asked: Asked): number {
    const key = `${asked.node} ${asked.from} ${asked.pod}`;
    const number = this.#known.get(key) ?? this.#asked.push(asked) - 1;
    this.#known.set(key, number);
    return number;
  }
}

/**
 * The last records of a journal, one per node: connections older than it, at its very beginning and without an answer, which
 * came at another time. They say of no moment that all of it is known (`lost`).
 */
export function olderRecords(older: readonly Older[], t: number): WitnessRecord[] {
  const nodes = [...new Set(older.map(({ node }) => node))];
  return nodes.map((node) => {
    const own = older.filter((one) => one.node === node);
    const names = (of: (one: Older) => string) => [...new Set(own.map(of))];
    const from = names((one) => one.from);
    const to = names((one) => one.address);
    const pods = names((one) => one.pod);
    const connections = own.map(
      ({ port, from: source, address, pod }) =>
        [port, from.indexOf(source), to.indexOf(address), pods.indexOf(pod), 0, 0, 0] satisfies Connection,
    );
    return {
      type: 'witness',
      t,
      node,
      by: 'events',
      lost: true,
      errorMs: 0,
      sinceT: 0,
      from,
      to,
      pods,
      connections,
    };
  });
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
