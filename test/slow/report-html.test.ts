import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { uncheckedJournal } from '../../harness/journal/read.ts';
import type { RunSummary } from '../../harness/model/run-summary.ts';
import { count } from '../../harness/words/figures.ts';
import { crossCheckTable } from '../../reports/html/cross-check.ts';
import { html } from '../../reports/html/markup.ts';
import { chooseForms } from '../../reports/html/packing.ts';
import { renderHtml } from '../../reports/html/page.ts';
import { citedLines, journalView } from '../../reports/html/timeline.ts';
import { renderTrend } from '../../reports/html/trend.ts';
import { renderMarkdown } from '../../reports/markdown.ts';
import { renderTerminal } from '../../reports/terminal.ts';
import { fullResults, type SampleRun, sampleRun, sampleSuite } from '../data/sample-run.ts';
import { suite } from '../suite.ts';

const test = suite('report: html');

function pageOf({ results, journals }: SampleRun): string {
  const cited = citedLines(results);
  const views = new Map(
    [...journals].map(([file, records]) => [
      file,
      journalView(factsOf(uncheckedJournal(records)), cited.get(file)),
    ]),
  );
  return renderHtml({ results, journals: views });
}

const single = sampleRun();
const page = pageOf(single);

test('text is escaped, markup is not', () => {
  assert.is(
    html`<b>${'<i>&"'}</b>${html`<i>${1}</i>`}${false}${undefined}${['a', '<']}`.text,
    '<b>&lt;i&gt;&amp;&quot;</b><i>1</i>a&lt;',
  );
});

test('a pod named <script> stays text wherever it stands', () => {
  const hostile = pageOf(sampleRun({ podPrefix: '<script>alert(1)</script><img src=x onerror=alert(2)>' }));
  assert.not.match(hostile, '<script>alert');
  assert.not.match(hostile, '<img');
  assert.match(hostile, '&lt;script&gt;alert(1)');
  // In the embedded JSON no "<" can end the script element.
  for (const [, json] of hostile.matchAll(/<script type="application\/json"[^>]*>([^<]*)<\/script>/g))
    JSON.parse(json!);
});

test("another tool's counts stand beside ours, with why they differ, and a lane that was not compared says so", () => {
  const [experiment] = fullResults().scenarios[0]!.experiments;
  const shown = crossCheckTable(experiment!, 'baseline')?.text ?? '';
  const ours = experiment!.lanes.new!;
  const cells = [...shown.matchAll(/<th scope="row">(.*?)<\/th>((?:<td>.*?<\/td>)+)/g)].map(
    ([, head, rest]) =>
      [
        head!,
        ...rest!
          .replace(/<[^>]*>/g, '|')
          .split('|')
          .filter(Boolean),
      ] as const,
  );
  const rowOf = (head: string) => cells.find(([text]) => text.includes(head))?.slice(1);
  assert.equal(rowOf('Requests sent'), [count(ours.attempts), '1,980']);
  assert.equal(rowOf('refused'), [count(ours.outcomes.refused ?? 0), '3']);
  assert.equal(rowOf('Not compared'), ['–', 'k6 ended with 107 and no summary']);
  assert.match(rowOf('without a code in k6')?.at(-1) ?? '', /^2$/);
  assert.match(shown, 'k6 gives 2 failures no code of their own');
  assert.is(crossCheckTable({ ...experiment!, crossCheck: undefined } as never, 'baseline'), undefined);
});

test('nothing in the page points outside, and the policy forbids every request', () => {
  assert.match(page, /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;/);
  const outside = [...page.matchAll(/(?:src|href|url\()\s*=?\s*["'(]?\s*(https?:|\/\/)[^"')\s]*/g)].map(
    ([link]) => link,
  );
  assert.equal(outside, []);
});

test('ids are unique and links inside the page lead somewhere', () => {
  for (const text of [page, pageOf(sampleRun({ repeats: 2, emulated: true })), pageOf(sampleSuite(3))]) {
    const ids = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
    const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
    assert.equal(twice, []);
  }
  const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!));
  const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id!);
  const moments = links.filter((id) => id.startsWith('at='));
  assert.ok(moments.length > 0, 'windows lead to their moment');
  const to = links.map((id) => /^at=[\d.]+-[\d.]+&amp;in=([^&]+)&amp;lane=/.exec(id)?.[1] ?? id);
  assert.equal(
    to.filter((id) => !ids.has(id)),
    [],
  );
});

