// The container runtime of one pod: its sandbox (address), its containers' runs and what they were started with. It
// knows what is true now; the kubelet acts on the snapshot of its last relist, as a real one does.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Pod } from '../api/types.ts';
import { inBackground } from './background.ts';
import { pause } from './clock.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerProcess, type Launch, LaunchError } from './container-process.ts';
import { containerEnvironment, expandReferences, expandToldNames } from './environment.ts';
import type { LocalImage } from './images.ts';
import { type Mount, mountPoints, OWN_FOLDER, shownBelowTmp } from './isolation/container-root.ts';
import type { ClusterNetwork, PodNetwork } from './isolation/network.ts';
import type { Place } from './isolation/place.ts';
import type { Start } from './latency.ts';
import { hostnameOf, hostsFile, resolvFile } from './name-files.ts';
import type { NodeContext } from './node-context.ts';
import { claimOf, freePort } from './port-owner.ts';
import type { Container } from './probe.ts';
import { containersOf, PodVolumes } from './volumes.ts';

export type RunState = 'created' | 'running' | 'exited';

/** One run of a container, as the runtime reports it. Times: wall clock, ms. */
export interface RunSnapshot {
  readonly container: string;
  readonly id: string;
  /** 0 for the first run; the restart count. */
  readonly attempt: number;
  readonly image: string;
  readonly state: RunState;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  /** The same on the monotonic clock, for back-offs. */
  readonly finishedMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string | undefined;
}

export interface RuntimeSnapshot {
  readonly sandboxReady: boolean;
  readonly podIP: string | undefined;
  /** Newest first. */
  readonly runs: readonly RunSnapshot[];
}

export const emptySnapshot: RuntimeSnapshot = { sandboxReady: false, podIP: undefined, runs: [] };

interface Run extends RunSnapshot {
  state: RunState;
  startedAtMs: number;
  finishedAtMs: number;
  finishedMs: number;
  exitCode: number;
  reason: string;
  message: string | undefined;
  readonly log: ContainerLog;
  process: ContainerProcess | undefined;
}

/** Of last words, and of the log that stands in for them. */
const MOST_LAST_WORDS = 4096;
const MOST_LOG_LINES = 80;
const MOST_LOG_BYTES = 2048;
/** How long the end of a container's output is waited for. */
const LAST_OUTPUT_MS = 2000;

/** Kubernetes keeps the last dead run of a container beside the present one. */
const KEPT_RUNS = 2;

export class PodRuntime {
  private readonly node: NodeContext;
  private readonly runs = new Map<string, Run[]>();
  private readonly folder: string;
  private sandboxReady = false;
  private disposed = false;
  private network: PodNetwork | undefined;
  private address: string | undefined;
  /** Where pods have no address of their own: container port → local port. */
  private readonly localPorts = new Map<number, number>();
  /** Ports that somebody else has, as said to the user. */
  private readonly taken: string[] = [];
  readonly volumes: PodVolumes;

  constructor(node: NodeContext, pod: Pod) {
    this.node = node;
    this.folder = join(node.folder, pod.metadata.uid);
    this.volumes = new PodVolumes(node, this.folder);
  }

  snapshot(): RuntimeSnapshot {
    const runs = [...this.runs.values()].flatMap((list) =>
      list.map(({ log: _log, process: _process, ...run }) => run),
    );
    return { sandboxReady: this.sandboxReady, podIP: this.address, runs };
  }

  get podIP(): string | undefined {
    return this.address;
  }

  /** Where a port of the pod really is. */
  reach(port: number): { host: string; port: number } {
    const host = this.node.addresses.ownAddresses && this.address ? this.address : '127.0.0.1';
    return { host, port: this.localPorts.get(port) ?? port };
  }

  log(container: string, previous: boolean): ContainerLog | undefined {
    return this.runs.get(container)?.[previous ? 1 : 0]?.log;
  }

  processOf(container: string): ContainerProcess | undefined {
    return this.runs.get(container)?.[0]?.process;
  }

