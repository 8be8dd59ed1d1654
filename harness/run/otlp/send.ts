// Sends a run's figures as metrics and its time line as spans to an OpenTelemetry collector. The packages are loaded here
// and only when they are asked for. What goes wrong is a sentence: it says nothing about the rollout.
import type { JournalView } from '../../../reports/html/types.ts';
import { messageOf } from '../../model/errors.ts';
import type { Results } from '../../model/results.ts';

/** For all of it, connecting and trying again included. */
const LIMIT_MS = 20_000;

/**
 * `url`: the base address, to which `/v1/metrics` and `/v1/traces` are added. Returns what came of it, for the terminal.
 * Never throws. Headers are those of OTEL_EXPORTER_OTLP_HEADERS.
 */
export async function sendOtlp(
  url: string,
  results: Results,
  views: ReadonlyMap<string, JournalView>,
  limitMs = LIMIT_MS,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    const { exportRun } = await import('./export.ts');
    const { points, spans } = await Promise.race([exportRun(url, results, views, limitMs), limit]);
    return `OTLP: ${points} figures and ${spans} spans sent to ${url}`;
  } catch (error) {
    return `OTLP: not all was sent to ${url}: ${messageOf(error)}. The verdict stays as it is; the reports have everything.`;
  } finally {
    clearTimeout(timer);
  }
}
