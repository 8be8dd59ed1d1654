// One run of a generator in a process of its own, so that its CPU time is its own. Argument: a JSON description;
// prints the figures as JSON.
import autocannon from 'autocannon';
import { Meter } from '../../harness/load/meter.ts';
import { streamPlanSchema } from '../../harness/model/load.ts';

export interface GeneratorRun {
  readonly generator: 'autocannon' | 'meter';
  readonly url: string;
  readonly lane: 'new' | 'kept' | 'stream';
  readonly protocol?: 'http2' | 'grpc' | 'websocket';
  readonly streamsPerConnection?: number;
  /** Certificate of the authority, for https. */
  readonly ca?: string;
  /** 0: closed loop. */
  readonly ratePerSecond: number;
  readonly connections: number;
  readonly durationMs: number;
}

export interface GeneratorFigures {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly sendLagMs?: { readonly p50: number; readonly p99: number; readonly max: number };
}

const run = JSON.parse(process.argv[2] ?? '{}') as GeneratorRun;
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
(run.generator === 'meter' ? metered() : raw()).then(
  (figures) => {
    const cpu = process.cpuUsage(cpuBefore);
    const all: GeneratorFigures = {
      ...figures,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      rssMb: process.memoryUsage.rss() / 1e6,
    };
    process.stdout.write(JSON.stringify(all));
  },
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  },
);

async function metered(): Promise<Omit<GeneratorFigures, 'cpuSeconds' | 'rssMb'>> {
  const meter = new Meter({
    plan: streamPlanSchema.parse({
      id: run.lane,
      lane: run.lane,
      url: run.url,
      ...(run.protocol && { protocol: run.protocol }),
      ...(run.streamsPerConnection && { streamsPerConnection: run.streamsPerConnection }),
      ...(run.ca !== undefined && { tls: { ca: run.ca } }),
      rate: { shape: 'constant', ratePerSecond: run.ratePerSecond },
      connections: run.connections,
      timeoutMs: 3000,
      maxDurationMs: run.durationMs,
    }),
  });
  meter.start();
  // As the agent does: what happened is taken away five times a second.
  const drain = setInterval(() => meter.drain(), 200);
  const end = await meter.ended;
  clearInterval(drain);
  if (end.brokenIdentities.length > 0) throw new Error(end.brokenIdentities.join('; '));
  return {
    requests: end.outcomes.ok ?? 0,
    failed: end.attempts - (end.outcomes.ok ?? 0),
    seconds: end.durationMs / 1000,
    latencyMs: { p50: end.latencyMs.p50, p99: end.latencyMs.p99 },
    sendLagMs: { p50: end.sendLagMs.p50, p99: end.sendLagMs.p99, max: end.sendLagMs.max },
  };
}

async function raw(): Promise<Omit<GeneratorFigures, 'cpuSeconds' | 'rssMb'>> {
  const result = await autocannon({
    url: run.url,
    connections: run.connections,
    duration: run.durationMs / 1000,
    ...(run.ratePerSecond > 0 && { overallRate: run.ratePerSecond }),
  });
  return {
    requests: result['2xx'],
    failed: result.non2xx + result.errors,
    seconds: (performance.now() - startedMs) / 1000,
    latencyMs: { p50: result.latency.p50, p99: result.latency.p99 },
  };
}
