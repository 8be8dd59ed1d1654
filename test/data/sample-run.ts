// A run made by hand for the report's tests: journals of an image change, baseline against hardened, with pod times
// as recorded on kind (v1.34.4, three replicas), load played against them attempt by attempt, and the results that
// belong to them. Everything is derived from a seed, so that figures in pages can be compared with figures here.
import type { Facts, PodFacts } from '../../harness/model/facts.ts';
import type { ClusterInfo, JournalRecord } from '../../harness/model/journal.ts';
import {
  agentPlanSchema,
  type Bucket,
  type Failure,
  type Lane,
  type Outcome,
  type OutcomeCounts,
  type TargetPhase,
} from '../../harness/model/load.ts';
import type {
  Cause,
  ClaimResult,
  ExperimentResult,
  Fact,
  LaneResult,
  LossWindow,
  Results,
  ScenarioResult,
  Verdict,
} from '../../harness/model/results.ts';
import { scenarioSchema } from '../../harness/model/scenario.ts';

interface SampleOptions {
  readonly emulated?: boolean;
  readonly repeats?: number;
  readonly verdict?: Verdict;
  readonly variants?: readonly string[];
  /** Scenario name; also the start of the pods' names. */
  readonly scenario?: string;
  readonly podPrefix?: string;
}
export interface SampleRun {
  readonly results: Results;
  readonly journals: ReadonlyMap<string, readonly JournalRecord[]>;
}

const settingNames = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'] as const;
/** t (harness) of the load's start, ms. */
const loadStartT = 1500;
const stepMs = 2000;
const ratePerSecond = 200;

function sampleCluster(emulated = false): ClusterInfo {
  return emulated
    ? {
        name: 'embedded',
        kind: 'embedded',
        kubernetesVersion: 'v1.34.0+rollproof.emulated',
        emulated: true,
        nodes: [0, 1, 2, 3].map((i) => ({ name: `node${i}`, role: i === 0 ? 'control-plane' : 'worker' })),
        proxyMode: 'iptables',
        agentNode: 'node0',
        notes: [],
      }
    : {
        name: 'rollproof',
        kind: 'kind',
        kubernetesVersion: 'v1.34.4',
        emulated: false,
        nodes: [0, 1, 2, 3].map((i) => ({
          name: i === 0 ? 'rollproof-control-plane' : `rollproof-worker${i === 1 ? '' : i}`,
          role: i === 0 ? 'control-plane' : 'worker',
        })),
        proxyMode: 'iptables',
        agentNode: 'rollproof-control-plane',
        notes: [],
      };
}

/** One scenario with its journals. */
export function sampleRun(options: SampleOptions = {}): SampleRun {
  const { repeats = 1, variants = ['baseline', 'hardened'], scenario = 'image-change' } = options;
  const journals = new Map<string, readonly JournalRecord[]>();
  const experiments: ExperimentResult[] = [];
  for (const variant of variants) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const file = `journals/${scenario}.${variant.replaceAll(':', '-')}.${repeat + 1}.ndjson`;
      const { records, experiment } = play({ variant, repeat, file, scenario, options });
      journals.set(file, records);
      experiments.push(experiment);
    }
  }
  const results: Results = {
    schemaVersion: 1,
    tool: { name: 'rollproof', version: '0.1.0', commit: 'eeebcc6' },
    cluster: sampleCluster(options.emulated),
    startedAt: '2026-03-01T09:30:00.000Z',
    durationMs: 78_400,
    idleShare: 0.27,
    runId: 'k3v9q1',
    reproduce: `npm run verify -- --cluster ${options.emulated ? 'embedded' : 'kind'} --scenario ${scenario}${repeats > 1 ? ` --repeat ${repeats}` : ''}`,
    scenarios: [sampleScenario(scenario, experiments, options.verdict ?? 'proven')],
    exitCode: 0,
  };
  return { results, journals };
}

/** Several runs as one suite. */
export function sampleSuite(count: number, emulated = false, repeats = 1): SampleRun {
  const runs = Array.from({ length: count }, (_, i) => {
    const verdict: Verdict = i === 2 ? 'refuted' : i === 4 ? 'inconclusive' : i === 5 ? 'not-run' : 'proven';
    const scenario = ['image-change', 'scale-up', 'scale-down', 'rollback', 'drain-node', 'autoscale'][i] ?? `case-${i}`;
    return sampleRun({ emulated, repeats, verdict, scenario, ...(verdict === 'not-run' ? { variants: [] } : {}) });
  });
  return {
    results: {
      ...runs[0]!.results,
      scenarios: runs.flatMap((run) => run.results.scenarios),
      reproduce: 'npm run verify',
      exitCode: 1,
    },
    journals: new Map(runs.flatMap((run) => [...run.journals])),
  };
}

