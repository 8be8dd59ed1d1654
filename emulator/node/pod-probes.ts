// All probes of one pod and what they found: decides `started` and `ready` of its containers
// (pkg/kubelet/prober/prober_manager.go).
import { PassThrough } from 'node:stream';
import type { Pod } from '../api/types.ts';
import { pause } from './clock.ts';
import { probeGrpc } from './grpc-probe.ts';
import type { NodeContext } from './node-context.ts';
import type { PodRuntime } from './pod-runtime.ts';
import { type ContainerStatus, isTerminalPhase, type PodStatus, sidecarsOf } from './pod-status.ts';
import { type Container, type Probe, type ProbeOutcome, probeHttp, probeTcp } from './probe.ts';
import { type ProbeKind, type ProbeResult, ProbeWorker } from './probe-worker.ts';

interface PodProbesOptions {
  readonly node: NodeContext;
  readonly pod: () => Pod;
  readonly runtime: PodRuntime;
  /** The status that the kubelet decided last. */
  readonly status: () => PodStatus | undefined;
  /** A result changed. */
  readonly changed: (kind: ProbeKind, containerID: string, result: ProbeResult) => void;
}

const kinds = [
  ['readiness', 'readinessProbe'],
  ['liveness', 'livenessProbe'],
  ['startup', 'startupProbe'],
] as const;

const titles = { readiness: 'Readiness', liveness: 'Liveness', startup: 'Startup' } as const;

export class PodProbes {
  private readonly options: PodProbesOptions;
  private readonly workers = new Map<string, ProbeWorker>();
  /** By kind and container id. */
  private readonly results = new Map<string, ProbeResult>();

  constructor(options: PodProbesOptions) {
    this.options = options;
  }

  /** Starts the workers that are not there yet. */
  add(pod: Pod): void {
    for (const container of [...sidecarsOf(pod), ...(pod.spec?.containers ?? [])]) {
      for (const [kind, field] of kinds) {
        const probe = container[field];
        const key = `${kind}/${container.name}`;
        if (!probe || this.workers.has(key)) continue;
        const worker = this.workerOf(container, kind, probe);
        this.workers.set(key, worker);
        worker.start();
      }
    }
  }

  result(kind: ProbeKind, containerID: string): ProbeResult | undefined {
    return this.results.get(`${kind}/${containerID}`);
  }

  /** Sets `started` and `ready`; a container that is not ready yet is probed at once. */
  apply(statuses: ContainerStatus[]): void {
    for (const status of statuses) {
      const id = status.containerID ?? '';
      status.started = this.isStarted(status, id);
      if (!status.started) continue;
      const worker = this.workers.get(`readiness/${status.name}`);
      status.ready = !worker || this.result('readiness', id) === 'success';
      if (worker && !status.ready) worker.poke();
    }
  }

  stopLivenessAndStartup(): void {
    for (const [key, worker] of this.workers) {
      if (key.startsWith('readiness/')) continue;
      worker.stop();
      this.workers.delete(key);
    }
  }

  stop(): void {
    for (const worker of this.workers.values()) worker.stop();
    this.workers.clear();
  }

  private isStarted(status: ContainerStatus, id: string): boolean {
    if (!status.state?.running) return false;
    const result = this.result('startup', id);
    if (result) return result === 'success';
    return !this.workers.has(`startup/${status.name}`);
  }

  private workerOf(container: Container, kind: ProbeKind, probe: Probe): ProbeWorker {
    const { node, pod, status, changed } = this.options;
    return new ProbeWorker({
      kind,
      probe,
      clock: node.clock,
      onDefect: node.onDefect,
      restartPolicy: pod().spec?.restartPolicy ?? 'Always',
      look: () => {
        const seen = status();
        if (!seen) return undefined;
        const found = [...(seen.initContainerStatuses ?? []), ...(seen.containerStatuses ?? [])].find(
          (candidate) => candidate.name === container.name,
        );
        return {
          finished: isTerminalPhase(seen.phase),
          container: found && {
            containerID: found.containerID ?? '',
            running: found.state?.running !== undefined,
            terminated: found.state?.terminated !== undefined,
            started: found.started === true,
            startedAtMs: Date.parse(found.state?.running?.startedAt ?? ''),
          },
        };
      },
      run: () => this.run(container, probe),
      unhealthy: (output) =>
        node.event(pod(), 'Warning', 'Unhealthy', `${titles[kind]} probe failed: ${output}`),
      result: (containerID, result) => {
        const key = `${kind}/${containerID}`;
        if (this.results.get(key) === result) return;
        this.results.set(key, result);
        changed(kind, containerID, result);
      },
    });
  }

  private run(container: Container, probe: Probe): Promise<ProbeOutcome> {
    const { runtime, pod } = this.options;
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    const target = {
      podIP: runtime.podIP ?? pod().status?.podIP ?? '',
      container,
      reach: (port: number) => runtime.reach(port),
    };
    if (probe.httpGet) return probeHttp(target, probe.httpGet, timeoutMs);
    if (probe.tcpSocket) return probeTcp(target, probe.tcpSocket, timeoutMs);
    if (probe.grpc) {
      return probeGrpc(runtime.reach(probe.grpc.port), probe.grpc.service ?? '', timeoutMs);
    }
    if (probe.exec) return this.runExec(container, probe.exec.command ?? [], timeoutMs);
    return Promise.reject(new Error('missing probe handler'));
  }

  private async runExec(
    container: Container,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<ProbeOutcome> {
    const { runtime, node } = this.options;
    const process = runtime.processOf(container.name);
    if (!process) throw new Error('container is not running');
    await pause(node.clock, node.latencies.of('exec'));
    const output = new PassThrough();
    let text = '';
    output.setEncoding('utf8');
    output.on('data', (chunk: string) => {
      if (text.length < 10_240) text += chunk;
    });
    const exec = await process.exec(runtime.command(container.name, command), {
      stdout: output,
      stderr: output,
    });
    let timedOut = false;
    const cancel = node.clock.after(timeoutMs, () => {
      timedOut = true;
      exec.killFirst();
    });
    const exitCode = await exec.ended;
    cancel();
    if (timedOut) {
      return {
        success: false,
        output: `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutMs / 1000}s`,
      };
    }
    return { success: exitCode === 0, output: exitCode === 0 ? '' : text };
  }
}