test('every table has a caption, column headers and row headers', () => {
  const tables = [
    ...pageOf({ ...single, results: fullResults() }).matchAll(/<table[^>]*>([\s\S]*?)<\/table>/g),
  ];
  assert.ok(tables.length > 8, `${tables.length} tables`);
  for (const [, table] of tables) {
    assert.match(table!, /^<caption>[^<]|^<caption><b>/);
    assert.match(table!, /<th scope="col">/);
    assert.match(table!, /<th scope="row(group)?"/);
  }
});

test('headings go down one level at a time, with one h1', () => {
  for (const text of [page, pageOf(sampleSuite(3))]) {
    const levels = [...text.matchAll(/<h([1-6])[ >]/g)].map(([, level]) => Number(level));
    assert.is(levels.filter((level) => level === 1).length, 1);
    levels.forEach((level, i) => {
      assert.ok(i === 0 || level <= levels[i - 1]! + 1, `h${levels[i - 1]} → h${level}`);
    });
  }
});

test('figures have a title, a description in words and the table beside them', () => {
  const figures = [...page.matchAll(/<figure[\s\S]*?<\/figure>/g)].map(([figure]) => figure);
  assert.is(figures.length, 2);
  for (const figure of figures) {
    assert.match(figure, /<svg role="img" aria-labelledby="\S+-title \S+-desc"/);
    assert.match(figure, /<desc id="[^"]*">Time line from 0 to/);
    assert.match(figure, /<caption>Pods: when they changed/);
  }
  const { lost } = single.results.scenarios[0]!.experiments[0]!.lanes.new!;
  assert.match(figures[0]!, `Lane new lost ${lost} between`);
  assert.match(figures[1]!, 'Lane new lost nothing.');
});

test('emulation is said at the top, in the answer and in the limits; never for a real cluster', () => {
  const emulated = pageOf(sampleRun({ emulated: true }));
  assert.ok(emulated.match(/emulated Kubernetes/gi)!.length >= 5);
  assert.ok(emulated.indexOf('<b>Emulated Kubernetes.</b>') < emulated.indexOf('<h1'));
  assert.not.match(page, /emulated Kubernetes/i);
});

test('the diff, the reproduce line and the versions are there', () => {
  assert.match(page, /<span class="add">\+ {10}readinessProbe:/);
  assert.match(page, 'npm run verify -- --cluster kind --scenario image-change');
  assert.match(page, 'v1.34.4');
  assert.match(page, 'eeebcc6');
});

test('a journal that is missing costs only its time line', () => {
  const text = renderHtml({ results: single.results, journals: new Map() });
  assert.match(text, 'Before and after');
  assert.not.match(text, '<figure');
  assert.match(text, '(not read)');
});

test('fields that few runs have: ablation, findings, rounds', () => {
  const text = pageOf({ ...single, results: fullResults() });
  assert.match(text, 'What each setting does, lane by lane');
  assert.match(text, 'Container app has no readinessProbe.');
  assert.match(text, '✕ confirmed');
  assert.match(text, '2 of 2 rounds came to this verdict');
});

test('zero of a measurement that was not good enough is never green', () => {
  const run = sampleRun({ verdict: 'inconclusive' });
  const text = pageOf(run);
  assert.not.match(text, /class="(lost )?good"><b>0<|<b class="good">0</);
  assert.match(text, '? With the settings: not measured well enough');
  assert.match(text, 'not valid: Send lag p99 was 84 ms');
  assert.not.match(text, '0 lost means');
  assert.match(renderTerminal(run.results, { colour: false }), /hardened +\? 0 of/);
  assert.match(renderMarkdown(run.results), /\*\*0\*\* of 4,940 \(0 %\), not valid/);
});

test('no result at all is an answer too', () => {
  const text = renderHtml({ results: { ...single.results, scenarios: [] }, journals: new Map() });
  assert.match(text, 'No scenario was run, so nothing is proven.');
});

