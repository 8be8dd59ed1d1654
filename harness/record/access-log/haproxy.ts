// HAProxy's HTTP log ("option httplog"), with or without what syslog puts before it.
// https://docs.haproxy.org/3.0/configuration.html#8.2.3 and, for the termination state, #8.5
import type { AccessLine, Answerer } from '../../model/access.ts';
import { commonLogTime, defined, numberOf } from './parts.ts';

const http =
  /(?:^|\s)\S+:\d+ \[(\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2}\.\d{3})\] (\S+) ([^\s/]+)\/(\S+) (-?\d+)\/(-?\d+)\/(-?\d+)\/(-?\d+)\/\+?(-?\d+) (-1|\d{3}) \+?(\d+) \S+ \S+ (\S{4}) \d+\/\d+\/\d+\/\d+\/(\+?)(\d+) \d+\/\d+ .*"[^"]*"?$/;

export function haproxy(line: string): AccessLine | undefined {
  const [, time = '', , , server = '', , , , , total, status, , state = '', redispatched, retries] =
    http.exec(line) ?? [];
  const atMs = commonLogTime(time);
  if (atMs === undefined || status === undefined) return undefined;
  // The log names a server of the configuration; it is an address only where it is called so.
  const named = server.startsWith('<') ? undefined : server;
  const ms = numberOf(total);
  return defined<AccessLine>({
    format: 'haproxy',
    atMs,
    status: Math.max(0, Number(status)),
    answered: answeredBy(state, server),
    upstream: named,
    retries: Number(retries) + (redispatched && Number(retries) === 0 ? 1 : 0),
    durationMs: ms,
    flags: state,
  });
}

/** First letter: who ended the session; second: what it was doing then. */
function answeredBy(state: string, server: string): Answerer {
  const [who, when] = state;
  if (who === 'C' || who === 'c') return 'client';
  if (server === '<NOSRV>') return who === 'S' || who === 'P' ? 'no-endpoint' : 'proxy';
  if (who === 'S') return when === 'C' || when === 'Q' ? 'refused' : 'cut';
  if (who === 's') return 'timeout';
  if (who === '-') return 'app';
  return 'proxy';
}