interface PodPlan {
  readonly name: string;
  readonly hash: string;
  readonly node: string;
  readonly image: string;
  readonly createdMs: number;
  readonly runningMs: number;
  readonly listeningMs: number;
  readonly readyMs: number;
  readonly deletionMs: number;
  readonly sigtermMs: number;
  readonly closedMs: number;
  readonly goneMs: number;
}

/** Pod times in ms since the load's start, as on kind. Infinity: never. */
function podPlans(variant: string, prefix: string, jitter: () => number, cluster: ClusterInfo): PodPlan[] {
  const has = settingsOf(variant);
  const workers = cluster.nodes.slice(1).map(({ name }) => name);
  const plans: PodPlan[] = [];
  const at = (ms: number) => Math.round(ms + jitter() * 60);
  const suffixes = ['x7k2p', 'm4d9q', 'b8w5z', 'q2r6n', 'h9t3c', 'v5j8s'];
  let createMs = stepMs + 26;
  const rows: { newPod: PodPlan; oldPod: PodPlan }[] = [];
  for (let i = 0; i < 3; i++) {
    const runningMs = at(createMs + 1180);
    const listeningMs = at(runningMs + 2020);
    const readyMs = has.readinessProbe ? at(listeningMs + 480) : runningMs + 5;
    const deletionMs = at(readyMs + 45);
    const sigtermMs = at(deletionMs + (has.preStop ? 5030 : 40));
    const closedMs = has.gracefulShutdown ? at(sigtermMs + 2050) : sigtermMs + 8;
    rows.push({
      newPod: {
        name: `${prefix}-7c9f6d5b84-${suffixes[i]}`,
        hash: '7c9f6d5b84',
        node: workers[i % workers.length]!,
        image: 'rollproof/target:2',
        createdMs: createMs,
        runningMs,
        listeningMs,
        readyMs,
        deletionMs: Infinity,
        sigtermMs: Infinity,
        closedMs: Infinity,
        goneMs: Infinity,
      },
      oldPod: {
        name: `${prefix}-5d8b7c6f49-${suffixes[i + 3]}`,
        hash: '5d8b7c6f49',
        node: workers[(i + 1) % workers.length]!,
        image: 'rollproof/target:1',
        createdMs: -9000,
        runningMs: -7800,
        listeningMs: -5700,
        readyMs: -5200,
        deletionMs,
        sigtermMs,
        closedMs,
        goneMs: at(closedMs + 620),
      },
    });
    createMs = at(deletionMs + 110);
  }
  for (const { oldPod } of rows) plans.push(oldPod);
  for (const { newPod } of rows) plans.push(newPod);
  return plans;
}

function settingsOf(variant: string): Record<(typeof settingNames)[number], boolean> {
  const on = (name: (typeof settingNames)[number]) =>
    variant === 'hardened' ||
    variant === `only:${name}` ||
    (variant.startsWith('without:') && variant !== `without:${name}`);
  return {
    readinessProbe: on('readinessProbe'),
    preStop: on('preStop'),
    gracefulShutdown: on('gracefulShutdown'),
    surge: on('surge'),
  };
}

interface Playing {
  readonly variant: string;
  readonly repeat: number;
  readonly file: string;
  readonly scenario: string;
  readonly options: SampleOptions;
}

