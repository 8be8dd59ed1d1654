// Rollouts recorded on Kubernetes v1.34.4 again, on the controllers alone: the clock is turned by hand, and pods start,
// become ready and stop after random times. What a recording's repeats agree on must come out for every seed.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Deployment, Pod, ReplicaSet } from '../../emulator/api/types.ts';
import { controllerOf } from '../../emulator/controllers/runtime/ownership.ts';
import { isReady, isTerminal, isTerminating } from '../../emulator/controllers/runtime/pods.ts';
import { type ControlPlane, controlPlane, type PodLife } from '../control-plane.ts';
import { suite } from '../suite.ts';

interface Recording {
  readonly description: string;
  readonly manifests: { kind: string; metadata: { name: string } }[];
  readonly runs: {
    readonly file: string;
    readonly steps: { atMs: number; kubectl: string[] }[];
    readonly scaleSteps: string[];
    readonly conditions: Record<string, string[]>;
    readonly events: string[];
    readonly minReady: number;
    readonly maxActive: number;
    readonly maxPods: number;
  }[];
}

const recordings: Record<string, Recording> = JSON.parse(
  readFileSync(new URL('../data/recorded-rollouts.json', import.meta.url), 'utf8'),
);
const seeds = [1, 2, 3, 4];
const test = suite('controllers: recorded rollouts', { timeoutMs: 120_000 });

/** Scenarios in which the steps do not depend on which pod is ready when. */
const settled = [
  'image-change-3',
  'surge1-unavail0-3',
  'image-change-3-noprobe',
  'recreate-3',
  'min-ready-5',
  'pause-resume',
  'rollback-to-revision',
  'scale-up-2-6',
  'scale-down-6-2',
  'startup-probe',
  'antiaffinity-preferred-3',
  'antiaffinity-required-3',
  'topology-spread-3',
  'hostport-1',
  'bad-image',
  'pod-delete',
  'pod-force-delete',
];

for (const name of settled) {
  const recording = recordings[name];
  test(`${name}: ${recording?.description}`, async () => {
    assert.ok(recording);
    if (!recording) return;
    const [first] = recording.runs;
    for (const seed of seeds) {
      const replayed = await replay(recording, seed);
      const at = `seed ${seed}`;
      assert.equal(replayed.defects, [], at);
      assert.equal(replayed.scaleSteps, first?.scaleSteps, `scale steps, ${at}`);
      assert.equal(replayed.conditions, first?.conditions, `conditions, ${at}`);
      assert.equal(replayed.events, first?.events, `events, ${at}`);
      assert.is(replayed.minReady, first?.minReady, `least ready, ${at}`);
      assert.is(replayed.maxActive, first?.maxActive, `most active, ${at}`);
    }
  });
}

test('fencepost-8-25pct: the first steps, the bounds, and one pod for one', async () => {
  const recording = recordings['fencepost-8-25pct'] as Recording;
  const begin = ['rs1 ->8', 'rs2 ->2', 'rs1 8>6', 'rs2 2>4'];
  for (const { file, scaleSteps } of recording.runs) assert.equal(scaleSteps.slice(0, 4), begin, file);
  for (const seed of seeds) {
    const { scaleSteps, minReady, maxActive, conditions, defects } = await replay(recording, seed);
    assert.equal(defects, []);
    assert.equal(scaleSteps.slice(0, 4), begin, `seed ${seed}`);
    assert.equal(lastSizes(scaleSteps), { rs1: 0, rs2: 8 });
    assert.ok(isMonotone(scaleSteps), scaleSteps.join(', '));
    assert.equal([minReady, maxActive], [6, 10], `seed ${seed}`);
    assert.equal(conditions, recording.runs[0]?.conditions);
  }
});

test('rollover: room for the third template, unready pods of the second first, the first to zero before it', async () => {
  const recording = recordings.rollover as Recording;
  for (const seed of seeds) {
    const { scaleSteps, minReady, maxActive, conditions, defects } = await replay(recording, seed, {
      secondStep: 'two new pods are ready',
    });
    assert.equal(defects, []);
    assert.equal(lastSizes(scaleSteps), { rs1: 0, rs2: 0, rs3: 8 });
    assert.equal([minReady, maxActive], [6, 10], `seed ${seed}: ${scaleSteps.join(', ')}`);
    assert.equal(conditions, recording.runs[0]?.conditions, `seed ${seed}`);
    const zero = (rs: string) => scaleSteps.findIndex((step) => step.startsWith(rs) && step.endsWith('>0'));
    assert.ok(zero('rs1') < zero('rs2'), scaleSteps.join(', '));
  }
});

