// An attempt with a connection of its own on which a conversation happens: what HTTP/1.1 begins and something else goes
// on with. WebSocket's lane `new` and whole event streams are such.
import { type Outcome, type Phase, timeoutCodes } from '../../model/load.ts';
import type { Attempt, Ending, EngineOwner, Identity, Slot, SlotEngine } from '../engine.ts';
import type { Destination, Wire } from './wire.ts';

/** A stream as its user sees it: one life of one connection. */
export interface Channel {
  readonly wire: Wire;
  readonly bytes: number;
  readonly phase: Phase;
  readonly status: number;
  readonly pod: string | undefined;
  /** `number` comes back with it. Absent where only the server sends. */
  send?(number: number): void;
  /** In order where the protocol has an order; the user hears nothing any more. */
  close(): void;
}

/** What a channel tells. After `ended` or `broke` nothing. */
export interface ChannelUser {
  opened(): void;
  /** `number`: by which the server counts them, where it does. */
  message(number: number | undefined): void;
  /** In order. `retryMs`: the server asks to wait so long before the next. */
  ended(code: string, retryMs: number | undefined): void;
  broke(outcome: Outcome, code: string): void;
}

type OpenChannel = (to: Destination, user: ChannelUser, lastNumber: number | undefined) => Channel;

/** How the conversation of one attempt goes on when its channel says something; undefined: it goes on. */
export interface Conversation {
  opened(channel: Channel): void;
  message(number: number | undefined): Ending | undefined;
  ended(code: string): Ending;
}

export class SingleEngine implements SlotEngine {
  readonly kind = 'slots';
  readonly places: number;
  readonly inTurn = false;
  readonly #owner: EngineOwner;
  readonly #to: Destination;
  readonly #open: OpenChannel;
  readonly #conversation: () => Conversation;

  constructor(owner: EngineOwner, to: Destination, open: OpenChannel, conversation: () => Conversation) {
    this.#owner = owner;
    this.#to = to;
    this.#open = open;
    this.#conversation = conversation;
    this.places = owner.plan.connections;
  }

  newSlot(): Slot {
    return new SingleSlot(this.#owner, this.#to, this.#open, this.#conversation());
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

class SingleSlot implements Slot, ChannelUser {
  deadlineMs = 0;
  earlier: Attempt | undefined;
  later: Attempt | undefined;
  sequence = 0;
  dueMs = 0;
  startMs = 0;
  readonly reused = false;
  readonly nth = 1;
  readonly answeredBefore = undefined;
  readonly #owner: EngineOwner;
  readonly #to: Destination;
  readonly #open: OpenChannel;
  readonly #conversation: Conversation;
  /** Stays after its end, for what it knows. */
  #channel: Channel | undefined;

  constructor(owner: EngineOwner, to: Destination, open: OpenChannel, conversation: Conversation) {
    this.#owner = owner;
    this.#to = to;
    this.#open = open;
    this.#conversation = conversation;
  }

  get phase(): Phase {
    return this.#channel?.phase ?? 'connect';
  }
  get bytes(): number {
    return this.#channel?.bytes ?? 0;
  }
  get status(): number {
    return this.#channel?.status ?? 0;
  }
  get connection(): number {
    return this.#channel?.wire.number ?? 0;
  }
  get pod(): string | undefined {
    return this.#channel?.pod;
  }
  get routedTo(): string | undefined {
    return this.#channel?.wire.routedTo;
  }
  get localPort(): number | undefined {
    return this.#channel?.wire.localPort;
  }
  get openedMs(): number {
    return this.#channel?.wire.openedMs ?? this.startMs;
  }

  fire(sequence: number, dueMs: number, startMs: number): void {
    this.sequence = sequence;
    this.dueMs = dueMs;
    this.startMs = startMs;
    this.#channel = undefined;
    this.#channel = this.#open(this.#to, this, undefined);
  }

  expire(): Ending {
    const { phase } = this;
    const ending: Ending =
      phase === 'connect' || phase === 'tls'
        ? (this.#channel?.wire.openingExpired() ?? { outcome: 'timeout', code: 'CONNECT_TIMEOUT' })
        : { outcome: 'timeout', code: timeoutCodes[phase] };
    this.#channel?.close();
    return ending;
  }

  giveUp(): void {
    this.#channel?.close();
  }

  close(): void {}

  opened(): void {
    this.#conversation.opened(this.#channel as Channel);
  }

  message(number: number | undefined): void {
    const ending = this.#conversation.message(number);
    if (!ending) return;
    this.#channel?.close();
    this.#settle(ending);
  }

  ended(code: string): void {
    this.#settle(this.#conversation.ended(code));
  }

  broke(outcome: Outcome, code: string): void {
    this.#settle({ outcome, code });
  }

  #settle({ outcome, code }: Ending): void {
    this.#owner.settle(this, outcome, code, outcome === 'ok' || outcome === 'stream-ended');
  }
}
