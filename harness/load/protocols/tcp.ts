// Plain TCP: an attempt is a line that is sent and comes back. Lane `kept` keeps its connections, `new` opens one each.
import { type Outcome, type Phase, timeoutCodes } from '../../model/load.ts';
import type { Attempt, Ending, EngineOwner, Identity, Slot, SlotEngine } from '../engine.ts';
import { Destination, Wire, type WireUser } from './wire.ts';

const defaultLine = 'rollproof';
const LF = 10;

export class TcpEngine implements SlotEngine {
  readonly kind = 'slots';
  readonly places: number;
  readonly inTurn: boolean;
  readonly #owner: EngineOwner;
  readonly #to: Destination;
  readonly #line: Buffer;

  constructor(owner: EngineOwner) {
    const { plan } = owner;
    this.#owner = owner;
    this.#to = new Destination(owner);
    this.places = plan.connections;
    this.inTurn = plan.lane === 'kept';
    this.#line = Buffer.from(`${(plan.message ?? defaultLine).replace(/\r?\n$/, '')}\n`);
  }

  newSlot(): Slot {
    return new TcpSlot(this.#owner, this.#to, this.#line, this.inTurn);
  }

  fired(): void {}

  counters(): Readonly<Record<string, number>> {
    return this.#to.certificates.counters();
  }

  identities(): readonly Identity[] {
    return [];
  }

  close(): void {}
}

/** More than a line that comes back can have behind what was sent. */
const lineLimitBytes = 300;

/** What comes back is what was sent; our own target puts its pod's name behind it. */
class TcpSlot implements Slot, WireUser {
  deadlineMs = 0;
  earlier: Attempt | undefined;
  later: Attempt | undefined;
  sequence = 0;
  dueMs = 0;
  startMs = 0;
  reused = false;
  bytes = 0;
  readonly status = 0;
  connection = 0;
  nth = 0;
  pod: string | undefined = undefined;
  answeredBefore: string | undefined = undefined;
  routedTo: string | undefined = undefined;
  readonly #owner: EngineOwner;
  readonly #to: Destination;
  readonly #line: Buffer;
  readonly #sentText: string;
  readonly #keeps: boolean;
  #wire: Wire | undefined;
  /** Stays after its end, for what it knows. */
  #last: Wire | undefined;
  #busy = false;
  #sent = false;
  #came = '';

  constructor(owner: EngineOwner, to: Destination, line: Buffer, keeps: boolean) {
    this.#owner = owner;
    this.#to = to;
    this.#line = line;
    this.#sentText = line.toString('latin1', 0, line.length - 1);
    this.#keeps = keeps;
  }

  get phase(): Phase {
    if (this.#wire && this.#wire.phase !== 'open') return this.#wire.phase;
    return this.#sent ? (this.bytes > 0 ? 'body' : 'first-byte') : this.#lastPhase;
  }
  #lastPhase: Phase = 'connect';
  get localPort(): number | undefined {
    return this.#last?.localPort;
  }
  get openedMs(): number {
    return this.#last?.openedMs ?? this.startMs;
  }

  fire(sequence: number, dueMs: number, startMs: number): void {
    this.sequence = sequence;
    this.dueMs = dueMs;
    this.startMs = startMs;
    this.bytes = 0;
    this.#came = '';
    this.pod = undefined;
    this.#busy = true;
    this.#sent = false;
    this.#lastPhase = 'connect';
    if (this.#wire) {
      this.reused = true;
      this.nth++;
      this.#send();
      return;
    }
    this.reused = false;
    this.nth = 1;
    this.answeredBefore = undefined;
    const wire = new Wire(this.#to, this);
    this.#wire = wire;
    this.connection = wire.number;
    this.routedTo = wire.routedTo;
    this.#last = wire;
  }

  expire(): Ending {
    const opening = this.#wire && this.#wire.phase !== 'open' ? this.#wire.openingExpired() : undefined;
    const ending = opening ?? { outcome: 'timeout' as const, code: timeoutCodes[this.phase] };
    this.#lastPhase = this.phase;
    this.giveUp();
    return ending;
  }

  giveUp(): void {
    this.#lastPhase = this.phase;
    this.#busy = false;
    this.close();
  }

  close(): void {
    this.#wire?.destroy();
    this.#wire = undefined;
  }

  opened(): void {
    this.#send();
  }

  read(buffer: Buffer, length: number): void {
    if (!this.#busy) {
      // Bytes that nobody asked for must never meet the next line.
      this.close();
      return;
    }
    this.bytes += length;
    const end = buffer.subarray(0, length).indexOf(LF);
    const limit = this.#line.length + lineLimitBytes;
    this.#came += buffer.toString('latin1', 0, Math.min(end < 0 ? length : end, limit));
    const sent = this.#sentText;
    const begun = this.#came.slice(0, sent.length);
    if (begun !== sent.slice(0, begun.length) || this.#came.length >= limit) {
      this.#end('protocol', 'OTHER_LINE', false);
      return;
    }
    if (end < 0) return;
    const behind = this.#came.slice(sent.length).replace(/\r$/, '');
    if (this.#came.length < sent.length || (behind !== '' && !behind.startsWith(' '))) {
      this.#end('protocol', 'OTHER_LINE', false);
      return;
    }
    if (behind !== '') this.pod = this.answeredBefore = behind.slice(1);
    this.#end('ok', 'ECHO', end + 1 === length && this.#keeps);
  }

  broke(outcome: Outcome, code: string): void {
    this.#lastPhase = this.phase;
    const wire = this.#wire;
    this.#wire = undefined;
    if (!this.#busy) return;
    this.#busy = false;
    if (wire && wire.phase !== 'open') this.#lastPhase = wire.phase;
    this.#owner.settle(this, outcome, code, false);
  }

  #send(): void {
    this.#sent = true;
    this.#wire?.write(this.#line);
  }

  #end(outcome: Outcome, code: string, keep: boolean): void {
    this.#lastPhase = this.phase;
    this.#busy = false;
    if (!keep) {
      if (outcome === 'ok') this.#wire?.end();
      else this.#wire?.destroy();
      this.#wire = undefined;
    }
    this.#owner.settle(this, outcome, code, outcome === 'ok');
  }
}
