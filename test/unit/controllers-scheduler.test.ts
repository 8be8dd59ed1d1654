import * as assert from 'uvu/assert';
import type { Node, Pod, ReplicaSet, Service } from '../../emulator/api/types.ts';
import { controllerReference } from '../../emulator/controllers/runtime/ownership.ts';
import { plugins, schedule, totalScores } from '../../emulator/controllers/scheduler/framework.ts';
import { nodeStates } from '../../emulator/controllers/scheduler/node-state.ts';
import type { ClusterEvent, Snapshot } from '../../emulator/controllers/scheduler/plugins/plugin.ts';
import { tolerates } from '../../emulator/controllers/scheduler/plugins/taints.ts';
import { amountOf, requestsOf } from '../../emulator/controllers/scheduler/resources.ts';
import { node, type PodShape, pod, replicaSet, service } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: scheduler');
const controlPlane = node('cp', {
  taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }],
});
const workers = ['node1', 'node2', 'node3'].map((name) => node(name));
const kind = [controlPlane, ...workers];
const waiting = (spec: object = {}, labels: Record<string, string> = { app: 'app' }) =>
  pod({ name: 'waiting', phase: 'Pending', labels, spec: { nodeName: undefined, ...spec } });
const on = (where: string, more: PodShape = {}) => pod({ node: where, ready: true, ...more });

function snapshotOf(
  nodes: readonly Node[],
  pods: readonly Pod[],
  more: { services?: Service[]; replicaSets?: ReplicaSet[] } = {},
): Snapshot {
  return {
    nodes: nodeStates(nodes, pods),
    namespaces: [],
    services: more.services ?? [],
    replicaSets: more.replicaSets ?? [],
  };
}

/** The message, or the names of all nodes that it may get. */
function outcome(object: Pod, snapshot: Snapshot): string {
  const found = new Set<string>();
  for (let share = 0; share < 1; share += 0.05) {
    const result = schedule(object, snapshot, () => share);
    if (result.node === undefined) return result.message;
    found.add(result.node);
  }
  return [...found].sort().join(' ');
}

const hostname = 'kubernetes.io/hostname';
const selector = { matchLabels: { app: 'app' } };
const antiAffinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: hostname, labelSelector: selector }],
  },
};
const spread = (more: object = {}) => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: hostname,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: selector,
      ...more,
    },
  ],
});

test('the recorded messages, word for word', () => {
  const hostPort = {
    containers: [
      { name: 'app', image: 'a', ports: [{ containerPort: 8080, hostPort: 8080, protocol: 'TCP' }] },
    ],
  };
  const table: [string, Pod, Pod[], Node[], string][] = [
    [
      'antiaffinity-required-3',
      waiting({ affinity: antiAffinity }),
      [on('node1'), on('node2'), on('node3')],
      kind,
      "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't match pod anti-affinity rules. no new claims to deallocate, preemption: 0/4 nodes are available: 1 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod.",
    ],
    [
      'hostport-1',
      waiting({ ...hostPort, nodeSelector: { [hostname]: 'node2' } }),
      [on('node2', { spec: { ...hostPort, nodeName: 'node2' } })],
      kind,
      "0/4 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.",
    ],
    [
      'topology-spread-3',
      waiting(spread()),
      [on('node1'), on('node2'), on('node3')],
      kind,
      "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't match pod topology spread constraints. no new claims to deallocate, preemption: 0/4 nodes are available: 1 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod.",
    ],
    ['no nodes', waiting(), [], [], 'no nodes available to schedule pods'],
  ];
  for (const [what, object, pods, nodes, expected] of table)
    assert.is(outcome(object, snapshotOf(nodes, pods)), expected, what);
});

