// One port for http and https: what speaks TLS begins with a handshake record (22). Pods reach their API server by https
// and the authority in kube-root-ca.crt, as everywhere; the kubeconfig stays with http, which costs less.
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

const handshake = 22;
/** A connection that says nothing is nobody's. */
const firstByteLimitMs = 30_000;

interface Listener {
  readonly server: Server;
  /** Ends every connection. */
  closeAll(): void;
}

export function listenForBoth(plain: HttpServer, secure: Pick<HttpServer, 'emit'> | undefined): Listener {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const limit = setTimeout(() => socket.destroy(), firstByteLimitMs);
    socket.once('close', () => clearTimeout(limit));
    const look = () => {
      const first: Buffer | null = socket.read();
      if (first === null) {
        socket.once('readable', look);
        return;
      }
      clearTimeout(limit);
      socket.unshift(first);
      const target = first[0] === handshake ? secure : plain;
      if (target) target.emit('connection', socket);
      else socket.destroy();
    };
    socket.once('readable', look);
  });
  return {
    server,
    closeAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
