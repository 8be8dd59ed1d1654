// What a collector receives of a run: a stub decodes it and compares it with the results. And what is said when it does not
// take it, or is not there: a sentence, in time, and nothing else.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { uncheckedJournal } from '../../harness/journal/read.ts';
import type { Facts } from '../../harness/model/facts.ts';
import type { HeaderRecord } from '../../harness/model/journal.ts';
import type { Results } from '../../harness/model/results.ts';
import type { RunFacts } from '../../harness/model/run.ts';
import { createJournalWriter } from '../../harness/record/journal-writer.ts';
import { concludeFolder } from '../../harness/run/conclude.ts';
import { journalFolder } from '../../harness/run/experiments.ts';
import { sendOtlp } from '../../harness/run/otlp/send.ts';
import { Episodes } from '../../harness/run/watch/episodes.ts';
import { journalView } from '../../reports/html/timeline.ts';
import type { JournalView } from '../../reports/html/types.ts';
import { metricFamilies, renderOpenMetrics } from '../../reports/openmetrics.ts';
import { episodeHeader, fireLong, podFacts, sliceFacts } from '../data/long-load.ts';
import { fullResults, sampleRun } from '../data/sample-run.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('OTLP');

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: number | string;
    readonly boolValue?: boolean;
  };
}
interface Metric {
  readonly name: string;
  readonly gauge: {
    readonly dataPoints: readonly {
      readonly attributes: readonly Attribute[];
      readonly asDouble?: number;
      readonly asInt?: number;
    }[];
  };
}
interface SpanSent {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code: number };
}

function sample(): { readonly results: Results; readonly journals: ReadonlyMap<string, JournalView> } {
  const { results, journals } = sampleRun();
  const views = [...journals].map(
    ([name, records]) => [name, journalView(factsOf(uncheckedJournal(records)))] as const,
  );
  return { results, journals: new Map(views) };
}

interface Collector {
  readonly url: string;
  readonly metrics: Metric[];
  readonly spans: SpanSent[];
  readonly resources: (readonly Attribute[])[];
}