function play({ variant, repeat, file, scenario, options }: Playing): {
  records: JournalRecord[];
  experiment: ExperimentResult;
} {
  const random = seeded(`${scenario}/${variant}/${repeat + 1}`);
  const cluster = sampleCluster(options.emulated);
  const settings = settingNames.filter((name) => settingsOf(variant)[name]);
  const pods = podPlans(variant, options.podPrefix ?? 'web', random, cluster);
  const lastGoneMs = Math.max(...pods.map((pod) => (pod.goneMs === Infinity ? pod.readyMs : pod.goneMs)));
  const loadMs = Math.ceil((lastGoneMs + 3000) / 100) * 100;
  const lanes = (['new', 'kept'] as const).map((lane) => fire(lane, pods, loadMs, random));

  const timed: { t: number; record: JournalRecord }[] = [];
  const put = (ms: number, record: JournalRecord) => timed.push({ t: loadStartT + ms, record });
  const watch = (
    ms: number,
    event: 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED',
    name: string,
    facts: Facts,
  ) => put(ms, { type: 'watch', t: loadStartT + ms, event, namespace: 'rollproof', name, facts });

  put(0, { type: 'clock', t: loadStartT, agent: 'agent-0', offsetMs: loadStartT, errorMs: 1.4 });
  put(0, { type: 'load', t: loadStartT, agent: 'agent-0', event: 'started' });
  const step = { step: 'set-image', image: 'next' } as const;
  const waiting = { step: 'wait', for: 'rollout', limitMs: 120_000 } as const;
  put(stepMs, { type: 'step', t: loadStartT + stepMs, index: 0, event: 'begin', step });
  put(stepMs + 11, { type: 'step', t: loadStartT + stepMs + 11, index: 0, event: 'end', step });
  put(stepMs + 12, { type: 'step', t: loadStartT + stepMs + 12, index: 1, event: 'begin', step: waiting });
  const completeMs = Math.max(...pods.map((pod) => pod.readyMs)) + 40;
  put(completeMs, { type: 'step', t: loadStartT + completeMs, index: 1, event: 'end', step: waiting });
  put(completeMs, { type: 'milestone', t: loadStartT + completeMs, name: 'rollout-complete' });
  put(lastGoneMs + 5, { type: 'milestone', t: loadStartT + lastGoneMs + 5, name: 'no-terminating' });
  put(loadMs - 10, { type: 'milestone', t: loadStartT + loadMs - 10, name: 'quiet' });

  watch(-1200, 'EXISTING', 'web', deploymentFacts(1, 'rollproof/target:1', 3));
  watch(stepMs + 15, 'MODIFIED', 'web', deploymentFacts(2, 'rollproof/target:2', 3));
  for (const pod of pods) {
    const say = (ms: number, event: 'EXISTING' | 'ADDED' | 'MODIFIED' | 'DELETED', more: Partial<PodFacts>, running: boolean) =>
      watch(ms, event, pod.name, podFacts(pod, more, running));
    if (pod.createdMs < 0) say(-1190, 'EXISTING', { phase: 'Running', ready: true }, true);
    else {
      say(pod.createdMs, 'ADDED', { phase: 'Pending', node: undefined }, false);
      say(pod.createdMs + 20, 'MODIFIED', { phase: 'Pending' }, false);
      const atOnce = pod.readyMs - pod.runningMs < 50;
      say(pod.runningMs, 'MODIFIED', { phase: 'Running', ready: atOnce }, true);
      if (!atOnce) say(pod.readyMs, 'MODIFIED', { phase: 'Running', ready: true }, true);
    }
    if (pod.deletionMs < Infinity) {
      say(pod.deletionMs, 'MODIFIED', { phase: 'Running', ready: true, terminating: true, deletionGracePeriodSeconds: 30 }, true);
      say(pod.closedMs + 60, 'MODIFIED', { phase: 'Running', ready: false, terminating: true }, false);
      say(pod.goneMs, 'DELETED', { phase: 'Succeeded', ready: false, terminating: true }, false);
      watch(pod.sigtermMs - 20, 'ADDED', `${pod.name}.ev1`, {
        kind: 'Event',
        type: 'Normal',
        reason: 'Killing',
        message: 'Stopping container app',
        count: 1,
        involvedKind: 'Pod',
        involvedName: pod.name,
      });
    }
    if (settingsOf(variant).readinessProbe && pod.createdMs > 0) {
      watch(pod.runningMs + 900, 'ADDED', `${pod.name}.ev2`, {
        kind: 'Event',
        type: 'Warning',
        reason: 'Unhealthy',
        message: `Readiness probe failed: Get "http://10.244.1.7:8080/healthz": dial tcp 10.244.1.7:8080: connect: connection refused`,
        count: 1,
        involvedKind: 'Pod',
        involvedName: pod.name,
      });
    }
  }
  const changes = [...new Set(pods.flatMap((pod) => [pod.readyMs, pod.runningMs, pod.deletionMs, pod.closedMs + 80, pod.goneMs]))]
    .filter((ms) => ms > 0 && ms < Infinity)
    .sort((a, b) => a - b);
  for (const ms of [-1180, ...changes.map((change) => change + 25)]) {
    watch(ms, ms < 0 ? 'EXISTING' : 'MODIFIED', 'web-4x8dn', {
      kind: 'EndpointSlice',
      service: 'web',
      endpoints: pods
        .filter((pod) => pod.runningMs <= ms && ms < pod.goneMs)
        .map((pod, i) => ({
          ip: `10.244.${(i % 3) + 1}.${i + 4}`,
          pod: pod.name,
          node: pod.node,
          ready: ms >= pod.readyMs && ms < pod.deletionMs,
          serving: ms >= pod.readyMs && ms < pod.closedMs,
          terminating: ms >= pod.deletionMs,
        })),
    });
  }

  const phases: TargetPhase[] = pods.flatMap((pod) =>
    (
      [
        [pod.runningMs - 40, 'starting'],
        [pod.listeningMs, 'listening'],
        [pod.sigtermMs, 'sigterm'],
        [pod.closedMs, 'closed'],
      ] as const
    )
      .filter(([tMs]) => tMs >= 0 && tMs < Infinity)
      .map(([tMs, phase]) => ({ tMs, phase, pod: pod.name, version: pod.image.at(-1)! })),
  );
  const frameEveryMs = 500;
  for (let seq = 1; (seq - 1) * frameEveryMs <= loadMs + 3500; seq++) {
    const [fromMs, toMs] = [(seq - 1) * frameEveryMs, seq * frameEveryMs];
    const within = (ms: number) => ms >= fromMs && ms < toMs;
    const streams = Object.fromEntries(
      lanes.map((lane) => [
        lane.lane,
        {
          buckets: lane.buckets.filter((bucket) => within(bucket.i * 100)),
          failures: lane.failures.filter((failure) => within(failure.endMs)),
          intervals: [],
        },
      ]),
    );
    const frame = { seq, atMs: Math.min(toMs, loadMs), streams, phases: phases.filter((phase) => within(phase.tMs)) };
    put(toMs + 30, { type: 'frame', t: loadStartT + toMs + 30, agent: 'agent-0', frame });
  }
  for (const lane of lanes) {
    put(loadMs + 4000, {
      type: 'stream-end',
      t: loadStartT + loadMs + 4000,
      agent: 'agent-0',
      end: {
        stream: lane.lane,
        lane: lane.lane,
        scheduled: lane.attempts,
        attempts: lane.attempts,
        shed: 0,
        inFlight: 0,
        outcomes: lane.outcomes,
        races: lane.failures.filter((failure) => failure.race).length,
        phases: {},
        failuresListed: lane.failures.length,
        failuresDropped: 0,
        connectionsOpened: lane.lane === 'new' ? lane.attempts : 20,
        durationMs: loadMs,
        latencyMs: percentiles,
        serviceMs: percentiles,
        sendLagMs: sendLag,
        brokenIdentities: [],
      },
    });
  }
  put(loadMs + 4010, { type: 'load', t: loadStartT + loadMs + 4010, agent: 'agent-0', event: 'ended' });
  const records: JournalRecord[] = [
    header(variant, repeat, scenario, settings, cluster),
    ...timed.toSorted((a, b) => a.t - b.t).map(({ record }) => record),
  ];
  records.push({
    type: 'end',
    t: loadStartT + loadMs + 4100,
    status: 'complete',
    truncated: false,
    records: records.length + 1,
  });
  const experiment: ExperimentResult = {
    variant,
    settings,
    path: 'cluster-ip',
    agents: 1,
    repeat,
    journal: file,
    status: 'complete',
    valid: true,
    invalid: [],
    rollout: {
      completedMs: completeMs - stepMs,
      settledMs: lastGoneMs + 5 - stepMs,
      minReady: 3,
      maxPodsNotTerminating: 4,
      maxPods: variant === 'hardened' ? 6 : 5,
      capacityLostPodSeconds: 0,
      extraPodSeconds: variant === 'hardened' ? 37.4 : 9.8,
    },
    control: { attempts: Math.round(loadMs / 100), lost: 0 },
    clock: { errorMs: 1.4 },
    durationMs: loadMs + 9000,
    loadMs,
    lanes: Object.fromEntries(lanes.map((lane) => [lane.lane, laneResult(lane, pods, records)])),
    measures: { 'lost:new': lanes[0]!.failures.length, 'lost:kept': lanes[1]!.failures.length },
  };
  return { records, experiment };
}

