// One row of figures: one kind of client, speaking one protocol, coming in through one entry, to one Service. Lines are
// never added up.
import { z } from 'zod';
import { type Lane, lanes, type Protocol, plainLanes, protocols } from './load.ts';

/** Through the Service's ClusterIP: the entry that every other one is compared with. */
export const serviceEntry = 'service';

export interface Line {
  readonly kind: Lane;
  readonly protocol: Protocol;
  readonly tls: boolean;
  /** Where its clients come in: `service`, `node-port`, `outside`, `ingress`, `gateway`, or a name that the user gave. */
  readonly entry: string;
  /** Only when several Services are loaded at once. */
  readonly service?: string;
}

/**
 * `[SERVICE:][ENTRY/][PROTOCOL[+tls]-]KIND`. What is the usual is left out: plain HTTP/1.1 through the Service is `new`,
 * `kept` or `long`. Others: `grpc-kept`, `http1+tls-new`, `ingress/new`, `web:kept`, `web:ingress/http2+tls-kept`.
 */
export type LineId = string;

type PartialLine = Pick<Line, 'kind'> & Partial<Line>;

export function lineId({
  kind,
  protocol = 'http1',
  tls = false,
  entry = serviceEntry,
  service,
}: PartialLine): LineId {
  const speaks = protocol === 'http1' && !tls ? '' : `${protocol}${tls ? '+tls' : ''}-`;
  return `${service === undefined ? '' : `${service}:`}${entry === serviceEntry ? '' : `${entry}/`}${speaks}${kind}`;
}

const form = new RegExp(
  `^(?:([a-z0-9][a-z0-9.-]{0,252}):)?(?:([a-z][a-z0-9-]{0,62})/)?(?:(${protocols.join('|')})(\\+tls)?-)?(${lanes.join('|')})$`,
);

/** Undefined for what is no line's id (`control`, a typing error). */
export function parseLineId(id: string): Line | undefined {
  const found = form.exec(id);
  if (!found) return undefined;
  const [, service, entry, protocol, tls, kind] = found;
  return {
    kind: kind as Lane,
    protocol: (protocol ?? 'http1') as Protocol,
    tls: tls !== undefined,
    entry: entry ?? serviceEntry,
    ...(service !== undefined && { service }),
  };
}

export const lineIdSchema = z
  .string()
  .regex(form, `to be a lane (${plainLanes.join(', ')}) or a line's name, such as grpc-kept or ingress/new`);

/** Figures by line. */
export type ByLine<Value> = Readonly<Record<LineId, Value>>;

/** Each once: by Service and entry as they come, the Service's own entry first, then by protocol and kind. */
export function inLineOrder(ids: Iterable<LineId>): readonly LineId[] {
  const known = [...new Set(ids)].flatMap((id) => {
    const line = parseLineId(id);
    return line ? [{ id, line }] : [];
  });
  const services = [...new Set(known.map(({ line }) => line.service))];
  const entries = [serviceEntry, ...new Set(known.map(({ line }) => line.entry))];
  const place = ({ line }: { line: Line }): readonly number[] => [
    services.indexOf(line.service),
    entries.indexOf(line.entry),
    protocols.indexOf(line.protocol),
    line.tls ? 1 : 0,
    lanes.indexOf(line.kind),
  ];
  return known.sort((a, b) => firstDifference(place(a), place(b))).map(({ id }) => id);
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** The lines that any of these results has figures of, in order. */
export const linesOf = (results: readonly { readonly lanes: ByLine<unknown> }[]): readonly LineId[] =>
  inLineOrder(
    results.flatMap(({ lanes: figures }) => Object.keys(figures).filter((id) => figures[id] !== undefined)),
  );

/**
 * What a claim, a step or a gate means by a name: the line with that id; else, for a mere kind, all lines of that kind
 * through the Service, whatever they speak.
 */
export function linesNamed(name: string, present: Iterable<LineId>): readonly LineId[] {
  const ids = inLineOrder(present);
  if (ids.includes(name)) return [name];
  return ids.filter((id) => {
    const line = parseLineId(id);
    return line?.kind === name && line.entry === serviceEntry;
  });
}
