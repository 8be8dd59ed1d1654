// Which settings `harden` chooses, from measurements that are made up: the smallest set that is enough, the cheaper of two.
import * as assert from 'uvu/assert';
import {
  explore,
  figuresOf,
  isBetter,
  isEnough,
  ranked,
  type SetFigures,
} from '../../harness/run/harden/sets.ts';
import {
  type Hardened,
  hardenedMarkdown,
  hardenedText,
  tellHardened,
} from '../../harness/run/harden/text.ts';
import { renderHardenPage } from '../../reports/html/harden-page.ts';
import { experimentResult } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('harden: sets of settings');

const set = (settings: string, lost: number, cost = 0, kept = 0): SetFigures => ({
  settings: settings === '' ? [] : settings.split('+'),
  runs: 1,
  lines: { new: { attempts: 1000, lost }, kept: { attempts: 1000, lost: kept } },
  rolloutMs: 1000,
  extraPodSeconds: cost,
});

/** `needed`: any of these sets is enough. */
async function explored(all: string, needed: readonly string[]) {
  const measured: string[] = [];
  const found = await explore(set(all, 0), (sets) => {
    measured.push(...sets.map((one) => one.join('+')));
    return Promise.resolve(
      sets.map((one) =>
        set(
          one.join('+'),
          needed.some((want) => want.split('+').every((each) => one.includes(each))) ? 0 : 9,
        ),
      ),
    );
  });
  return { measured, best: ranked(found!.enough)[0]!.settings.join('+') };
}

test('all the way down, and only where it can be enough', async () => {
  const table: [string, string[], string, string[]][] = [
    ['all are needed', ['a+b+c'], 'a+b+c', ['b+c', 'a+c', 'a+b']],
    ['one is enough', ['b'], 'b', ['b+c', 'a+c', 'a+b', 'b']],
    [
      'either of two of the same cost: the one that was measured first',
      ['a', 'c'],
      'c',
      ['b+c', 'a+c', 'a+b', 'c', 'b', 'a'],
    ],
    ['two of three', ['a+c'], 'a+c', ['b+c', 'a+c', 'a+b']],
  ];
  for (const [name, needed, best, measured] of table) {
    const found = await explored('a+b+c', needed);
    assert.is(found.best, best, name);
    assert.equal(found.measured.toSorted(), measured.toSorted(), name);
  }
  assert.equal((await explored('a', ['a'])).measured, [], 'one alone: without it the workload is as it is');
});

test('what could not be measured ends the search', async () => {
  assert.is(await explore(set('a+b', 0), () => Promise.resolve(undefined)), undefined);
});

test('smallest first, then the cheapest: rollout time and pod-seconds weigh the same', () => {
  const order = ranked([
    set('a+b', 0, 1),
    set('c', 0, 9),
    set('d', 0, 4),
    { ...set('e', 0), rolloutMs: null },
  ]);
  assert.equal(
    order.map(({ settings }) => settings.join('+')),
    ['d', 'c', 'e', 'a+b'],
  );
});

test('enough: nothing lost, or no more than all settings together lose', () => {
  const clean = set('a+b', 0);
  const rest = set('a+b', 0, 0, 20);
  const table: [string, SetFigures, SetFigures, boolean][] = [
    ['nothing lost', set('a', 0), clean, true],
    ['one lost, all settings lose none', set('a', 1), clean, false],
    ['as many as all settings, within chance', set('a', 0, 0, 23), rest, true],
    ['surely more than all settings', set('a', 0, 0, 90), rest, false],
    ['another line loses', set('a', 2, 0, 20), rest, false],
  ];
  for (const [name, one, all, expected] of table) assert.is(isEnough(one, all), expected, name);
});

test('better: less somewhere, and more nowhere', () => {
  assert.is(isBetter(set('a', 0, 0, 20), set('', 50, 0, 20)), true);
  assert.is(isBetter(set('a', 50, 0, 20), set('', 50, 0, 20)), false);
  assert.is(isBetter(set('a', 0, 0, 200), set('', 50, 0, 20)), false);
});

test('figures of repeats are added, their cost is the mean', () => {
  const one = experimentResult({ variant: 'x' });
  const twice = figuresOf(['a'], [one, one]);
  assert.is(twice.runs, 2);
  assert.is(twice.lines.new?.attempts, 2 * (one.lanes.new?.attempts ?? Number.NaN));
  assert.is(twice.extraPodSeconds, one.rollout.extraPodSeconds);
});

test('the answer for the terminal, as a page and for a pull request says the same, and the chosen set is marked', () => {
  const chosen = set('preStop', 0, 3);
  const hardened: Hardened = {
    outcome: 'found',
    workload: 'Deployment web',
    scenario: 'image-change',
    cluster: { kind: 'embedded', kubernetesVersion: 'v1.34.0', emulated: true, proxyMode: 'iptables' },
    asIs: set('', 31),
    tried: [set('preStop+surge', 0, 5), chosen],
    chosen,
    preStopSeconds: 4,
    plan: { files: [{ file: 'web.yaml', before: 'a: <b>\n', after: 'a: c\n' }], notes: [], manifests: [] },
    diff: '--- web.yaml\n+++ web.yaml\n-a: <b>\n+a: c\n',
    edited: set('', 0),
    written: false,
    problems: ['one thing'],
    from: 'harden.json',
  };
  const text = hardenedText(hardened, 'out/x');
  const page = renderHardenPage(tellHardened(hardened));
  const markdown = hardenedMarkdown(hardened);
  for (const said of [
    'Deployment web, scenario image-change, on embedded v1.34.0 (emulated), kube-proxy iptables',
    'With preStop nothing is lost.',
    'Chosen: preStop, the smallest set that is enough',
    '(4 s, the shortest that lost no new connection)',
    'Left out: surge.',
    'Nothing is written. Write it with --write.',
    'Note: one thing',
  ])
    for (const one of [text, page, markdown]) assert.ok(one.includes(said), said);
  assert.match(text, /^\* preStop {2,}0 of 1,000/m);
  assert.match(page, /<b>✓ preStop<\/b>/);
  assert.match(page, /-a: &lt;b&gt;/);
  assert.match(markdown, /^\| \*\*preStop\*\* \| \*\*0 of 1,000/m);
  assert.match(markdown, /```diff\n--- web\.yaml/);
});

test.run();
