// Replays a recording's scenario on an embedded cluster of its own and records it in the same way.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type EmbeddedCluster, startEmbedded } from '../../emulator/cluster.ts';
import { FaultError } from '../../harness/model/errors.ts';
import { podState } from './digest.ts';
import { type Kubectl, ownKubectl, type Printed, realKubectl } from './kubectl.ts';
import { podSchema, type RecordedStep, type Recording, type RecordingHeader } from './recording.ts';
import { generatedNames, reduceEvents, renaming, type WatchEvent, type WatchedObject } from './reduce.ts';
import { readyInNewest } from './rollout-state.ts';
import {
  loadScript,
  localImage,
  machineFactor,
  pullFailure,
  recordedNodes,
  relistDelays,
  retryDelay,
  START_CONTENTION,
} from './surroundings.ts';

export interface ReplayOptions {
  readonly kubectl: 'real' | 'own';
  readonly progress: (text: string) => void;
}

export interface Replay {
  readonly recording: Recording;
  /** How much slower than the emulation's medians the recording's machine was. */
  readonly factor: number;
  /** How late this process's timers were at most, ms: the replay's own machine was busy. */
  readonly lateMs: number;
}

const NAMESPACE = 'conform';
const SETTLE_LIMIT_MS = 120_000;
const STEP_LIMIT_MS = 60_000;
/** Beyond the recording's own last event; longer until the pods are in the same states. */
const LEAST_TAIL_MS = 1000;
const MOST_TAIL_MS = 5000;
const TAIL_SHARE = 0.4;
const POLL_MS = 50;
const LONGEST_REQUEST_MS = 1000;
const LATENESS_RESOLUTION_MS = 10;

const watched = [
  '/api/v1/namespaces/NS/pods',
  '/api/v1/namespaces/NS/events',
  '/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices',
  '/apis/apps/v1/namespaces/NS/deployments',
  '/apis/apps/v1/namespaces/NS/replicasets',
  '/apis/apps/v1/namespaces/NS/daemonsets',
  '/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers',
  '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
];

