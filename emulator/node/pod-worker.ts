// One pod on one node, from its binding to its removal: the worker loop of pkg/kubelet/pod_workers.go with SyncPod,
// SyncTerminatingPod and SyncTerminatedPod of pkg/kubelet/kubelet.go. Timings that recordings show (status one sync
// late, readiness within a second of listening, retries after 10 to 15 s) follow from this structure.
import type { Pod } from '../api/types.ts';
import { inBackground } from './background.ts';
import { pause } from './clock.ts';
import { LaunchError } from './container-process.ts';
import { ContainerConfigError } from './environment.ts';
import type { Start } from './latency.ts';
import { runHook } from './lifecycle-hook.ts';
import type { NodeContext } from './node-context.ts';
import { PodProbes } from './pod-probes.ts';
import { PodRuntime, type RunSnapshot, type RuntimeSnapshot, SandboxError } from './pod-runtime.ts';
import {
  isInitialized,
  isSidecar,
  isTerminalPhase,
  isToBeStarted,
  type PodStatus,
  podStatus,
  type StartFailure,
  sidecarsOf,
} from './pod-status.ts';
import type { Container } from './probe.ts';
import type { ProbeKind, ProbeResult } from './probe-worker.ts';
import type { StatusWriter } from './status-writer.ts';
import { containersOf, VolumeError } from './volumes.ts';

/** After a failed sync, and after a good one, ms; both are stretched by up to a half (workerBackOffPeriodJitterFactor). */
const RETRY_MS = 10_000;
const RESYNC_MS = 60_000;
const JITTER = 0.5;
const stretch = (random: () => number) => 1 + JITTER * random();
const LEAST_GRACE_SECONDS = 2;
const DEFAULT_GRACE_SECONDS = 30;

interface PodWorkerOptions {
  readonly node: NodeContext;
  readonly statuses: StatusWriter;
  /** Waits for a relist that began after this time (monotonic, ms) and returns what it saw of the pod. */
  readonly newerThan: (uid: string, sinceMs: number) => Promise<RuntimeSnapshot>;
  /** A container has been started. */
  readonly started: () => void;
  /** Nothing of the pod is left on the node. */
  readonly ended: (worker: PodWorker) => void;
}

type Work = 'sync' | 'terminating' | 'terminated' | 'ended';

export class PodWorker {
  readonly uid: string;
  readonly runtime: PodRuntime;
  private readonly options: PodWorkerOptions;
  private readonly node: NodeContext;
  private readonly statuses: StatusWriter;
  private readonly probes: PodProbes;
  private readonly failures = new Map<string, StartFailure>();
  private pod: Pod;
  private work: Work = 'sync';
  private pending = false;
  private wake: (() => void) | undefined;
  private lastSyncMs = Number.NEGATIVE_INFINITY;
  private volumesMounted = false;
  private rejected = false;
  /** The kubelet has ended it. */
  private failed: { readonly reason: string; readonly message: string } | undefined;
  /** Its place among the pods that start now, on its first start. */
  private beginning: Start | undefined;
  /** Seconds that its containers have from now on; set when it is to end. */
  private graceSeconds: number | undefined;
  /** Aborts what the present sync waits for. */
  private cancel = new AbortController();
  private closed = false;
  /** When the work queue brings this pod up again (monotonic, ms). */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(options: PodWorkerOptions, pod: Pod) {
    this.options = options;
    this.node = options.node;
    this.statuses = options.statuses;
    this.pod = pod;
    this.uid = pod.metadata.uid;
    this.runtime = new PodRuntime(this.node, pod);
    this.probes = new PodProbes({
      node: this.node,
      pod: () => this.pod,
      runtime: this.runtime,
      status: () => this.statuses.get(this.uid),
      changed: (kind, containerID, result) => this.probeChanged(kind, containerID, result),
    });
  }

  get key(): string {
    return `${this.pod.metadata.namespace}/${this.pod.metadata.name}`;
  }

  get object(): Pod {
    return this.pod;
  }

  /** Its containers have ended for good; the API object may still be there. */
  get finished(): boolean {
    return this.work === 'ended';
  }

  get occupiesPorts(): boolean {
    return !this.rejected && this.work !== 'terminated' && this.work !== 'ended';
  }

