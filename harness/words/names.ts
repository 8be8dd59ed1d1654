// What verdicts, causes, outcomes, lanes and settings are called in plain words, in every report.
import { type Hop, hops } from '../model/entry.ts';
import { type LineId, parseLineId, serviceEntry } from '../model/line.ts';
import type { Lane, Outcome, Protocol, StreamLife } from '../model/load.ts';
import { builtInName, type Cause, type LaneResult, type Remedy, type Verdict } from '../model/results.ts';
import { count } from './figures.ts';

/** `sign` stands beside the colour, so that a verdict is read without seeing colours. */
export const verdictWords: Record<
  Verdict,
  { readonly sign: string; readonly tone: Tone; readonly means: string }
> = {
  proven: { sign: '✓', tone: 'good', means: 'every claim holds' },
  unneeded: { sign: '○', tone: 'note', means: 'nothing was lost even without the settings' },
  refuted: { sign: '✕', tone: 'bad', means: 'a claim fails that was expected to hold' },
  inconclusive: { sign: '?', tone: 'warn', means: 'not measured well enough, or not all of it ran' },
  faulted: { sign: '!', tone: 'bad', means: 'the experiment failed' },
  'not-run': { sign: '–', tone: 'quiet', means: 'something that it needs is missing' },
  safe: { sign: '✓', tone: 'good', means: 'your own workload lost nothing as it is' },
  loses: { sign: '✕', tone: 'bad', means: 'your own workload loses as it is' },
  clean: { sign: '✓', tone: 'good', means: 'others changed it, and nothing was lost' },
  lost: { sign: '✕', tone: 'bad', means: 'what others changed lost requests' },
  'nothing-changed': {
    sign: '○',
    tone: 'warn',
    means: 'it was watched, and no pod came or went: no evidence',
  },
};
/** As results.json and history name what was tested, in words. */
export function targetText(target: string): string {
  if (target === builtInName) return 'the built-in target';
  const [kind = '', name = ''] = target.split('/');
  return kind === 'Namespace' ? `namespace ${name}` : `${kind} ${name}`;
}

export type Tone = 'good' | 'bad' | 'warn' | 'note' | 'quiet';

/** A hop as a reader reads it: where on the way through an entry. */
export const hopWords: Readonly<Record<Hop, string>> = {
  'client-entry': 'between client and entry',
  'entry-pod': 'between entry and pod',
  pod: 'in the pod',
};

/** "12 between client and entry, 3 in the pod"; undefined: the line has one hop, or lost nothing. */
export function hopText(lost: Partial<Record<Hop, number>> | undefined): string | undefined {
  const parts = hops.flatMap((hop) => (lost?.[hop] ? [`${count(lost[hop])} ${hopWords[hop]}`] : []));
  return parts.length > 0 ? parts.join(', ') : undefined;
}

/** What an entry's retries did, as far as target or access log tell; undefined: neither does. */
export function retryText({
  deliveries,
  retriedByLog,
}: Pick<LaneResult, 'deliveries' | 'retriedByLog'>): string | undefined {
  const parts = [
    deliveries &&
      `${count(deliveries.repeated)} of ${count(deliveries.received)} requests that the target received came more than once, ${count(deliveries.hidden)} of them answered as expected: losses that retries hid`,
    retriedByLog !== undefined && `${count(retriedByLog)} sent again and answered, as the access log says`,
  ].filter((part) => part !== undefined && part !== false);
  return parts.length > 0 ? parts.join('; ') : undefined;
}

/** A cause as a heading, what happens, and which setting is known to stop it. */
export const causeWords: Record<
  Cause,
  { readonly title: string; readonly what: string; readonly remedy: string }
