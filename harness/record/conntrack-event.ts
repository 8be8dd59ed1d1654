// A line of `conntrack -E -p tcp -o timestamp,id`, as far as it tells of a connection's beginning and of its answer.

interface ConntrackEvent {
  /** Of the node's clock, ms since 1970. */
  readonly atMs: number;
  /** `unreplied`: the entry went without an answer but a RST, where it went at once (REFUSED_WITHIN_MS). */
  readonly kind: 'new' | 'accepted' | 'unreplied';
  /** Of the entry; used again when it is gone. */
  readonly id: string;
  /** Of who connects. */
  readonly from: string;
  readonly port: number;
  /** What was asked, and who answers for it, host:port: the same where nothing was chosen on the way. */
  readonly to: string;
  readonly pod: string;
}

/** An entry in SYN_SENT lasts 120 s (nf_conntrack_tcp_timeout_syn_sent): one that goes earlier was refused. */
export const REFUSED_WITHIN_MS = 60_000;

/** Where the node counts packets (nf_conntrack_acct), what has gone says how many. */
const line =
  /^\[(\d+\.\d+)\]\s+\[(NEW|UPDATE|DESTROY)\]\s+tcp\s+6\s+(?:\d+\s+)?(?:([A-Z_]+)\s+)?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: packets=\d+ bytes=\d+)?\s+(\[UNREPLIED\] )?src=(\S+) dst=\S+ sport=(\d+) .*?\bid=(\d+)/;

/** undefined: another line, or another event of an entry's life. */
export function conntrackEvent(text: string): ConntrackEvent | undefined {
  const found = line.exec(text);
  if (!found) return undefined;
  const [, seconds, event, state, from = '', host, port, hostPort, unreplied, pod, podPort, id = ''] = found;
  const kind =
    event === 'NEW'
      ? 'new'
      : event === 'UPDATE' && state === 'SYN_RECV'
        ? 'accepted'
        : event === 'DESTROY' && unreplied
          ? 'unreplied'
          : undefined;
  if (kind === undefined) return undefined;
  const atMs = Number(seconds) * 1000;
  const [to, answers] = [`${inUrl(host)}:${hostPort}`, `${inUrl(pod)}:${podPort}`];
  return { atMs, kind, id, from, port: Number(port), to, pod: answers };
}

/** As it stands in a URL, by which it is looked up. */
const inUrl = (host = ''): string => (host.includes(':') ? `[${host}]` : host);