  start(): void {
    if (this.pod.metadata.deletionTimestamp) this.terminate(graceOf(this.pod));
    this.poke();
    this.run();
  }

  /** Never run: the API object says Failed. Its removal still goes through the worker. */
  reject(reason: string, message: string): void {
    this.rejected = true;
    this.node.event(this.pod, 'Warning', reason, message);
    this.statuses.reject(this.pod, reason, message);
    this.run();
  }

  /** The API object changed. */
  update(pod: Pod): void {
    const before = this.pod;
    this.pod = pod;
    if (this.work === 'ended') return;
    if (pod.metadata.deletionTimestamp) {
      const grace = graceOf(pod);
      if (this.work === 'sync') this.terminate(grace);
      else if (this.work === 'terminating' && grace < (this.graceSeconds ?? Number.POSITIVE_INFINITY)) {
        this.graceSeconds = grace;
        this.cancel.abort();
        this.poke();
      }
      return;
    }
    if (needsSync(before, pod)) this.poke();
  }

  /** The API object is gone without the kubelet's consent (grace period 0): what runs is ended soon. */
  removed(): void {
    if (this.work === 'ended') {
      this.close();
      return;
    }
    if (this.work === 'sync') this.terminate(1);
    else if (this.work === 'terminating' && (this.graceSeconds ?? 1) > 1) {
      this.graceSeconds = 1;
      this.cancel.abort();
      this.poke();
    }
  }

  /** Something may have changed: sync soon. */
  poke(): void {
    this.pending = true;
    this.wake?.();
  }

  /** The cluster ends: no grace. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancel.abort();
    this.probes.stop();
    this.runtime.dispose();
    this.poke();
  }

  private terminate(graceSeconds: number): void {
    this.work = 'terminating';
    this.graceSeconds = graceSeconds;
    this.cancel.abort();
    this.poke();
  }

  private run(): void {
    inBackground(`pod ${this.key}`, this.loop(), this.node.onDefect);
  }

  private async loop(): Promise<void> {
    const { clock, latencies, random } = this.node;
    while (!this.closed && this.work !== 'ended') {
      while (!this.pending && !this.closed) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
      if (this.closed) return;
      this.pending = false;
      this.dueMs = Number.POSITIVE_INFINITY;
      await pause(clock, latencies.of('notice'));
      const snapshot = await this.options.newerThan(this.uid, this.lastSyncMs);
      if (this.closed) return;
      this.cancel = new AbortController();
      let failed = false;
      let transition = false;
      try {
        transition = await this.syncOnce(snapshot, this.cancel.signal);
      } catch (error) {
        // A pod whose sync fails is tried again; the kubelet and the other pods go on whatever it was.
        if (!(error instanceof SyncError)) this.failedSync(error as Error);
        failed = true;
      }
      this.lastSyncMs = clock.now();
      if (transition) this.dueMs = clock.now();
      else {
        const againMs = failed ? this.retryMs() : RESYNC_MS * stretch(random);
        const leftMs = this.work === 'sync' ? Math.max(0, this.activeMs()) : againMs;
        this.dueMs = clock.now() + Math.min(againMs, leftMs);
      }
    }
    if (this.closed) return;
    this.probes.stop();
    this.options.ended(this);
  }

  private failedSync(error: Error): void {
    if (this.closed) return;
    this.node.event(this.pod, 'Warning', 'FailedSync', `error syncing pod: ${error.message}`);
    // The system's own refusals (no space, no right, no process) are the machine's, everything else is ours.
    if ((error as NodeJS.ErrnoException).code === undefined) {
      inBackground(`pod ${this.key}`, Promise.reject(error), this.node.onDefect);
    }
  }

  /** Returns true when the pod has gone on to its next kind of work. */
  private async syncOnce(snapshot: RuntimeSnapshot, signal: AbortSignal): Promise<boolean> {
    switch (this.work) {
      case 'sync': {
        if (this.rejected) return false;
        const terminal = await this.syncPod(snapshot, signal);
        if (!terminal || this.work !== 'sync') return false;
        this.work = 'terminating';
        this.graceSeconds ??= graceOf(this.pod);
        return true;
      }
      case 'terminating': {
        const stopped = await this.syncTerminating(snapshot, signal);
        if (stopped) this.work = 'terminated';
        return stopped;
      }
      case 'terminated':
        await this.syncTerminated(snapshot);
        this.work = 'ended';
        return true;
      case 'ended':
        return false;
    }
  }

