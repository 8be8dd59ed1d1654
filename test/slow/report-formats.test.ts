import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { compareRuns } from '../../harness/judge/compare.ts';
import { summarizeRun } from '../../harness/judge/summarize.ts';
import type { Results, Verdict } from '../../harness/model/results.ts';
import { verdicts } from '../../harness/model/results.ts';
import { renderForAgent } from '../../reports/agent.ts';
import { renderComparePage } from '../../reports/html/compare-page.ts';
import { renderJson } from '../../reports/json/render.ts';
import { renderJunit } from '../../reports/junit.ts';
import { renderMarkdown } from '../../reports/markdown.ts';
import { renderOpenMetrics } from '../../reports/openmetrics.ts';
import { renderTerminal, wantsColour } from '../../reports/terminal.ts';
import { parseFormats, reportFiles, reportFormats, writeReports } from '../../reports/write.ts';
import { fullResults, sampleRun, sampleSuite } from '../data/sample-run.ts';
import { suite } from '../suite.ts';

const test = suite('report: formats');
const single = sampleRun().results;
const many = sampleSuite(7, true).results;
const hostile = '<script>alert(1)</script> "x" & \u001b[31mred\u001b[0m | `tick` @someone ]]>\u0000';

const schema = JSON.parse(
  await readFile(new URL('../../reports/json/results.schema.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;

/** The schema as published accepts fields that it does not know; for this test it must know all. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const node = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]));
  const isObject =
    node.type === 'object' && typeof node.properties === 'object' && !('additionalProperties' in node);
  return isObject ? { ...node, additionalProperties: false } : node;
}

function schemaErrors(value: unknown, strict: boolean): string {
  const ajv = new Ajv2020({
    allErrors: true,
    allowUnionTypes: true,
    formats: { 'date-time': /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ },
  });
  const validate = ajv.compile(strict ? (closed(schema) as object) : schema);
  return validate(value) ? '' : ajv.errorsText(validate.errors);
}

test('results.json is what its JSON Schema says, field by field', () => {
  for (const results of [single, many, fullResults()]) {
    assert.is(schemaErrors(JSON.parse(renderJson(results)), true), '');
  }
});

test('the schema accepts fields of later versions and refuses wrong ones', () => {
  const parsed = JSON.parse(renderJson(single)) as Record<string, unknown>;
  assert.is(schemaErrors({ ...parsed, invented: 1 }, false), '');
  const table: [string, (results: Results) => unknown, RegExp][] = [
    ['missing field', ({ runId: _, ...rest }) => rest, /runId/],
    ['unknown verdict', (r) => ({ ...r, scenarios: [{ ...r.scenarios[0], verdict: 'fine' }] }), /verdict/],
    ['another version', (r) => ({ ...r, schemaVersion: 2 }), /schemaVersion/],
    ['negative share', (r) => ({ ...r, idleShare: -0.1 }), /idleShare/],
    ['unknown exit code', (r) => ({ ...r, exitCode: 7 }), /exitCode/],
  ];
  for (const [what, change, expected] of table) {
    assert.match(schemaErrors(change(structuredClone(single)), false), expected, what);
  }
});

test('a clock that was never measured reads as null', () => {
  const [scenario] = single.scenarios;
  const experiments = scenario!.experiments.map((one) => ({
    ...one,
    clock: { errorMs: Number.POSITIVE_INFINITY },
  }));
  const results = { ...single, scenarios: [{ ...scenario!, experiments }] };
  assert.is(schemaErrors(JSON.parse(renderJson(results)), true), '');
});

test('JUnit: a suite per scenario, a case per claim, counts that add up', () => {
  const xml = parseXml(renderJunit(many));
  assert.is(xml.name, 'testsuites');
  assert.is(xml.children.length, many.scenarios.length);
  let tests = 0;
  many.scenarios.forEach((scenario, i) => {
    const node = xml.children[i]!;
    assert.is(node.attributes.name, scenario.name);
    const cases = node.children.filter((child) => child.name === 'testcase');
    assert.is(cases.length, Math.max(1, scenario.claims.length), scenario.name);
    assert.is(Number(node.attributes.tests), cases.length);
    for (const kind of ['failure', 'skipped', 'error'] as const) {
      const attribute = kind === 'failure' ? 'failures' : kind === 'error' ? 'errors' : 'skipped';
      const having = cases.filter((one) => one.children.some((child) => child.name === kind)).length;
      assert.is(Number(node.attributes[attribute]), having, `${scenario.name} ${kind}`);
    }
    tests += cases.length;
  });
  assert.is(Number(xml.attributes.tests), tests);
});

test('JUnit: what each verdict becomes', () => {
  const table: [Verdict, string][] = [
    ['proven', 'system-out'],
    ['not-run', 'skipped'],
    ['inconclusive', 'skipped'],
    ['faulted', 'error'],
    ['refuted', 'failure'],
  ];
  for (const [verdict, expected] of table) {
    const base = sampleRun({ verdict: verdict === 'faulted' ? 'proven' : verdict }).results;
    const results = { ...base, scenarios: base.scenarios.map((scenario) => ({ ...scenario, verdict })) };
    const kinds = parseXml(renderJunit(results))
      .children[0]!.children.filter((child) => child.name === 'testcase')
      .flatMap((one) => one.children.map((child) => child.name));
    assert.ok(kinds.includes(expected), `${verdict}: ${kinds.join()}`);
    if (expected === 'skipped') assert.equal(new Set(kinds), new Set(['skipped']), verdict);
  }
});

test('JUnit: an unneeded scenario fails nothing, since its exit code is 0', () => {
  const [scenario] = single.scenarios;
  const claims = scenario!.claims.map((claim) =>
    claim.id === 'baseline-new' ? { ...claim, result: 'fails' as const } : claim,
  );
  const results = { ...single, scenarios: [{ ...scenario!, claims, verdict: 'unneeded' as const }] };
  const xml = parseXml(renderJunit(results));
  assert.is(xml.attributes.failures, '0');
  assert.is(xml.attributes.skipped, '1');
});

test('JUnit: a claim that was expected to fail and fails is passed, and the failure carries the figure', () => {
  const xml = renderJunit(sampleRun({ verdict: 'refuted' }).results);
  const cases = parseXml(xml).children[0]!.children.filter((child) => child.name === 'testcase');
  const published = cases.find((one) => one.attributes.name?.startsWith('article-30s'))!;
  assert.equal(
    published.children.map((child) => child.name),
    ['system-out'],
  );
  const failed = cases.find((one) => one.attributes.name?.startsWith('hardened-new'))!;
  assert.match(failed.children[0]!.attributes.message!, /expected lost = 0; measured lost 0 of 4940/);
});

test('JUnit: a scenario without claims does not disappear', () => {
  const [scenario] = single.scenarios;
  for (const verdict of verdicts) {
    const results = { ...single, scenarios: [{ ...scenario!, claims: [], verdict }] };
    const cases = parseXml(renderJunit(results)).children[0]!.children.filter(
      (child) => child.name === 'testcase',
    );
    assert.is(cases.length, 1, verdict);
  }
});

test('JUnit: hostile text stays text and the file stays well-formed', () => {
  const [scenario] = single.scenarios;
  const results = {
    ...single,
    reproduce: hostile,
    scenarios: [
      {
        ...scenario!,
        title: hostile,
        reason: `${hostile}\ud800`,
        claims: [{ ...scenario!.claims[0]!, text: hostile, measured: hostile, result: 'fails' as const }],
      },
    ],
  };
  const xml = renderJunit(results);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
  assert.not.match(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800]/);
  const failure = parseXml(xml).children[0]!.children.find((child) => child.name === 'testcase')!
    .children[0]!;
  assert.match(failure.attributes.message!, '<script>alert(1)</script>');
});

test('OpenMetrics: every line is as the specification says, and the figures are those of the results', () => {
  for (const results of [single, many]) {
    const samples = parseOpenMetrics(renderOpenMetrics(results));
    for (const scenario of results.scenarios) {
      for (const experiment of scenario.experiments) {
        for (const [lane, result] of Object.entries(experiment.lanes)) {
          const found = samples.filter(
            ({ name, labels }) =>
              name === 'rollproof_lost' &&
              labels.scenario === scenario.name &&
              labels.variant === experiment.variant &&
              labels.repeat === String(experiment.repeat) &&
              labels.lane === lane,
          );
          assert.equal(
            found.map(({ value }) => value),
            [result.lost],
          );
        }
      }
      const states = samples.filter(
        ({ name, labels }) => name === 'rollproof_scenario_verdict' && labels.scenario === scenario.name,
      );
      assert.is(states.length, verdicts.length);
      assert.equal(
        states.filter(({ value }) => value === 1).map(({ labels }) => labels.rollproof_scenario_verdict),
        [scenario.verdict],
      );
    }
  }
});

test('OpenMetrics: label values are escaped', () => {
  const [scenario] = single.scenarios;
  const name = 'a "b" \\ \n c';
  const samples = parseOpenMetrics(renderOpenMetrics({ ...single, scenarios: [{ ...scenario!, name }] }));
  assert.ok(samples.some(({ labels }) => labels.scenario === name));
});

test('Markdown: answer first, figures as in the results, emulation said', () => {
  const text = renderMarkdown(single);
  assert.match(text.split('\n')[0]!, /^## ✓ Not safe as it is\. Safe with the 4 settings/);
  const { lost, attempts } = single.scenarios[0]!.experiments[0]!.lanes.new!;
  assert.match(text, `**${lost}** of ${attempts.toLocaleString('en-US')}`);
  assert.not.match(text, /emulated/i);
  assert.match(renderMarkdown(many), /> \*\*Emulated Kubernetes\.\*\*/);
});

