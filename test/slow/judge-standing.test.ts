// This run against the last ones: chips, percentiles, and how page, comment and audit carry them.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { comparableRuns, percentile, standingOf } from '../../harness/judge/standing.ts';
import { summarizeRun } from '../../harness/judge/summarize.ts';
import type { Results, Verdict } from '../../harness/model/results.ts';
import type { RunSummary } from '../../harness/model/run-summary.ts';
import { auditFolder } from '../../harness/run/audit.ts';
import { judgeFolder, writeEarlier } from '../../harness/run/judge-folder.ts';
import { renderForAgent } from '../../reports/agent.ts';
import { renderHtml } from '../../reports/html/page.ts';
import { renderTrend } from '../../reports/html/trend.ts';
import { renderMarkdown } from '../../reports/markdown.ts';
import { sampleRun } from '../data/sample-run.ts';
import { sealedRun } from '../data/sealed-run.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('judge: against the last runs');
const { results } = sampleRun();
const name = results.scenarios[0]?.name as string;
const at = (day: number): string => new Date(Date.parse(results.startedAt) - day * 86_400_000).toISOString();

/** `day`s ago, with that verdict, and `lost` in lane new of hardened. */
function earlier(day: number, verdict: Verdict, lost = 0, more: Partial<RunSummary> = {}): RunSummary {
  const summary = structuredClone(summarizeRun(results)) as RunSummary;
  const scenario = summary.scenarios[0] as RunSummary['scenarios'][number];
  scenario.verdict = verdict;
  for (const variant of scenario.variants) {
    const lane = variant.lanes.new;
    if (variant.variant === 'hardened' && lane) lane.lost = lost;
  }
  return { ...summary, runId: `r${day}`, startedAt: at(day), ...more };
}

const withVerdict = (verdict: Verdict): Results => ({
  ...results,
  scenarios: results.scenarios.map((scenario) => ({ ...scenario, verdict })),
});

test('percentiles are nearest rank', () => {
  const twenty = Array.from({ length: 20 }, (_, index) => index + 1);
  const cases: [number[], number, number][] = [
    [[7], 50, 7],
    [[7], 95, 7],
    [[1, 2], 50, 1],
    [twenty, 50, 10],
    [twenty, 95, 19],
    [twenty, 100, 20],
    [twenty, 0, 1],
  ];
  for (const [sorted, percent, expected] of cases) assert.is(percentile(sorted, percent), expected);
});

const chips: readonly [before: readonly Verdict[], now: Verdict, chip: string | undefined][] = [
  [[], 'proven', 'new'],
  [['proven'], 'proven', undefined],
  [['proven'], 'refuted', 'regressed'],
  [['refuted'], 'proven', 'fixed'],
  [['safe'], 'loses', 'regressed'],
  [['refuted', 'inconclusive'], 'proven', 'fixed'],
  [['proven', 'faulted'], 'proven', undefined],
  [['proven'], 'inconclusive', undefined],
  [['inconclusive'], 'refuted', undefined],
  [['refuted', 'proven'], 'refuted', 'regressed'],
];
for (const [before, now, chip] of chips) {
  test(`${before.join(', ') || 'nothing'}, then ${now}: ${chip ?? 'no chip'}`, () => {
    const runs = before.map((verdict, index) => earlier(before.length - index, verdict));
    assert.is(standingOf(runs, withVerdict(now)).scenarios[0]?.chip, chip);
  });
}

test('a figure above P95 of at least five runs is told; with fewer it is not', () => {
  for (const [runs, above] of [
    [4, false],
    [5, true],
  ] as const) {
    const before = Array.from({ length: runs }, (_, index) => earlier(index + 1, 'proven', 0));
    const bad = structuredClone(results) as Results;
    for (const experiment of bad.scenarios[0]?.experiments ?? []) {
      const lane = experiment.lanes.new;
      if (experiment.variant === 'hardened' && lane) Object.assign(lane, { lost: 5 });
    }
    const standing = standingOf(before, bad).scenarios[0]?.figures.find(
      (one) => one.variant === 'hardened' && one.line === 'new' && one.figure === 'lost',
    );
    assert.equal(
      [standing?.now, standing?.p50, standing?.p95, standing?.runs, standing?.above],
      [5, 0, 0, runs, above],
    );
  }
});