  /** First processes of the containers that run. */
  processes(): { container: string; runId: string; pid: number; startedAtMs: number }[] {
    return [...this.runs.values()].flatMap((list) =>
      list
        .filter((run) => run.state === 'running' && run.process?.running)
        .map((run) => ({
          container: run.container,
          runId: run.id,
          startedAtMs: run.startedAtMs,
          pid: (run.process as ContainerProcess).pid,
        })),
    );
  }

  async createSandbox(pod: Pod, start: Start | undefined): Promise<void> {
    const { node } = this;
    const waited = pause(node.clock, node.latencies.of('sandbox', start));
    this.address ??= pod.spec?.hostNetwork ? node.hostIP : node.addresses.allocatePod(node.index);
    node.silent.release(this.address);
    if (node.isolation) await this.makeNetwork(pod, this.address, node.isolation.network);
    await waited;
    if (!node.isolation) await this.findPorts(pod);
    this.sandboxReady = true;
  }

  /** Makes the next run of a container; it is not started yet. Throws ContainerConfigError. */
  create(pod: Pod, container: Container, image: LocalImage): Run {
    const previous = this.runs.get(container.name) ?? [];
    const run: Run = {
      container: container.name,
      id: randomHex(this.node.random, 64),
      attempt: (previous[0]?.attempt ?? -1) + 1,
      image: container.image ?? '',
      state: 'created',
      startedAtMs: 0,
      finishedAtMs: 0,
      finishedMs: 0,
      exitCode: 0,
      reason: '',
      message: undefined,
      log: new ContainerLog(),
      process: undefined,
    };
    this.launchOf(pod, container, image);
    this.runs.set(container.name, [run, ...previous].slice(0, KEPT_RUNS));
    return run;
  }

  /** Starts a created run. Throws LaunchError. */
  async start(
    pod: Pod,
    container: Container,
    image: LocalImage,
    run: Run,
    ready: Promise<void>,
  ): Promise<void> {
    const { clock, watchdog } = this.node;
    // A restarted container has a fresh file system.
    const tmp = this.tmpOf(container.name);
    try {
      makeEmpty(tmp);
      if (this.node.isolation?.roots) this.writeOwnFiles(pod, container);
      run.process = await ContainerProcess.start(
        this.launchOf(pod, container, image),
        run.log,
        clock,
        watchdog,
        ready,
      );
    } catch (error) {
      this.ended(run, 128, clock.wall(), 'StartError', this.whyNotStarted(error as Error));
      throw error;
    }
    // It was on its way when the pod was given up.
    if (this.disposed) run.process.kill();
    run.state = 'running';
    run.startedAtMs = clock.wall();
    const { exited, logged, swept } = run.process;
    inBackground(`what container ${container.name} left`, swept, this.node.onDefect);
    const ended = exited.then(async ({ exitCode, finishedAtMs }) => {
      // The last of its output may come a moment after its end; a child that left its group may hold it open.
      if (exitCode !== 0 && container.terminationMessagePolicy === 'FallbackToLogsOnError')
        await Promise.race([logged, pause(clock, LAST_OUTPUT_MS)]);
      const message = this.lastWords(container, run, exitCode);
      this.ended(run, exitCode, finishedAtMs, exitCode === 0 ? 'Completed' : 'Error', message);
    });
    inBackground(`the end of container ${container.name}`, ended, this.node.onDefect);
  }

  /** Stops a run: the image's stop signal, then SIGKILL after `graceMs`. Resolves when it has ended. */
  async stop(
    container: string,
    graceMs: number,
    stopSignal: NodeJS.Signals,
    signal: AbortSignal,
  ): Promise<void> {
    const run = this.runs.get(container)?.[0];
    if (!run?.process || run.state !== 'running') return;
    run.process.signal(stopSignal);
    const ended = new AbortController();
    const exited = run.process.exited.then(() => ended.abort());
    const over = new AbortController();
    const stopWaiting = () => over.abort();
    signal.addEventListener('abort', stopWaiting, { once: true });
    ended.signal.addEventListener('abort', stopWaiting, { once: true });
    await pause(this.node.clock, graceMs, over.signal);
    signal.removeEventListener('abort', stopWaiting);
    if (signal.aborted && !ended.signal.aborted) return;
    if (!ended.signal.aborted) run.process.kill();
    await exited;
  }

