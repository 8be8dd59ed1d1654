// The Deployment and ReplicaSet controllers against their invariants, under random scripts of edits, pod failures and
// time: never more pods wanted than allowed, never fewer available than promised, and an end where it should be.
import * as assert from 'uvu/assert';
import type { Deployment, ReplicaSet } from '../../emulator/api/types.ts';
import { maxSurge, maxUnavailable } from '../../emulator/controllers/deployment/fenceposts.ts';
import { isReady, isTerminal, isTerminating } from '../../emulator/controllers/runtime/pods.ts';
import { type ControlPlane, controlPlane } from '../control-plane.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: model', { timeoutMs: 90_000 });

/** One line of a script. Times are ms of the turned clock. */
type Act =
  | { readonly act: 'image'; readonly version: number }
  | { readonly act: 'scale'; readonly replicas: number }
  | { readonly act: 'strategy'; readonly surge: number | string; readonly unavailable: number | string }
  | { readonly act: 'pause' | 'resume' }
  | { readonly act: 'delete-pod' | 'unready-pod' | 'force-delete-pod'; readonly which: number }
  | { readonly act: 'wait'; readonly ms: number };

const share = fc.constantFrom<number | string>(0, 1, 2, '25%', '34%', '100%');
/** What Kubernetes admits: not both 0 (with 0 % counted as 0). */
const strategy = fc
  .record({ surge: share, unavailable: share.filter((one) => one !== '100%') })
  .filter(({ surge, unavailable }) => !(surge === 0 && unavailable === 0));
const edits: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constant('image' as const), version: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ act: fc.constant('scale' as const), replicas: fc.integer({ min: 0, max: 9 }) }),
  strategy.map((given) => ({ act: 'strategy' as const, ...given })),
  fc.record({ act: fc.constantFrom('pause' as const, 'resume' as const) }),
  fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 4000 }) }),
  fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 4000, max: 20_000 }) }),
);
const failures: fc.Arbitrary<Act> = fc.record({
  act: fc.constantFrom('delete-pod' as const, 'unready-pod' as const, 'force-delete-pod' as const),
  which: fc.nat({ max: 20 }),
});
const script = (act: fc.Arbitrary<Act>) => fc.array(act, { minLength: 1, maxLength: 12 });
const start = fc.record({
  replicas: fc.integer({ min: 1, max: 8 }),
  strategy,
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});
type Start = typeof start extends fc.Arbitrary<infer T> ? T : never;

test('edits and scaling alone: at most replicas + surge, at least replicas − unavailable, ends complete', () =>
  fc.assert(
    fc.asyncProperty(start, script(edits), async (from, acts) => {
      await play(from, acts, { pods: 'stay' });
    }),
    { numRuns: 50 },
  ));

test('with pods deleted and failing: still at most replicas + surge, ends complete', () =>
  fc.assert(
    fc.asyncProperty(start, script(fc.oneof(edits, failures)), async (from, acts) => {
      await play(from, acts, { pods: 'fail' });
    }),
    { numRuns: 50 },
  ));

async function play(from: Start, acts: readonly Act[], { pods }: { pods: 'stay' | 'fail' }): Promise<void> {
  const plane = controlPlane({ seed: from.seed });
  const bounds = watchBounds(plane, pods === 'stay');
  plane.registry.create('deployments', draft(from));
  await settle(plane);
  bounds.settled();
  for (const act of acts) {
    await perform(plane, act);
    assert.equal(bounds.broken, [], `after ${JSON.stringify(act)}`);
  }
  edit(plane, (deployment) => {
    if (deployment.spec) delete deployment.spec.paused;
  });
  for (const pod of plane.pods()) if (!isTerminating(pod)) plane.makeReady(pod);
  await settle(plane);
  assert.equal(bounds.broken, []);
  assert.equal(plane.defects, []);
  assertComplete(plane);
  plane.stop();
}

function draft({ replicas, strategy: { surge, unavailable } }: Start) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'app' } },
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable },
      },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { containers: [{ name: 'app', image: 'app:1' }] },
      },
    },
  };
}

async function perform(plane: ControlPlane, act: Act): Promise<void> {
  const alive = () => plane.pods().filter((pod) => !isTerminating(pod));
  const pod = 'which' in act ? alive()[act.which % Math.max(1, alive().length)] : undefined;
  switch (act.act) {
    case 'image':
      return edit(plane, (deployment) => {
        const container = deployment.spec?.template.spec?.containers[0];
        if (container) container.image = `app:${act.version}`;
      });
    case 'scale':
      return edit(plane, (deployment) => {
        if (deployment.spec) deployment.spec.replicas = act.replicas;
      });
    case 'strategy':
      return edit(plane, (deployment) => {
        if (deployment.spec)
          deployment.spec.strategy = {
            type: 'RollingUpdate',
            rollingUpdate: { maxSurge: act.surge, maxUnavailable: act.unavailable },
          };
      });
    case 'pause':
    case 'resume':
      return edit(plane, (deployment) => {
        if (deployment.spec) deployment.spec.paused = act.act === 'pause' ? true : undefined;
      });
    case 'delete-pod':
    case 'force-delete-pod':
      if (pod)
        plane.registry.delete(
          'pods',
          'default',
          pod.metadata.name,
          act.act === 'force-delete-pod' ? { gracePeriodSeconds: 0 } : {},
        );
      return;
    case 'unready-pod':
      if (pod && isReady(pod)) plane.makeReady(pod, false);
      return;
    case 'wait':
      return plane.clock.advance(act.ms);
  }
}

