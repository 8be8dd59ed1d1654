// What tests of the embedded cluster share: a small cluster that is fast, pods on it, and waiting for them.
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Pod } from '../emulator/api/types.ts';
import { type EmbeddedCluster, type EmbeddedOptions, startEmbedded } from '../emulator/cluster.ts';
import type { LocalImage } from '../emulator/index.ts';

/** Latencies of a node twenty times faster than a real one. */
const FAST = 0.05;

const server = `
const http = require('node:http');
const app = http.createServer((request, response) => response.end(process.env.HOSTNAME));
setTimeout(() => app.listen(Number(process.env.PORT), process.env.ROLLPROOF_BIND_ADDRESS, () => console.log('listening')), Number(process.env.START_MS ?? 0));
process.on('SIGTERM', () => { console.log('SIGTERM'); if (process.env.ON_TERM !== 'ignore') process.exit(0); });
`;

const images: ReadonlyMap<string, LocalImage> = new Map([
  ['test/server:1', { command: [process.execPath, '-e', server] }],
  ['test/server:2', { command: [process.execPath, '-e', server] }],
  ['test/idle:1', { command: ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'] }],
  ['test/deaf:1', { command: ['sleep', '3600'] }],
  ['test/shell:1', { command: ['sh', '-c', 'exit 0'] }],
]);

export function fastCluster(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedCluster> {
  return startEmbedded({
    images: [images],
    latencyFactor: FAST,
    onDefect: (text) => {
      throw new Error(text);
    },
    ...options,
  });
}

/** Whether its pods have namespaces of their own; ROLLPROOF_ISOLATION=none says no. */
export const isolated = (cluster: EmbeddedCluster): boolean =>
  cluster.info.notes.some((note) => note.startsWith('pods are isolated'));

interface PodOptions {
  readonly image?: string;
  readonly name?: string;
  readonly container?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

export function createPod(cluster: EmbeddedCluster, options: PodOptions = {}): Pod {
  const { image = 'test/server:1', name = 'pod', container = {}, spec = {} } = options;
  return cluster.registry.create('pods', {
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: {
      ...spec,
      containers: [{ name: 'app', image, ports: [{ containerPort: 8080 }], ...container }],
    },
  } as Parameters<typeof cluster.registry.create<'pods'>>[1]);
}

export const podOf = (cluster: EmbeddedCluster, name = 'pod'): Pod | undefined =>
  cluster.registry.get('pods', 'default', name);

/** Looks for a state of the pod from now on, also for one that another follows at once. */
export function seen(
  cluster: EmbeddedCluster,
  meets: (pod: Pod) => boolean,
  name = 'pod',
): () => Pod | undefined {
  let found: Pod | undefined;
  const stop = cluster.registry.subscribe(({ resource, object }) => {
    if (found || resource !== 'pods' || object.metadata?.name !== name || !meets(object as Pod)) return;
    found = object as Pod;
    stop();
  });
  return () => found;
}

export const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

export const stateOf = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0]?.state;

/** Events about an object, as "reason: message", without repeats. */
export const eventsOf = (cluster: EmbeddedCluster, name = 'pod'): string[] =>
  cluster.registry
    .list('events', 'default')
    .filter((event) => event.involvedObject.name === name)
    .map(({ reason, message }) => `${reason}: ${message}`);

/** Fails with what was waited for when the limit is over. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 45_000,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** "connected", "ECONNREFUSED" or "hangs". */
export function knock(host: string, port: number, limitMs = 400): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end('hangs'), limitMs);
    socket.once('connect', () => end('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Processes whose environment names this process as the one that they must not outlive. */
export function podProcesses(parentPid: number): number[] {
  const marker = `ROLLPROOF_PARENT_PID=${parentPid}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(marker);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export const needsLinux =
  process.platform === 'linux' ? undefined : 'needs loopback addresses and /proc of Linux';

/** A request with the token that lets it in. */
export function ask(cluster: Pick<EmbeddedCluster, 'token'>, url: string, init: RequestInit = {}) {
  return fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${cluster.token}` } });
}