  /** Runs a command in a container, with the container's own view of /tmp. */
  command(container: string, command: readonly string[]): readonly string[] {
    return this.node.isolation?.roots
      ? command
      : command.map((word) => inOwnTmp(word, this.tmpOf(container)));
  }

  /** Takes the network down (from here on the address hangs), then the sandbox. */
  async stopSandbox(pod: Pod): Promise<void> {
    const { node } = this;
    if (!this.sandboxReady) return;
    await pause(node.clock, node.latencies.of('networkDown'));
    const address = this.address;
    if (this.network) {
      const { network } = this;
      this.network = undefined;
      await network.down().catch((error: Error) => node.onDefect(error.message));
      await pause(node.clock, node.latencies.of('sandboxDown'));
      network.close();
      if (address && !pod.spec?.hostNetwork) node.addresses.releasePod(address);
      this.sandboxReady = false;
      return;
    }
    if (address && node.addresses.ownAddresses && !pod.spec?.hostNetwork) {
      const held = node.silent.hold(address, portsThatMatter(pod), 'timeout', () =>
        node.addresses.releasePod(address),
      );
      inBackground(`the address ${address} of a pod that is gone`, held, node.onDefect);
    }
    await pause(node.clock, node.latencies.of('sandboxDown'));
    this.sandboxReady = false;
  }

  /** Kills what still runs and forgets everything. */
  dispose(): void {
    this.disposed = true;
    for (const list of this.runs.values()) for (const run of list) run.process?.kill();
    this.network?.close();
    this.network = undefined;
    try {
      rmSync(this.folder, { recursive: true, force: true });
    } catch {
      // It is in the cluster's folder, which goes with the cluster; a program may still be writing there.
    }
  }

  /** Every process has ended. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.runs.values()].flatMap((list) => list.map((run) => run.process?.exited)));
  }

  private ended(
    run: Run,
    exitCode: number,
    finishedAtMs: number,
    reason: string,
    message: string | undefined,
  ) {
    run.state = 'exited';
    run.exitCode = exitCode;
    run.finishedAtMs = finishedAtMs;
    run.finishedMs = this.node.clock.now();
    run.reason = reason;
    run.message = message;
  }

  /** A write that does not say where it failed was one in the pod's folder. */
  private whyNotStarted({ message, ...error }: NodeJS.ErrnoException): string {
    return error.code === undefined || message.includes('/') ? message : `${message}, in ${this.folder}`;
  }

  private tmpOf(container: string): string {
    return join(this.folder, container);
  }

  /**
   * Where the container is told another port (PORT) than the manifest says: pods that share one address, and ports that
   * a program of this machine has taken on all of its addresses.
   */
  private async findPorts(pod: Pod): Promise<void> {
    const { node } = this;
    const own = node.addresses.ownAddresses && !pod.spec?.hostNetwork;
    const address = node.addresses.ownAddresses && this.address ? this.address : '127.0.0.1';
    for (const { containerPort } of allPorts(pod)) {
      if (this.localPorts.has(containerPort)) continue;
      const claim = node.addresses.ownAddresses ? await claimOf(address, containerPort) : undefined;
      if (claim?.free || (claim && !own)) continue;
      const port = await freePort(address);
      this.localPorts.set(containerPort, port);
      if (!claim) continue;
      this.taken.push(`port ${containerPort} is taken by ${claim.owner} on this machine`);
      node.event(
        pod,
        'Warning',
        'PortTaken',
        `Port ${containerPort} is taken by ${claim.owner} on all addresses of this machine: the container is told PORT=${port} and is reached there. If it does not read PORT, end that program or give the container another port.`,
      );
    }
  }

