// Traefik v3: JSON, and its extension of the Common Log Format.
// https://doc.traefik.io/traefik/reference/install-configuration/observability/logs-and-accesslogs/
import type { AccessLine, Answerer } from '../../model/access.ts';
import { commonLogTime, defined, jsonObject, numberOf, said, textOf } from './parts.ts';

/**
 * The body that Traefik itself writes: the status's text (pkg/proxy/httputil ErrorHandler), bytes. An app's error is
 * hardly ever of the same length, and Traefik's log has no other sign.
 */
const ownBody: Readonly<Record<number, number>> = {
  499: 'Client Closed Request'.length,
  500: 'Internal Server Error'.length,
  502: 'Bad Gateway'.length,
  504: 'Gateway Timeout'.length,
};
const NO_SERVER = 'no available server\n'.length;
const NOT_FOUND = '404 page not found\n'.length;

export function traefikJson(line: string): AccessLine | undefined {
  const fields = jsonObject(line);
  const status = numberOf(fields?.DownstreamStatus);
  const atMs = Date.parse(textOf(fields?.StartUTC) ?? textOf(fields?.time) ?? '');
  if (!fields || status === undefined || !Number.isFinite(atMs)) return undefined;
  const upstream = textOf(fields.ServiceAddr);
  const retries = numberOf(fields.RetryAttempts) ?? 0;
  const nanoseconds = numberOf(fields.Duration);
  return defined<AccessLine>({
    format: 'traefik-json',
    atMs,
    status,
    answered: answeredBy(status, upstream, numberOf(fields.DownstreamContentSize)),
    upstream,
    retries,
    durationMs: nanoseconds === undefined ? undefined : nanoseconds / 1e6,
    requestId: textOf(fields['request_X-Request-Id']),
  });
}

const clf =
  /^\S+ - \S+ \[([^\]]+)\] "[^"]*" (\d{3}|-) (\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" \d+ "([^"]*)" "([^"]*)" (\d+)ms$/;

export function traefikClf(line: string): AccessLine | undefined {
  const [, time = '', status = '', bytes, , server = '', duration] = clf.exec(line) ?? [];
  const atMs = commonLogTime(time);
  if (atMs === undefined || !said(status)) return undefined;
  const upstream = URL.canParse(server) ? new URL(server).host : undefined;
  return defined<AccessLine>({
    format: 'traefik-clf',
    atMs,
    status: Number(status),
    answered: answeredBy(Number(status), upstream, numberOf(bytes)),
    upstream,
    // This form does not say it.
    retries: 0,
    durationMs: numberOf(duration),
  });
}

function answeredBy(status: number, upstream: string | undefined, bytes: number | undefined): Answerer {
  if (upstream === undefined) {
    if (status === 503 && (bytes === undefined || bytes === NO_SERVER)) return 'no-endpoint';
    return status === 404 && (bytes === undefined || bytes === NOT_FOUND) ? 'no-route' : 'proxy';
  }
  if (ownBody[status] === undefined || bytes !== ownBody[status]) return 'app';
  if (status === 499) return 'client';
  return status === 504 ? 'timeout' : 'proxy';
}