export async function replay(recording: Recording, options: ReplayOptions): Promise<Replay> {
  const { header } = recording;
  const factor = machineFactor(recording);
  const folder = mkdtempSync(join(tmpdir(), 'conform-'));
  const logFile = join(folder, 'log.jsonl');
  const failure = pullFailure(recording);
  const defects: string[] = [];
  const relists = relistDelays(recording);
  const retry = retryDelay(recording);
  let zeroMs: number | undefined;
  await using cluster = await startEmbedded({
    images: [(image) => localImage(image, logFile)],
    nodes: recordedNodes,
    latencyFactor: factor,
    startContention: START_CONTENTION,
    chance: {
      relistAfterStartMs: () => (zeroMs === undefined ? undefined : relists.shift()),
      retryMs: () => (zeroMs === undefined ? undefined : retry(performance.now() - zeroMs)),
    },
    onDefect: (text) => defects.push(text),
    ...(failure && { pullFailure: failure }),
  });
  await using kubectl =
    options.kubectl === 'real'
      ? realKubectl(cluster.kubeconfig(), NAMESPACE)
      : await ownKubectl(cluster.kubeconfig(), NAMESPACE);
  cluster.registry.create('namespaces', { metadata: { name: NAMESPACE } });
  const seen = await watchAll(cluster);
  const late = monitorEventLoopDelay({ resolution: LATENESS_RESOLUTION_MS });
  late.enable();
  try {
    const run = new Run(recording, kubectl, seen.events, options.progress, () => {
      zeroMs = performance.now();
    });
    await run.go();
    const zeroWallMs = run.zeroWallMs;
    const rename = renaming(run.events(), NAMESPACE);
    if (defects.length > 0) throw new FaultError(defects[0] as string);
    return {
      factor,
      lateMs: Math.max(0, late.max / 1e6 - LATENESS_RESOLUTION_MS),
      recording: {
        header: {
          ...header,
          steps: run.steps,
          kubectl: run.printed.map((entry) => ({
            ...entry,
            out: rename(entry.out),
            err: rename(entry.err),
          })),
          logs: readLogs(logFile, zeroWallMs, rename),
        },
        events: reduceEvents(run.events(), { namespace: NAMESPACE, zeroWallMs }),
      },
    };
  } finally {
    late.disable();
    seen.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface SeenEvent {
  /** Monotonic, ms. */
  readonly atMs: number;
  readonly type: WatchEvent['type'];
  readonly object: WatchedObject;
}

/** One replay: creation, settling, steps, tail. */
class Run {
  readonly steps: RecordedStep[] = [];
  readonly printed: RecordingHeader['kubectl'] = [];
  zeroWallMs = 0;
  private zeroMs = 0;
  /** What one kubectl took. */
  private kubectlMs = 0;
  private readonly recording: Recording;
  private readonly kubectl: Kubectl;
  private readonly seen: readonly SeenEvent[];
  private readonly progress: (text: string) => void;
  private readonly begins: () => void;

  constructor(
    recording: Recording,
    kubectl: Kubectl,
    seen: readonly SeenEvent[],
    progress: (text: string) => void,
    begins: () => void,
  ) {
    this.begins = begins;
    this.recording = recording;
    this.kubectl = kubectl;
    this.seen = seen;
    this.progress = progress;
  }

  events(): WatchEvent[] {
    return this.seen.map(({ atMs, type, object }) => ({ t: atMs - this.zeroMs, type, object }));
  }

  async go(): Promise<void> {
    const { header } = this.recording;
    if (!header.createdAtFirstStep) {
      this.progress('creating');
      await this.create(header.manifests);
      await this.settle();
    }
    await sleep(waitForSecond(secondPhaseMs(this.recording), this.kubectlMs));
    this.begins();
    this.zeroMs = performance.now();
    this.zeroWallMs = Date.now();
    for (const [index, step] of header.steps.entries()) {
      if (index > 0) await this.waitForStep(index);
      await this.printBefore(step);
      this.progress(step.what);
      const begunMs = performance.now();
      await this.do(step);
      const doneMs = performance.now();
      const atMs = begunMs + startUpOf(step, doneMs - begunMs);
      if (index === 0) {
        this.zeroMs = atMs;
        this.zeroWallMs = Date.now() - (performance.now() - atMs);
      }
      this.steps.push({ ...step, atMs: atMs - this.zeroMs, doneMs: doneMs - this.zeroMs });
    }
    this.progress('until the end');
    const lastStep = header.steps.at(-1);
    const lastEvent = this.recording.events.at(-1);
    const recordedTailMs = (lastEvent?.t ?? 0) - (lastStep?.atMs ?? 0);
    const endMs = (this.steps.at(-1)?.atMs ?? 0) + this.zeroMs + recordedTailMs;
    await sleep(Math.max(0, endMs + LEAST_TAIL_MS - performance.now()));
    // Not an end in the middle of what the recording shows to its end.
    const wanted = lastPicture(this.recording.events);
    const limitMs = Math.max(MOST_TAIL_MS, recordedTailMs * TAIL_SHARE);
    await waitUntil(
      this.onNews(() => lastPicture(this.reduced()) === wanted),
      limitMs,
      'the last picture',
      true,
    );
    // What controllers write about it comes a moment later.
    await sleep(LEAST_TAIL_MS);
    await this.printBefore(undefined);
  }

  private async create(manifests: readonly object[]): Promise<void> {
    const begunMs = performance.now();
    const done = await this.kubectl.create(manifests);
    this.kubectlMs = performance.now() - begunMs;
    if (done.code !== 0) throw new FaultError(`conform: the manifests were refused: ${done.err.trim()}`);
  }

  /** Until workloads are complete, and then for as long as the recording was quiet. */
  private async settle(): Promise<void> {
    const { events, header } = this.recording;
    const begunMs = performance.now();
    await waitUntil(() => this.complete(), SETTLE_LIMIT_MS, 'the workload to be ready before the first step');
    const before = events.filter(({ t }) => t < 0);
    const quietMs = Math.min(10_000, Math.max(1000, -(before.at(-1)?.t ?? 0)));
    // An autoscaler needs its first metrics, however ready the pods are.
    const autoscaled = header.manifests.some(({ kind }) => kind === 'HorizontalPodAutoscaler');
    const wholeMs = autoscaled ? -(before[0]?.t ?? 0) : 0;
    await sleep(Math.max(quietMs, begunMs + wholeMs - performance.now()));
  }

  private latest(kind: string): WatchedObject[] {
    const objects = new Map<string, WatchedObject>();
    for (const { type, object } of this.seen) {
      if (object.kind !== kind) continue;
      if (type === 'DELETED') objects.delete(object.metadata.uid);
      else objects.set(object.metadata.uid, object);
    }
    return [...objects.values()];
  }

  private complete(): boolean {
    const number = (from: Readonly<Record<string, unknown>> | undefined, field: string) =>
      Number(from?.[field] ?? 0);
    const deployments = this.latest('Deployment');
    const daemonSets = this.latest('DaemonSet');
    if (deployments.length + daemonSets.length === 0) return false;
    return (
      deployments.every(({ spec, status }) => {
        const wanted = number(spec, 'replicas');
        return (
          number(status, 'updatedReplicas') === wanted &&
          number(status, 'replicas') === wanted &&
          number(status, 'availableReplicas') === wanted
        );
      }) &&
      daemonSets.every(({ status }) => {
        const wanted = number(status, 'desiredNumberScheduled');
        return wanted > 0 && number(status, 'numberAvailable') === wanted;
      })
    );
  }

  /** At the recorded distance from the step before; in the middle of a rollout when it has got as far as it had then. */
  private async waitForStep(index: number): Promise<void> {
    const { header } = this.recording;
    const step = header.steps[index] as RecordedStep;
    const previous = header.steps[index - 1] as RecordedStep;
    const ready = readyInNewest(this.recording, step.atMs);
    if (ready !== undefined) {
      await waitUntil(
        this.onNews(
          () => (readyInNewest({ header, events: this.reduced() }, Number.POSITIVE_INFINITY) ?? 0) >= ready,
        ),
        STEP_LIMIT_MS,
        `${ready} Ready pods of the newest ReplicaSet, for step ${index + 1}`,
        true,
      );
      return;
    }
    const doneMs = this.steps[index - 1]?.doneMs ?? 0;
    const pauseMs = step.atMs - (previous.doneMs ?? previous.atMs);
    await sleep(Math.max(0, this.zeroMs + doneMs + pauseMs - performance.now()));
    // A rollout that the recording waited out is waited out here as well.
    if (wasComplete(this.recording, step.atMs)) {
      await waitUntil(() => this.complete(), STEP_LIMIT_MS, `the rollout before step ${index + 1}`);
    }
  }

  /** Looks again only when something has come: reducing all events is work that would delay the replay itself. */
  private onNews(look: () => boolean): () => boolean {
    let seenBefore = -1;
    let result = false;
    return () => {
      if (this.seen.length !== seenBefore) {
        seenBefore = this.seen.length;
        result = look();
      }
      return result;
    };
  }

  private reduced() {
    return reduceEvents(
      this.events().filter(
        ({ object }) => object.kind === 'ReplicaSet' || object.kind === 'Deployment' || object.kind === 'Pod',
      ),
      { namespace: NAMESPACE, zeroWallMs: this.zeroWallMs },
    );
  }

  private async do(step: RecordedStep): Promise<void> {
    if (step.kubectl === null) {
      await this.startLoad(step);
      return;
    }
    if (step.kubectl[0] === 'create' && step.kubectl.includes('manifests')) {
      await this.create(this.recording.header.manifests);
      return;
    }
    const names = new Map([...generatedNames(this.events())].map(([name, by]) => [by, name]));
    const args = step.kubectl.map((arg) => names.get(arg) ?? arg);
    const done = await this.kubectl.run(args);
    this.keep(step.kubectl.join(' '), done);
    if (done.code !== 0) this.progress(`kubectl ended with ${done.code}: ${done.err.trim()}`);
  }

  /** "start load pod (120/s for 60 s)" */
  private async startLoad(step: RecordedStep): Promise<void> {
    const figures = /\((\d+)\/s for (\d+) s\)/.exec(step.what);
    if (!figures)
      throw new FaultError(`conform: step "${step.what}" has no kubectl arguments and is no load.`);
    const service = this.recording.header.manifests.find(({ kind }) => kind === 'Service') as
      | { metadata: { name: string }; spec: { ports: { port: number }[] } }
      | undefined;
    await this.create([
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'load' },
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'l',
              image: 'exp/target:1',
              command: [process.execPath, '--input-type=module', '--eval', loadScript()],
              env: [
                {
                  name: 'SERVICE',
                  value: `${service?.metadata.name}.${NAMESPACE}:${service?.spec.ports[0]?.port}`,
                },
                { name: 'RATE', value: figures[1] },
                { name: 'SECONDS', value: figures[2] },
              ],
            },
          ],
        },
      },
    ]);
  }

  /** What the recording printed before this step (undefined: at its end). */
  private async printBefore(step: RecordedStep | undefined): Promise<void> {
    const { header } = this.recording;
    const previousAtMs =
      this.steps.length === 0 ? Number.NEGATIVE_INFINITY : (header.steps[this.steps.length - 1]?.atMs ?? 0);
    for (const { cmd, atMs } of header.kubectl) {
      if (cmd !== 'rollout history' || atMs === undefined) continue;
      if (atMs <= previousAtMs || (step && atMs > step.atMs)) continue;
      this.keep(cmd, await this.kubectl.run(['rollout', 'history', 'deployment/app']));
    }
  }

  private keep(cmd: string, { code, out, err }: Printed): void {
    this.printed.push({ cmd, code, out, err });
  }
}

