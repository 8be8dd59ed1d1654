// Runs one probe of one container on its schedule, as pkg/kubelet/prober/worker.go does: when it ticks, when it is
// poked, what it skips, and when a result counts.
import { inBackground, type OnDefect } from './background.ts';
import type { Clock } from './clock.ts';
import type { Probe, ProbeOutcome } from './probe.ts';

export type ProbeKind = 'readiness' | 'liveness' | 'startup';
export type ProbeResult = 'success' | 'failure' | 'unknown';

/** What the kubelet's status says about the container at this moment. */
export interface ProbedContainer {
  /** Empty: not created yet. */
  readonly containerID: string;
  readonly running: boolean;
  readonly terminated: boolean;
  readonly started: boolean;
  /** Wall clock in ms, truncated to whole seconds as the status has it. */
  readonly startedAtMs: number;
}

interface ProbeWorkerOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly clock: Clock;
  readonly onDefect: OnDefect;
  /** Undefined: the kubelet has no status of this pod yet. */
  readonly look: () =>
    | { readonly finished: boolean; readonly container: ProbedContainer | undefined }
    | undefined;
  readonly restartPolicy: string;
  /** Throws when the probe could not be made: the result is thrown away. */
  readonly run: () => Promise<ProbeOutcome>;
  /** The event Unhealthy. */
  readonly unhealthy: (output: string) => void;
  /** A result that counts, of this container. Called for every one, also when it is the same as before. */
  readonly result: (containerID: string, result: ProbeResult) => void;
}

const initialResult: Readonly<Record<ProbeKind, ProbeResult>> = {
  readiness: 'failure',
  liveness: 'success',
  startup: 'unknown',
};

export class ProbeWorker {
  private readonly options: ProbeWorkerOptions;
  private readonly periodMs: number;
  private containerID = '';
  private lastResult: ProbeResult | undefined;
  private resultRun = 0;
  private onHold = false;
  private stopped = false;
  /** A tick or poke that came while the worker was busy; Go's channels keep one of each. */
  private ticked = false;
  private poked = false;
  private cancelTick: () => void = () => {};
  private nextTickMs = 0;
  private wake: (() => void) | undefined;

  constructor(options: ProbeWorkerOptions) {
    this.options = options;
    this.periodMs = (options.probe.periodSeconds ?? 10) * 1000;
  }

  start(): void {
    this.nextTickMs = this.options.clock.now();
    this.schedule();
    inBackground(`a ${this.options.kind} probe`, this.loop(), this.options.onDefect);
  }

  stop(): void {
    this.stopped = true;
    this.cancelTick();
    this.wake?.();
  }

  /** Run now and count periods from here (manualTriggerCh). */
  poke(): void {
    this.poked = true;
    this.wake?.();
  }

  private async loop(): Promise<void> {
    while (!this.stopped && (await this.probeOnce())) {
      while (!this.stopped && !this.ticked && !this.poked) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
      if (this.ticked) this.ticked = false;
      else if (this.poked) {
        this.poked = false;
        this.cancelTick();
        this.nextTickMs = this.options.clock.now();
        this.schedule();
      }
    }
    this.cancelTick();
  }

  private schedule(): void {
    const { clock } = this.options;
    this.nextTickMs += this.periodMs;
    this.cancelTick = clock.after(Math.max(0, this.nextTickMs - clock.now()), () => {
      this.ticked = true;
      this.schedule();
      this.wake?.();
    });
  }

  /** Returns false when the worker has nothing left to do. */
  private async probeOnce(): Promise<boolean> {
    const { kind, probe, clock, look, restartPolicy, run, unhealthy, result } = this.options;
    const seen = look();
    if (!seen) return true;
    if (seen.finished) return false;
    const container = seen.container;
    if (!container?.containerID) return true;
    if (this.containerID !== container.containerID) {
      this.containerID = container.containerID;
      this.lastResult = undefined;
      this.resultRun = 0;
      result(this.containerID, initialResult[kind]);
      this.onHold = false;
    }
    if (this.onHold) return true;
    if (!container.running) {
      result(this.containerID, 'failure');
      return !container.terminated || restartPolicy !== 'Never';
    }
    const runsForSeconds = Math.trunc((clock.wall() - container.startedAtMs) / 1000);
    if (runsForSeconds < (probe.initialDelaySeconds ?? 0)) return true;
    // Startup first; the others wait for it.
    if (container.started === (kind === 'startup')) return true;
    const id = this.containerID;
    let outcome: ProbeOutcome;
    try {
      outcome = await run();
    } catch {
      return true;
    }
    if (this.stopped) return false;
    if (!outcome.success) unhealthy(outcome.output);
    const now: ProbeResult = outcome.success ? 'success' : 'failure';
    if (this.lastResult === now) this.resultRun++;
    else {
      this.lastResult = now;
      this.resultRun = 1;
    }
    const threshold = outcome.success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (this.resultRun < threshold) return true;
    result(id, now);
    if (kind === 'startup' || (kind === 'liveness' && now === 'failure')) {
      this.onHold = true;
      this.resultRun = 0;
    }
    return true;
  }
}
