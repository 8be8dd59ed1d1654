// The image nginx of the recordings as a local command: port 80, one page, 404 for everything else. Stops at once on
// SIGTERM and, as the image's STOPSIGNAL asks, in order on SIGQUIT.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  if (request.url !== '/') response.statusCode = 404;
  response.end('nginx\n');
});
server.listen(Number(process.env.PORT ?? 80), process.env.ROLLPROOF_BIND_ADDRESS);
process.on('SIGTERM', () => process.exit(0));
process.on('SIGQUIT', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