interface Fired {
  readonly lane: Lane;
  readonly attempts: number;
  readonly outcomes: OutcomeCounts;
  readonly buckets: Bucket[];
  readonly failures: (Failure & { readonly cause: Cause })[];
}

/** Plays an open-loop schedule against the pods: who is routed to, listens, stops, is gone. */
function fire(lane: Lane, pods: readonly PodPlan[], loadMs: number, random: () => number): Fired {
  const everyMs = 1000 / ratePerSecond;
  const attempts = Math.floor(loadMs / everyMs);
  const outcomes: OutcomeCounts = {};
  const buckets = new Map<number, Bucket>();
  const failures: Fired['failures'] = [];
  const pinned: (PodPlan | undefined)[] = new Array(20).fill(undefined);
  for (let k = 0; k < attempts; k++) {
    const dueMs = k * everyMs;
    // kube-proxy writes its rules up to a second after the endpoints changed.
    const lagMs = 350 + 300 * random();
    const routed = pods.filter((pod) => pod.readyMs + 120 <= dueMs && dueMs < pod.deletionMs + lagMs);
    const connection = k % 20;
    const kept = lane === 'kept' ? pinned[connection] : undefined;
    const pod = kept ?? routed[Math.floor(random() * routed.length)];
    let outcome: Outcome = 'ok';
    let cause: Cause = 'unknown';
    let tookMs = 6 + random() * 4;
    let code = '';
    let race = false;
    if (!pod) [outcome, cause, code] = ['refused', 'no-endpoint', 'ECONNREFUSED'];
    else if (dueMs < pod.listeningMs) [outcome, cause, code] = ['refused', 'routed-before-listening', 'ECONNREFUSED'];
    else if (dueMs >= pod.closedMs) {
      if (kept) {
        [outcome, cause, code] = ['closed', 'kept-connection-cut', 'FIN'];
        race = true;
      } else if (dueMs < pod.closedMs + 180) [outcome, cause, code] = ['refused', 'routed-after-stop', 'ECONNREFUSED'];
      else [outcome, cause, code, tookMs] = ['timeout', 'routed-after-stop', 'CONNECT_TIMEOUT', 3000];
    } else if (dueMs + tookMs > pod.closedMs) [outcome, cause, code] = ['reset', 'killed-in-flight', 'ECONNRESET'];
    // A graceful target asks each kept connection to leave before it closes.
    if (lane === 'kept') pinned[connection] = outcome === 'ok' && pod && dueMs < pod.sigtermMs ? pod : undefined;
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const i = Math.floor(dueMs / 100);
    const bucket = buckets.get(i) ?? { i, sent: 0, shed: 0, outcomes: {}, maxMs: 0 };
    buckets.set(i, {
      ...bucket,
      sent: bucket.sent + 1,
      outcomes: { ...bucket.outcomes, [outcome]: (bucket.outcomes[outcome] ?? 0) + 1 },
      maxMs: outcome === 'ok' ? Math.max(bucket.maxMs, tookMs) : bucket.maxMs,
    });
    if (outcome === 'ok') continue;
    failures.push({
      dueMs,
      startMs: dueMs + 0.6,
      endMs: dueMs + (outcome === 'timeout' ? 3000 : 2),
      outcome,
      phase: outcome === 'refused' || outcome === 'timeout' ? 'connect' : 'first-byte',
      code,
      reused: kept !== undefined,
      race,
      bytes: 0,
      connection: lane === 'new' ? k + 1 : connection + 1,
      nth: lane === 'new' ? 1 : Math.floor(k / 20) + 1,
      ...(pod ? { pod: pod.name, podKnownBy: kept ? 'previous-answer' : 'route' } : {}),
      cause,
    });
  }
  return { lane, attempts, outcomes, buckets: [...buckets.values()], failures };
}

