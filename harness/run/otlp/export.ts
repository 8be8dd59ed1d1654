// The official OpenTelemetry SDK, used once: what a run has measured is handed over, sent, and the providers are shut down.
import { type Attributes, ROOT_CONTEXT, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { JournalView, PodLane } from '../../../reports/html/types.ts';
import { metricFamilies } from '../../../reports/openmetrics.ts';
import type { EpisodeResult, ExperimentResult, Results } from '../../model/results.ts';

/** All that a run can have: nothing may be dropped silently. */
const MOST_SPANS = 200_000;
/** Never by itself: it is flushed once. */
const NEVER_MS = 2 ** 30;

interface Sent {
  readonly points: number;
  readonly spans: number;
}

/** Rejects with what the collector said, or why it could not be reached. */
export async function exportRun(
  url: string,
  results: Results,
  views: ReadonlyMap<string, JournalView>,
  limitMs: number,
): Promise<Sent> {
  const resource = resourceFromAttributes({
    'service.name': 'rollproof',
    'service.version': results.tool.version,
    'rollproof.run': results.runId,
    'rollproof.cluster': results.cluster.kind,
    'rollproof.emulated': results.cluster.emulated,
    'k8s.cluster.name': results.cluster.name,
  });
  const [points, spans] = await Promise.all([
    sendMetrics(`${url}/v1/metrics`, results, resource, limitMs),
    sendSpans(`${url}/v1/traces`, results, views, resource, limitMs),
  ]);
  return { points, spans };
}

/** The same names and labels as in OpenMetrics, so that a dashboard needs to know one of them. */
async function sendMetrics(
  url: string,
  results: Results,
  resource: Resource,
  limitMs: number,
): Promise<number> {
  const exporter = listening(new OTLPMetricExporter({ url, timeoutMillis: limitMs }));
  const reader = new PeriodicExportingMetricReader({
    exporter: exporter.inner,
    exportIntervalMillis: NEVER_MS,
    exportTimeoutMillis: limitMs,
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  const meter = provider.getMeter('rollproof', results.tool.version);
  let points = 0;
  for (const { name, help, samples } of metricFamilies(results)) {
    // By the suffix that OpenMetrics gives some: rollproof_run has only rollproof_run_info.
    const suffixes = new Set(samples.map(([, , suffix = '']) => suffix));
    for (const suffix of suffixes) {
      const gauge = meter.createObservableGauge(`${name}${suffix}`, { description: help });
      gauge.addCallback((observed) => {
        for (const [labels, value, own = ''] of samples) if (own === suffix) observed.observe(value, labels);
      });
    }
    points += samples.length;
  }
  await exporter.sent(() => provider.shutdown());
  return points;
}

async function sendSpans(
  url: string,
  results: Results,
  views: ReadonlyMap<string, JournalView>,
  resource: Resource,
  limitMs: number,
): Promise<number> {
  const exporter = listening(new OTLPTraceExporter({ url, timeoutMillis: limitMs }));
  const processor = new BatchSpanProcessor(exporter.inner, {
    maxQueueSize: MOST_SPANS,
    maxExportBatchSize: 512,
    exportTimeoutMillis: limitMs,
  });
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('rollproof', results.tool.version);
  let spans = 0;
  for (const scenario of results.scenarios) {
    for (const experiment of scenario.experiments) {
      const view = views.get(experiment.journal);
      if (view) spans += spansOf(tracer, scenario.name, experiment, view);
    }
  }
  await exporter.sent(() => provider.shutdown());
  return spans;
}

/** One trace per experiment: steps, windows of losses with their causes, and pods, on the clock on the wall. */
function spansOf(tracer: Tracer, scenario: string, experiment: ExperimentResult, view: JournalView): number {
  const zero = Date.parse(view.startedAt) + view.loadFromMs;
  const { timeline } = view;
  const at = (ms: number): number => zero + ms;
  const labels = { scenario, variant: experiment.variant, path: experiment.path, repeat: experiment.repeat };
  const root = tracer.startSpan(
    `${scenario} ${experiment.variant}`,
    {
      startTime: at(timeline.fromMs),
      attributes: {
        ...labels,
        valid: experiment.valid,
        journal: experiment.journal,
        ...(experiment.episode && changeAttributes(experiment.episode)),
      },
    },
    ROOT_CONTEXT,
  );
  for (const { name, atMs } of timeline.milestones) root.addEvent(name, undefined, at(atMs));
  for (const { reason, message, object, warning, atMs } of timeline.events)
    root.addEvent(reason, { message, object, warning }, at(atMs));
  const context = trace.setSpan(ROOT_CONTEXT, root);
  let count = 1;
  const span = (name: string, fromMs: number, toMs: number, attributes: Attributes, bad = false) => {
    const one = tracer.startSpan(name, { startTime: at(fromMs), attributes }, context);
    if (bad) one.setStatus({ code: SpanStatusCode.ERROR });
    // A window of a single loss begins and ends at once.
    one.end(at(Math.max(fromMs, toMs)));
    count++;
  };
  for (const step of timeline.steps)
    span(
      `step: ${step.label}`,
      step.fromMs,
      step.toMs ?? timeline.toMs,
      { 'rollproof.kind': 'step' },
      step.failed,
    );
  for (const [line, { windows }] of Object.entries(experiment.lanes)) {
    for (const { startMs, endMs, lost, causes } of windows) {
      const attributes: Attributes = { 'rollproof.kind': 'losses', lane: line, lost };
      for (const { cause, lost: share } of causes) attributes[`cause.${cause}`] = share;
      span(`lost: ${line}`, startMs, endMs, attributes, true);
    }
  }
  for (const pod of timeline.pods) podSpans(pod, span);
  root.end(at(timeline.toMs));
  return count;
}

/** Of a watch: a trace is one change behind one Service. */
const changeAttributes = ({ service, number, trigger, verdict, podsCame, podsWent }: EpisodeResult) => ({
  service,
  change: number,
  trigger,
  verdict,
  'pods.came': podsCame,
  'pods.went': podsWent,
});

function podSpans(
  { name, node, image, states, exposed }: PodLane,
  span: (name: string, fromMs: number, toMs: number, attributes: Attributes, bad?: boolean) => void,
): void {
  const attributes: Attributes = {
    'rollproof.kind': 'pod',
    'k8s.pod.name': name,
    ...(node !== undefined && { 'k8s.node.name': node }),
    ...(image !== undefined && { 'container.image.name': image }),
  };
  for (const { state, fromMs, toMs } of states) span(`pod ${state}`, fromMs, toMs, attributes);
  for (const { fromMs, toMs } of exposed)
    span('pod gets connections, nobody listens', fromMs, toMs, attributes, true);
}

interface Exporter {
  export(items: never, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

/** The SDK tells failures to its log alone; here they are thrown. */
function listening<E extends Exporter>(
  inner: E,
): { readonly inner: E; sent(end: () => Promise<void>): Promise<void> } {
  let failure: Error | undefined;
  const original = inner.export.bind(inner);
  inner.export = (items, done) =>
    original(items, (result) => {
      if (result.code !== 0) failure ??= result.error ?? new Error('the collector did not take it');
      done(result);
    });
  return {
    inner,
    async sent(end) {
      await end();
      if (failure) throw failure;
    },
  };
}