  private async makeNetwork(pod: Pod, address: string, network: ClusterNetwork): Promise<void> {
    if (this.network) return;
    const { node } = this;
    try {
      this.network = pod.spec?.hostNetwork
        ? await network.nodeNetwork(node.index, node.name)
        : await network.addPod(address, hostnameOf(pod));
    } catch (error) {
      throw new SandboxError((error as Error).message, { cause: error });
    }
  }

  private launchOf(pod: Pod, container: Container, image: LocalImage): Launch {
    const { node } = this;
    const roots = node.isolation?.roots ?? false;
    const tmp = roots ? '/tmp' : this.tmpOf(container.name);
    const first = container.ports?.[0]?.containerPort;
    const ownAddress = node.addresses.ownAddresses ? (this.address ?? '') : '127.0.0.1';
    // In a network of its own a program may listen on all addresses, and then localhost reaches it too.
    const bindAddress = this.network ? '0.0.0.0' : ownAddress;
    const told: Record<string, string> = {
      POD_IP: ownAddress,
      HOST: bindAddress,
      ROLLPROOF_BIND_ADDRESS: bindAddress,
      ROLLPROOF_PARENT_PID: String(process.pid),
      ...(first !== undefined && { PORT: String(this.reach(first).port) }),
      ...node.environment,
    };
    const env = containerEnvironment(
      node.registry,
      { pod, podIP: this.address ?? '', hostIP: node.hostIP },
      container,
      image.env ?? {},
      { ...told, TMPDIR: tmp, HOME: tmp },
    );
    const preload = roots ? `${OWN_FOLDER}/${basename(node.preload)}` : node.preload;
    env.NODE_OPTIONS = `${env.NODE_OPTIONS ?? ''} --require=${preload}`.trim();
    const inTmp = (word: string) => (roots ? word : inOwnTmp(word, tmp));
    const own = new Set((container.env ?? []).map((variable) => variable.name));
    for (const [name, value] of Object.entries(env)) if (own.has(name)) env[name] = inTmp(value);
    const mapped = image.command.map((word) => expandToldNames(word, { ...env, ...told }));
    const ownWords = (said: readonly string[] | undefined) =>
      (said ?? []).map((word) => inTmp(expandReferences(word, env)));
    // What an image runs lies where it lies, also when that is below /tmp; only what the manifest says is the pod's.
    const command = ownWords(container.command);
    // A manifest's command drops the image's arguments as well (kubernetes.io: command and arguments of a container).
    const usual = command.length > 0 || container.args?.length ? [] : (image.args ?? []);
    const words = [
      ...(command.length > 0 ? command : mapped),
      ...usual.map((word) => expandToldNames(word, { ...env, ...told })),
      ...ownWords(container.args),
    ];
    return {
      command: words,
      env,
      workingDirectory: container.workingDir ?? image.workingDirectory ?? tmp,
      place: this.placeOf(pod, container, image, env),
    };
  }

  /** What the kubelet writes for a container: names, the name server, a place for its last words. */
  private writeOwnFiles(pod: Pod, container: Container): void {
    mkdirSync(this.filesFolder, { recursive: true });
    const nodesOwn = existsSync('/etc/hosts') ? readFileSync('/etc/hosts', 'utf8') : '';
    writeFileSync(join(this.filesFolder, 'hosts'), hostsFile(pod, this.address ?? '', nodesOwn));
    writeFileSync(join(this.filesFolder, 'resolv.conf'), resolvFile(pod, this.node.nameServer));
    const last = this.lastWordsFile(container);
    writeFileSync(last, '');
    chmodSync(last, 0o666);
  }

  private get filesFolder(): string {
    return join(this.folder, 'files');
  }

  private lastWordsFile(container: Container): string {
    return join(this.filesFolder, `last-words-${container.name}`);
  }