> = {
  'routed-before-listening': {
    title: 'Routed to a pod that was not listening yet',
    what: 'The Service sent connections to a new pod as soon as its container ran, before the app had opened its port.',
    remedy: 'a readinessProbe',
  },
  'routed-after-stop': {
    title: 'Routed to a pod that had stopped',
    what: 'Nodes went on sending connections to a pod that had closed its port or was gone, until their routing rules caught up.',
    remedy:
      'a preStop sleep longer than the routing lag, or an app that goes on serving that long after SIGTERM',
  },
  'killed-in-flight': {
    title: 'Killed with requests in flight',
    what: 'The process ended while it was still answering requests.',
    remedy: 'a graceful shutdown in the app within the grace period',
  },
  'kept-connection-cut': {
    title: 'Kept connection cut by the pod',
    what: 'A keep-alive connection was closed by a pod that was stopping, while its client still used it.',
    remedy: 'a graceful shutdown that answers with “Connection: close” before it closes',
  },
  'no-endpoint': {
    title: 'No ready pod at all',
    what: 'For a time the Service had no ready endpoint to send connections to.',
    remedy: 'surge without unavailability (maxUnavailable 0), and more than one replica',
  },
  'app-error': {
    title: 'Answered with an error by a pod that was starting or stopping',
    what: 'The connection worked, but the pod answered with an error while it was starting or stopping.',
    remedy: 'a readinessProbe that is true only when the app can serve, and a graceful shutdown',
  },
  'grace-exceeded': {
    title: 'Killed when the grace period ran out',
    what: 'preStop and shutdown together took longer than terminationGracePeriodSeconds, so the kubelet killed the pod.',
    remedy: 'a longer grace period, or a shorter preStop',
  },
  'node-event': {
    title: 'A node or its kubelet interfered',
    what: 'A node or kubelet event happened at the same time.',
    remedy: 'look at the node’s events',
  },
  'harness-noise': {
    title: 'Noise of the harness or this machine',
    what: 'The control target, which no step touches, lost connections at the same time.',
    remedy: 'run again on a quieter machine',
  },
  unknown: {
    title: 'Unknown',
    what: 'The recorded facts do not carry a cause.',
    remedy: 'look at the raw rows',
  },
};

/** What helps against a cause: what the facts of these experiments say, else what usually does. */
export function helpAgainst(
  cause: Cause,
  experiments: readonly { readonly remedies?: readonly Remedy[] }[],
): string {
  const fitting = experiments
    .flatMap(({ remedies = [] }) => remedies)
    .find(({ explains }) => explains.includes(cause));
  return fitting ? `${fitting.found}. ${fitting.todo}` : `${causeWords[cause].remedy}.`;
}

/** Behind "lost because". */
export const because: Readonly<Record<Cause, string>> = {
  'routed-before-listening': 'they were routed to pods that did not listen yet',
  'routed-after-stop': 'they were routed to pods that had stopped',
  'killed-in-flight': 'their pod ended while it answered them',
  'kept-connection-cut': 'their pod closed the kept connection',
  'no-endpoint': 'no pod was ready',
  'app-error': 'the app answered with an error',
  'grace-exceeded': 'their pod was killed at the end of its grace period',
  'node-event': 'node or kubelet took their pod down',
  'harness-noise': 'cluster or machine lost connections by themselves',
  unknown: 'of something that was not recorded',
};

/** Behind "98 new connections"; the others are "lost" and named. */
export const outcomeVerbs: Readonly<Partial<Record<Outcome, string>>> = {
  http3xx: 'were answered with status 3xx',
  http4xx: 'were answered with status 4xx',
  http5xx: 'were answered with status 5xx',
  refused: 'were refused',
  reset: 'were reset',
  closed: 'were closed without an answer',
  timeout: 'timed out',
  unreachable: 'could not reach a pod',
  dns: 'did not resolve the name',
  tls: 'failed in TLS',
};

export const outcomeWords: Record<Outcome, string> = {
  ok: 'ok',
  http3xx: 'status 3xx',
  http4xx: 'status 4xx',
  http5xx: 'status 5xx',
  refused: 'refused',
  reset: 'reset',
  closed: 'closed without an answer',
  timeout: 'timed out',
  unreachable: 'unreachable',
  dns: 'name not resolved',
  tls: 'TLS failed',
  protocol: 'broke the protocol',
  local: 'limits of this machine',
  aborted: 'stopped by an interrupt',
  other: 'other',
  'refused-stream': 'stream refused',
  'stream-reset': 'stream reset',
  'goaway-lost': 'lost with the connection after GOAWAY',
  'grpc-status': 'gRPC status',
  'missing-trailers': 'no gRPC status',
  'stream-cut': 'stream cut',
  'stream-ended': 'stream ended in order before the message came',
  'message-missing': 'message missing',
  'message-late': 'message late',
};