function laneResult(fired: Fired, pods: readonly PodPlan[], records: readonly JournalRecord[]): LaneResult {
  const { failures, attempts } = fired;
  const groups: (typeof failures)[] = [];
  for (const failure of failures) {
    const last = groups.at(-1)?.at(-1);
    if (last && failure.dueMs - last.dueMs < 1000) groups.at(-1)!.push(failure);
    else groups.push([failure]);
  }
  const lineOf = (match: (record: JournalRecord) => boolean) => records.findIndex(match) + 1;
  const windows = groups.map((group): LossWindow => {
    const byCause = new Map<Cause, typeof failures>();
    for (const failure of group) byCause.set(failure.cause, [...(byCause.get(failure.cause) ?? []), failure]);
    const outcomes: OutcomeCounts = {};
    for (const { outcome } of group) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return {
      startMs: group[0]!.dueMs,
      endMs: Math.max(...group.map((failure) => failure.endMs)),
      lost: group.length,
      outcomes,
      causes: [...byCause].map(([cause, lost]) => {
        const names = [...new Set(lost.flatMap((failure) => failure.pod ?? []))];
        const facts = names.flatMap((name): Fact[] => {
          const pod = pods.find((plan) => plan.name === name)!;
          const watched = (ready: boolean) =>
            lineOf(
              (record) =>
                record.type === 'watch' &&
                record.name === name &&
                record.facts.kind === 'Pod' &&
                (ready ? record.facts.ready : record.facts.terminating),
            );
          const phase = (wanted: string) =>
            lineOf(
              (record) =>
                record.type === 'frame' &&
                record.frame.phases.some((mark) => mark.pod === name && mark.phase === wanted),
            );
          return cause === 'routed-before-listening'
            ? [
                { text: 'pod became Ready and got connections', tMs: pod.readyMs, pod: name, line: watched(true) },
                { text: 'app began to listen', tMs: pod.listeningMs, pod: name, line: phase('listening') },
              ]
            : [
                { text: 'pod was being deleted', tMs: pod.deletionMs, pod: name, line: watched(false) },
                { text: 'app got SIGTERM', tMs: pod.sigtermMs, pod: name, line: phase('sigterm') },
                { text: 'app closed its port', tMs: pod.closedMs, pod: name, line: phase('closed') },
              ];
        });
        return { cause, lost: lost.length, pods: names, facts, confidence: cause === 'killed-in-flight' ? 'medium' : 'high' };
      }),
    };
  });
  const causes: Partial<Record<Cause, number>> = {};
  for (const { cause } of failures) causes[cause] = (causes[cause] ?? 0) + 1;
  const lost = failures.length;
  const share = lost / attempts;
  const margin = 1.96 * Math.sqrt((share * (1 - share)) / attempts);
  return {
    scheduled: attempts,
    attempts,
    shed: 0,
    shedInWindows: 0,
    outcomes: fired.outcomes,
    lost,
    races: failures.filter((failure) => failure.race).length,
    longestOutageMs: lost === 0 ? 0 : Math.round(40 + lost / 3),
    recoveredMs: lost === 0 ? 0 : Math.round(failures.at(-1)!.endMs - failures[0]!.dueMs),
    lossRate: {
      share,
      low95: lost === 0 ? 0 : Math.max(0, share - margin),
      high95: lost === 0 ? 3 / attempts : share + margin,
    },
    latencyMs: percentiles,
    sendLagMs: sendLag,
    causes,
    windows,
  };
}