test('refusals of each plug-in', () => {
  const big = (requests: object) => ({ containers: [{ name: 'app', image: 'a', resources: { requests } }] });
  const port = (more: object) => ({
    containers: [
      { name: 'app', image: 'a', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP', ...more }] },
    ],
  });
  const affinity = {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: hostname, labelSelector: { matchLabels: { app: 'db' } } },
      ],
    },
  };
  const named = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }],
      },
    },
  };
  const one = node('n');
  const cordoned = node('n', { spec: { unschedulable: true } });
  const full = node('n', { allocatable: { pods: '1' } });
  const table: [what: string, spec: object, Node, Pod[], string | undefined][] = [
    ['cordoned', {}, cordoned, [], '1 node(s) were unschedulable'],
    [
      'cordoned, tolerated',
      { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] },
      cordoned,
      [],
      undefined,
    ],
    [
      'taint',
      {},
      node('n', { taints: [{ key: 'a', value: 'b', effect: 'NoExecute' }] }),
      [],
      '1 node(s) had untolerated taint(s)',
    ],
    ['soft taint', {}, node('n', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] }), [], undefined],
    [
      'selector',
      { nodeSelector: { disk: 'ssd' } },
      one,
      [],
      "1 node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'another node only',
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['m'] }] }],
            },
          },
        },
      },
      one,
      [],
      "1 node(s) didn't satisfy plugin(s) [NodeAffinity]",
    ],
    ['this node only', { affinity: named }, one, [], undefined],
    ['cpu', big({ cpu: '5' }), one, [], '1 Insufficient cpu'],
    [
      'cpu taken',
      big({ cpu: '3' }),
      one,
      [on('n', { spec: { ...big({ cpu: '1500m' }), nodeName: 'n' } })],
      '1 Insufficient cpu',
    ],
    [
      'cpu taken by one that terminates',
      big({ cpu: '3' }),
      one,
      [on('n', { deleting: true, spec: { ...big({ cpu: '1500m' }), nodeName: 'n' } })],
      '1 Insufficient cpu',
    ],
    [
      'cpu fits exactly',
      big({ cpu: '3' }),
      one,
      [on('n', { spec: { ...big({ cpu: '1' }), nodeName: 'n' } })],
      undefined,
    ],
    [
      'cpu and memory',
      big({ cpu: '5', memory: '9Gi' }),
      one,
      [],
      '1 Insufficient cpu, 1 Insufficient memory',
    ],
    ['no GPU', big({ 'nvidia.com/gpu': '1' }), one, [], '1 Insufficient nvidia.com/gpu'],
    ['too many pods', {}, full, [on('n')], '1 Too many pods'],
    [
      'host port taken by one that terminates',
      port({}),
      one,
      [on('n', { deleting: true, spec: { ...port({}), nodeName: 'n' } })],
      "1 node(s) didn't have free ports for the requested pod ports",
    ],
    [
      'host port of another protocol',
      port({}),
      one,
      [on('n', { spec: { ...port({ protocol: 'UDP' }), nodeName: 'n' } })],
      undefined,
    ],
    [
      'host port of another address',
      port({ hostIP: '10.0.0.1' }),
      one,
      [on('n', { spec: { ...port({ hostIP: '10.0.0.2' }), nodeName: 'n' } })],
      undefined,
    ],
    [
      'host port of every address',
      port({ hostIP: '10.0.0.1' }),
      one,
      [on('n', { spec: { ...port({}), nodeName: 'n' } })],
      "1 node(s) didn't have free ports for the requested pod ports",
    ],
    ['affinity, nobody there', { affinity }, one, [], "1 node(s) didn't match pod affinity rules"],
    ['affinity, there', { affinity }, one, [on('n', { labels: { app: 'db' } })], undefined],
    [
      'affinity to its own kind, the first',
      {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: hostname, labelSelector: selector },
            ],
          },
        },
      },
      one,
      [],
      undefined,
    ],
    [
      'existing pods do not want it',
      {},
      one,
      [on('n', { labels: { app: 'db' }, spec: { nodeName: 'n', affinity: antiAffinity } })],
      "1 node(s) didn't satisfy existing pods anti-affinity rules",
    ],
    [
      'anti-affinity to one that terminates',
      { affinity: antiAffinity },
      one,
      [on('n', { deleting: true })],
      "1 node(s) didn't match pod anti-affinity rules",
    ],
    [
      'anti-affinity in another namespace',
      { affinity: antiAffinity },
      one,
      [on('n', { meta: { namespace: 'other' } })],
      undefined,
    ],
    [
      'spread, key missing',
      spread({ topologyKey: 'zone' }),
      one,
      [],
      "1 node(s) didn't match pod topology spread constraints (missing required label)",
    ],
    [
      'spread, too few domains',
      spread({ minDomains: 2 }),
      one,
      [on('n')],
      "1 node(s) didn't match pod topology spread constraints",
    ],
  ];
  for (const [what, spec, target, pods, expected] of table) {
    const found = outcome(waiting(spec), snapshotOf([target], pods));
    if (expected === undefined) assert.is(found, 'n', what);
    else
      assert.ok(found.startsWith(`0/1 nodes are available: ${expected}. no new claims`), `${what}: ${found}`);
  }
});

test('preemption helps where pods are in the way, and not where the node itself will not do', () => {
  const request = (cpu: string) => ({
    containers: [{ name: 'app', image: 'a', resources: { requests: { cpu } } }],
  });
  const taken = [on('n', { spec: { ...request('2'), nodeName: 'n' } })];
  assert.match(
    outcome(waiting(request('3')), snapshotOf([node('n')], taken)),
    /1 No preemption victims found for incoming pod\.$/,
  );
  assert.match(
    outcome(waiting(request('5')), snapshotOf([node('n')], taken)),
    /1 Preemption is not helpful for scheduling\.$/,
  );
});