test('scale-during-rollout: the old pods are scaled, too', async () => {
  const recording = recordings['scale-during-rollout'] as Recording;
  for (const seed of seeds) {
    const { scaleSteps, maxActive, conditions, defects } = await replay(recording, seed, {
      secondStep: 'two new pods are ready',
    });
    assert.equal(defects, []);
    assert.equal(lastSizes(scaleSteps), { rs1: 0, rs2: 10 });
    const grown = scaleSteps.find(
      (step) => /^rs1 (\d+)>(\d+)$/.test(step) && Number(step.split(/[ >]/)[1]) < Number(step.split('>')[1]),
    );
    assert.ok(grown, scaleSteps.join(', '));
    assert.is(mostWanted(scaleSteps), 13, `seed ${seed}: ${scaleSteps.join(', ')}`);
    // Creations can be under way when a ReplicaSet is made smaller again.
    assert.ok(maxActive >= 13 && maxActive <= 15, `seed ${seed}: ${maxActive}`);
    assert.equal(conditions, recording.runs[0]?.conditions, `seed ${seed}`);
  }
});

test('scale-during-rollout with 4 and 4: 7 and 6, then unready old pods go although too few are available', async () => {
  const plane = controlPlane({
    seed: 7,
    life: () => ({ runningAfterMs: 500, stoppedAfterMs: 500, removedAfterMs: 300 }),
  });
  const { registry, clock } = plane;
  const recording = recordings['scale-during-rollout'] as Recording;
  create(plane, recording);
  await clock.advance(2000);
  for (const each of plane.pods()) plane.makeReady(each);
  await clock.advance(1000);
  kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
  const newPods = () =>
    plane
      .pods()
      .filter(
        (each) => each.spec?.containers[0]?.image === 'exp/target:2' && each.status?.phase === 'Running',
      );
  const oneMoreIsReady = async () => {
    await plane.until('a new pod runs', () => newPods().some((each) => !isReady(each)));
    plane.makeReady(newPods().find((each) => !isReady(each)) as Pod);
    await clock.advance(500);
  };
  await oneMoreIsReady();
  assert.equal(scaleStepsOf(plane).at(-1), 'rs2 3>4');
  const before = scaleStepsOf(plane).length;
  kubectl(plane, ['scale', 'deployment/app', '--replicas=10']);
  await oneMoreIsReady();
  assert.equal(scaleStepsOf(plane).slice(before), ['rs2 4>7', 'rs1 4>6']);
  // 13 - 8 - (7 - 3) = 1 of the two old ones that are not ready.
  await oneMoreIsReady();
  assert.equal(scaleStepsOf(plane).slice(before + 2), ['rs1 6>5', 'rs2 7>8']);
  assert.is(registry.get('deployments', 'default', 'app')?.spec?.replicas, 10);
  plane.stop();
});

test('surge 0, unavailable 1: the new ReplicaSet begins with 0, pods go before pods come', async () => {
  const plane = controlPlane({ seed: 3 });
  create(plane, withStrategy('surge1-unavail0-3', { maxSurge: 0, maxUnavailable: 1 }));
  await settle(plane);
  kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
  await settle(plane);
  // Recorded: surge0-unavail1-3
  assert.equal(scaleStepsOf(plane).slice(1), [
    'rs2 ->0',
    'rs1 3>2',
    'rs2 0>1',
    'rs1 2>1',
    'rs2 1>2',
    'rs1 1>0',
    'rs2 2>3',
  ]);
  plane.stop();
});

test('10 replicas, 39 % and 39 %: surge 4, unavailable 3', async () => {
  const recording = withStrategy('surge1-unavail0-3', { maxSurge: '39%', maxUnavailable: '39%' }, 10);
  const plane = controlPlane({ seed: 5 });
  create(plane, recording);
  await settle(plane);
  kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
  await settle(plane);
  const steps = scaleStepsOf(plane);
  // Recorded: percent-10-39
  assert.equal(steps.slice(1, 4), ['rs2 ->4', 'rs1 10>7', 'rs2 4>7']);
  assert.equal([leastReady(plane), mostActive(plane)], [7, 14]);
  plane.stop();
});