  /** terminationMessagePath and terminationMessagePolicy (kuberuntime_container.go: getTerminationMessage). */
  private lastWords(container: Container, run: Run, exitCode: number): string | undefined {
    if (exitCode !== 0 && this.taken.length > 0) return this.taken.join('; ');
    const text = this.node.isolation?.roots ? this.writtenLastWords(container) : '';
    if (text || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') {
      return text || undefined;
    }
    const lines = run.log.all().slice(-MOST_LOG_LINES);
    return (
      lines
        .map(({ text: line, open }) => (open ? line : `${line}\n`))
        .join('')
        .slice(-MOST_LOG_BYTES) || undefined
    );
  }

  /** What the container wrote to its terminationMessagePath: where it has a file system of its own. */
  private writtenLastWords(container: Container): string {
    try {
      return readFileSync(this.lastWordsFile(container), 'utf8').slice(0, MOST_LAST_WORDS);
    } catch {
      // The pod's folder has gone: nobody asks any more.
      return '';
    }
  }

  private mountsOf(
    pod: Pod,
    container: Container,
    image: LocalImage,
    env: Readonly<Record<string, string>>,
  ): Mount[] {
    const own = (source: string, target: string): Mount => ({ source, target, readOnly: false, file: true });
    const host = pod.spec?.hostNetwork && pod.spec.dnsPolicy !== 'ClusterFirstWithHostNet';
    const said = new Set((container.volumeMounts ?? []).map(({ mountPath }) => mountPath));
    return [
      ...Object.entries(image.files ?? {}).map(([target, source]) => ({
        ...own(source, target),
        readOnly: true,
      })),
      own(join(this.filesFolder, 'hosts'), '/etc/hosts'),
      ...(host ? [] : [own(join(this.filesFolder, 'resolv.conf'), '/etc/resolv.conf')]),
      own(this.lastWordsFile(container), container.terminationMessagePath ?? '/dev/termination-log'),
    ]
      .filter(({ target }) => !said.has(target))
      .concat(this.volumes.mountsOf(pod, container, env));
  }

  private placeOf(
    pod: Pod,
    container: Container,
    image: LocalImage,
    env: Readonly<Record<string, string>>,
  ): Place | undefined {
    const { isolation, preload } = this.node;
    if (!isolation) return undefined;
    const { programs, roots } = isolation;
    return {
      programs,
      points: roots ? mountPoints() : [],
      preload,
      network: this.network,
      root: roots
        ? {
            top: this.tmpOf(container.name),
            shown: shownBelowTmp(wordsOf(image)),
            mounts: this.mountsOf(pod, container, image, env),
          }
        : undefined,
    };
  }
}

/** Everything in which an image may name files of this machine. */
const wordsOf = (image: LocalImage): string[] => [
  ...image.command,
  ...(image.args ?? []),
  ...Object.values(image.env ?? {}),
  ...(image.workingDirectory ? [`${image.workingDirectory}/`] : []),
];

/** The pod has no network: its sync is tried again. */
export class SandboxError extends Error {}

/** Throws LaunchError: a container whose folder cannot be made is one that cannot be started. */
function makeEmpty(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new LaunchError(
      `failed to create containerd task: failed to prepare rootfs: ${(error as Error).message}`,
    );
  }
}

/** There is one file system: a path below /tmp is the container's own folder instead. */
export function inOwnTmp(word: string, tmp: string): string {
  return word.replace(
    /(^|[\s'"=:;&|(<>])\/tmp(?=$|[/\s'";&|)<>])/g,
    (_, before: string) => `${before}${tmp}`,
  );
}

function allPorts(pod: Pod) {
  return containersOf(pod).flatMap((container) => container.ports ?? []);
}

/** Ports that somebody may connect to: what the containers declare and what their probes ask. */
function portsThatMatter(pod: Pod): number[] {
  const ports = new Set<number>();
  for (const container of containersOf(pod)) {
    for (const { containerPort } of container.ports ?? []) ports.add(containerPort);
    for (const probe of [container.readinessProbe, container.livenessProbe, container.startupProbe]) {
      const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
      if (typeof port === 'number') ports.add(port);
    }
  }
  return [...ports];
}

function randomHex(random: () => number, length: number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('');
}
