// The cluster seam. Everything else goes through the Kubernetes API, the same code on every cluster.
import type { ClusterInfo } from '../model/journal.ts';
import type { Manifest } from '../model/manifest.ts';

/** An image that the run needs and how it can be had. */
export interface ImageRequest {
  /** Full name with tag, as in the manifest. */
  readonly name: string;
  /** Ours. Otherwise it must exist or be pullable. */
  readonly build?: BundleBuild | FilesBuild;
}

/** A program of ours on Node (kind: Docker build; embedded: a local command). */
export interface BundleBuild {
  /** Self-contained CommonJS file that `node` runs. */
  readonly bundle: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Any program, for clusters that run containers. */
export interface FilesBuild {
  readonly dockerfile: string;
  /** Files beside the Dockerfile: name to path. */
  readonly files: Readonly<Record<string, string>>;
}

export interface CreateOptions {
  /** Called with one line of what is being done, for progress. */
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A cluster that is up. Disposing takes it down, unless it existed before or was asked to be kept. */
export interface RunningCluster extends AsyncDisposable {
  readonly info: ClusterInfo;
  /** It outlives the run: what was deployed must be removed from it. */
  readonly stays: boolean;
  /** Everything goes into this namespace, which exists. Undefined: each experiment makes one of its own. */
  readonly namespace?: string;
  /** Rights that a run can do without and does not have: "patch nodes". Undefined: all are there. */
  readonly denied?: readonly string[];
  /** Experiments that may run at the same time without changing what each measures; undefined: one. */
  readonly sideBySide?: number;
  /** Kubeconfig text for @kubernetes/client-node and kubectl. */
  kubeconfig(): string;
  /** Makes images available to pods. Throws FaultError that names the image when it cannot be had. */
  provideImages(images: readonly ImageRequest[], options: CreateOptions): Promise<void>;
  /**
   * Routing updates on the agent's node lag by this many ms from now on (0 restores). Undefined where the
   * cluster cannot do it.
   */
  delayProxy?(delayMs: number): Promise<void>;
  /** Starts a load agent outside the cluster, from an image that was provided. Undefined where there is no outside. */
  outsideAgent?(program: OutsideProgram): Promise<OutsideAgent>;
  /**
   * What connection tracking on a node says of the connections to some addresses, as it happens. Undefined where nobody
   * may read it, or nothing is tracked.
   */
  witness?(node: string, request: WitnessRequest): Promise<NodeWitness | { readonly cannot: string }>;
  /** Takes it down now; safe to call twice. */
  destroy(): Promise<void>;
}

export interface WitnessRequest {
  /** host:port as clients ask for them. */
  readonly addresses: readonly string[];
  /** A line of `conntrack -E -o timestamp,id`, or "clock QUESTION SECONDS" in answer to a question. */
  readonly onLine: (line: string) => void;
  /** Lines do not come for a while; and come again, with (`whole`) or without those that were due in between. */
  readonly onBreak?: () => void;
  readonly onResumed?: (whole: boolean) => void;
}

/** Runs until it is stopped; on its node. */
export interface NodeWitness {
  readonly node: string;
  /** How it came to its end; also when nobody asked for it. */
  readonly ended: Promise<string>;
  /** What time is it on the node? */
  ask(question: string): void;
  stop(): Promise<void>;
}

/** An image, and how its agent is started where it has none inside: a file that is put there, and the command. */
export interface OutsideProgram {
  readonly image: string;
  readonly start?: {
    readonly file: { readonly path: string; readonly content: Uint8Array };
    readonly command: readonly string[];
  };
}

/** A load agent where an external balancer would stand; its control server is reached directly. */
export interface OutsideAgent extends AsyncDisposable {
  readonly name: string;
  /** Without a path, on loopback. */
  readonly controlUrl: string;
}

export interface ClusterProvider {
  readonly kind: 'kind' | 'embedded' | 'context';
  /** undefined: can serve; otherwise one sentence with what is missing and what to do. No side effect. */
  unavailable(): Promise<string | undefined>;
  /**
   * Everything of these manifests and images that such a cluster cannot run, a sentence each; empty: it can. No side
   * effect. Undefined where only trying shows it.
   */
  cannotRun?(manifests: readonly Manifest[], images: readonly string[]): readonly string[];
  /** Brings it up (or uses an existing one of ours). Throws FaultError; leaves nothing behind when it throws. */
  create(options: CreateOptions): Promise<RunningCluster>;
}