  private async syncPod(snapshot: RuntimeSnapshot, signal: AbortSignal): Promise<boolean> {
    const { node } = this;
    if (this.activeMs() <= 0 && !this.failed) {
      this.failed = deadlineExceeded;
      node.event(this.pod, 'Normal', deadlineExceeded.reason, deadlineExceeded.message);
    }
    const status = this.decide(snapshot, false);
    this.statuses.set(this.pod, status, true);
    if (isTerminalPhase(status.phase)) return true;
    const first = this.volumesMounted ? undefined : node.latencies.begin();
    this.beginning = first;
    try {
      if (!this.volumesMounted) {
        await pause(node.clock, node.latencies.of('volumes', first), signal);
        if (signal.aborted) return false;
      }
      this.mountVolumes();
      this.volumesMounted = true;
      this.probes.add(this.pod);
      await this.runContainers(snapshot, signal);
    } finally {
      first?.leave();
      this.beginning = undefined;
    }
    return false;
  }

  /** At every sync: what ConfigMaps and Secrets say may have changed. */
  private mountVolumes(): void {
    const { node, pod, runtime } = this;
    if (!node.isolation?.roots) return;
    try {
      runtime.volumes.prepare(pod, runtime.podIP ?? '');
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      node.event(pod, 'Warning', 'FailedMount', error.message);
      throw new SyncError();
    }
  }

  /** How long the pod may still be active, ms (pkg/kubelet/active_deadline.go). */
  private activeMs(): number {
    const seconds = this.pod.spec?.activeDeadlineSeconds;
    const startTime = this.statuses.get(this.uid)?.startTime;
    if (seconds === undefined || !startTime) return Number.POSITIVE_INFINITY;
    return Date.parse(startTime) + seconds * 1000 - this.node.clock.wall();
  }

  /** Returns false when it was cut short by a shorter grace period. */
  private async syncTerminating(snapshot: RuntimeSnapshot, signal: AbortSignal): Promise<boolean> {
    const pod = this.pod;
    this.statuses.set(pod, this.decide(snapshot, false), true);
    this.probes.stopLivenessAndStartup();
    const grace = this.graceSeconds ?? graceOf(pod);
    const running = this.runtime.snapshot().runs.filter((run) => run.state === 'running');
    await Promise.all(
      running.map((run) => {
        const container = containersOf(pod).find((candidate) => candidate.name === run.container);
        if (!container) return undefined;
        const message = `Stopping container ${container.name}`;
        return this.killContainer(container, grace, message, signal, this.turnOf(container, running));
      }),
    );
    if (signal.aborted) return false;
    if (running.length > 0) await pause(this.node.clock, this.node.latencies.of('exitReport'));
    await this.runtime.stopSandbox(pod);
    this.probes.stop();
    this.statuses.set(this.pod, this.decide(this.runtime.snapshot(), true), false);
    return true;
  }

  /** A sidecar ends after all containers and the sidecars that began after it; undefined: at once. */
  private turnOf(container: Container, running: readonly RunSnapshot[]): Promise<unknown> | undefined {
    if (!isSidecar(container)) return undefined;
    const sidecars = sidecarsOf(this.pod).map(({ name }) => name);
    const earlier = new Set(sidecars.slice(0, sidecars.indexOf(container.name) + 1));
    const before = running.filter((run) => !earlier.has(run.container));
    return Promise.all(before.map((run) => this.runtime.processOf(run.container)?.exited));
  }

  private async syncTerminated(snapshot: RuntimeSnapshot): Promise<void> {
    const { node } = this;
    this.statuses.set(this.pod, this.decide(snapshot, true), false);
    await pause(node.clock, node.latencies.of('cleanUp'));
    node.restartBackOff.forget(this.uid);
    node.pullBackOff.forget(this.uid);
    this.statuses.finish(this.pod);
  }

  private retryMs(): number {
    const { chance, random } = this.options.node;
    return chance.retryMs?.() ?? RETRY_MS * stretch(random);
  }

