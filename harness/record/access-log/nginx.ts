// nginx: the form of ingress-nginx, which names upstreams, and nginx's own "combined", which does not.
// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/
// https://nginx.org/en/docs/http/ngx_http_upstream_module.html#variables (lists: ", " between servers that were tried)
import type { AccessLine, Answerer } from '../../model/access.ts';
import { commonLogTime, defined, said, secondsMs } from './parts.ts';

const combined =
  /^\S+ - .+? \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"(.*)$/;
/** Values of one variable: one for each server that was tried, " : " between groups. */
const list = String.raw`(?:[^\s,]+)(?:(?:, | : )[^\s,]+)*`;
const ingress = new RegExp(
  String.raw`^ (\d+) ([\d.]+) \[([^\]]*)\] \[([^\]]*)\] (${list}) (${list}) (${list}) (${list}) (\S+)$`,
);

export function nginx(line: string): AccessLine | undefined {
  const [, time = '', , status, , rest = ''] = combined.exec(line) ?? [];
  const atMs = commonLogTime(time);
  if (atMs === undefined || status === undefined) return undefined;
  const own = { format: 'nginx' as const, atMs, status: Number(status) };
  const [, , seconds, , , addresses, lengths, , statuses, requestId] = ingress.exec(rest) ?? [];
  if (addresses === undefined)
    return rest.trim() === '' ? { ...own, answered: 'unknown', retries: 0 } : undefined;
  const tried = parts(addresses).filter((one) => said(one) !== undefined);
  const upstream = tried.at(-1);
  return defined<AccessLine>({
    ...own,
    answered: answeredBy(own.status, upstream, parts(statuses).at(-1), parts(lengths).at(-1)),
    upstream,
    before: tried.length > 1 ? tried.slice(0, -1) : undefined,
    retries: Math.max(0, tried.length - 1),
    durationMs: secondsMs(seconds),
    requestId: said(requestId),
  });
}

const parts = (text = ''): string[] => text.split(/, | : /);

/** A server that gave no answer has the status that nginx made of it, and no byte. 499: the client had gone. */
function answeredBy(
  status: number,
  upstream: string | undefined,
  upstreamStatus: string | undefined,
  upstreamLength: string | undefined,
): Answerer {
  if (status === 499) return 'client';
  if (upstream === undefined) return status === 503 ? 'no-endpoint' : status === 404 ? 'no-route' : 'proxy';
  const silent = said(upstreamLength) === undefined || Number(upstreamLength) === 0;
  if (upstreamStatus === '504' && silent) return 'timeout';
  if (upstreamStatus === '502' && silent) return 'proxy';
  return said(upstreamStatus) === undefined ? 'proxy' : 'app';
}