test('the last 20 runs before this one on the same kind of cluster are looked at', () => {
  const many = Array.from({ length: 30 }, (_, index) => earlier(30 - index, 'proven'));
  const others = [
    earlier(1, 'refuted', 0, { cluster: { ...summarizeRun(results).cluster, kind: 'context' } }),
    earlier(-1, 'refuted'),
    { ...earlier(1, 'refuted'), runId: results.runId },
  ];
  const found = comparableRuns([...others, ...many], results);
  assert.equal([found.length, found[0]?.runId, found.at(-1)?.runId], [20, 'r20', 'r1']);
});

test('runs of another workload are no earlier runs of this one; a line that does not say which it was is', () => {
  const now = { ...results, target: 'Deployment/web' };
  const of = (days: number, target?: string) => ({ ...earlier(days, 'proven'), ...(target && { target }) });
  const history = [of(4, 'Deployment/api'), of(3, 'Deployment/web'), of(2), of(1, 'built-in')];
  assert.equal(
    comparableRuns(history, now).map(({ runId }) => runId),
    ['r3', 'r2'],
  );
  assert.is(summarizeRun(now).target, 'Deployment/web');
  const trend = renderTrend([...history, { ...earlier(0, 'proven'), target: 'Deployment/web' }]);
  assert.match(trend, /3 runs of <b>Deployment web<\/b>|<span>3 runs<\/span> of <b>Deployment web<\/b>/);
  assert.match(trend, '2 runs of other workloads in this history are not shown');
  assert.match(renderHtml({ results: now, journals: new Map() }), '<b>Deployment web</b>');
});

test('page and comment carry chip, sentence and percentiles; without a history nothing is said', () => {
  const before = Array.from({ length: 6 }, (_, index) => earlier(index + 1, 'proven', 0));
  const now = withVerdict('refuted');
  const known = { ...now, history: standingOf(before, now) };
  const page = renderHtml({ results: known, journals: new Map() });
  const comment = renderMarkdown(known);
  assert.match(page, /class="badge bad" title="regressed: it was proven when it was last known"/);
  assert.match(page, /Against the last 6 runs/);
  assert.match(page, /<th scope="col">P95<\/th>/);
  assert.match(
    comment,
    new RegExp(`Against the last 6 runs:\\n- ${name} has regressed: it was proven when it was last known`),
  );
  for (const text of [renderHtml({ results: now, journals: new Map() }), renderMarkdown(now)])
    assert.not.match(text, /Against the last/);
});

test('what needs attention first comes first on the page, in the comment and for an assistant', () => {
  const [one] = results.scenarios;
  const scenarios = (['proven', 'refuted', 'not-run', 'clean', 'refuted'] as const).map((verdict, index) => ({
    ...one!,
    name: `case-${index}`,
    title: `Case ${index}`,
    verdict,
  }));
  const now: Results = {
    ...results,
    scenarios,
    history: {
      runs: 6,
      scenarios: [
        { name: 'case-4', chip: 'regressed', before: 'proven', figures: [] },
        { name: 'case-0', chip: 'fixed', before: 'refuted', figures: [] },
      ],
    },
  };
  const order = ['case-4', 'case-1', 'case-0', 'case-3', 'case-2'];
  const page = renderHtml({ results: now, journals: new Map() });
  const comment = renderMarkdown(now);
  const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, id]) => id);
  assert.equal(found(page, /<th scope="row"><a href="#s-(case-\d)">/g), order);
  assert.equal(found(comment, /^\| Case \d `(case-\d)`/gm), order);
  assert.equal(found(renderForAgent({ results: now, folder: 'out' }), /^## (case-\d): /gm), order);
  assert.match(comment, '✕ refuted, **regressed** |');
  assert.match(comment, /6 runs:\n- case-4 has regressed: .*\n- case-0 is fixed: /);
});

test('the earlier runs are kept beside the journals: reports made again later say the same, and audit checks them', () =>
  inTemporaryFolder(async (folder) => {
    await sealedRun(folder);
    const facts = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    const first = (await judgeFolder(folder)).results;
    assert.is(first.history, undefined);
    const summary = summarizeRun(first);
    writeEarlier(folder, [{ ...summary, runId: 'before', startedAt: new Date(0).toISOString() }], facts);
    rmSync(join(folder, 'seal.json'));
    const { results: judged } = await judgeFolder(folder, { facts });
    assert.is(judged.history?.runs, 1);
    assert.ok((judged.history?.scenarios[0]?.figures.length ?? 0) > 0);
    assert.equal((await judgeFolder(folder)).results.history, judged.history);
    assert.is((await auditFolder(folder)).exitCode, 0);
  }));

test.run();
