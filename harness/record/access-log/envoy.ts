// Envoy: its default line, Istio's longer one, and the JSON of Envoy Gateway.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
import type { AccessLine, Answerer } from '../../model/access.ts';
import { defined, jsonObject, numberOf, said, textOf } from './parts.ts';

const start = /^\[(\d{4}-\d{2}-\d{2}T[\d:.]+Z)\] "[^"]*" (\d{1,3}) (\S+)(.*)$/;
/** Behind the flags in Istio's form: details of the code and of the connection's end, and why the transport failed. */
const istio = /^ (\S+) (\S+) "((?:[^"\\]|\\.)*)"(.*)$/;
const rest = /^ (\d+) (\d+) (\d+) (\d+|-) "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)"(?: .*)?$/;

export function envoy(line: string): AccessLine | undefined {
  const [, time = '', status, flags = '', behind = ''] = start.exec(line) ?? [];
  const atMs = Date.parse(time);
  if (status === undefined || !Number.isFinite(atMs)) return undefined;
  const [, details, , failure, afterIstio] = istio.exec(behind) ?? [];
  const [, , , duration, , , , requestId, , host] = rest.exec(afterIstio ?? behind) ?? [];
  if (duration === undefined) return undefined;
  return lineOf('envoy', atMs, Number(status), flags, { host, requestId, duration, details, failure });
}

export function envoyJson(line: string): AccessLine | undefined {
  const fields = jsonObject(line);
  const status = numberOf(fields?.response_code);
  const atMs = Date.parse(textOf(fields?.start_time) ?? '');
  if (!fields || status === undefined || !Number.isFinite(atMs)) return undefined;
  return lineOf('envoy-json', atMs, status, textOf(fields.response_flags) ?? '-', {
    host: textOf(fields.upstream_host),
    requestId: textOf(fields['x-request-id']),
    duration: String(numberOf(fields.duration) ?? ''),
    details: textOf(fields.response_code_details),
    failure: textOf(fields.upstream_transport_failure_reason),
    attempts: numberOf(fields.upstream_request_attempt_count),
  });
}

interface Parts {
  readonly host: string | undefined;
  readonly requestId: string | undefined;
  readonly duration: string | undefined;
  readonly details: string | undefined;
  readonly failure: string | undefined;
  readonly attempts?: number | undefined;
}

const lineOf = (
  format: 'envoy' | 'envoy-json',
  atMs: number,
  status: number,
  flags: string,
  { host, requestId, duration, details, failure, attempts }: Parts,
): AccessLine =>
  defined<AccessLine>({
    format,
    atMs,
    status,
    answered: answeredBy(status, flags.split(','), said(host), said(details), said(failure)),
    upstream: said(host),
    // The default line does not say how often; that the limit was reached it does.
    retries: Math.max(0, attempts === undefined ? (flags.split(',').includes('URX') ? 1 : 0) : attempts - 1),
    durationMs: numberOf(duration),
    flags: said(flags),
    requestId: said(requestId),
  });

/** The first flag of the list that is there decides. */
const byFlag: readonly (readonly [flag: string, answered: Answerer])[] = [
  ['UH', 'no-endpoint'],
  ['NR', 'no-route'],
  ['NC', 'no-route'],
  ['DC', 'client'],
  ['UF', 'refused'],
  ['UC', 'cut'],
  ['UR', 'cut'],
  ['UPE', 'cut'],
  ['UT', 'timeout'],
  ['SI', 'timeout'],
  ['URX', 'proxy'],
  ['UO', 'proxy'],
  ['LR', 'proxy'],
];

function answeredBy(
  status: number,
  flags: readonly string[],
  host: string | undefined,
  details: string | undefined,
  failure: string | undefined,
): Answerer {
  const found = byFlag.find(([flag]) => flags.includes(flag));
  if (found) return found[1];
  if (details === 'via_upstream') return 'app';
  if (failure !== undefined) return 'refused';
  if (details !== undefined) return 'proxy';
  return host !== undefined && status > 0 ? 'app' : 'proxy';
}
