// Every workload with a size is one for autoscalers and for budgets: also those of the core group, and StatefulSets.
import * as assert from 'uvu/assert';
import { groupOf, scalableOf } from '../../emulator/controllers/runtime/scalable.ts';
import { type ControlPlane, controlPlane } from '../control-plane.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: workloads with a size');

const template = {
  metadata: { labels: { app: 'app' } },
  spec: { containers: [{ name: 'app', image: 'a' }] },
};
const metadata = { name: 'app', namespace: 'default' };

const workloads = [
  {
    kind: 'StatefulSet',
    apiVersion: 'apps/v1',
    resource: 'statefulsets',
    create: (plane: ControlPlane) =>
      plane.registry.create('statefulsets', {
        metadata,
        spec: {
          replicas: 3,
          serviceName: 'app',
          podManagementPolicy: 'Parallel',
          selector: { matchLabels: { app: 'app' } },
          template,
        },
      }),
  },
  {
    kind: 'ReplicationController',
    apiVersion: 'v1',
    resource: 'replicationcontrollers',
    create: (plane: ControlPlane) =>
      plane.registry.create('replicationcontrollers', {
        metadata,
        spec: { replicas: 3, selector: { app: 'app' }, template },
      }),
  },
] as const;

for (const { kind, apiVersion, resource, create } of workloads) {
  test(`a budget counts the pods of a ${kind}, an autoscaler sets its size`, async () => {
    const plane = controlPlane({ hpaSyncMs: 1000 });
    const { registry } = plane;
    try {
      create(plane);
      registry.create('poddisruptionbudgets', {
        metadata,
        spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'app' } } },
      });
      const budget = () => registry.get('poddisruptionbudgets', 'default', 'app')?.status;
      await plane.until('one disruption is allowed', () => budget()?.disruptionsAllowed === 1);
      assert.equal([budget()?.expectedPods, budget()?.desiredHealthy], [3, 2]);
      registry.create('horizontalpodautoscalers', {
        metadata,
        spec: { scaleTargetRef: { apiVersion, kind, name: 'app' }, maxReplicas: 2 },
      });
      await plane.until(
        'it is cut to 2',
        () => registry.get(resource, 'default', 'app')?.spec?.replicas === 2,
      );
      const able = () =>
        registry
          .get('horizontalpodautoscalers', 'default', 'app')
          ?.status?.conditions?.find(({ type }) => type === 'AbleToScale')?.reason;
      await plane.until('it says so', () => able() === 'SucceededRescale');
      assert.equal(plane.defects, []);
    } finally {
      plane.stop();
    }
  });
}

test('a size has a workload by group and kind, whatever the version', () => {
  const table: [apiVersion: string, kind: string, group: string, resource: string | undefined][] = [
    ['apps/v1', 'Deployment', 'apps', 'deployments'],
    // What Kubernetes' own tests say to this day.
    ['apps/v1beta2', 'ReplicaSet', 'apps', 'replicasets'],
    ['v1', 'ReplicationController', '', 'replicationcontrollers'],
    ['v1', 'Deployment', '', undefined],
    ['apps/v1', 'DaemonSet', 'apps', undefined],
    ['batch/v1', 'Job', 'batch', undefined],
  ];
  for (const [apiVersion, kind, group, resource] of table) {
    assert.equal(
      [groupOf(apiVersion), scalableOf(apiVersion, kind)],
      [group, resource],
      `${apiVersion} ${kind}`,
    );
  }
});

test.run();