  private decide(snapshot: RuntimeSnapshot, podIsTerminal: boolean): PodStatus {
    return podStatus({
      pod: this.pod,
      snapshot,
      old: this.statuses.get(this.uid) ?? this.pod.status ?? {},
      hostIP: this.node.hostIP,
      podIsTerminal,
      failureOf: (container) => this.failures.get(container),
      probed: (statuses) => this.probes.apply(statuses),
      nowMs: this.node.clock.wall(),
      failed: this.failed,
    });
  }

  /** kuberuntime's SyncPod: sandbox, containers to kill, containers to start, in this order. */
  private async runContainers(snapshot: RuntimeSnapshot, signal: AbortSignal): Promise<void> {
    const pod = this.pod;
    const toStart: Container[] = [];
    for (const container of this.wanted(snapshot)) {
      const latest = snapshot.runs.find((run) => run.container === container.name);
      if (latest?.state === 'running') {
        const why = this.reasonToKill(container, latest);
        if (!why) continue;
        const restarted = isSidecar(container) || pod.spec?.restartPolicy !== 'Never';
        const grace = why.graceSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
        const message = restarted ? `${why.message}, will be restarted` : why.message;
        await this.killContainer(container, grace, message, signal);
        if (signal.aborted) return;
        if (restarted) toStart.push(container);
      } else if (isToBeStarted(pod, latest, container)) toStart.push(container);
    }
    if (toStart.length === 0) return;
    if (!snapshot.sandboxReady) await this.createSandbox(pod);
    let failed = false;
    for (const container of toStart) {
      if (this.closed) return;
      const failure = await this.startContainer(container, snapshot, signal);
      if (failure) this.failures.set(container.name, failure);
      else this.failures.delete(container.name);
      failed ||= failure !== undefined;
    }
    if (failed) throw new SyncError();
  }

  /**
   * The containers that are to run now: init containers one after the other, a sidecar until it has started, then the
   * sidecars and all others (kuberuntime: computeInitContainerActions).
   */
  private wanted({ runs }: RuntimeSnapshot): Container[] {
    const { spec } = this.pod;
    const statuses = this.statuses.get(this.uid)?.initContainerStatuses ?? [];
    const started = (name: string) => statuses.find((status) => status.name === name)?.started === true;
    const sidecars = sidecarsOf(this.pod);
    if (isInitialized(this.pod, runs, started)) return [...sidecars, ...(spec?.containers ?? [])];
    const wanted: Container[] = [];
    for (const container of spec?.initContainers ?? []) {
      const latest = runs.find((run) => run.container === container.name);
      if (isSidecar(container)) {
        wanted.push(container);
        if (latest?.state !== 'running' || !started(container.name)) return wanted;
      } else if (latest?.state !== 'exited' || latest.exitCode !== 0) {
        return [...wanted, container];
      }
    }
    return wanted;
  }

  private async createSandbox(pod: Pod): Promise<void> {
    try {
      await this.runtime.createSandbox(pod, this.beginning);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      const message = `Failed to create pod sandbox: ${error.message}`;
      this.node.event(pod, 'Warning', 'FailedCreatePodSandBox', message);
      throw new SyncError();
    }
  }

  private reasonToKill(
    container: Container,
    run: RunSnapshot,
  ): { message: string; graceSeconds: number | undefined } | undefined {
    if (container.image !== run.image) {
      return { message: `Container ${container.name} definition changed`, graceSeconds: undefined };
    }
    const id = `containerd://${run.id}`;
    for (const [kind, probe] of [
      ['liveness', container.livenessProbe],
      ['startup', container.startupProbe],
    ] as const) {
      if (this.probes.result(kind, id) !== 'failure') continue;
      return {
        message: `Container ${container.name} failed ${kind} probe`,
        graceSeconds: probe?.terminationGracePeriodSeconds,
      };
    }
    return undefined;
  }