function sampleScenario(
  name: string,
  experiments: readonly ExperimentResult[],
  verdict: Verdict,
): ScenarioResult {
  const claims = (['new', 'kept'] as const).flatMap((lane): ClaimResult[] => {
    const row = (variant: string, expect: string, holds: (lost: number) => boolean): ClaimResult[] =>
      experiments
        .filter((experiment) => experiment.variant === variant)
        .slice(0, 1)
        .map((experiment) => {
          const { lost, attempts } = experiment.lanes[lane]!;
          return {
            id: `${variant}-${lane}`,
            text: variant === 'baseline' ? `Without the settings, lane ${lane} loses connections.` : `With the settings, lane ${lane} loses nothing.`,
            source: 'rollproof, docs/scenarios.md',
            appliesTo: { variant, lane },
            expected: 'holds',
            expect,
            measured: `lost ${lost} of ${attempts}`,
            result: verdict === 'inconclusive' ? 'undecided' : verdict === 'refuted' && variant === 'hardened' ? 'fails' : holds(lost) ? 'holds' : 'fails',
            facts: [],
          };
        });
    return [...row('baseline', 'lost > 0', (lost) => lost > 0), ...row('hardened', 'lost = 0', (lost) => lost === 0)];
  });
  if (claims.length > 0) {
    claims.push({
      id: 'article-30s',
      text: 'A pod that is deleted without a preStop hook goes on getting connections for about 30 s.',
      source: 'https://example.org/zero-downtime (an article)',
      appliesTo: { variant: 'baseline' },
      expected: 'fails',
      because: 'kube-proxy takes a terminating endpoint out within about a second; 30 s is the grace period.',
      expect: 'routedAfterStopMs at least 25,000',
      measured: 'routedAfterStopMs 612',
      result: verdict === 'inconclusive' ? 'undecided' : 'fails',
      facts: [],
    });
  }
  return {
    name,
    title: name === 'image-change' ? 'A new image, rolled out by the default strategy' : `Scenario ${name}`,
    question: 'Does changing the image of a running Deployment drop connections?',
    verdict,
    reason:
      verdict === 'proven'
        ? 'baseline lost connections, hardened lost none, and every claim came out as expected'
        : verdict === 'not-run'
          ? 'needs a metrics API, which this cluster has not'
          : verdict === 'inconclusive'
            ? 'send lag p99 was 84 ms (at most 25 ms): run on a quieter machine or with --rate 100'
            : 'a claim failed that was expected to hold: “With the settings, lane new loses nothing.”',
    advice: [],
    claims,
    experiments: verdict === 'inconclusive'
      ? experiments.map((experiment) => ({
          ...experiment,
          valid: false,
          invalid: ['Send lag p99 was 84 ms (at most 25 ms). Run on a quieter machine or with --rate 100.'],
        }))
      : experiments,
  };
}

