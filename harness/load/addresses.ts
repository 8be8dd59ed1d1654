// Name resolution for connections: one lookup per name and second is shared by all attempts, because a lookup per
// connection would measure the resolver's thread pool. An attempt whose lookup fails ends as `dns`.
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

const freshMs = 1000;
/** Names kept; a stream asks for one. */
const namesLimit = 64;

interface Entry {
  addresses?: readonly LookupAddress[];
  askedMs: number;
  waiting: Callback[];
}
type Callback = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

/** A `lookup` for net.connect and tls.connect. */
export function sharedLookup(clock: () => number): LookupFunction {
  const entries = new Map<string, Entry>();
  const resolve = (name: string, done: Callback): void => {
    const known = entries.get(name);
    if (known?.addresses && clock() - known.askedMs < freshMs) {
      done(null, known.addresses);
      return;
    }
    if (known && !known.addresses) {
      known.waiting.push(done);
      return;
    }
    if (entries.size >= namesLimit) entries.clear();
    const entry: Entry = { askedMs: clock(), waiting: [done] };
    entries.set(name, entry);
    systemLookup(name, { all: true }, (error, addresses) => {
      const waiting = entry.waiting.splice(0);
      if (error || addresses.length === 0) entries.delete(name);
      else entry.addresses = addresses;
      for (const one of waiting) one(error, addresses ?? []);
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