test('Markdown: fits a comment however large the run is, and says what is left out', () => {
  const text = renderMarkdown(sampleSuite(60, true).results);
  assert.ok(text.length <= 65_000, `${text.length} characters`);
  assert.match(text, /more sections are in index\.html/);
  assert.match(text, /What this does not prove/);
});

test('Markdown: hostile text makes no markup, no mention and no table cell', () => {
  const [scenario] = single.scenarios;
  const results = {
    ...single,
    reproduce: 'npm run x -- --name "a`b"',
    scenarios: [
      { ...scenario!, title: hostile, reason: hostile, claims: [{ ...scenario!.claims[0]!, text: hostile }] },
    ],
  };
  const text = renderMarkdown(results);
  assert.not.match(text, '<script>');
  assert.not.match(text, '@someone');
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
  for (const row of rows) assert.ok([5, 7].includes(cells(row)), row);
});

test('terminal: colours only when asked, never other control characters', () => {
  const [scenario] = single.scenarios;
  const results = { ...single, scenarios: [{ ...scenario!, title: hostile, reason: hostile }] };
  for (const colour of [true, false]) {
    const text = renderTerminal(results, { colour });
    const own = text
      .split('\u001b[')
      .map((part, i) => (i === 0 ? part : part.replace(/^(0|1|2|31|32|33|34)m/, '')))
      .join('');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
    assert.not.match(own, /[\u0000-\u0009\u000b-\u001f\u007f]/);
    assert.is(text.includes('\u001b'), colour);
  }
});

