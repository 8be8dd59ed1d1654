// What connection tracking said: every entry names a source, an address and a pod of its record, and had begun.
import type { Journal } from '../journal.ts';
import { type Broken, ROUNDING_MS } from './broken.ts';

export function* brokenWitness({ witness }: Journal): Generator<Broken> {
  for (const { line, t, untilT, sinceT, from, to, pods, connections } of witness) {
    const broken = (identity: string): Broken => ({ line, record: 'witness', identity });
    if (sinceT > t) yield broken('sinceT is not after t');
    if (untilT !== undefined && untilT > t) yield broken('untilT is not after t');
    for (const [port, source, address, pod, began] of connections) {
      if (source >= from.length || address >= to.length || pod >= pods.length)
        yield broken(`the connection of port ${port} names a source, an address and a pod of the record`);
      if (sinceT + began > t + ROUNDING_MS) yield broken(`the connection of port ${port} began before t`);
    }
  }
}