/** What protocols count beside outcomes. */
export const counterWords: Readonly<Record<string, string>> = {
  goaways: 'GOAWAY came',
  goawaysHonoured: 'GOAWAY without a loss',
  streamsOpened: 'streams opened',
  streamsCut: 'streams cut',
  streamsEnded: 'streams ended',
  streamsSilent: 'streams silent',
  streamsBroken: 'streams broken',
  streamsHeld: 'streams held',
  openFailures: 'not opened',
  messagesRepeated: 'messages twice',
  messagesUnexpected: 'messages extra',
  livesDropped: 'lives unlisted',
};

/** How open streams end. */
export const streamEndWords: Record<StreamLife['end'], string> = {
  cut: 'cut',
  ended: 'ended in order',
  silent: 'silent',
  protocol: 'broken',
  held: 'open to the end',
};

const laneWords: Record<Lane, { readonly title: string; readonly means: string }> = {
  new: { title: 'new connections', means: 'a connection per request' },
  kept: { title: 'kept connections', means: 'keep-alive, used again and again' },
  long: { title: 'long requests', means: 'slow requests in flight' },
  stream: { title: 'open streams', means: 'open for long, a message per interval' },
};

const protocolWords: Record<Protocol, string> = {
  http1: '',
  http2: 'HTTP/2',
  grpc: 'gRPC',
  websocket: 'WebSocket',
  sse: 'event streams',
  tcp: 'TCP',
};

/** What a line is called beside its id: "new connections", "kept connections (gRPC, TLS) through ingress to web". */
export function lineWords(id: LineId): { readonly title: string; readonly means: string } {
  const line = parseLineId(id);
  if (!line) return { title: id, means: '' };
  const { title, means } = laneWords[line.kind];
  const speaks = [protocolWords[line.protocol], line.tls ? 'TLS' : ''].filter(Boolean).join(', ');
  return {
    title: [
      title,
      speaks && `(${speaks})`,
      line.entry !== serviceEntry && `through ${line.entry}`,
      line.service !== undefined && `to ${line.service}`,
    ]
      .filter(Boolean)
      .join(' '),
    means,
  };
}

/** Settings that the project ships; any other is called by its name. */
const settings: Readonly<Record<string, string>> = {
  readinessProbe: 'no traffic before the app answers',
  grpcProbe: 'no traffic before the gRPC health service answers SERVING',
  preStop: 'wait until no node routes here any more, then stop',
  gracefulShutdown: 'after SIGTERM go on serving, ask clients to leave, then close',
  streamDrain: 'end open streams in order: GOAWAY, close 1001, end of events',
  connectionAge: 'end connections in order after a while, so that new pods get some',
  surge: 'start the new pod before the old one goes (maxUnavailable 0)',
  noSurge: 'an old pod goes before the new one starts (maxSurge 0)',
  minReadySeconds: 'a pod counts only when it stayed ready for a while',
  startupProbe: 'slow starts are not killed by liveness',
  gracePeriod: 'enough time to finish after SIGTERM',
  podDisruptionBudget: 'drains never take too many pods at once',
  topologySpread: 'pods on more than one node',
};

export function settingMeans(name: string): string | undefined {
  return settings[name];
}

/** Zero is good only when the measurement was: no data, and bad data, is never a pass. */
export function lossTone(lost: number, valid: boolean): Tone {
  if (lost > 0) return 'bad';
  return valid ? 'good' : 'warn';
}
export const toneSigns: Readonly<Record<Tone, string>> = {
  good: '✓',
  bad: '✕',
  warn: '?',
  note: '○',
  quiet: '–',
};

/** The reason of outcome `tls`, from Node's or OpenSSL's code; undefined: the code says it itself. */
export function tlsReason(code: string): string | undefined {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'the certificate has expired';
    case 'CERT_NOT_YET_VALID':
      return 'the certificate is not valid yet';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'the certificate is for another name';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_UNTRUSTED':
      return 'the certificate is of an unknown authority';
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_UNEXPECTED_MESSAGE':
      return 'the server does not speak TLS';
    default:
      return /ALERT_(BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|HANDSHAKE)/.test(code)
        ? 'the server refused the handshake or the client certificate'
        : undefined;
  }
}