  private async startContainer(
    container: Container,
    snapshot: RuntimeSnapshot,
    signal: AbortSignal,
  ): Promise<StartFailure | undefined> {
    const { node, pod } = this;
    const { clock, latencies } = node;
    const fail = (reason: string, message?: string): StartFailure => {
      node.event(pod, 'Warning', 'Failed', `Error: ${message ?? reason}`);
      return { reason, message };
    };
    // The end of the run before, as the last relist saw it: the first restart after a kill is free.
    const dead = snapshot.runs.find((run) => run.container === container.name && run.state === 'exited');
    const key = `${this.uid}/restart/${container.name}/${container.image}`;
    if (dead) {
      if (node.restartBackOff.isInBackOffSince(key, dead.finishedMs)) {
        const where = `${pod.metadata.name}_${pod.metadata.namespace}(${this.uid})`;
        const seconds = node.restartBackOff.get(key) / 1000;
        node.event(
          pod,
          'Warning',
          'BackOff',
          `Back-off restarting failed container ${container.name} in pod ${where}`,
        );
        return {
          reason: 'CrashLoopBackOff',
          message: `back-off ${goDuration(seconds)} restarting failed container=${container.name} pod=${where}`,
        };
      }
      node.restartBackOff.next(key, dead.finishedMs);
    }
    const pulled = await this.pull(container);
    if (pulled) {
      node.event(pod, 'Warning', 'Failed', `Error: ${pulled.reason}`);
      return pulled;
    }
    const image = node.images.find(container.image ?? '');
    if (!image) return fail('ErrImagePull');
    await pause(clock, latencies.of('create', this.beginning));
    let run: ReturnType<PodRuntime['create']>;
    try {
      run = this.runtime.create(pod, container, image);
    } catch (error) {
      if (!(error instanceof ContainerConfigError)) throw error;
      return fail('CreateContainerConfigError', error.message);
    }
    node.event(pod, 'Normal', 'Created', `Created container: ${container.name}`);
    const ready = pause(clock, latencies.of('start', this.beginning));
    if (this.closed) return undefined;
    try {
      await this.runtime.start(pod, container, image, run, ready);
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      return fail('RunContainerError', error.message);
    }
    node.event(pod, 'Normal', 'Started', `Started container ${container.name}`);
    this.options.started();
    const hook = container.lifecycle?.postStart;
    if (!hook) return undefined;
    try {
      await runHook(node, this.runtime, pod, container, hook, signal);
      return undefined;
    } catch (error) {
      node.event(pod, 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
      await this.killContainer(container, graceOf(pod), 'FailedPostStartHook', signal);
      return { reason: 'PostStartHookError', message: (error as Error).message };
    }
  }

  private async pull(container: Container): Promise<StartFailure | undefined> {
    const { node, pod } = this;
    const image = container.image ?? '';
    const present = node.images.find(image) !== undefined;
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    if (present && policy !== 'Always') {
      node.event(pod, 'Normal', 'Pulled', `Container image "${image}" already present on machine`);
      return undefined;
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      node.event(pod, 'Warning', 'ErrImageNeverPull', message);
      return { reason: 'ErrImageNeverPull', message };
    }
    const key = `${this.uid}/pull/${image}`;
    if (node.pullBackOff.isInBackOffSinceUpdate(key)) {
      const message = `Back-off pulling image "${image}"`;
      node.event(pod, 'Normal', 'BackOff', message);
      const before = node.images.find(image) ? undefined : node.images.pullFailure(image).message;
      return {
        reason: 'ImagePullBackOff',
        message: before ? `${message}: ErrImagePull: ${before}` : message,
      };
    }
    node.event(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const startedMs = node.clock.now();
    if (present) {
      await pause(node.clock, node.latencies.of('pullPresent'));
      const took = `${Math.round(node.clock.now() - startedMs)}ms`;
      node.event(
        pod,
        'Normal',
        'Pulled',
        `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: 0 bytes.`,
      );
      return undefined;
    }
    const failure = node.images.pullFailure(image);
    await pause(node.clock, failure.afterMs ?? node.latencies.of('pullAbsent'));
    node.event(pod, 'Warning', 'Failed', `Failed to pull image "${image}": ${failure.message}`);
    node.pullBackOff.next(key, node.clock.now());
    return { reason: 'ErrImagePull', message: failure.message };
  }

  /** preStop inside the grace period, the stop signal, at least 2 s, SIGKILL (kuberuntime: killContainer). */
  private async killContainer(
    container: Container,
    graceSeconds: number,
    message: string,
    signal: AbortSignal,
    turn?: Promise<unknown>,
  ): Promise<void> {
    const { node, pod } = this;
    const { clock } = node;
    node.event(pod, 'Normal', 'Killing', message);
    await pause(clock, node.latencies.of('signal'), signal);
    if (signal.aborted) return;
    let left = graceSeconds;
    const hook = container.lifecycle?.preStop;
    if (hook && graceSeconds > 0) left -= await this.preStop(container, hook, graceSeconds, signal);
    if (signal.aborted) return;
    if (turn && left > 0) left -= await this.waitForTurn(turn, left, signal);
    if (signal.aborted) return;
    const image = node.images.find(container.image ?? '');
    const graceMs = Math.max(left, LEAST_GRACE_SECONDS) * 1000;
    const stopSignal = container.lifecycle?.stopSignal as NodeJS.Signals | undefined;
    await this.runtime.stop(container.name, graceMs, stopSignal ?? image?.stopSignal ?? 'SIGTERM', signal);
  }

  /** Returns the whole seconds that it took. */
  private async waitForTurn(
    turn: Promise<unknown>,
    mostSeconds: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { clock, onDefect } = this.node;
    const startedMs = clock.now();
    const over = new AbortController();
    const end = () => over.abort();
    signal.addEventListener('abort', end, { once: true });
    inBackground('the turn of a sidecar', turn.then(end), onDefect);
    await pause(clock, mostSeconds * 1000, over.signal);
    signal.removeEventListener('abort', end);
    return Math.trunc((clock.now() - startedMs) / 1000);
  }

  /** Returns the whole seconds that it took, at most the grace period: then the hook is left behind. */
  private async preStop(
    container: Container,
    hook: Parameters<typeof runHook>[4],
    graceSeconds: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { node, pod } = this;
    const startedMs = node.clock.now();
    const over = new AbortController();
    const abort = () => over.abort();
    signal.addEventListener('abort', abort, { once: true });
    const hookOver = new AbortController();
    const done = runHook(node, this.runtime, pod, container, hook, hookOver.signal)
      .catch(() => {
        // Not when the cluster ends: then the hook was cut short by nothing but that.
        if (!this.closed) node.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
      })
      .then(abort);
    inBackground(`the preStop hook of ${container.name}`, done, node.onDefect);
    await pause(node.clock, graceSeconds * 1000, over.signal);
    signal.removeEventListener('abort', abort);
    const process = this.runtime.processOf(container.name);
    if (process)
      inBackground(
        'a hook',
        process.exited.then(() => hookOver.abort()),
        node.onDefect,
      );
    return Math.trunc((node.clock.now() - startedMs) / 1000);
  }

  private probeChanged(kind: ProbeKind, containerID: string, result: ProbeResult): void {
    if (this.closed) return;
    switch (kind) {
      case 'readiness':
        this.statuses.setReady(this.pod, containerID, result === 'success');
        break;
      case 'startup':
        this.statuses.setStarted(this.pod, containerID, result === 'success');
        break;
      case 'liveness':
        if (result !== 'failure') return;
        break;
    }
    if (this.work === 'sync') this.poke();
  }
}

const deadlineExceeded = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
} as const;

/** A container could not be started: the sync is tried again after the back-off period. */
class SyncError extends Error {}

function graceOf(pod: Pod): number {
  const seconds =
    pod.metadata.deletionGracePeriodSeconds ??
    pod.spec?.terminationGracePeriodSeconds ??
    DEFAULT_GRACE_SECONDS;
  return Math.max(1, seconds);
}

/** Whether the kubelet has anything to do about a change: its own status writes come back to it as well. */
function needsSync(before: Pod, after: Pod): boolean {
  if (JSON.stringify(before.spec) !== JSON.stringify(after.spec)) return true;
  if (JSON.stringify(before.metadata.labels) !== JSON.stringify(after.metadata.labels)) return true;
  if (JSON.stringify(before.metadata.annotations) !== JSON.stringify(after.metadata.annotations)) return true;
  const gates = new Set((after.spec?.readinessGates ?? []).map((gate) => gate.conditionType));
  const gateStates = (pod: Pod) =>
    JSON.stringify(
      (pod.status?.conditions ?? []).filter(({ type }) => gates.has(type)).map(({ status }) => status),
    );
  return gates.size > 0 && gateStates(before) !== gateStates(after);
}

/** "10s", "1m20s", as Go prints a duration. */
function goDuration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