function edit(plane: ControlPlane, change: (deployment: Deployment) => void): void {
  plane.registry.mutate('deployments', 'default', 'app', change);
}

/** Until nothing has happened for 10 s; a script that never settles is a fault. */
async function settle(plane: ControlPlane): Promise<void> {
  for (let version = -1, rounds = 0; version !== plane.registry.storage.version; rounds++) {
    assert.ok(rounds < 60, 'the control plane did not settle within ten minutes');
    version = plane.registry.storage.version;
    await plane.clock.advance(10_000);
  }
}

/**
 * Follows every change. Bounds are those of all specs since the control plane had settled: a change of `replicas` or of
 * the strategy takes effect when its controller gets to it, and a scaled Deployment is on its way for a while. Where the
 * sum of replicas and surge shrinks in the middle of a rollout, each ReplicaSet gives its share without a look at what is
 * available (scale() in pkg/controller/deployment/sync.go): as many pods fewer are promised then.
 */
function watchBounds(plane: ControlPlane, alsoAvailable: boolean) {
  const broken: string[] = [];
  const sizes = new Map<string, number>();
  let most = 0;
  let least = 0;
  let allowed = 0;
  let shrunk = 0;
  let image: string | undefined;
  let isRolledOut = false;
  let watching = false;
  const allow = (deployment: Deployment) => {
    const replicas = deployment.spec?.replicas ?? 1;
    const total = replicas + maxSurge(deployment);
    most = Math.max(most, total);
    least = Math.min(least, replicas - maxUnavailable(deployment));
    const wanted = deployment.spec?.template.spec?.containers[0]?.image;
    isRolledOut ||= watching && wanted !== image;
    image = wanted;
    if (isRolledOut) shrunk += Math.max(0, allowed - total);
    allowed = total;
  };
  plane.registry.subscribe(({ resource, type, object }) => {
    if (resource === 'deployments') return allow(object as Deployment);
    if (resource === 'replicasets') {
      if (type === 'DELETED') sizes.delete(object.metadata.uid);
      else sizes.set(object.metadata.uid, (object as ReplicaSet).spec?.replicas ?? 0);
      const wanted = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      if (wanted > most) broken.push(`${wanted} pods wanted, ${most} allowed`);
      return;
    }
    if (resource !== 'pods' || !watching || !alsoAvailable) return;
    const available = plane.pods().filter((pod) => isReady(pod) && !isTerminating(pod)).length;
    if (available < least - shrunk) broken.push(`${available} pods available, ${least - shrunk} promised`);
  });
  return {
    broken,
    settled() {
      watching = true;
      const deployment = plane.registry.get('deployments', 'default', 'app') as Deployment;
      most = 0;
      least = Number.POSITIVE_INFINITY;
      allow(deployment);
    },
  };
}

/** Every pod is of the present template and ready, as many as wanted; status, revision and history agree. */
function assertComplete(plane: ControlPlane): void {
  const deployment = plane.registry.get('deployments', 'default', 'app') as Deployment;
  const replicas = deployment.spec?.replicas ?? 1;
  const image = deployment.spec?.template.spec?.containers[0]?.image;
  const pods = plane.pods().filter((pod) => !isTerminating(pod) && !isTerminal(pod));
  assert.is(pods.length, replicas, 'pods');
  for (const pod of pods) {
    assert.is(pod.spec?.containers[0]?.image, image);
    assert.ok(isReady(pod), `${pod.metadata.name} is not ready`);
  }
  const replicaSets = [...plane.registry.list('replicasets', 'default')] as ReplicaSet[];
  const inUse = replicaSets.filter((one) => (one.spec?.replicas ?? 0) > 0);
  assert.is(inUse.length, replicas > 0 ? 1 : 0, 'ReplicaSets with pods');
  const revision = (one: { metadata: { annotations?: Record<string, string> } }) =>
    Number(one.metadata.annotations?.['deployment.kubernetes.io/revision']);
  const newest = replicaSets.find((one) => one.spec?.template?.spec?.containers[0]?.image === image);
  assert.ok(newest, 'no ReplicaSet of the present template');
  assert.is(revision(newest as never), Math.max(...replicaSets.map((one) => revision(one as never))));
  assert.is(revision(deployment as never), revision(newest as never));
  const { status } = deployment;
  assert.is(status?.observedGeneration, deployment.metadata.generation, 'observedGeneration');
  for (const field of ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'] as const)
    assert.is(status?.[field] ?? 0, replicas, field);
}

test.run();
