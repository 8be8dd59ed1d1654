import * as assert from 'uvu/assert';
import type { Pod } from '../../emulator/api/types.ts';
import {
  findRevision,
  nextRevisionNumber,
  type Revision,
  revisionDraft,
  surplusRevisions,
} from '../../emulator/controllers/daemonset/history.ts';
import { pinToNode, placementOn, targetNodeOf } from '../../emulator/controllers/daemonset/placement.ts';
import { limitsOf, nextUpdateStep } from '../../emulator/controllers/daemonset/rolling.ts';
import { daemonSetStatus } from '../../emulator/controllers/daemonset/status.ts';
import { daemonSet, node, type PodShape, pod, t0Ms, template } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: daemonset');
const hash = 'new';

/** "n1: old" and so on: an available pod of that template, "!" not available, "-" being deleted. */
function nodesWith(text: string): Map<string, Pod[]> {
  return new Map(
    text.split(';').map((part) => {
      const [name = '', pods = ''] = part.split(':').map((each) => each.trim());
      const made = pods
        .split(' ')
        .filter(Boolean)
        .map((word) => {
          const shape: PodShape = {
            name: `${name}-${word.replace(/[!-]/g, '')}`,
            node: name,
            ready: !word.includes('!'),
            deleting: word.includes('-'),
            labels: { app: 'app', 'controller-revision-hash': word.startsWith('new') ? 'new' : 'old' },
          };
          return pod(shape);
        });
      return [name, made] as const;
    }),
  );
}

test('limits: both round up, neither set is one unavailable', () => {
  const table: [object, nodes: number, surge: number, unavailable: number][] = [
    [{ maxUnavailable: 1, maxSurge: 0 }, 3, 0, 1],
    [{ maxUnavailable: '10%', maxSurge: 0 }, 3, 0, 1],
    [{ maxUnavailable: '50%', maxSurge: 0 }, 3, 0, 2],
    [{ maxUnavailable: 0, maxSurge: '10%' }, 11, 2, 0],
    [{ maxUnavailable: 0, maxSurge: 0 }, 3, 0, 1],
  ];
  for (const [rollingUpdate, nodes, surge, unavailable] of table) {
    const object = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });
    assert.equal(limitsOf(object, nodes), { surge, unavailable }, JSON.stringify(rollingUpdate));
  }
});

test('the next step of an update', () => {
  const table: [what: string, rollingUpdate: object, nodes: string, remove: string, createOn: string][] = [
    // Recorded: daemonset-update, one node after the other
    ['begin', { maxUnavailable: 1 }, 'n1: old; n2: old; n3: old', 'n1-old', ''],
    ['it terminates', { maxUnavailable: 1 }, 'n1: old-; n2: old; n3: old', '', ''],
    ['its node is empty', { maxUnavailable: 1 }, 'n1: ; n2: old; n3: old', '', ''],
    ['the new one starts', { maxUnavailable: 1 }, 'n1: new!; n2: old; n3: old', '', ''],
    ['the new one is up', { maxUnavailable: 1 }, 'n1: new; n2: old; n3: old', 'n2-old', ''],
    ['done', { maxUnavailable: 1 }, 'n1: new; n2: new; n3: new', '', ''],
    ['two at once', { maxUnavailable: 2 }, 'n1: old; n2: old; n3: old', 'n1-old n2-old', ''],
    ['broken old ones go at once', { maxUnavailable: 1 }, 'n1: old; n2: old!; n3: old!', 'n2-old n3-old', ''],
    ['a broken new one uses up the room', { maxUnavailable: 1 }, 'n1: new!; n2: old; n3: old!', 'n3-old', ''],
    ['surge: begin', { maxSurge: 1, maxUnavailable: 0 }, 'n1: old; n2: old; n3: old', '', 'n1'],
    ['surge: waits', { maxSurge: 1, maxUnavailable: 0 }, 'n1: old new!; n2: old; n3: old', '', ''],
    [
      'surge: up, the old one goes, the next begins',
      { maxSurge: 1, maxUnavailable: 0 },
      'n1: old new; n2: old; n3: old',
      'n1-old',
      'n2',
    ],
    [
      'surge: a broken old one is replaced at once',
      { maxSurge: 1, maxUnavailable: 0 },
      'n1: old new!; n2: old!; n3: old',
      '',
      'n2',
    ],
    ['two of a kind: left to the main loop', { maxUnavailable: 1 }, 'n1: old old; n2: old; n3: old', '', ''],
  ];
  for (const [what, rollingUpdate, nodes, remove, createOn] of table) {
    const object = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });
    const step = nextUpdateStep(object, nodesWith(nodes), hash, 3, t0Ms);
    assert.is(step.remove.map(({ metadata }) => metadata.name).join(' '), remove, what);
    assert.is(step.createOn.join(' '), createOn, what);
  }
});