test('scaled while paused in the middle: one sync for both, then no step until it is resumed', async () => {
  const plane = controlPlane({
    seed: 11,
    life: () => ({ runningAfterMs: 300, stoppedAfterMs: 300, removedAfterMs: 300 }),
  });
  create(plane, withStrategy('fencepost-8-25pct', { maxSurge: '25%', maxUnavailable: '25%' }, 8));
  await plane.clock.advance(2000);
  for (const each of plane.pods()) plane.makeReady(each);
  await plane.clock.advance(1000);
  kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
  const running = () =>
    plane.pods().filter((each) => each.status?.phase === 'Running' && !isTerminating(each) && !isReady(each));
  while (scaleStepsOf(plane).at(-1) !== 'rs2 5>6') {
    await plane.until('a new pod runs', () => running().length > 0);
    plane.makeReady(running()[0] as Pod);
    await plane.clock.advance(500);
  }
  kubectl(plane, ['rollout', 'pause', 'deployment/app']);
  await plane.clock.advance(500);
  const before = scaleStepsOf(plane).length;
  kubectl(plane, ['scale', 'deployment/app', '--replicas=12']);
  await plane.clock.advance(2000);
  for (const each of running()) plane.makeReady(each);
  await plane.clock.advance(2000);
  // Recorded: pause-mid-rollout, max 10 → 15
  assert.equal(scaleStepsOf(plane).slice(before), ['rs2 6>9', 'rs1 4>6']);
  kubectl(plane, ['rollout', 'resume', 'deployment/app']);
  await plane.clock.advance(2000);
  assert.equal(scaleStepsOf(plane).slice(before + 2), ['rs1 6>0', 'rs2 9>12']);
  plane.stop();
});

test('Recreate: the new ReplicaSet comes only when the last old pod’s object is gone', async () => {
  for (const seed of seeds) {
    const plane = controlPlane({ seed });
    create(plane, recordings['recreate-3'] as Recording);
    await settle(plane);
    kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
    await settle(plane);
    const created = plane.changes.filter(
      ({ type, resource }) => type === 'ADDED' && resource === 'replicasets',
    );
    const gone = plane.changes.filter(({ type, resource }) => type === 'DELETED' && resource === 'pods');
    const delayMs = (created[1]?.atMs ?? 0) - (gone[2]?.atMs ?? 0);
    // Recorded: +18 … 89 ms, 4 of 4 runs
    assert.ok(delayMs > 5 && delayMs < 150, `seed ${seed}: ${delayMs} ms`);
    plane.stop();
  }
});

test('minReadySeconds 6: available at the second of Ready + 6 s, and each step waits for it', async () => {
  const plane = controlPlane({ seed: 2 });
  create(plane, recordings['min-ready-5'] as Recording);
  await settle(plane);
  kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
  await settle(plane);
  const firstNew = plane.changes.find(
    ({ resource, object }) =>
      resource === 'pods' &&
      (object as Pod).spec?.containers[0]?.image === 'exp/target:2' &&
      isReady(object as Pod),
  );
  const available = plane.changes.find(
    ({ resource, object, atMs }) =>
      resource === 'replicasets' &&
      atMs > (firstNew?.atMs ?? 0) &&
      (object as ReplicaSet).spec?.replicas === 1 &&
      (object as ReplicaSet).status?.availableReplicas === 1,
  );
  const readyMs = firstNew?.atMs ?? 0;
  const delayMs = (available?.atMs ?? 0) - (Math.floor(readyMs / 1000) + 6) * 1000;
  assert.ok(delayMs >= 0 && delayMs < 100, `${delayMs} ms after the second + 6 s`);
  plane.stop();
});