test('terminal: says emulation, verdict and losses per lane', () => {
  const text = renderTerminal(many, { colour: false });
  assert.match(text, /Emulated Kubernetes/);
  for (const scenario of many.scenarios) assert.match(text, scenario.name);
  assert.match(text, /4 of 7 scenarios proven/);
  const { lost } = single.scenarios[0]!.experiments[0]!.lanes.kept!;
  assert.match(renderTerminal(single, { colour: false }), `✕ ${lost} of`);
});

test('colours: terminal, NO_COLOR, TERM', () => {
  const table: [boolean | undefined, Record<string, string>, boolean][] = [
    [true, {}, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, {}, false],
    [undefined, {}, false],
  ];
  for (const [isTTY, env, expected] of table)
    assert.is(wantsColour({ isTTY }, env), expected, JSON.stringify(env));
});

test('formats as a user types them', () => {
  assert.equal(parseFormats('junit, html'), ['html', 'junit']);
  assert.throws(() => parseFormats('pdf'), /No report format "pdf"; there are html, json/);
  assert.throws(() => parseFormats(''), /No report format/);
});

test('files are written whole, and nothing else is left in the folder', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'rollproof-report-'));
  try {
    await writeFile(join(dir, 'index.html'), 'old');
    const written = await writeReports(dir, single, new Map());
    assert.equal(
      written,
      reportFormats.map((format) => join(dir, reportFiles[format])),
    );
    assert.equal((await readdir(dir)).sort(), Object.values(reportFiles).sort());
    assert.match(await readFile(join(dir, 'index.html'), 'utf8'), /^<!doctype html>/);
    await writeReports(join(dir, 'new', 'folder'), single, new Map(), ['json']);
    assert.equal(await readdir(join(dir, 'new', 'folder')), ['results.json']);
  } finally {
    await rm(dir, { recursive: true });
  }
});

interface XmlNode {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlNode[];
}