test('which nodes: names, selectors, affinity and taints of the template', () => {
  const tainted = (effect: string) => node('n', { taints: [{ key: 'k', effect }] });
  const spec = (podSpec: object) => daemonSet({ template: template('app:1', podSpec) });
  const table: [
    string,
    ReturnType<typeof daemonSet>,
    ReturnType<typeof node>,
    run: boolean,
    stay: boolean,
  ][] = [
    ['any', spec({}), node('n'), true, true],
    ['another node by name', spec({ nodeName: 'm' }), node('n'), false, false],
    ['selector', spec({ nodeSelector: { disk: 'ssd' } }), node('n', { labels: { disk: 'ssd' } }), true, true],
    ['selector, missing', spec({ nodeSelector: { disk: 'ssd' } }), node('n'), false, false],
    ['NoSchedule keeps only new ones out', spec({}), tainted('NoSchedule'), false, true],
    ['NoExecute', spec({}), tainted('NoExecute'), false, false],
    ['PreferNoSchedule', spec({}), tainted('PreferNoSchedule'), true, true],
    [
      'tolerated',
      spec({ tolerations: [{ key: 'k', operator: 'Exists' }] }),
      tainted('NoExecute'),
      true,
      true,
    ],
    [
      'cordoned: DaemonSet pods tolerate it',
      spec({}),
      node('n', { taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }),
      true,
      true,
    ],
  ];
  for (const [what, object, target, shouldRun, shouldContinue] of table) {
    assert.equal(placementOn(object, target), { shouldRun, shouldContinue }, what);
  }
});

test('a pod is made for one node, and known by it before it is scheduled', () => {
  const spec = {
    containers: [],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
  };
  pinToNode(spec, 'node2');
  assert.is(targetNodeOf(pod({ spec: { ...spec, nodeName: undefined } })), 'node2');
  assert.is(targetNodeOf(pod({ node: 'node3' })), 'node3');
  assert.is(targetNodeOf(pod()), undefined);
});

test('status: a pod that terminates still counts', () => {
  // Recorded: after the first deletion numberReady stays 3, updatedNumberScheduled is absent
  const pods = nodesWith('n1: old-; n2: old; n3: old');
  const nodes = ['n1', 'n2', 'n3'].map((name) => node(name));
  assert.equal(daemonSetStatus(daemonSet(), nodes, pods, hash, t0Ms), {
    currentNumberScheduled: 3,
    numberMisscheduled: 0,
    desiredNumberScheduled: 3,
    numberReady: 3,
    numberAvailable: 3,
  });
  const next = nodesWith('n1: new!; n2: old; n3: old; cp: old');
  const withControlPlane = [...nodes, node('cp', { taints: [{ key: 'cp', effect: 'NoSchedule' }] })];
  assert.equal(daemonSetStatus(daemonSet(), withControlPlane, next, hash, t0Ms), {
    currentNumberScheduled: 3,
    numberMisscheduled: 1,
    desiredNumberScheduled: 3,
    numberReady: 2,
    updatedNumberScheduled: 1,
    numberAvailable: 2,
    numberUnavailable: 1,
  });
});

test('revisions: found by template, numbered upwards, cleaned up unless a pod is of them', () => {
  const object = daemonSet({ revisionHistoryLimit: 1 });
  const revision = (number: number, image: string) => {
    const draft = revisionDraft(daemonSet({ template: template(image) }), number);
    return { ...draft, metadata: { ...draft.metadata, name: `r${number}` } } as Revision;
  };
  const all = [revision(1, 'app:0'), revision(2, 'app:1'), revision(3, 'app:2'), revision(4, 'app:3')];
  assert.is(findRevision(object, all)?.revision, 2);
  assert.is(nextRevisionNumber(all), 5);
  const old = all.filter(({ revision: number }) => number !== 2);
  const live = pod({
    labels: { 'controller-revision-hash': old[0]?.metadata.labels?.['controller-revision-hash'] ?? '' },
  });
  assert.equal(
    surplusRevisions(object, old, []).map(({ revision: number }) => number),
    [1, 3],
  );
  assert.equal(
    surplusRevisions(object, old, [live]).map(({ revision: number }) => number),
    [3, 4],
  );
});

test.run();
