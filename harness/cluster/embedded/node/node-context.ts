// What the kubelet's parts share: the node they run for and the world around it.
import type { Pod, Registry } from '../api/types.ts';
import type { AddressBlock } from './addresses.ts';
import type { BackOff } from './back-off.ts';
import type { Clock } from './clock.ts';
import type { Images } from './images.ts';
import type { Latencies } from './latency.ts';
import type { SilentAddresses } from './silent-addresses.ts';
import type { Watchdog } from './watchdog.ts';

export interface NodeContext {
  readonly name: string;
  /** 0 is the control plane. */
  readonly index: number;
  readonly hostIP: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly latencies: Latencies;
  readonly images: Images;
  readonly addresses: AddressBlock;
  readonly silent: SilentAddresses;
  readonly watchdog: Watchdog;
  readonly restartBackOff: BackOff;
  readonly pullBackOff: BackOff;
  /** Containers' own /tmp folders live below it. */
  readonly folder: string;
  /** What Node.js needs to behave as PID 1. */
  readonly nodeOptions: string;
  /** Variables that every container of this node is told: where routes and the API server are. */
  readonly environment: Readonly<Record<string, string>>;
  /** After how many ms the node's next relist comes when a container has been started; undefined: as it happens. */
  readonly relistAfterStart: (() => number | undefined) | undefined;
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void;
}
