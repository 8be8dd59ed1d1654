// Watch events: each object is seen to come, change and go in that order, and one watch delivers states in the order
// of their resource versions. Figures of one status agree with each other.
import type { Facts } from '../../model/facts.ts';
import type { Journal, Lined } from '../journal.ts';
import type { Broken } from './broken.ts';

interface Seen {
  readonly uid: string | undefined;
  readonly restarts: ReadonlyMap<string, number>;
  readonly terminating: boolean;
  readonly generation: number;
  readonly observedGeneration: number;
}

export function* brokenWatches(journal: Journal): Generator<Broken> {
  // Where a list was read anew, states are missing and their order is the list's.
  const relisted = new Set(journal.watchGaps.filter((gap) => gap.lost).map((gap) => gap.kind));
  const present = new Map<string, Seen>();
  const versions = new Map<string, bigint>();
  for (const watch of journal.watches) {
    const { facts, name, event, line } = watch;
    const { kind } = facts;
    const broken = (identity: string): Broken => ({ line, record: `watch of ${kind} ${name}`, identity });
    for (const identity of brokenFacts(facts)) yield broken(identity);
    if (relisted.has(kind)) continue;
    const key = `${kind}/${name}`;
    const before = present.get(key);
    const comes = event === 'EXISTING' || event === 'ADDED';
    if (comes && before) yield broken(`an object that is there does not come again (${event})`);
    if (!comes && !before) yield broken(`an object is seen to come before it changes or goes (${event})`);
    const now = seenOf(watch);
    if (before && !comes) for (const identity of brokenLife(before, now, event)) yield broken(identity);
    if (event === 'DELETED') present.delete(key);
    else present.set(key, now);
    const version = event === 'EXISTING' ? undefined : versionOf(watch.resourceVersion);
    if (version === undefined) continue;
    if (version < (versions.get(kind) ?? version)) {
      yield broken('resource versions of one watch do not go back: records are out of order');
    }
    versions.set(kind, version);
  }
  for (const { t, fromT, line } of journal.watchGaps) {
    if (fromT > t) yield { line, record: 'watch-gap', identity: 'a gap begins before it ends' };
  }
}

function seenOf({ uid, facts }: Lined<'watch'>): Seen {
  return {
    uid,
    restarts: new Map(
      facts.kind === 'Pod' ? facts.containers.map(({ name, restarts }) => [name, restarts]) : [],
    ),
    terminating: facts.kind === 'Pod' && facts.terminating,
    generation: 'generation' in facts ? (facts.generation ?? 0) : 0,
    observedGeneration: 'observedGeneration' in facts ? (facts.observedGeneration ?? 0) : 0,
  };
}

function* brokenLife(before: Seen, now: Seen, event: string): Generator<string> {
  if (before.uid !== now.uid) yield 'an object keeps its uid';
  if (before.terminating && !now.terminating) yield 'a pod that is terminating stays so';
  if (now.generation < before.generation) yield 'generation does not go back';
  if (now.observedGeneration < before.observedGeneration && event !== 'DELETED') {
    yield 'observedGeneration does not go back';
  }
  for (const [container, restarts] of now.restarts) {
    if (restarts < (before.restarts.get(container) ?? 0)) yield 'restarts of a container do not go back';
  }
}

function* brokenFacts(facts: Facts): Generator<string> {
  switch (facts.kind) {
    case 'Deployment':
      if (facts.updated > facts.replicas) yield 'updated is at most replicas';
      if (facts.ready > facts.replicas) yield 'ready is at most replicas';
      if (facts.available > facts.ready) yield 'available is at most ready';
      break;
    case 'ReplicaSet':
      if (facts.ready > facts.replicas) yield 'ready is at most replicas';
      if (facts.available > facts.ready) yield 'available is at most ready';
      break;
    case 'Pod':
      if (facts.ready && facts.containers.length > 0 && facts.containers.every(({ ready }) => !ready)) {
        yield 'a pod that is ready has a container that is';
      }
      break;
    default:
      break;
  }
  if (
    'generation' in facts &&
    (facts.observedGeneration ?? 0) > (facts.generation ?? Number.MAX_SAFE_INTEGER)
  ) {
    yield 'observedGeneration is at most generation';
  }
}

/** Of etcd they are numbers that grow; elsewhere only equality can be told. */
const versionOf = (text: string | undefined): bigint | undefined =>
  text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