test('stages of a rollout take as long as measured, within what a bigger machine would save', async () => {
  const stages = new Map<string, number[]>();
  const note = (stage: string, fromMs: number | undefined, toMs: number | undefined) => {
    if (fromMs === undefined || toMs === undefined) return;
    stages.set(stage, [...(stages.get(stage) ?? []), toMs - fromMs]);
  };
  for (let seed = 20; seed < 32; seed++) {
    const plane = controlPlane({ seed });
    create(plane, recordings['image-change-3'] as Recording);
    await settle(plane);
    const startMs = plane.clock.nowMs();
    const from = plane.changes.length;
    kubectl(plane, ['set', 'image', 'deployment/app', 'app=exp/target:2']);
    await settle(plane);
    const changes = plane.changes.slice(from);
    const find = (resource: string, isIt: (object: never, type: string) => boolean) =>
      changes.find((change) => change.resource === resource && isIt(change.object as never, change.type))
        ?.atMs;
    const created = find('replicasets', (_object, type) => type === 'ADDED');
    note('new ReplicaSet', startMs, created);
    note(
      'first pod',
      created,
      find('pods', (_object, type) => type === 'ADDED'),
    );
    for (const { object, atMs } of changes.filter(
      ({ resource, type }) => resource === 'pods' && type === 'ADDED',
    )) {
      const uid = object.metadata.uid;
      const of = (isIt: (each: Pod) => boolean) =>
        find('pods', (each: Pod) => each.metadata.uid === uid && isIt(each));
      const inSlice = (flag: 'ready' | 'terminating') =>
        find(
          'endpointslices',
          (slice: { endpoints: { targetRef?: { uid?: string }; conditions?: Record<string, boolean> }[] }) =>
            slice.endpoints.some(
              (endpoint) => endpoint.targetRef?.uid === uid && endpoint.conditions?.[flag] === true,
            ),
        );
      note(
        'scheduled',
        atMs,
        of((each) => each.spec?.nodeName !== undefined),
      );
      note('ready in slice', of(isReady), inSlice('ready'));
    }
    const victims = changes.filter(
      ({ resource, object, previous }) =>
        resource === 'pods' && isTerminating(object as Pod) && previous && !isTerminating(previous as Pod),
    );
    for (const { object, atMs } of victims) {
      const terminating = find(
        'endpointslices',
        (slice: { endpoints: { targetRef?: { uid?: string }; conditions?: { terminating?: boolean } }[] }) =>
          slice.endpoints.some(
            (endpoint) => endpoint.targetRef?.uid === object.metadata.uid && endpoint.conditions?.terminating,
          ),
      );
      note('terminating in slice', atMs, terminating);
    }
    plane.stop();
  }
  // Measured medians on 2 cores; the table of latencies.ts
  const table: [stage: string, measuredMs: number][] = [
    ['new ReplicaSet', 24],
    ['first pod', 32],
    ['scheduled', 35],
    ['ready in slice', 21],
    ['terminating in slice', 55],
  ];
  for (const [stage, measuredMs] of table) {
    const found = (stages.get(stage) ?? []).sort((a, b) => a - b);
    const median = found[Math.floor(found.length / 2)] ?? Number.NaN;
    assert.ok(
      median > measuredMs * 0.6 && median < measuredMs * 1.4,
      `${stage}: ${median} ms, measured ${measuredMs} ms`,
    );
  }
});

test('nothing is written and no timer is left after stop', async () => {
  const plane = controlPlane({ seed: 1 });
  create(plane, recordings['image-change-3'] as Recording);
  await plane.clock.advance(50);
  plane.stop();
  const version = plane.registry.storage.version;
  await plane.clock.advance(500);
  const pods = plane.registry.storage.version - version;
  assert.is(pods, 0);
});

interface Replay {
  readonly scaleSteps: string[];
  readonly conditions: Record<string, string[]>;
  readonly events: string[];
  readonly minReady: number;
  readonly maxActive: number;
  readonly defects: string[];
}

async function replay(
  recording: Recording,
  seed: number,
  options: { secondStep?: 'two new pods are ready' } = {},
): Promise<Replay> {
  const plane = controlPlane({ seed, life: lifeOf });
  create(plane, recording);
  await settle(plane);
  await plane.clock.advance(3000);
  const from = plane.changes.length;
  const steps = recording.runs[0]?.steps ?? [];
  for (const [index, { kubectl: command, atMs }] of steps.entries()) {
    if (index > 0 && options.secondStep) {
      await plane.until(
        'two new pods are ready',
        () =>
          plane
            .pods()
            .filter(
              (each) =>
                isReady(each) && !isTerminating(each) && each.spec?.containers[0]?.image === 'exp/target:2',
            ).length >= 2,
      );
    } else if (index > 0) {
      await plane.clock.advance(atMs - (steps[index - 1]?.atMs ?? 0));
      await settle(plane);
    }
    kubectl(plane, command);
  }
  await settle(plane);
  const result = {
    scaleSteps: scaleStepsOf(plane),
    conditions: conditionsOf(plane),
    events: eventsOf(plane),
    minReady: leastReady(plane, from),
    maxActive: mostActive(plane, from),
    defects: plane.defects,
  };
  plane.stop();
  return result;
}

