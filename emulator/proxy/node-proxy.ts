// kube-proxy of one node: watches Services and EndpointSlices, and a moment later routes by what they say.
import type { Change, Registry } from '../api/types.ts';
import type { OnDefect } from '../node/background.ts';
import { type Clock, pause } from '../node/clock.ts';
import { BoundedFrequencyRunner } from './bounded-frequency.ts';
import { type ServicePort, serviceTable } from './service-table.ts';

/** minSyncPeriod of kube-proxy in iptables mode. */
const MIN_SYNC_MS = 1000;

interface NodeProxyOptions {
  readonly node: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly onDefect: OnDefect;
  /** How long a change needs to reach the proxy, and one run to write its rules, ms. */
  readonly watchMs: number;
  readonly syncMs: number;
  /** New rules are in effect. */
  readonly applied: (table: readonly ServicePort[]) => void;
}

export class NodeProxy {
  private readonly options: NodeProxyOptions;
  private readonly runner: BoundedFrequencyRunner;
  private readonly unsubscribe: () => void;
  private current: readonly ServicePort[] = [];
  private delayMs = 0;
  /** Tables that are held back, oldest first. */
  private readonly held: { readonly table: readonly ServicePort[]; readonly cancel: () => void }[] = [];
  private readonly cancels = new Set<() => void>();

  constructor(options: NodeProxyOptions) {
    this.options = options;
    const { clock, registry, watchMs } = options;
    this.runner = new BoundedFrequencyRunner(clock, MIN_SYNC_MS, () => this.sync(), options.onDefect);
    this.unsubscribe = registry.subscribe((change) => {
      if (!matters(change)) return;
      const cancel = clock.after(watchMs, () => {
        this.cancels.delete(cancel);
        this.runner.request();
      });
      this.cancels.add(cancel);
    });
    this.runner.request();
  }

  get node(): string {
    return this.options.node;
  }

  get table(): readonly ServicePort[] {
    return this.current;
  }

  /** From now on new rules take effect this much later. Shortening it to 0 lets out what is held back. */
  delay(delayMs: number): void {
    this.delayMs = delayMs;
    if (delayMs > 0) return;
    const newest = this.held.at(-1);
    for (const { cancel } of this.held.splice(0)) cancel();
    if (newest) this.apply(newest.table);
  }

  close(): void {
    this.unsubscribe();
    this.runner.close();
    for (const cancel of this.cancels) cancel();
    for (const { cancel } of this.held.splice(0)) cancel();
  }

  private async sync(): Promise<void> {
    const { registry, clock, syncMs, node } = this.options;
    const table = serviceTable(registry.list('services'), registry.list('endpointslices'), node);
    await pause(clock, syncMs);
    if (this.delayMs === 0) {
      this.apply(table);
      return;
    }
    const entry = {
      table,
      cancel: clock.after(this.delayMs, () => {
        this.held.splice(0, this.held.indexOf(entry) + 1);
        this.apply(table);
      }),
    };
    this.held.push(entry);
  }

  private apply(table: readonly ServicePort[]): void {
    this.current = table;
    this.options.applied(table);
  }
}

/** A slice whose endpoints and ports are the same (an annotation changed) makes kube-proxy do nothing. */
function matters({ resource, type, object, previous }: Change): boolean {
  if (resource !== 'services' && resource !== 'endpointslices') return false;
  if (type !== 'MODIFIED' || !previous) return true;
  const essence = (value: object) => {
    const { spec, endpoints, ports } = value as { spec?: unknown; endpoints?: unknown; ports?: unknown };
    return JSON.stringify([spec, endpoints, ports]);
  };
  return essence(object) !== essence(previous);
}