/**
 * Where whole seconds of the recording's wall clock lay, ms after a whole second since its first step. Times in the API
 * are truncated to them, and what counts whole seconds (initialDelaySeconds, minReadySeconds) depends on it.
 */
function secondPhaseMs({ events }: Recording): number | undefined {
  for (const { kind, object } of events) {
    if (kind !== 'Pod') continue;
    for (const { state } of podSchema.parse(object).containerStatuses) {
      const startedAtMs = (state.running as { startedAtMs?: number } | undefined)?.startedAtMs;
      if (startedAtMs !== undefined) return ((startedAtMs % 1000) + 1000) % 1000;
    }
  }
  return undefined;
}

/** How long to wait so that a step that takes effect `leadMs` later does so at the same place within a second. */
function waitForSecond(phaseMs: number | undefined, leadMs: number): number {
  if (phaseMs === undefined) return 0;
  return (((1000 - phaseMs - (Date.now() + leadMs)) % 1000) + 1000) % 1000;
}

/**
 * What kubectl needs to start is no part of a step: the recordings' clients were running already. A step that took
 * longer there (a drain) is one that waits.
 */
function startUpOf(step: RecordedStep, tookMs: number): number {
  const recordedMs = (step.doneMs ?? step.atMs) - step.atMs;
  return recordedMs > LONGEST_REQUEST_MS ? 0 : Math.max(0, tookMs - recordedMs);
}

