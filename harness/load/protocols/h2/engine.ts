// An engine on HTTP/2, whatever its requests and answers mean: lane `kept` shares its connections, every other attempt has
// one of its own.
import type { EngineOwner, Identity, Slot, SlotEngine } from '../../engine.ts';
import { Destination } from '../wire.ts';
import type { H2Request } from './connection.ts';
import { type AnswerReader, H2Pool, H2Slot } from './slot.ts';

export class H2Engine implements SlotEngine {
  readonly kind = 'slots';
  readonly places: number;
  readonly inTurn: boolean;
  readonly #owner: EngineOwner;
  readonly #pool: H2Pool;
  readonly #reader: (expected: readonly number[]) => AnswerReader;

  constructor(
    owner: EngineOwner,
    request: (owner: EngineOwner, to: Destination) => H2Request,
    reader: (expected: readonly number[]) => AnswerReader,
  ) {
    const { plan } = owner;
    const to = new Destination(owner, ['h2']);
    this.#owner = owner;
    this.#reader = reader;
    this.inTurn = plan.lane === 'kept';
    this.places = plan.connections * (this.inTurn ? (plan.streamsPerConnection ?? 1) : 1);
    this.#pool = new H2Pool(owner, to, request(owner, to), this.inTurn);
  }

  newSlot(index: number): Slot {
    const { expectStatus, connections } = this.#owner.plan;
    return new H2Slot(this.#owner, this.#pool, index % connections, this.#reader(expectStatus));
  }

  fired(): void {}

  counters(): Readonly<Record<string, number>> {
    return this.#pool.counters();
  }

  identities(): readonly Identity[] {
    return [];
  }

  close(): void {
    this.#pool.close();
  }
}
