// The experiment's present state, kept from the same watch events that are recorded, for steps that wait.
import { FaultError } from '../model/errors.ts';
import type { Facts, FactsKind, PodFacts } from '../model/facts.ts';
import type { ObservedState } from '../model/observed-state.ts';

export interface LiveState extends ObservedState {
  update(event: string, name: string, facts: Facts): void;
}

export function createLiveState(): LiveState {
  const state = new Map<FactsKind, Map<string, Facts>>();
  const waiting = new Set<() => void>();
  const of = (kind: FactsKind) => {
    const objects = state.get(kind) ?? new Map<string, Facts>();
    state.set(kind, objects);
    return objects;
  };
  const live: LiveState = {
    update(event, name, facts) {
      if (event === 'DELETED') of(facts.kind).delete(name);
      else of(facts.kind).set(name, facts);
      for (const look of waiting) look();
    },
    all: (kind) => of(kind) as never,
    pods: (role) => new Map([...(of('Pod') as Map<string, PodFacts>)].filter(([, pod]) => pod.role === role)),
    until(what, met, limitMs, signal, seen) {
      return new Promise((resolve, reject) => {
        const finish = (act: () => void) => {
          clearTimeout(timer);
          clearInterval(poll);
          waiting.delete(look);
          signal.removeEventListener('abort', abort);
          act();
        };
        const look = () => {
          if (met()) finish(resolve);
        };
        const abort = () => finish(() => reject(signal.reason));
        const timer = setTimeout(
          () =>
            finish(() =>
              reject(
                new FaultError(`Waited ${limitMs / 1000} s for ${what}. Last seen: ${(seen ?? describe)()}.`),
              ),
            ),
          limitMs,
        );
        // Conditions on time (minimum quiet, for example) change without an event.
        const poll = setInterval(look, 100);
        waiting.add(look);
        signal.addEventListener('abort', abort);
        if (signal.aborted) abort();
        else look();
      });
    },
  };
  return live;

  function describe(): string {
    const parts = [...live.all('Deployment'), ...live.all('StatefulSet'), ...live.all('Rollout')].map(
      ([name, d]) =>
        `${d.kind.toLowerCase()} ${name} ${d.updated}/${d.specReplicas} updated, ${d.available} available, ${d.replicas} pods`,
    );
    for (const [name, pod] of live.all('Pod')) {
      if (pod.ready && !pod.terminating) continue;
      const container = pod.containers.find((one) => one.state !== 'running') ?? pod.containers[0];
      parts.push(
        `pod ${name} ${pod.terminating ? 'terminating' : pod.phase}${container?.reason ? ` (${container.reason})` : ''}`,
      );
    }
    return parts.slice(0, 8).join('; ') || 'nothing';
  }
}
