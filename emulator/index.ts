// The emulator's door: Kubernetes v1.34 in this process tree, with nothing to install. Others import from here alone.
import { type ClusterFacts, type EmbeddedOptions, startEmbedded } from './cluster.ts';
import type { LocalImage } from './node/images.ts';

export { createAuthority } from './api/auth/certificates.ts';
export { apiRefusalOf } from './api/refused.ts';
export { unsupportedIn } from './api/validation/unsupported.ts';
export type { ClusterFacts } from './cluster.ts';
export { EmulatorError, EmulatorUsageError } from './errors.ts';
export { noIsolation } from './node/ground.ts';
export { fullImageName, type ImageSource, type LocalImage } from './node/images.ts';
export { defaultNodes, type NodePlan } from './node/node-object.ts';

/** All of them have defaults. See docs/embedded.md. */
export type ClusterOptions = Partial<EmbeddedOptions>;

/** A cluster that runs. `await using cluster = await startCluster()` stops it on every way out. */
export interface Cluster extends AsyncDisposable {
  /** The content of a kubeconfig (JSON, which is YAML): write it to a file with mode 0600, or hand it to a client. */
  readonly kubeconfig: string;
  /** "http://127.0.0.1:PORT": https answers there, too, with a certificate of the authority in the kubeconfig. */
  readonly url: string;
  /** The administrator's: `Authorization: Bearer TOKEN`. Requests without one get 401. */
  readonly token: string;
  /** Its version, its nodes, and what this machine lacks, in sentences. */
  readonly facts: ClusterFacts;
  /** From now on this image name runs that local command. */
  addImage(name: string, image: LocalImage): void;
  hasImage(name: string): boolean;
  /** Routing updates of this node lag by so many ms from now on; 0 lets out what is held back. */
  delayProxy(node: string, delayMs: number): void;
  /** Ends every pod and the API server; nothing is left. Safe to call twice. */
  stop(): Promise<void>;
}

/** Resolves when the API server answers and the nodes are ready. Throws EmulatorError where this machine cannot. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await startEmbedded({ images: [], ...options });
  return {
    kubeconfig: cluster.kubeconfig(),
    url: cluster.url,
    token: cluster.token,
    facts: cluster.info,
    addImage: (name, image) => cluster.images.add(name, image),
    hasImage: (name) => cluster.images.find(name) !== undefined,
    delayProxy: (node, delayMs) => cluster.delayProxy(node, delayMs),
    stop: () => cluster.close(),
    [Symbol.asyncDispose]: () => cluster.close(),
  };
}