test('topology spread: what counts', () => {
  const rs = { 'pod-template-hash': 'new' };
  const labelled = { app: 'app', ...rs };
  const old = { labels: { app: 'app', 'pod-template-hash': 'old' } };
  const everywhere = [on('node1', old), on('node2', old), on('node3', old)];
  const refused =
    "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't match pod topology spread constraints.";
  const table: [string, Pod, Pod[], string][] = [
    ['the control plane is an empty domain', waiting(spread(), labelled), everywhere, refused],
    [
      'unless taints are honoured',
      waiting(spread({ nodeTaintsPolicy: 'Honor' }), labelled),
      everywhere,
      'node1 node2 node3',
    ],
    [
      'only the new ones by matchLabelKeys',
      waiting(spread({ matchLabelKeys: ['pod-template-hash'] }), labelled),
      everywhere,
      'node1 node2 node3',
    ],
    [
      'those that terminate do not count',
      waiting(spread(), labelled),
      [on('node1', { ...old, deleting: true }), on('node2', old), on('node3', old)],
      'node1',
    ],
    ['the pod does not count itself', waiting(spread(), { app: 'other' }), everywhere, 'node1 node2 node3'],
    [
      'another namespace does not count',
      waiting(spread(), labelled),
      everywhere.map((each) => ({ ...each, metadata: { ...each.metadata, namespace: 'other' } })),
      'node1 node2 node3',
    ],
    [
      'nodes outside the node affinity do not count',
      waiting({ ...spread(), nodeSelector: { [hostname]: 'node1' } }, labelled),
      everywhere,
      'node1',
    ],
    [
      'they do when told so',
      waiting(
        { ...spread({ nodeAffinityPolicy: 'Ignore' }), nodeSelector: { [hostname]: 'node1' } },
        labelled,
      ),
      everywhere,
      "0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector.",
    ],
    ['maxSkew 2', waiting(spread({ maxSkew: 2 }), labelled), everywhere, 'node1 node2 node3'],
  ];
  for (const [what, object, pods, expected] of table) {
    const found = outcome(object, snapshotOf(kind, pods));
    assert.ok(found === expected || found.startsWith(`${expected} no new claims`), `${what}: ${found}`);
  }
});

test('where a pod goes when several nodes will do', () => {
  const prefer = (kindOf: 'podAffinity' | 'podAntiAffinity') => ({
    affinity: {
      [kindOf]: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 100, podAffinityTerm: { topologyKey: hostname, labelSelector: selector } },
        ],
      },
    },
  });
  const preferNode = {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            preference: { matchExpressions: [{ key: hostname, operator: 'In', values: ['node3'] }] },
          },
        ],
      },
    },
  };
  const busy = {
    containers: [{ name: 'app', image: 'a', resources: { requests: { cpu: '2', memory: '4Gi' } } }],
  };
  const other = { labels: { app: 'other' } };
  const owner = replicaSet({ name: 'rs', replicas: 3 });
  const ofOwner = { ownerReferences: [controllerReference(owner)] };
  const table: [string, Pod, Pod[], string, { services?: Service[]; replicaSets?: ReplicaSet[] }?][] = [
    ['all equal: any', waiting(), [], 'node1 node2 node3'],
    // Recorded: antiaffinity-preferred-3 ends with one per node
    ['preferred anti-affinity', waiting(prefer('podAntiAffinity')), [on('node1'), on('node3')], 'node2'],
    ['preferred affinity', waiting(prefer('podAffinity')), [on('node2')], 'node2'],
    // Recorded: node-drain-packed: all three on node3
    ['preferred node', waiting(preferNode), [on('node3'), on('node3')], 'node3'],
    [
      'a node with room',
      waiting(),
      [
        on('node1', { ...other, spec: { ...busy, nodeName: 'node1' } }),
        on('node2', { ...other, spec: { ...busy, nodeName: 'node2' } }),
      ],
      'node3',
    ],
    [
      'spread over nodes by Service, without being asked',
      waiting(),
      [on('node1'), on('node2')],
      'node3',
      { services: [service()] },
    ],
    [
      'spread over nodes by ReplicaSet',
      { ...waiting(), metadata: { ...waiting().metadata, ...ofOwner } },
      [on('node1'), on('node3')],
      'node2',
      { replicaSets: [owner] },
    ],
    [
      'soft constraint',
      waiting(spread({ whenUnsatisfiable: 'ScheduleAnyway' })),
      [on('node2'), on('node3')],
      'node1',
    ],
  ];
  for (const [what, object, pods, expected, more] of table) {
    assert.is(outcome(object, snapshotOf(kind, pods, more)), expected, what);
  }
  const softTainted = [node('a', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] }), node('b')];
  assert.is(outcome(waiting(), snapshotOf(softTainted, [])), 'b', 'soft taint');
});