test('a quick suite stays below 500 KB with every figure of its overview in the open', () => {
  const run = sampleSuite(20, true);
  const text = pageOf(run);
  assert.ok(Buffer.byteLength(text) < 500_000, `${Buffer.byteLength(text)} bytes`);
  for (const scenario of run.results.scenarios) {
    const experiment = scenario.experiments[0];
    if (!experiment) continue;
    const tone = experiment.valid ? 'good' : 'warn';
    assert.match(text, `>${experiment.lanes.new!.lost}</span> → <b class="${tone}">0</b>`, scenario.name);
  }
});

test('what went wrong is opened first when not everything fits', () => {
  const text = pageOf(sampleSuite(12, true));
  const part = (name: string) => {
    const from = text.indexOf(`<article id="s-${name}">`);
    return text.slice(from, text.indexOf('</article>', from));
  };
  assert.match(part('scale-down'), '<figure');
  assert.not.match(part('case-11'), '<figure');
  assert.match(part('case-11'), 'data-packed');
});

test('hundreds of experiments render in seconds', () => {
  const run = sampleSuite(120, true);
  const cited = citedLines(run.results);
  const views = new Map(
    [...run.journals].map(([file, records]) => [
      file,
      journalView(factsOf(uncheckedJournal(records)), cited.get(file)),
    ]),
  );
  const started = performance.now();
  const text = renderHtml({ results: run.results, journals: views });
  assert.ok(performance.now() - started < 15_000);
  assert.ok(Buffer.byteLength(text) < 3_500_000, `${Buffer.byteLength(text)} bytes`);
});

test('forms: smallest first, then as many as fit in order of importance', () => {
  const part = (small: number, large: number) => [
    () => html`${'a'.repeat(small)}`,
    () => html`${'b'.repeat(large)}`,
  ];
  const sizes = (bytes: number) =>
    chooseForms([part(10, 50), part(10, 90), part(10, 20)], bytes).map(({ text }) => text.length);
  assert.equal(sizes(0), [10, 10, 10]);
  assert.equal(sizes(40), [10, 10, 20]);
  assert.equal(sizes(80), [50, 10, 20]);
  assert.equal(sizes(1000), [50, 90, 20]);
});

test('trend: worse, better, the same and first', () => {
  const night = (day: number, verdict: 'proven' | 'refuted', lost: number): RunSummary => ({
    schemaVersion: 1,
    runId: `r${day}`,
    startedAt: `2026-03-0${day}T01:00:00.000Z`,
    durationMs: 60_000,
    tool: { name: 'rollproof', version: '0.1.0' },
    cluster: { name: 'c', kind: 'kind', kubernetesVersion: 'v1.34.4', emulated: false },
    exitCode: 0,
    green: verdict === 'proven',
    scenarios: [
      {
        name: '<image>',
        verdict,
        variants: [
          {
            variant: 'hardened',
            path: 'cluster-ip',
            agents: 1,
            runs: 1,
            validRuns: 1,
            rolloutMs: 11_000,
            extraPodSeconds: 30,
            capacityLostPodSeconds: 0,
            lanes: { new: { attempts: 6000, lost, races: 0, longestOutageMs: 0 } },
          },
        ],
      },
    ],
  });
  const table: [RunSummary[], string][] = [
    [[], 'No run is in the history yet.'],
    [[night(1, 'proven', 0)], 'This is the first run'],
    [[night(1, 'proven', 0), night(2, 'refuted', 5)], 'The last run got worse.'],
    [[night(2, 'proven', 0), night(1, 'refuted', 5)], 'The last run got better.'],
    [[night(1, 'proven', 0), night(2, 'proven', 0)], 'Nothing changed in the last run.'],
  ];
  for (const [history, expected] of table) {
    const text = renderTrend(history);
    assert.match(text, `<h1>${expected}`);
    assert.not.match(text, '<image>');
  }
  assert.match(
    renderTrend([night(1, 'proven', 0), night(2, 'refuted', 5)]),
    '&lt;image&gt;: proven → refuted',
  );
});

test.run();