async function withCollector<T>(act: (collector: Collector) => Promise<T>, status = 200): Promise<T> {
  const metrics: Metric[] = [];
  const spans: SpanSent[] = [];
  const resources: (readonly Attribute[])[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (status === 0) return;
    assert.is(request.method, 'POST');
    assert.is(request.headers['content-type'], 'application/json');
    const value = JSON.parse(body);
    for (const one of value.resourceMetrics ?? []) {
      assert.is(request.url, '/v1/metrics');
      resources.push(one.resource.attributes);
      for (const scope of one.scopeMetrics) metrics.push(...scope.metrics);
    }
    for (const one of value.resourceSpans ?? []) {
      assert.is(request.url, '/v1/traces');
      resources.push(one.resource.attributes);
      for (const scope of one.scopeSpans) spans.push(...scope.spans);
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  const url = await listen(server);
  try {
    return await act({ url, metrics, spans, resources });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const attributeOf = (attributes: readonly Attribute[], key: string): unknown => {
  const value = attributes.find((one) => one.key === key)?.value;
  return (
    value?.stringValue ??
    value?.boolValue ??
    (value?.intValue === undefined ? undefined : Number(value.intValue))
  );
};

test('figures arrive under the names and labels of OpenMetrics, time lines as one trace per experiment', () =>
  withCollector(async ({ url, metrics, spans, resources }) => {
    const { results, journals } = sample();
    const said = await sendOtlp(url, results, journals);
    assert.match(said, new RegExp(`^OTLP: \\d+ figures and ${spans.length} spans sent to ${url}$`));
    const families = metricFamilies(results).filter(({ samples }) => samples.length > 0);
    assert.equal(
      metrics.map(({ name }) => name).sort(),
      families.map(({ name }) => (name === 'rollproof_run' ? 'rollproof_run_info' : name)).sort(),
    );
    for (const { name, samples } of families) {
      const sent = metrics.find((metric) => metric.name.startsWith(name))?.gauge.dataPoints ?? [];
      for (const [labels, value] of samples) {
        const point = sent.find(({ attributes }) =>
          Object.entries(labels).every(([key, label]) => (attributeOf(attributes, key) ?? '') === label),
        );
        assert.is(point?.asDouble ?? point?.asInt, value, `${name} ${JSON.stringify(labels)}`);
      }
    }
    assert.is(attributeOf(resources[0] ?? [], 'service.name'), 'rollproof');
    assert.is(attributeOf(resources[0] ?? [], 'rollproof.run'), results.runId);

    const experiments = results.scenarios.flatMap((scenario) => scenario.experiments);
    const roots = spans.filter(({ parentSpanId }) => !parentSpanId);
    assert.is(roots.length, experiments.length);
    assert.is(new Set(spans.map(({ traceId }) => traceId)).size, experiments.length);
    const windows = experiments.flatMap(({ lanes }) => Object.values(lanes).flatMap((lane) => lane.windows));
    const lost = spans.filter(({ name }) => name.startsWith('lost: '));
    assert.ok(windows.length > 0);
    assert.is(lost.length, windows.length);
    assert.ok(lost.every(({ status }) => status.code === 2));
    const sum = (values: readonly unknown[]) =>
      values.reduce((total: number, value) => total + Number(value), 0);
    assert.is(
      sum(lost.map(({ attributes }) => attributeOf(attributes, 'lost'))),
      sum(windows.map((window) => window.lost)),
    );
    for (const one of spans) {
      assert.ok(BigInt(one.startTimeUnixNano) <= BigInt(one.endTimeUnixNano), one.name);
      const parent = roots.find(({ spanId }) => spanId === one.parentSpanId);
      assert.ok(!one.parentSpanId || parent?.traceId === one.traceId, one.name);
    }
    // On the clock on the wall: the sample's load began when its header says, plus what getting ready took.
    const view = journals.get(experiments[0]?.journal ?? '');
    const zeroMs = Date.parse(view?.startedAt ?? '') + (view?.loadFromMs ?? 0);
    assert.is(Number(BigInt(roots[0]?.startTimeUnixNano ?? 0) / 1_000_000n), zeroMs);
    const names = new Set(spans.map(({ name }) => name.replace(/:.*/, '')));
    for (const name of ['step', 'lost', 'pod ready', 'pod terminating']) assert.ok(names.has(name), name);
  }));

/** The folder of a watch of one Service with two changes, of which the second loses ten requests. */
async function watchFolder(folder: string): Promise<RunFacts> {
  mkdirSync(join(folder, journalFolder));
  let now = 0;
  const files: string[] = [];
  const stream = { id: 'web:new', as: 'new', lane: 'new' as const, address: '10.0.0.1:80' };
  const control = { id: 'control', as: 'control', lane: 'new' as const, address: '10.0.0.9:80' };
  const headers: HeaderRecord[] = [];
  const episodes = new Episodes({
    services: [{ name: 'web', streams: [stream] }],
    control,
    timeoutMs: 3000,
    limitMs: 60_000,
    tailMs: 3000,
    clock: () => now,
    wallClock: () => Date.parse('2026-01-02T03:04:05Z'),
    headerOf: (begin) => {
      headers.push(episodeHeader(begin));
      return episodeHeader(begin);
    },
    open(begin, clock) {
      const file = `${journalFolder}/00${begin.number}-web.ndjson`;
      files.push(file);
      return createJournalWriter(join(folder, file), { clock });
    },
  });
  const see = (event: 'EXISTING' | 'ADDED' | 'DELETED', name: string, facts: Facts) =>
    episodes.write({ type: 'watch', event, namespace: 'shop', name, uid: `uid-${name}`, facts });
  see('EXISTING', 'web-a', podFacts('web'));
  see('EXISTING', 'web-x', sliceFacts('web', ['web-a']));
  const happens = [20_000, 50_000].flatMap((atMs, index) => [
    [atMs, () => see('ADDED', `web-${index}`, podFacts('web'))] as const,
    [
      atMs + 2000,
      () => see('DELETED', index === 0 ? 'web-a' : 'web-0', podFacts('web', { terminating: true })),
    ] as const,
  ]);
  const lost = (dueMs: number) => dueMs >= 51_000 && dueMs < 51_500;
  const streams = [{ id: stream.id, lost }, { id: control.id }];
  const setNow = (t: number) => {
    now = t;
  };
  fireLong(episodes, setNow, { streams, untilMs: 80_000, happens });
  await episodes.end({ status: 'complete' });
  const [header] = headers as [HeaderRecord];
  return {
    schemaVersion: 1,
    runId: header.runId,
    tool: header.tool,
    cluster: header.cluster,
    startedAt: header.startedAt,
    durationMs: 90_000,
    loadMs: 80_000,
    stages: [],
    reproduce: 'rollproof watch',
    strict: false,
    interrupted: false,
    notRun: [],
    undeployed: [],
    journals: files,
    measuredAgain: [],
    watch: {
      namespace: 'shop',
      forMs: 80_000,
      ended: 'It was stopped.',
      services: [
        { name: 'web', scenario: header.scenario, owners: [], totals: { new: { attempts: 1600, lost: 10 } } },
      ],
    },
  };
}

test('a watch: figures of each change, and a trace of each, begun where it began', () =>
  withCollector(async ({ url, metrics, spans }) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-otlp-'));
    try {
      const facts = await watchFolder(folder);
      await concludeFolder(folder, {
        facts,
        keeping: undefined,
        otlp: url,
        stage: (_, act) => act(),
        note: () => {},
      });
      const results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;
      const changes = results.scenarios.flatMap(({ experiments }) => experiments);
      assert.equal(
        changes.map(({ lanes }) => lanes.new?.lost),
        [0, 10],
      );
      const points = (name: string) => metrics.find((one) => one.name === name)?.gauge.dataPoints ?? [];
      assert.equal(
        points('rollproof_lost')
          .filter(({ attributes }) => attributeOf(attributes, 'lane') === 'new')
          .map(({ asDouble, asInt }) => asDouble ?? asInt),
        [0, 10],
      );
      const roots = spans.filter(({ parentSpanId }) => !parentSpanId);
      assert.equal(
        roots.map(({ attributes }) =>
          ['service', 'change', 'trigger', 'verdict'].map((key) => attributeOf(attributes, key)),
        ),
        [
          ['web', 1, 'pod web-0 was created', 'clean'],
          ['web', 2, 'pod web-1 was created', 'lost'],
        ],
      );
      const [window] = spans.filter(({ name }) => name === 'lost: new');
      assert.is(window?.traceId, roots[1]?.traceId);
      assert.is(attributeOf(window?.attributes ?? [], 'lost'), 10);
      // The load began 1234.5 ms after the watch, and what was lost was due from 51 s of it on.
      const atMs = Date.parse('2026-01-02T03:04:05Z') + 1234.5 + 51_000;
      assert.ok(Math.abs(Number(BigInt(window?.startTimeUnixNano ?? 0) / 1000n) / 1000 - atMs) < 5);
      assert.ok(spans.some(({ name, traceId }) => name === 'pod ready' && traceId === roots[0]?.traceId));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }));

test('a collector that refuses, is not there or never answers: one sentence, in time', async () => {
  const { results, journals } = sample();
  const closed = createServer();
  const gone = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  const tells =
    /^OTLP: not all was sent to http.*: .+\. The verdict stays as it is; the reports have everything\.$/;
  assert.match(await sendOtlp(gone, results, journals, 1500), tells);
  await withCollector(async ({ url }) => {
    assert.match(await sendOtlp(url, results, journals, 1500), tells);
  }, 400);
  await withCollector(async ({ url }) => {
    const startedAt = performance.now();
    assert.match(await sendOtlp(url, results, journals, 700), tells);
    assert.ok(performance.now() - startedAt < 20_000);
  }, 0);
});

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
  readonly panels?: readonly Panel[];
}

test('the Grafana dashboard asks for metrics and labels that there are', () => {
  const dashboard = JSON.parse(readFileSync(join(root, 'ci', 'grafana-dashboard.json'), 'utf8'));
  assert.ok(dashboard.title && dashboard.uid && dashboard.schemaVersion >= 36);
  const exported = renderOpenMetrics(fullResults());
  const names = new Set([...exported.matchAll(/^(rollproof_\w+)\{/gm)].map((match) => match[1] as string));
  const labels = new Set([...exported.matchAll(/(?<=[{,])(\w+)="/g)].map((match) => match[1] as string));
  const panels = (dashboard.panels as Panel[]).flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  const queries = [
    ...panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
    ...dashboard.templating.list.flatMap(({ query }: { query: string | { query: string } }) =>
      query === 'prometheus' ? [] : [typeof query === 'string' ? query : query.query],
    ),
  ];
  assert.ok(queries.length >= 10, `${queries.length} queries`);
  const asked = new Set<string>();
  for (const query of queries) {
    const found = [...query.matchAll(/\brollproof_\w+/g)].map(([name]) => name);
    assert.ok(found.length > 0, query);
    for (const name of found) {
      // A label may be called as its metric (state sets).
      assert.ok(names.has(name), `${query}: there is no metric ${name}`);
      asked.add(name);
    }
    for (const [, label] of query.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)\s*"/g))
      assert.ok(labels.has(label as string), `${query}: there is no label ${label}`);
    for (const [, list] of query.matchAll(/\bby\s*\(([^)]*)\)/g))
      for (const label of (list ?? '').split(','))
        assert.ok(labels.has(label.trim()), `${query}: there is no label ${label}`);
  }
  for (const name of [
    'rollproof_lost',
    'rollproof_scenario_verdict',
    'rollproof_longest_outage_seconds',
    'rollproof_lost_by_cause',
  ])
    assert.ok(asked.has(name), `${name} is on no panel`);
});

test.run();
