// The seam between the meter, which knows when attempts are due and counts how they end, and the protocols, which know
// what an attempt is. One engine per stream of load.
import type { LookupFunction } from 'node:net';
import type { Outcome, Phase, StreamEnd, StreamLife, StreamPlan } from '../model/load.ts';
import type { Limited } from './deadlines.ts';
import type { SourcePorts } from './source-ports.ts';

/** Where a new connection goes, and the pod behind it where that is known. */
export interface Route {
  readonly host: string;
  readonly port: number;
  readonly pod?: string;
}

/** One attempt, from its start to its one outcome. Times in ms since the start of the load. */
export interface Attempt extends Limited {
  readonly sequence: number;
  readonly dueMs: number;
  readonly startMs: number;
  readonly phase: Phase;
  readonly reused: boolean;
  /** Received for it, or on its stream since it began. */
  readonly bytes: number;
  /** HTTP status; 0: none came. */
  readonly status: number;
  /** Number of the connection in the stream of load, and of the attempt on it, from 1; 0 where there was none. */
  readonly connection: number;
  readonly nth: number;
  /** Pod that answered, that answered before on this connection, that the connection was routed to. */
  readonly pod: string | undefined;
  readonly answeredBefore: string | undefined;
  readonly routedTo: string | undefined;
  /** The connection's own port where it was bound to one, and the start of the attempt that opened it. */
  readonly localPort?: number | undefined;
  readonly openedMs?: number;
  /** Its time is over: it ends itself and says as what. */
  expire(): Ending;
  /** The load is interrupted: nothing of it goes on. */
  giveUp(): void;
}

export interface Ending {
  readonly outcome: Outcome;
  readonly code: string;
}

/** An attempt that has not begun. */
export interface Beginning extends Attempt {
  /** It may end while it begins. */
  fire(sequence: number, dueMs: number, startMs: number): void;
}

/** A place for one attempt at a time. */
export interface Slot extends Beginning {
  /** Ends what is idle. */
  close(): void;
}

/** What the meter gives its engine, and is told by it. */
export interface EngineOwner {
  readonly plan: StreamPlan;
  readonly podHeader: string;
  /** Shared by all connections: one lookup per name and second. */
  readonly lookup: LookupFunction;
  /** Ports to bind new connections to; undefined: the kernel chooses. */
  readonly sourcePorts: SourcePorts | undefined;
  /** ms since the start of the load. */
  now(): number;
  /** `undefined`: connect to the URL's host and port. `null`: no endpoint, connect to a port that refuses. */
  route(): Route | null | undefined;
  /** Numbers a connection that is about to be opened, from 1. */
  connectionOpened(): number;
  /** Exactly once for an attempt that was neither expired nor given up. `answered`: a whole answer came. */
  settle(attempt: Attempt, outcome: Outcome, code: string, answered: boolean): void;
}

/** What must be equal at the end of the load, beside what the meter checks itself. */
export type Identity = readonly [text: string, left: number, right: number];

interface AnyEngine {
  /** Each request carries its attempt's number. */
  readonly numbersRequests?: boolean;
  /** What it counts beside outcomes, by name. */
  counters(): Readonly<Record<string, number>>;
  identities(end: StreamEnd, answered: number): Promise<readonly Identity[]> | readonly Identity[];
  close(): void;
}

/** A request and its answer: any free place takes an arrival. */
export interface SlotEngine extends AnyEngine {
  readonly kind: 'slots';
  /** Places at most. */
  readonly places: number;
  /** Places are filled up first and then used in turn; arrivals wait for one. */
  readonly inTurn: boolean;
  newSlot(index: number): Slot;
  /** Told before `fire`. */
  fired(slot: Slot): void;
}

/** Streams that stay open: arrival k is a message that stream k mod n owes. */
export interface StreamEngine extends AnyEngine {
  readonly kind: 'streams';
  /** Undefined: the stream owes too many messages already; the arrival is shed. */
  next(): Beginning | undefined;
  takeLives(): StreamLife[];
}

export type Engine = SlotEngine | StreamEngine;
