// Sockets of this process that live in the router's network: a short-lived helper opens them there and hands them over.
// So the API server, the agents' routes and the name server can be reached by pods, and by nobody else.
import { spawn } from 'node:child_process';
import type { Socket as UdpSocket } from 'node:dgram';
import { connect, type Server, type Socket } from 'node:net';
import { EmulatorError } from '../../errors.ts';

const LIMIT_MS = 10_000;

const helper = `
const [address, udpPort, count] = JSON.parse(process.argv[1]);
const { createServer } = require('node:net');
const socket = require('node:dgram').createSocket('udp4');
const fail = (error) => { process.stderr.write(error.message); process.exit(1); };
socket.once('error', fail);
socket.bind(udpPort, address, () => process.send('udp', socket));
for (let i = 0; i < count; i++) {
  const server = createServer();
  server.once('error', fail);
  server.listen(i === 0 ? 6443 : 0, address, () => process.send('tcp ' + i, server));
}
process.on('disconnect', () => process.exit(0));
`;

interface RouterSockets {
  readonly udp: UdpSocket;
  /** The first one is on port 6443. */
  readonly tcp: readonly Server[];
}

export async function openInRouter(
  enter: readonly string[],
  address: string,
  udpPort: number,
  count: number,
): Promise<RouterSockets> {
  const [program = '', ...args] = enter;
  const child = spawn(
    program,
    [...args, process.execPath, '-e', helper, JSON.stringify([address, udpPort, count])],
    { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { PATH: process.env.PATH }, timeout: LIMIT_MS },
  );
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const tcp: Server[] = [];
  let udp: UdpSocket | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('message', (name, handle) => {
        if (name === 'udp') udp = handle as UdpSocket;
        else tcp[Number(String(name).slice(4))] = handle as Server;
        if (udp && Object.keys(tcp).length === count) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(
          new EmulatorError(`embedded: no sockets in the cluster network: ${said || `ended with ${code}`}`),
        ),
      );
    });
  } catch (error) {
    udp?.close();
    for (const server of tcp) server?.close();
    throw error;
  } finally {
    if (child.connected) child.disconnect();
  }
  return { udp: udp as unknown as UdpSocket, tcp };
}

/** Passes every connection on to a port of this machine's loopback address. */
export function relay(server: Server, port: number): { readonly address: string; close(): void } {
  const sockets = new Set<Socket>();
  server.on('connection', (client: Socket) => {
    const onward = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.once('error', () => other.destroy());
      one.once('close', () => {
        sockets.delete(one);
        other.destroySoon();
      });
      one.pipe(other);
    }
  });
  server.on('error', () => {});
  server.unref();
  const { address, port: own } = server.address() as { address: string; port: number };
  return {
    address: `${address}:${own}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