/** The states of the pods at the end. */
function lastPicture(events: Recording['events']): string {
  const pods = new Map<string, string>();
  for (const { type, kind, name, object } of events) {
    if (kind !== 'Pod') continue;
    if (type === 'DELETED') pods.delete(name);
    else pods.set(name, `${name.replace(/-p\d+$/, '')} ${podState(podSchema.parse(object))}`);
  }
  return [...pods.values()].sort().join('; ');
}

/** Whether the Deployment's rollout was complete at a time of the recording. */
function wasComplete({ events }: Recording, atMs: number): boolean {
  const last = events
    .filter(({ t, kind, type }) => kind === 'Deployment' && type !== 'DELETED' && t < atMs)
    .at(-1);
  if (!last) return false;
  const { specReplicas, status = {} } = last.object as {
    specReplicas?: number;
    status?: Record<string, number | undefined>;
  };
  return (
    status.updatedReplicas === specReplicas &&
    status.availableReplicas === specReplicas &&
    status.replicas === specReplicas
  );
}

async function watchAll({
  url,
  token,
}: Pick<EmbeddedCluster, 'url' | 'token'>): Promise<{ events: readonly SeenEvent[]; close: () => void }> {
  const events: SeenEvent[] = [];
  const requests = await Promise.all(
    watched.map(
      (path) =>
        new Promise<http.ClientRequest>((resolve, reject) => {
          const request = http.get(
            `${url}${path.replace('NS', NAMESPACE)}?watch=true`,
            { agent: false, headers: { authorization: `Bearer ${token}` } },
            (response) => {
              eachLine(response, (line) => {
                const { type, object } = JSON.parse(line) as {
                  type: WatchEvent['type'];
                  object: WatchedObject;
                };
                if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
                  events.push({ atMs: performance.now(), type, object });
                }
              });
              response.on('error', () => {});
              resolve(request);
            },
          );
          request.on('error', reject);
        }),
    ),
  );
  return {
    events,
    close: () => {
      for (const request of requests) request.destroy();
    },
  };
}

/** An error is the end of the stream: the replay is over. */
function eachLine(stream: http.IncomingMessage, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  stream.on('error', () => {});
}

function readLogs(
  file: string,
  zeroWallMs: number,
  rename: (text: string) => string,
): RecordingHeader['logs'] {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { wallMs: number; pod: string; line: string })
    .map(({ wallMs, pod, line }) => ({ t: wallMs - zeroWallMs, pod: rename(pod), restart: 0, line }));
}

async function waitUntil(done: () => boolean, limitMs: number, what: string, giveUp = false): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > endMs) {
      if (giveUp) return;
      throw new FaultError(`conform: waited ${limitMs / 1000} s for ${what}.`);
    }
    await sleep(POLL_MS);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