/** Reads XML strictly: balanced elements, quoted attributes, only the five entities and numbers. */
function parseXml(text: string): XmlNode {
  const body = text.replace(/^<\?xml [^?]*\?>\s*/, '');
  const token = /<(\/?)([a-z][a-z-]*)((?:\s+[a-z-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  const root: XmlNode = { name: '', attributes: {}, children: [] };
  const open: XmlNode[] = [root];
  for (;;) {
    if (token.lastIndex === body.length) break;
    const at = token.lastIndex;
    const match = token.exec(body);
    if (!match) throw new Error(`not XML at ${at}: ${body.slice(at, at + 60)}`);
    const [, closing, name, attributes, empty, content] = match;
    if (content !== undefined) {
      if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(content)) throw new Error(`bare & in ${content}`);
      continue;
    }
    if (closing) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes another element`);
      continue;
    }
    const node: XmlNode = { name: name!, attributes: {}, children: [] };
    for (const [, key, value] of attributes!.matchAll(/([a-z-]+)="([^"]*)"/g))
      node.attributes[key!] = plain(value!);
    open.at(-1)!.children.push(node);
    if (!empty) open.push(node);
  }
  assert.is(open.length, 1, 'every element is closed');
  assert.is(root.children.length, 1, 'one root');
  return root.children[0]!;
}

const plain = (text: string): string =>
  text
    .replaceAll('&#10;', '\n')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');

interface Sample {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** Reads OpenMetrics 1.0 text strictly: metadata before samples, families together, no sample twice, # EOF. */
function parseOpenMetrics(text: string): readonly Sample[] {
  assert.ok(text.endsWith('# EOF\n'));
  const lines = text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1);
  const samples: Sample[] = [];
  const families = new Map<string, string>();
  const seen = new Set<string>();
  let family = '';
  for (const line of lines) {
    const type = /^# TYPE ([a-z_][a-z0-9_]*) (gauge|info|stateset)$/.exec(line);
    if (type) {
      family = type[1]!;
      assert.not(families.has(family), `${family} twice`);
      families.set(family, type[2]!);
      continue;
    }
    const unit = /^# UNIT (\S+) (\S+)$/.exec(line);
    if (unit) {
      assert.is(unit[1], family);
      assert.ok(family.endsWith(`_${unit[2]}`), `${family} has unit ${unit[2]}`);
      continue;
    }
    const help = /^# HELP (\S+) .+$/.exec(line);
    if (help) {
      assert.is(help[1], family);
      continue;
    }
    const sample = /^([a-z_][a-z0-9_]*)\{(.*)\} (-?\d+(?:\.\d+)?(?:e-?\d+)?|NaN|\+Inf) (\d+(?:\.\d+)?)$/.exec(
      line,
    );
    assert.ok(sample, `not a sample: ${line}`);
    const [, name, labelText, value] = sample!;
    assert.is(name, families.get(family) === 'info' ? `${family}_info` : family);
    const labels: Record<string, string> = {};
    const rest = labelText!.replace(
      /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/g,
      (_, key: string, raw: string) => {
        assert.not(key in labels, `label ${key} twice`);
        labels[key] = raw.replace(/\\(["\\n])/g, (__, char: string) => (char === 'n' ? '\n' : char));
        return '';
      },
    );
    assert.is(rest, '', `labels of ${line}`);
    assert.not(seen.has(`${name}{${labelText}}`), `${line} twice`);
    seen.add(`${name}{${labelText}}`);
    samples.push({ name: name!, labels, value: Number(value) });
  }
  return samples;
}

test('for a code assistant: facts, causes and commands, the worst first, within bounds', () => {
  const text = renderForAgent({ results: single, folder: 'out/x' });
  assert.match(text, /Kubernetes v[\d.]+/);
  assert.match(text, /\| baseline \|/);
  assert.match(text, /- Between [\d.]+ and [\d.]+ s [\d,]+ new connections .* because /);
  assert.match(text, /\[journal line \d+\]/);
  assert.match(text, /`sed -n LINEp out\/x\/.*ndjson`/);
  assert.match(text, /`rollproof verify --scenario [\w-]+ --variants ablation`/);
  const large = renderForAgent({ results: sampleSuite(80).results, folder: 'out/x' });
  assert.ok(large.length < 26_000, `${large.length} characters`);
  assert.match(large, /\d+ more parts are left out here/);
  assert.match(large, /## Commands to go on with/);
});

test('two runs side by side as a page: what got worse first, every figure before and after', () => {
  const before = summarizeRun(single);
  const [scenario] = before.scenarios;
  const worse = {
    ...before,
    runId: 'later',
    scenarios: [
      {
        ...scenario!,
        verdict: 'refuted' as const,
        variants: scenario!.variants.map((one) => ({
          ...one,
          lanes: { ...one.lanes, new: { attempts: 1000, lost: 400, races: 0, longestOutageMs: 9000 } },
        })),
      },
    ],
  };
  const page = renderComparePage(compareRuns(before, worse));
  assert.match(page, /1 scenario: 1 worse<\/h1>/);
  assert.ok(page.indexOf('✕ worse') < page.indexOf('· the same'), 'what got worse stands first');
  assert.match(page, /<b>400<\/b>/);
  assert.match(page, /default-src &#39;none&#39;/);
  assert.not.match(page, /(src|href)="(https?:|\/\/)/);
});

test.run();
