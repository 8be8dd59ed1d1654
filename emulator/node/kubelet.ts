// The kubelets of an embedded cluster: each runs the pods that are bound to its node. One relist and one sync tick per
// node and second, as a real kubelet has them.
import type { Change, Pod, Registry } from '../api/types.ts';
import { refusalOf } from './admission.ts';
import { guarded } from './background.ts';
import type { NodeContext } from './node-context.ts';
import { emptySnapshot, type RuntimeSnapshot } from './pod-runtime.ts';
import { PodWorker } from './pod-worker.ts';
import { StatusWriter } from './status-writer.ts';

export class Kubelet {
  readonly node: NodeContext;
  private readonly statuses: StatusWriter;
  private readonly workers = new Map<string, PodWorker>();
  private readonly seen = new Map<string, { snapshot: RuntimeSnapshot; print: string }>();
  private readonly waiting = new Set<() => void>();
  private relistedMs = Number.NEGATIVE_INFINITY;
  private cancelRelist = () => {};
  private cancelSync = () => {};
  private readonly unsubscribe: () => void;
  private closed = false;

  constructor(node: NodeContext) {
    this.node = node;
    this.statuses = new StatusWriter(node);
    this.unsubscribe = node.registry.subscribe((change) =>
      guarded('a change of the API', () => this.onChange(change), node.onDefect),
    );
    for (const pod of node.registry.list('pods')) {
      if (pod.spec?.nodeName === node.name) this.add(pod);
    }
    // Nodes are not in step with each other.
    this.relistIn(node.random() * node.latencies.relistMs);
    this.syncIn(node.random() * node.latencies.syncTickMs);
  }

  /** Workers of pods that are still in the API or still have processes. */
  pods(): readonly PodWorker[] {
    return [...this.workers.values()];
  }

  /** Ends every process without grace. Resolves when all have ended. */
  async close(): Promise<void> {
    this.closed = true;
    this.unsubscribe();
    this.cancelRelist();
    this.cancelSync();
    this.statuses.close();
    const workers = [...this.workers.values()];
    for (const worker of workers) worker.close();
    for (const resolve of this.waiting) resolve();
    await Promise.all(workers.map((worker) => worker.runtime.allEnded()));
  }

  private onChange(change: Change): void {
    if (this.closed || change.resource !== 'pods') return;
    const pod = change.object as Pod;
    const known = this.workers.get(pod.metadata.uid);
    if (change.type === 'DELETED') {
      if (!known) return;
      known.update(pod);
      known.removed();
      if (known.finished) this.drop(known);
      return;
    }
    if (known) known.update(pod);
    else if (pod.spec?.nodeName === this.node.name) this.add(pod);
  }

  private add(pod: Pod): void {
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return;
    const worker = new PodWorker(
      {
        node: this.node,
        statuses: this.statuses,
        newerThan: (uid, sinceMs) => this.newerThan(uid, sinceMs),
        started: () => {
          const delayMs = this.node.chance.relistAfterStartMs?.();
          if (delayMs !== undefined) this.relistIn(delayMs);
        },
        ended: (ended) => {
          if (this.registryHas(ended)) return;
          this.drop(ended);
        },
      },
      pod,
    );
    const holders = [...this.workers.values()].filter((other) => other.occupiesPorts);
    const refusal = refusalOf(
      pod,
      holders.map((other) => other.object),
      this.node.registry.get('nodes', undefined, this.node.name),
      this.node.isolation?.roots,
    );
    this.workers.set(pod.metadata.uid, worker);
    if (refusal) worker.reject(refusal.reason, refusal.message);
    else worker.start();
  }

  private registryHas(worker: PodWorker): boolean {
    const { namespace, name } = worker.object.metadata;
    return (this.node.registry as Registry).get('pods', namespace, name)?.metadata.uid === worker.uid;
  }

  private drop(worker: PodWorker): void {
    worker.close();
    this.workers.delete(worker.uid);
    this.seen.delete(worker.uid);
    this.statuses.forget(worker.uid);
  }

  /** PLEG: what the runtime says now becomes what the syncs go by; a pod whose containers changed is synced. */
  private relist(): void {
    this.relistedMs = this.node.clock.now();
    const changed: PodWorker[] = [];
    for (const worker of this.workers.values()) {
      const snapshot = worker.runtime.snapshot();
      const print = [
        snapshot.sandboxReady,
        ...snapshot.runs.filter((run) => run.state !== 'created').map((run) => `${run.id} ${run.state}`),
      ].join(',');
      const before = this.seen.get(worker.uid);
      this.seen.set(worker.uid, { snapshot, print });
      if (print !== (before?.print ?? 'false')) changed.push(worker);
    }
    const resolves = [...this.waiting];
    this.waiting.clear();
    for (const resolve of resolves) resolve();
    for (const worker of changed) worker.poke();
  }

  private syncDue(): void {
    const now = this.node.clock.now();
    for (const worker of this.workers.values()) if (worker.dueMs <= now) worker.poke();
  }

  private async newerThan(uid: string, sinceMs: number): Promise<RuntimeSnapshot> {
    while (this.relistedMs <= sinceMs && sinceMs !== Number.NEGATIVE_INFINITY && !this.closed) {
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
    return this.seen.get(uid)?.snapshot ?? emptySnapshot;
  }

  private relistIn(delayMs: number): void {
    this.cancelRelist();
    this.cancelRelist = this.node.clock.after(delayMs, () => {
      if (this.closed) return;
      this.relistIn(this.node.latencies.relistMs);
      guarded('a relist', () => this.relist(), this.node.onDefect);
    });
  }

  private syncIn(delayMs: number): void {
    this.cancelSync = this.node.clock.after(delayMs, () => {
      if (this.closed) return;
      this.syncIn(this.node.latencies.syncTickMs);
      guarded('a sync', () => this.syncDue(), this.node.onDefect);
    });
  }
}
