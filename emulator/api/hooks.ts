// What the API server cannot answer from its store and asks the kubelet for: logs, exec, the pod proxy, usage.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';

/** Query of GET pods/NAME/log. */
export interface LogOptions {
  follow: boolean;
  /** The container's run before the present one. */
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  /** RFC 3339. */
  sinceTime?: string;
  limitBytes?: number;
}

/** Streams of one exec session; the server closes them when the client has gone. */
export interface ExecStreams {
  stdin: Readable | undefined;
  stdout: Writable;
  stderr: Writable;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
}

export interface PodUsage {
  namespace: string;
  name: string;
  /** When it was taken (ISO 8601) and the window that the CPU rate covers. */
  timestamp: string;
  windowSeconds: number;
  containers: { name: string; cpuNanocores: number; memoryBytes: number }[];
}

export interface NodeUsage {
  name: string;
  timestamp: string;
  windowSeconds: number;
  cpuNanocores: number;
  memoryBytes: number;
}

export interface KubeletHooks {
  /**
   * GET|POST|… /api/v1/namespaces/NS/pods/NAME[:PORT]/proxy/PATH. `path` starts with "/" and has the query. Without a
   * port the pod's first container port is meant. The hook answers on `res`, errors included.
   */
  podProxy(
    namespace: string,
    pod: string,
    port: number | undefined,
    path: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): void | Promise<void>;
  /** Lines end with "\n". With follow it ends when the container ends; the caller stops it with return(). */
  podLogs(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
    signal: AbortSignal,
  ): AsyncIterable<string | Buffer>;
  /** Runs a command in a container and resolves with its exit code. */
  podExec(
    namespace: string,
    pod: string,
    container: string,
    command: string[],
    streams: ExecStreams,
  ): Promise<number>;
  /** A connection to a port of a pod, of its network's. Rejects in words when there is none. */
  podConnect(namespace: string, pod: string, port: number): Promise<Duplex>;
  metrics(): { pods: PodUsage[]; nodes: NodeUsage[] };
}