function header(
  variant: string,
  repeat: number,
  scenario: string,
  settings: readonly string[],
  cluster: ClusterInfo,
): JournalRecord {
  const stream = (lane: 'new' | 'kept') => ({
    id: lane,
    lane,
    url: 'http://10.96.118.20:80/work',
    rate: { shape: 'constant' as const, ratePerSecond },
    connections: lane === 'kept' ? 20 : 600,
    timeoutMs: 3000,
    maxDurationMs: 300_000,
  });
  return {
    type: 'header',
    schemaVersion: 1,
    tool: { name: 'rollproof', version: '0.1.0', commit: 'eeebcc6' },
    runId: 'k3v9q1',
    startedAt: '2026-03-01T09:30:00.000Z',
    seed: 7,
    scenario: scenarioSchema.parse({
      id: scenario,
      title: 'A new image',
      question: 'Does changing the image of a running Deployment drop connections?',
      group: 'connections',
      steps: [
        { step: 'set-image', image: 'next' },
        { step: 'wait', for: 'rollout' },
      ],
      claims: [],
    }),
    profile: 'quick',
    variant: { name: variant, version: 1, settings: [...settings] },
    path: 'cluster-ip',
    agents: 1,
    repeat,
    cluster,
    target: {
      builtIn: true,
      workload: 'Deployment/web',
      service: 'web',
      images: { current: 'rollproof/target:1', next: 'rollproof/target:2' },
    },
    plan: agentPlanSchema.parse({ runId: 'k3v9q1', streams: [stream('new'), stream('kept')] }),
    manifests: '',
    settingsDiff: settings.length === 0 ? '' : hardenedDiff,
    configuration: { cluster: cluster.kind, rate: ratePerSecond, variants: ['baseline', 'hardened'] },
    arguments: ['verify', '--cluster', cluster.kind, '--scenario', scenario],
  };
}

const hardenedDiff = `--- baseline
+++ hardened
@@ Deployment/web @@
 spec:
   replicas: 3
   strategy:
     type: RollingUpdate
     rollingUpdate:
-      maxUnavailable: 25%
-      maxSurge: 25%
+      maxUnavailable: 0
+      maxSurge: 1
   template:
     spec:
       containers:
         - name: app
           image: rollproof/target:1
           env:
+            - name: ON_TERM
+              value: graceful
+          readinessProbe:
+            httpGet:
+              path: /healthz
+              port: 8080
+            periodSeconds: 1
+          lifecycle:
+            preStop:
+              sleep:
+                seconds: 5
`;