test('weights are those of the default profile, and an image that is there counts', () => {
  assert.equal(
    plugins.filter(({ weight }) => weight > 0).map(({ name, weight }) => `${name} ${weight}`),
    [
      'TaintToleration 3',
      'NodeAffinity 2',
      'NodeResourcesFit 1',
      'PodTopologySpread 2',
      'InterPodAffinity 2',
      'NodeResourcesBalancedAllocation 1',
      'ImageLocality 1',
    ],
  );
  const having = node('a');
  having.status = { ...having.status, images: [{ names: ['app:1'], sizeBytes: 2000 * 2 ** 20 }] };
  const snapshot = snapshotOf([having, node('b')], []);
  const scores = totalScores(waiting(), snapshot, snapshot.nodes);
  assert.is((scores.get('a') ?? 0) - (scores.get('b') ?? 0), 100);
});

test('resource arithmetic', () => {
  const table: [string, string, number][] = [
    ['cpu', '250m', 250],
    ['cpu', '1', 1000],
    ['cpu', '0.1', 100],
    ['cpu', '1u', 1],
    ['memory', '1Gi', 2 ** 30],
    ['memory', '128M', 128e6],
    ['memory', '100m', 1],
  ];
  for (const [name, text, expected] of table) assert.is(amountOf(name, text), expected, `${name} ${text}`);
  const container = (cpu: string, restartPolicy?: string) => ({
    name: 'c',
    image: 'a',
    restartPolicy,
    resources: { requests: { cpu } },
  });
  const sums: [string, object, number][] = [
    ['containers add up', { containers: [container('1'), container('2')] }, 3000],
    [
      'an init container only if it is more',
      { containers: [container('1')], initContainers: [container('4')] },
      4000,
    ],
    ['sidecars add up', { containers: [container('1')], initContainers: [container('2', 'Always')] }, 3000],
    [
      'an init container beside the sidecar before it',
      { containers: [container('1')], initContainers: [container('2', 'Always'), container('3')] },
      5000,
    ],
    ['overhead', { containers: [container('1')], overhead: { cpu: '500m' } }, 1500],
  ];
  for (const [what, spec, expected] of sums)
    assert.is(requestsOf(pod({ spec }), 'as-given').cpu, expected, what);
  assert.equal(requestsOf(pod(), 'at-least-a-little'), { cpu: 100, memory: 200 * 2 ** 20 });
});

test('tolerations', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  const table: [string, object, boolean][] = [
    ['equal', { key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    ['equal is the default', { key: 'k', value: 'v' }, true],
    ['another value', { key: 'k', value: 'w' }, false],
    ['exists', { key: 'k', operator: 'Exists' }, true],
    ['another effect', { key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
    ['everything', { operator: 'Exists' }, true],
    ['another key', { key: 'j', operator: 'Exists' }, false],
  ];
  for (const [what, toleration, expected] of table) assert.is(tolerates([toleration], taint), expected, what);
});

test('which changes let a refused pod try again', () => {
  const helps = (name: string, object: Pod, event: ClusterEvent) =>
    plugins.find((each) => each.name === name)?.helps(object, event);
  const deleted = (object: Pod): ClusterEvent => ({ kind: 'pod-deleted', pod: object });
  const added: ClusterEvent = { kind: 'pod-added', pod: on('node1') };
  const nodeAdded: ClusterEvent = { kind: 'node-added', node: workers[0] as Node };
  const port = { containers: [{ name: 'app', image: 'a', ports: [{ containerPort: 80, hostPort: 80 }] }] };
  const stranger = on('node1', { labels: { app: 'other' } });
  const table: [string, string, Pod, ClusterEvent, boolean][] = [
    ['taint: a node', 'TaintToleration', waiting(), nodeAdded, true],
    ['taint: a pod', 'TaintToleration', waiting(), deleted(stranger), false],
    ['resources: a pod less', 'NodeResourcesFit', waiting(), deleted(stranger), true],
    ['resources: a pod more', 'NodeResourcesFit', waiting(), added, false],
    ['ports: the pod that had it', 'NodePorts', waiting(port), deleted(on('node1', { spec: port })), true],
    ['ports: another', 'NodePorts', waiting(port), deleted(stranger), false],
    [
      'anti-affinity: one of them less',
      'InterPodAffinity',
      waiting({ affinity: antiAffinity }),
      deleted(on('node1')),
      true,
    ],
    [
      'anti-affinity: another',
      'InterPodAffinity',
      waiting({ affinity: antiAffinity }),
      deleted(stranger),
      false,
    ],
    ['spread: one of them more', 'PodTopologySpread', waiting(spread()), added, true],
    ['spread: another', 'PodTopologySpread', waiting(spread()), deleted(stranger), false],
  ];
  for (const [what, name, object, event, expected] of table)
    assert.is(helps(name, object, event), expected, what);
});

test.run();
