// Name resolution for connections: one lookup per name and second is shared by all attempts, because a lookup per
// connection would measure the resolver's thread pool. A failure is shared for a tenth of a second only, so that an
// outage of the resolver is not made longer than it was. An attempt whose lookup fails or takes too long ends as `dns`.
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

const freshMs = 1000;
const failureFreshMs = 100;
/** Names kept; a stream asks for one. */
const namesLimit = 64;

interface Entry {
  answer?: { readonly error: NodeJS.ErrnoException | null; readonly addresses: readonly LookupAddress[] };
  untilMs: number;
  waiting: Callback[];
}
type Callback = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

/** A `lookup` for net.connect and tls.connect. */
export function sharedLookup(clock: () => number): LookupFunction {
  const entries = new Map<string, Entry>();
  const resolve = (name: string, done: Callback): void => {
    const known = entries.get(name);
    if (known?.answer && clock() < known.untilMs) {
      done(known.answer.error, known.answer.addresses);
      return;
    }
    if (known && !known.answer) {
      known.waiting.push(done);
      return;
    }
    if (entries.size >= namesLimit) entries.clear();
    const entry: Entry = { untilMs: 0, waiting: [done] };
    entries.set(name, entry);
    systemLookup(name, { all: true }, (error, addresses = []) => {
      entry.answer = { error, addresses };
      entry.untilMs = clock() + (error ? failureFreshMs : freshMs);
      for (const one of entry.waiting.splice(0)) one(error, addresses);
    });
  };
  return (name, options, callback) => {
    resolve(name, (error, addresses) => {
      const fitting = addresses.filter((one) => !options.family || one.family === options.family);
      const first = fitting[0];
      if (error) callback(error, [], 0);
      else if (options.all) callback(null, [...fitting]);
      else callback(null, first?.address ?? '', first?.family ?? 0);
    });
  };
}
