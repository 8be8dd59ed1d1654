// HTTP/1.1: an attempt is a request and its answer. autocannon builds the request and keeps its own totals, which must
// agree with ours at the end.
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Outcome, StreamEnd, StreamPlan } from '../../model/load.ts';
import { AutocannonClients, autocannonIdentities } from '../autocannon-clients.ts';
import type { Ending, EngineOwner, Identity, Slot as MeterSlot, Route, SlotEngine } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { type NumberedRequest, numberedRequest, withRequestId } from '../request-id.ts';
import { ResponseParser } from '../response-parser.ts';
import { RetiredSockets } from '../retired-sockets.ts';
import { Slot, type SlotOwner } from '../slot.ts';
import type { SourcePorts } from '../source-ports.ts';
import { CertificatesSeen, tlsOptions } from './tls.ts';

/** autocannon clients behind the slots of lanes `new` and `long`: each costs it memory, and one can serve many slots. */
const clientsLimit = 50;

export class Http1Engine implements SlotEngine, SlotOwner {
  readonly kind = 'slots';
  readonly places: number;
  readonly inTurn: boolean;
  readonly #owner: EngineOwner;
  readonly #plan: StreamPlan;
  readonly #clients: AutocannonClients;
  readonly #clientCount: number;
  readonly #numbered: NumberedRequest | undefined;
  readonly numbersRequests: boolean;
  readonly #podNames = new Map<number, { bytes: Buffer; name: string }>();
  /** Answers by class of status, 1xx first, as autocannon counts them. */
  readonly #classes: [number, number, number, number, number] = [0, 0, 0, 0, 0];

  // What slots ask for (SlotOwner).
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly tls: ConnectionOptions;
  readonly certificates = new CertificatesSeen();
  readonly keepsConnections: boolean;
  readonly noDelay: boolean;
  readonly head: boolean;
  readonly lookup: LookupFunction;
  readonly sourcePorts: SourcePorts | undefined;
  readonly retired: RetiredSockets;
  readonly readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

  /** Throws a UsageError when autocannon refuses the plan, a FaultError when autocannon is another version. */
  constructor(owner: EngineOwner) {
    const { plan } = owner;
    this.#owner = owner;
    this.#plan = plan;
    this.places = plan.connections;
    this.keepsConnections = this.inTurn = plan.lane === 'kept';
    this.#clientCount = this.keepsConnections ? plan.connections : Math.min(plan.connections, clientsLimit);
    this.#clients = new AutocannonClients(withRequestId(plan), this.#clientCount);
    this.#numbered = numberedRequest(plan, this.#clients.request);
    this.numbersRequests = this.#numbered !== undefined;
    this.sourcePorts = owner.sourcePorts;
    this.secure = this.#clients.secure;
    this.host = this.#clients.host;
    this.port = this.#clients.port;
    this.tls = tlsOptions(plan, this.#clients.servername ?? this.host);
    this.head = plan.method.toUpperCase() === 'HEAD';
    // One write per request: Nagle's algorithm matters only where a request may span packets.
    this.noDelay = this.keepsConnections || this.#clients.request.length > 1400;
    this.lookup = owner.lookup;
    this.retired = new RetiredSockets(() => owner.now(), !this.secure);
  }

  newSlot(index: number): MeterSlot {
    return new Slot(
      this,
      index % this.#clientCount,
      new ResponseParser(this.#owner.podHeader, this.#podNames),
    );
  }

  fired(slot: MeterSlot): void {
    this.#clients.fired((slot as Slot).client);
  }

  counters(): Readonly<Record<string, number>> {
    return this.certificates.counters();
  }

  async identities(end: StreamEnd, answered: number): Promise<readonly Identity[]> {
    return autocannonIdentities(await this.#clients.totals(), { end, answered, classes: this.#classes });
  }

  close(): void {
    this.retired.close();
  }

  // --- what slots ask and tell (SlotOwner) ---------------------------------------------------------------------------

  route(): Route | null | undefined {
    return this.#owner.route();
  }

  connectionOpened(): number {
    return this.#owner.connectionOpened();
  }

  requestOf(slot: Slot): Buffer {
    return this.#numbered?.of(slot.sequence) ?? this.#clients.request;
  }

  answered(slot: Slot): void {
    const { status } = slot.parser;
    const statusClass = Math.floor(status / 100) - 1;
    if (statusClass < 5) this.#classes[statusClass] = (this.#classes[statusClass] as number) + 1;
    this.#clients.answered(slot.client, status, slot.bytes, this.#owner.now() - slot.startMs);
    this.#owner.settle(slot, outcomeOfStatus(status, this.#plan.expectStatus), String(status), true);
  }

  failed(slot: Slot, outcome: Outcome, code: string, error: Error | undefined): void {
    // autocannon's totals: one `connError` or one `timeout` per failed attempt.
    if (outcome === 'timeout') this.#clients.timedOut(slot.client);
    else this.#clients.failed(slot.client, error ?? new Error(code));
    this.#owner.settle(slot, outcome, code, false);
  }

  expired(slot: Slot, { outcome, code }: Ending): void {
    if (outcome === 'timeout') this.#clients.timedOut(slot.client);
    else this.#clients.failed(slot.client, new Error(code));
  }
}
