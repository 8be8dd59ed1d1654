// Names of Services for pods, as CoreDNS answers them: A records of cluster addresses, of the endpoints of headless
// Services and of their pods by host name, SRV records of named ports, and CNAME records of Services that are an external
// name. Everything else does not exist.
import type { RemoteInfo, Socket } from 'node:dgram';
import type { EndpointSlice, Service } from '../api/types.ts';

export interface Names {
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
}

const DOMAIN = 'cluster.local';
const TTL_SECONDS = 5;
const type = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;
/** A name that stands for a name that stands for a name …: that of a circle ends here. */
const MOST_ALIASES = 8;
const code = { ok: 0, formatError: 1, noSuchName: 3, notImplemented: 4 } as const;

/** Answers on `socket` until it is closed. */
export function serveNames(socket: Socket, names: Names, guarded: (run: () => void) => void): void {
  socket.on('message', (query: Buffer, from: RemoteInfo) =>
    guarded(() => {
      const reply = answer(query, names);
      if (reply) socket.send(reply, from.port, from.address, () => {});
    }),
  );
  socket.on('error', () => {});
  socket.unref();
}

/** The reply to one query (RFC 1035, 4.1); undefined for what is no query. */
export function answer(query: Buffer, names: Names): Buffer | undefined {
  if (query.length < 12 || query.readUInt16BE(2) >> 15 === 1) return undefined;
  const id = query.readUInt16BE(0);
  const flags = query.readUInt16BE(2);
  const asked = query.readUInt16BE(4) === 1 ? question(query) : undefined;
  if (!asked) return reply(id, flags, code.formatError, Buffer.alloc(0), []);
  const found = look(asked.name.toLowerCase(), names);
  if (!found) return reply(id, flags, code.noSuchName, asked.wire, []);
  const records =
    found.alias !== undefined
      ? aliasRecords(found.alias, asked.type, names)
      : asked.type === type.A
        ? found.addresses.map((address) => record(type.A, addressBytes(address)))
        : asked.type === type.SRV
          ? found.ports.map(({ port, target }) => {
              const head = Buffer.alloc(6);
              head.writeUInt16BE(0, 0);
              head.writeUInt16BE(100, 2);
              head.writeUInt16BE(port, 4);
              return record(type.SRV, Buffer.concat([head, encodeName(target)]));
            })
          : [];
  return reply(id, flags, code.ok, asked.wire, records);
}

/** The other name, and what it is here. What is outside of the cluster is for the client to ask elsewhere. */
function aliasRecords(alias: string, kind: number, names: Names): Buffer[] {
  const records: Buffer[] = [];
  let owner: Buffer | undefined;
  for (let name: string | undefined = alias; name !== undefined && records.length < MOST_ALIASES; ) {
    const target = encodeName(name);
    records.push(record(type.CNAME, target, owner));
    owner = target;
    const found = look(name.toLowerCase(), names);
    if (kind === type.A) {
      for (const address of found?.addresses ?? [])
        records.push(record(type.A, addressBytes(address), owner));
    }
    name = found?.alias;
  }
  return records;
}

const addressBytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

interface Found {
  /** An external name: there is nothing else then. */
  readonly alias?: string;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly port: number; readonly target: string }[];
}

/** NAME.NAMESPACE.svc.cluster.local, HOST.NAME.NAMESPACE.svc…, _PORT._PROTOCOL.NAME.NAMESPACE.svc… */
function look(name: string, names: Names): Found | undefined {
  const suffix = `.svc.${DOMAIN}`;
  if (!name.endsWith(suffix)) return undefined;
  const labels = name.slice(0, -suffix.length).split('.');
  const namespace = labels.pop() ?? '';
  const serviceName = labels.pop() ?? '';
  const service = names.service(namespace, serviceName);
  if (!service) return undefined;
  const full = `${serviceName}.${namespace}${suffix}`;
  const { clusterIP, ports = [], publishNotReadyAddresses } = service.spec ?? {};
  if (service.spec?.type === 'ExternalName') {
    const { externalName = '' } = service.spec;
    return labels.length === 0
      ? { alias: externalName.replace(/\.$/, ''), addresses: [], ports: [] }
      : undefined;
  }
  const endpoints = names
    .slices(namespace, serviceName)
    .flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter(({ conditions }) => publishNotReadyAddresses || conditions?.ready !== false)
        .map((endpoint) => ({ address: endpoint.addresses[0] ?? '', hostname: endpoint.hostname })),
    );
  const headless = clusterIP === 'None';
  if (labels.length === 0) {
    return { addresses: headless ? endpoints.map(({ address }) => address) : [clusterIP ?? ''], ports: [] };
  }
  if (labels.length === 1) {
    const named = endpoints.filter(({ hostname }) => headless && hostname === labels[0]);
    return named.length > 0 ? { addresses: named.map(({ address }) => address), ports: [] } : undefined;
  }
  const [portLabel = '', protocol = ''] = labels;
  const port = ports.find(
    (each) => `_${each.name}` === portLabel && `_${(each.protocol ?? 'TCP').toLowerCase()}` === protocol,
  );
  return port && labels.length === 2
    ? { addresses: [], ports: [{ port: port.port, target: full }] }
    : undefined;
}

function question(query: Buffer): { name: string; type: number; wire: Buffer } | undefined {
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return { name: labels.join('.'), type: query.readUInt16BE(at), wire: query.subarray(12, at + 4) };
}

function reply(id: number, flags: number, status: number, wire: Buffer, records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  // A reply with authority; recursion is echoed as asked and offered, since clients warn otherwise.
  head.writeUInt16BE(0x8400 | (flags & 0x0100) | 0x0080 | status, 2);
  head.writeUInt16BE(wire.length > 0 ? 1 : 0, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, wire, ...records]);
}

/** Without a name of its own it is the question's: a pointer to byte 12. */
function record(kind: number, data: Buffer, owner: Buffer = Buffer.from([0xc0, 0x0c])): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(TTL_SECONDS, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, head, data]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
