// A server of raw bytes for the fault tests of protocols: a handler per connection, and everything closed at the end.
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What a fault may do to its connection. */
export interface Peer {
  write(bytes: Buffer | string): void;
  fin(): void;
  rst(): void;
  /** The rest of the connection's time in silence. */
  readonly open: boolean;
}

interface WireServer {
  readonly port: number;
  readonly connections: number;
  close(): Promise<void>;
}

/** `serve` returns what takes the bytes that come. */
export async function startWireServer(
  serve: (peer: Peer, number: number) => (bytes: Buffer) => void,
): Promise<WireServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    let ended = false;
    const peer: Peer = {
      get open() {
        return !ended && !socket.destroyed;
      },
      write: (bytes) => {
        if (!ended && socket.writable) socket.write(bytes);
      },
      fin() {
        ended = true;
        if (!socket.destroyed) socket.end();
      },
      rst() {
        ended = true;
        // Behind what was written: the kernel has it by then.
        setImmediate(() => {
          if (!socket.destroyed) socket.resetAndDestroy();
        });
      },
    };
    socket.on('data', serve(peer, connections++));
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
