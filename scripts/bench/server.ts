// The bench's server: answers every request with the same bytes and does nothing else, so that the generator is what is
// measured. Prints its port; ends with its parent.
import { createServer } from 'node:net';

const body = 'x'.repeat(100);
// As many headers as a common server sends.
const answer = (connection: string) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: ${connection}\r\nETag: "0123456789"\r\nAccept-Ranges: bytes\r\n\r\n${body}`,
  );
const kept = answer('keep-alive');
const closed = answer('close');

// A request of the bench fits in one read.
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (request) => {
    if (request.includes('onnection: close')) socket.end(closed);
    else socket.write(kept);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
