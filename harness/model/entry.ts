// Where load comes in. Several entries are fired at side by side in one experiment, each with its own lines.
import { z } from 'zod';

export const entryKinds = ['service', 'node-port', 'outside', 'ingress', 'gateway', 'url'] as const;
export type EntryKind = (typeof entryKinds)[number];
/** Those that are asked for by their kind alone; a URL stands for itself. */
export const namedEntryKinds = entryKinds.filter((kind) => kind !== 'url');

/** From where a URL is fired at: a load agent in the cluster, or a process on the machine that runs the command. */
export const urlOrigins = ['agent', 'here'] as const;

/** An entry as it is asked for. `name`: in ids of lines, unique in an experiment. */
export const entrySchema = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  kind: z.enum(entryKinds),
  /** Of kind `url`. */
  url: z.string().optional(),
  from: z.enum(urlOrigins).optional(),
});
export type Entry = z.infer<typeof entrySchema>;

/** An entry as it was measured, for the journal's header. */
export const measuredEntrySchema = entrySchema.extend({
  /** host:port or URL that the load went to, and the Host that it asked for. */
  address: z.string(),
  host: z.string().optional(),
  /** IngressClass or GatewayClass, and what answers for it ("traefik.io/ingress-controller"). */
  class: z.string().optional(),
  controller: z.string().optional(),
  /** NAMESPACE/NAME of the Service in front of the entry's own pods; undefined: not known. */
  service: z.string().optional(),
  /** Which form the access log has that was read; undefined: none was. */
  accessLog: z.string().optional(),
});
export type MeasuredEntry = z.infer<typeof measuredEntrySchema>;

/** A proxy stands between client and pod: losses there are put to a hop. */
export const isProxied = ({ kind }: Pick<Entry, 'kind'>): boolean =>
  kind === 'ingress' || kind === 'gateway' || kind === 'url';

/**
 * Where on the way an attempt was lost: between client and the entry's own pods (they were gone, starting, or not
 * reached), between entry and pod (the entry took the request and did not get it answered), in the pod (the app answered
 * so).
 */
export const hops = ['client-entry', 'entry-pod', 'pod'] as const;
export type Hop = (typeof hops)[number];