const percentiles = { p50: 6.2, p90: 8.9, p99: 14.6, p999: 41.3, max: 63.8 };
const sendLag = { p50: 0.6, p90: 0.9, p99: 2.1, p999: 4.4, max: 8.7 };

function deploymentFacts(generation: number, image: string, replicas: number): Facts {
  return {
    kind: 'Deployment',
    role: 'target',
    generation,
    observedGeneration: generation,
    images: [image],
    specReplicas: replicas,
    paused: false,
    replicas,
    updated: replicas,
    ready: replicas,
    available: replicas,
    unavailable: 0,
    conditions: [],
  };
}

function podFacts(pod: PodPlan, more: Partial<PodFacts>, running: boolean): PodFacts {
  return {
    kind: 'Pod',
    role: 'target',
    ownerKind: 'ReplicaSet',
    owner: pod.name.slice(0, pod.name.lastIndexOf('-')),
    templateHash: pod.hash,
    node: pod.node,
    phase: 'Running',
    ready: false,
    terminating: false,
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: 'app',
        image: pod.image,
        ready: more.ready ?? false,
        started: running,
        restarts: 0,
        state: running ? 'running' : more.terminating ? 'terminated' : 'waiting',
      },
    ],
    conditions: [],
    ...more,
  };
}

/** mulberry32 on a hash of the text. */
function seeded(text: string): () => number {
  let state = [...text].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 16777619), 2166136261) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Results with every field that there is, also those that few runs have; no figures to look at. */
export function fullResults(): Results {
  const { results } = sampleRun({ emulated: true, repeats: 2 });
  const [scenario] = results.scenarios;
  const finding = {
    rule: 'no-readiness-probe',
    file: 'k8s/web.yaml',
    line: 12,
    column: 7,
    severity: 'error',
    object: 'Deployment shop/web',
    message: 'Container app has no readinessProbe.',
    why: 'The Service sends connections before the app listens.',
    fix: 'readinessProbe:\n  httpGet: {path: /healthz, port: 8080}',
    scenario: 'image-change',
  } as const;
  return {
    ...results,
    seal: 'a'.repeat(64),
    history: {
      runs: 7,
      scenarios: [
        {
          name: scenario!.name,
          chip: 'regressed',
          before: 'proven',
          figures: [
            { variant: 'hardened', line: 'new', figure: 'lost', now: 5, p50: 0, p95: 1, runs: 7, above: true },
            { variant: 'hardened', figure: 'rolloutMs', now: 9000, p50: 9100, p95: 9900, runs: 7, above: false },
          ],
        },
      ],
    },
    findings: [
      { finding, evidence: 'confirmed', text: '404 of 1,980 lost by it.', journals: ['journals/a.ndjson'] },
    ],
    scenarios: [
      {
        ...scenario!,
        rounds: { of: 2, asVerdict: 2 },
        claims: scenario!.claims.map((claim) => ({
          ...claim,
          runs: { of: 2, holds: 2, undecided: 0 },
          facts: [{ text: 'pod web-1 listened from 5.00 s on', tMs: 5000, pod: 'web-1', line: 7 }],
        })),
        experiments: scenario!.experiments.map((experiment) => ({
          ...experiment,
          crossCheck: {
            tool: 'k6',
            version: 'v1.8.1',
            counts: {
              new: { attempts: 1980, dropped: 2, outcomes: { ok: 1975, refused: 3, uncoded: 2 } },
              kept: { problem: 'k6 ended with 107 and no summary' },
            },
            explained: ['Lane new: k6 gives 2 failures no code of their own.'],
          },
        })),
        ablation: {
          settings: ['readinessProbe', 'preStop'],
          lanes: ['new'],
          rows: [
            {
              kind: 'baseline',
              label: 'baseline',
              variant: 'baseline',
              settings: [],
              runs: 2,
              validRuns: 2,
              lanes: { new: { attempts: 6000, lost: 320, longestOutageMs: 200, causes: { 'no-endpoint': 320 } } },
            },
          ],
          effects: [
            {
              setting: 'readinessProbe',
              lane: 'new',
              effect: 'needed',
              baselineLost: 320,
              aloneLost: 138,
              withoutLost: 310,
              allLost: 0,
              text: 'without it 310 are lost',
            },
          ],
          pairs: [{ settings: ['readinessProbe', 'preStop'], lane: 'new', text: 'only together' }],
          advice: ['Keep both.'],
        },
      },
    ],
  };
}