/** An image that cannot be pulled never runs. */
function lifeOf(each: Pod, random: () => number): PodLife {
  const isBroken = each.spec?.containers[0]?.image === 'exp/target:nope';
  return {
    runningAfterMs: isBroken ? 1e9 : 600 + random() * 1200,
    readyAfterMs: 700 + random() * 1300,
    stoppedAfterMs: isBroken ? 300 : 500 + random() * 3000,
    removedAfterMs: 200 + random() * 800,
  };
}

function create({ registry }: ControlPlane, { manifests }: Pick<Recording, 'manifests'>): void {
  for (const manifest of manifests) {
    const draft = JSON.parse(JSON.stringify(manifest));
    draft.metadata.namespace = 'default';
    if (manifest.kind === 'Service') registry.create('services', draft);
    else if (manifest.kind === 'Deployment') registry.create('deployments', draft);
    else throw new Error(`no ${manifest.kind} in this test`);
  }
}

function withStrategy(name: string, rollingUpdate: object, replicas = 3): Pick<Recording, 'manifests'> {
  const manifests = JSON.parse(JSON.stringify(recordings[name]?.manifests)) as {
    kind: string;
    spec: Record<string, unknown>;
    metadata: { name: string };
  }[];
  for (const { kind, spec } of manifests) {
    if (kind !== 'Deployment') continue;
    spec.replicas = replicas;
    spec.strategy = { type: 'RollingUpdate', rollingUpdate };
  }
  return { manifests };
}

/** Until nothing has happened for 10 s, or at most so long. */
async function settle(plane: ControlPlane, limitMs = 120_000): Promise<void> {
  const endMs = plane.clock.nowMs() + limitMs;
  for (let version = -1; plane.clock.nowMs() < endMs && version !== plane.registry.storage.version; ) {
    version = plane.registry.storage.version;
    await plane.clock.advance(Math.min(10_000, endMs - plane.clock.nowMs()));
  }
}

/** What kubectl would do, on the store. */
function kubectl({ registry, pods }: ControlPlane, command: readonly string[]): void {
  const change = (edit: (draft: Deployment) => void) =>
    registry.mutate('deployments', 'default', 'app', edit);
  const [verb, what] = command;
  const containerOf = (draft: Deployment) => draft.spec?.template.spec?.containers[0];
  if (verb === 'set' && what === 'image') {
    change((draft) => {
      const container = containerOf(draft);
      if (container) container.image = command[3]?.split('=')[1];
    });
  } else if (verb === 'set' && what === 'env') {
    const [name = '', value = ''] = command[3]?.split('=') ?? [];
    change((draft) => {
      const container = containerOf(draft);
      if (container) container.env = [...(container.env ?? []), { name, value }];
    });
  } else if (verb === 'scale') {
    change((draft) => {
      if (draft.spec) draft.spec.replicas = Number(command[2]?.split('=')[1]);
    });
  } else if (verb === 'rollout' && (what === 'pause' || what === 'resume')) {
    change((draft) => {
      if (draft.spec) draft.spec.paused = what === 'pause' ? true : undefined;
    });
  } else if (verb === 'rollout' && what === 'undo') {
    const wanted = Number(command.find((each) => each.startsWith('--to-revision='))?.split('=')[1] ?? 0);
    const revision = ({ metadata }: ReplicaSet) =>
      Number(metadata.annotations?.['deployment.kubernetes.io/revision']);
    const all = [...registry.list('replicasets', 'default')].sort((a, b) => revision(b) - revision(a));
    const target = wanted === 0 ? all[1] : all.find((each) => revision(each) === wanted);
    change((draft) => {
      if (!draft.spec || !target?.spec?.template) throw new Error('nothing to undo to');
      draft.spec.template = structuredClone(target.spec.template);
      delete draft.spec.template.metadata?.labels?.['pod-template-hash'];
    });
  } else if (verb === 'delete') {
    const force = command.includes('--force') ? { gracePeriodSeconds: 0 } : {};
    registry.delete('pods', 'default', pods()[0]?.metadata.name ?? '', force);
  } else throw new Error(`no such command in this test: ${command.join(' ')}`);
}

