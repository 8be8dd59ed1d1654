// What the kubelet's parts share: the node they run for and the world around it.
import type { Pod, Registry } from '../api/types.ts';
import type { AddressBlock } from './addresses.ts';
import type { BackOff } from './back-off.ts';
import type { OnDefect } from './background.ts';
import type { Clock } from './clock.ts';
import type { Isolation } from './ground.ts';
import type { Images } from './images.ts';
import type { Latencies } from './latency.ts';
import type { SilentAddresses } from './silent-addresses.ts';
import type { Watchdog } from './watchdog.ts';

/** What is chance on a real node and adds up later; replays of recordings say how it fell there. Undefined: chance. */
export interface Chance {
  /** After how many ms the node's next relist comes when a container has been started. */
  relistAfterStartMs?(): number | undefined;
  /** How long after a failed sync the kubelet tries again, ms: 10 s, stretched by up to a half. */
  retryMs?(): number | undefined;
}

export type IssueToken = (
  pod: Pod,
  audiences: readonly string[] | undefined,
  seconds: number,
) => string | undefined;

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
  /** The script that makes Node.js behave as PID 1. */
  readonly preload: string;
  /** Undefined: pods are processes of this machine and nothing else. */
  readonly isolation: Isolation | undefined;
  /** Variables that every container of this node is told: where routes and the API server are. */
  readonly environment: Readonly<Record<string, string>>;
  readonly chance: Chance;
  readonly onDefect: OnDefect;
  /** A token of the pod's service account; undefined where the cluster has none. */
  readonly issueToken?: IssueToken | undefined;
  /** What /etc/resolv.conf of pods says; undefined where there is no name server. */
  readonly nameServer: string | undefined;
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void;
}
