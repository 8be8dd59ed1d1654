// The bench's server of other protocols: HTTP/2 without and with TLS, gRPC's health service on both, WebSocket. Prints its
// ports and the authority's certificate as JSON; ends with its parent.
import { createServer as createHttp1 } from 'node:http';
import {
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { WebSocketServer } from 'ws';
import { createAuthority } from '../../emulator/index.ts';

export interface ProtocolPorts {
  readonly plain: number;
  readonly tls: number;
  readonly webSocket: number;
  readonly ca: string;
}

const body = Buffer.from('x'.repeat(100));
/** A message of gRPC: HealthCheckResponse {status: SERVING}. */
const serving = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

function answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const { stream } = response;
  if (!request.headers['content-type']?.startsWith('application/grpc')) {
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': body.length });
    stream.end(body);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/grpc' });
  response.addTrailers({ 'grpc-status': '0' });
  response.end(serving);
}

const authority = createAuthority();
const certificate = authority.issue({
  hosts: ['localhost'],
  addresses: ['127.0.0.1'],
  validToMs: Date.now() + 86_400_000,
});
const plain = createServer(answer);
const tls = createSecureServer(certificate, answer);
const webSocket = createHttp1();
const echo = new WebSocketServer({ server: webSocket, perMessageDeflate: false });
echo.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', () => undefined);
});

const portOf = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
      resolve((server.address() as AddressInfo).port),
    ),
  );
Promise.all([portOf(plain), portOf(tls), portOf(webSocket)]).then(([plainPort, tlsPort, webSocketPort]) => {
  const ports: ProtocolPorts = {
    plain: plainPort,
    tls: tlsPort,
    webSocket: webSocketPort,
    ca: authority.cert,
  };
  process.stdout.write(`${JSON.stringify(ports)}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
