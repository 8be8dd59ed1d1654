// Addresses of one embedded cluster: a block of the loopback network (Linux answers on all of 127.0.0.0/8 without
// configuration), so that every pod, Service and node has its own as on a real cluster.
import { createServer, type Server } from 'node:net';
import { EmulatorError } from '../errors.ts';

/** Held for as long as the cluster lives, so that two clusters on one machine never share a block. */
const CLAIM_PORT = 16_443;
const FIRST_BLOCK = 16;
const LAST_BLOCK = 254;
/** Third octets: 0 is the cluster itself and its nodes, 1 to 15 Services, from 16 on pods. */
const FIRST_SERVICE_OCTET = 1;
const LAST_SERVICE_OCTET = 15;
const FIRST_POD_OCTET = 16;
const LAST_POD_OCTET = 255;

export interface AddressBlock {
  /** False where only 127.0.0.1 exists (not Linux): pods then have ports of their own, and gone ones refuse. */
  readonly ownAddresses: boolean;
  /** For an endpoint that nobody ever listens on. */
  readonly silentAddress: string;
  nodeAddress(node: number): string;
  /** "127.31.16.0/20" or the like; for display. */
  podRange(node: number): string;
  /** First and last address of its pods. */
  podAddresses(node: number): readonly [string, string];
  /** An address that no pod has had for as long as possible. */
  allocatePod(node: number): string;
  releasePod(address: string): void;
  /** An address that is not in `taken`. */
  allocateService(taken: ReadonlySet<string>): string;
  close(): Promise<void>;
}

/** Claims a free block for a cluster of `nodes` nodes. `start` (0 to 1) says where to begin to look. */
export async function claimAddresses(nodes: number, start: number): Promise<AddressBlock> {
  const count = LAST_BLOCK - FIRST_BLOCK + 1;
  const offset = Math.floor(start * count);
  for (let i = 0; i < count; i++) {
    const block = FIRST_BLOCK + ((offset + i) % count);
    const claim = await listenOn(`127.${block}.0.1`);
    if (claim === 'unavailable') return addressBlock(`127.${block}`, nodes, false);
    if (claim) {
      return {
        ...addressBlock(`127.${block}`, nodes, true),
        close: () => new Promise((resolve) => claim.close(() => resolve())),
      };
    }
  }
  throw new EmulatorError(
    `embedded: all ${count} loopback blocks (127.${FIRST_BLOCK} to 127.${LAST_BLOCK}) are in use. End other runs.`,
  );
}

/** The addresses of one cluster within `prefix`, the first two octets of its /16. */
export function addressBlock(prefix: string, nodes: number, ownAddresses: boolean): AddressBlock {
  const octets = Math.floor((LAST_POD_OCTET - FIRST_POD_OCTET + 1) / nodes);
  const pods = Array.from({ length: nodes }, (_, node) => {
    const first = FIRST_POD_OCTET + node * octets;
    return rotation(prefix, first, first + octets - 1);
  });
  const services = rotation(prefix, FIRST_SERVICE_OCTET, LAST_SERVICE_OCTET);
  const podsOf = (node: number) => {
    const found = pods[node];
    if (!found) throw new Error(`node ${node} of ${nodes}`);
    return found;
  };
  return {
    ownAddresses,
    silentAddress: `${prefix}.0.9`,
    nodeAddress: (node) => `${prefix}.0.${10 + node}`,
    podRange: (node) =>
      `${prefix}.${FIRST_POD_OCTET + node * octets}.0/${24 - Math.floor(Math.log2(octets))}`,
    podAddresses: (node) => [
      `${prefix}.${FIRST_POD_OCTET + node * octets}.0`,
      `${prefix}.${FIRST_POD_OCTET + (node + 1) * octets - 1}.255`,
    ],
    allocatePod: (node) => podsOf(node).allocate(),
    releasePod: (address) => {
      for (const range of pods) range.release(address);
    },
    allocateService: (taken) => services.allocate(taken),
    close: async () => {},
  };
}

/** Addresses in turn: a released one comes again only after all others. */
function rotation(prefix: string, firstOctet: number, lastOctet: number) {
  const size = (lastOctet - firstOctet + 1) * 254;
  const used = new Set<string>();
  let next = 0;
  return {
    allocate(taken: ReadonlySet<string> = used): string {
      for (let i = 0; i < size; i++) {
        const index = next;
        next = (next + 1) % size;
        const address = `${prefix}.${firstOctet + Math.floor(index / 254)}.${1 + (index % 254)}`;
        if (taken.has(address)) continue;
        if (taken === used) used.add(address);
        return address;
      }
      throw new EmulatorError(`embedded: all ${size} addresses of ${prefix}.${firstOctet}.0 are in use.`);
    },
    release(address: string): void {
      used.delete(address);
    },
  };
}

/** The claim; undefined when somebody else has it; "unavailable" where the system has no such address. */
function listenOn(address: string): Promise<Server | 'unavailable' | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else if (error.code === 'EADDRNOTAVAIL') resolve('unavailable');
      else
        reject(
          new EmulatorError(`embedded: cannot listen on ${address}: ${error.message}`, { cause: error }),
        );
    });
    server.listen({ host: address, port: CLAIM_PORT }, () => {
      server.unref();
      resolve(server);
    });
  });
}