/** rs1, rs2 … by the order of their creation. */
function namesOf({ changes }: ControlPlane): Map<string, string> {
  const names = new Map<string, string>();
  for (const { resource, type, object } of changes) {
    if (resource === 'replicasets' && type === 'ADDED')
      names.set(object.metadata.name, `rs${names.size + 1}`);
  }
  return names;
}

function scaleStepsOf(plane: ControlPlane): string[] {
  const names = namesOf(plane);
  const steps: string[] = [];
  for (const { resource, type, object, previous } of plane.changes) {
    if (resource !== 'replicasets' || type === 'DELETED') continue;
    const size = (each: unknown) => (each as ReplicaSet | undefined)?.spec?.replicas;
    if (size(object) !== size(previous)) {
      steps.push(`${names.get(object.metadata.name)} ${size(previous) ?? '-'}>${size(object)}`);
    }
  }
  return steps;
}

function conditionsOf(plane: ControlPlane): Record<string, string[]> {
  const sequences: Record<string, string[]> = {};
  const names = namesOf(plane);
  for (const { resource, object } of plane.changes) {
    if (resource !== 'deployments') continue;
    for (const { type, status, reason, message } of (object as Deployment).status?.conditions ?? []) {
      sequences[type] ??= [];
      const text = renamed(names, `${status} ${reason} ${message}`);
      if (sequences[type]?.at(-1) !== text) sequences[type]?.push(text);
    }
  }
  return sequences;
}

function eventsOf(plane: ControlPlane): string[] {
  const names = namesOf(plane);
  const found = plane.registry
    .list('events', 'default')
    .filter(({ message }) => !message?.startsWith('(combined'))
    .map(({ involvedObject, type, reason, message }) => {
      const text = renamed(names, message ?? '')
        .replace(/(rs\d+)-[a-z0-9]{5}\b/, '$1-POD')
        .replace(/to node\d/, 'to NODE')
        .replace('default/', 'NS/');
      return `${involvedObject.kind} ${type} ${reason} ${text}`;
    });
  return [...new Set(found)].sort();
}

function renamed(names: ReadonlyMap<string, string>, text: string): string {
  let result = text;
  for (const [name, short] of names) result = result.replaceAll(name, short);
  return result;
}

/** After every change of a pod, over the changes from `from` on. */
function podCounts(plane: ControlPlane, from: number, count: (pods: Pod[]) => number): number[] {
  const pods = new Map<string, Pod>();
  const counts: number[] = [];
  for (const [index, { resource, type, object }] of plane.changes.entries()) {
    if (resource !== 'pods' || controllerOf(object)?.kind !== 'ReplicaSet') continue;
    if (type === 'DELETED') pods.delete(object.metadata.uid);
    else pods.set(object.metadata.uid, object as Pod);
    if (index >= from) counts.push(count([...pods.values()]));
  }
  return counts;
}

/** The step began with these; without a `from`: from when all were ready for the first time. */
function leastReady(plane: ControlPlane, from?: number): number {
  const ready = (pods: Pod[]) => pods.filter((each) => isReady(each) && !isTerminating(each)).length;
  const counts = podCounts(plane, from ?? 0, ready);
  const full = from === undefined ? counts.indexOf(Math.max(...counts)) : 0;
  return Math.min(...counts.slice(Math.max(0, full)));
}

function mostActive(plane: ControlPlane, from = 0): number {
  return Math.max(
    ...podCounts(
      plane,
      from,
      (pods) => pods.filter((each) => !isTerminating(each) && !isTerminal(each)).length,
    ),
  );
}

/** The largest sum of the ReplicaSets' sizes. */
function mostWanted(steps: readonly string[]): number {
  const sizes = new Map<string, number>();
  return Math.max(
    ...steps.map((step) => {
      sizes.set(step.split(' ')[0] ?? '', Number(step.split('>')[1]));
      return [...sizes.values()].reduce((total, size) => total + size, 0);
    }),
  );
}

function lastSizes(steps: readonly string[]): Record<string, number> {
  return Object.fromEntries(steps.map((step) => [step.split(' ')[0], Number(step.split('>')[1])]));
}

/** The old one only shrinks, the new one only grows. */
function isMonotone(steps: readonly string[]): boolean {
  return steps.every((step) => {
    const [name, from, to] = step.split(/[ >]/);
    if (from === '-' || from === '' || name === undefined) return true;
    return name === 'rs1' ? Number(from) > Number(to) : Number(from) < Number(to);
  });
}

test.run();
