// How the harness's own pods (load agent, control target, queue, built-in target) run their programs.

/** Programs of ours that run in pods. */
export const ownPrograms = ['agent', 'target'] as const;
export type OwnProgram = (typeof ownPrograms)[number];

export interface OwnPods {
  /** False on the embedded cluster, whose pods are processes that share this machine's files. */
  readonly containers: boolean;
  readonly images: Readonly<Record<OwnProgram, string>>;
  /**
   * The programs, minified and compressed (brotli): they travel in a ConfigMap, and the images are stock ones with
   * Node.js. Undefined: the images have them inside.
   */
  readonly programs?: Readonly<Record<OwnProgram, Uint8Array>>;
  /** Node.js in the image. */
  readonly node: string;
  /** Secret for the registry of the images. */
  readonly pullSecret?: string;
  /** Present: the cluster is somebody else's, and our pods are its guests. */
  readonly guest?: GuestPods;
}

/** What pods of ours say where others look after the cluster. */
export interface GuestPods {
  /** Of the load agent; what is left out is {@link agentResources}. */
  readonly resources: PodResources;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
  /** Load agents go to nodes of their own, as far as there are enough. */
  readonly spread?: boolean;
  /** A mesh may put its proxy beside our programs. */
  readonly mesh: boolean;
  /**
   * Present: a pod in the network of the load agents' node reads its connection tracking. `image`: one with bash, grep
   * and conntrack; default: that of the node's kube-proxy.
   */
  readonly witness?: { readonly image?: string };
}

export interface PodResources {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

/** Enough for some hundred requests a second; the agent's lag shows when it is not. */
export const agentResources: PodResources = {
  requests: { cpu: '250m', memory: '128Mi' },
  limits: { cpu: '1', memory: '512Mi' },
};
/** Control target, queue and built-in target. */
export const targetResources: PodResources = {
  requests: { cpu: '10m', memory: '32Mi' },
  limits: { cpu: '500m', memory: '128Mi' },
};

/** Where a pod of ours goes: to one node, or, where nodes are not known, to the node that the load agents have. */
export type Placement = { readonly node: string } | 'with-agents';
