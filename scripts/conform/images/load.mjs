// Load from inside the cluster: RATE requests per second for SECONDS to SERVICE ("name.namespace:port"), a connection
// each, to the endpoints that this node routes to.
import { get } from 'node:http';
import { createInterface } from 'node:readline';

const { SERVICE, RATE, SECONDS, ROLLPROOF_ROUTES } = process.env;
let endpoints = [];
get(ROLLPROOF_ROUTES, (response) => {
  createInterface({ input: response }).on('line', (line) => {
    endpoints = JSON.parse(line).services[SERVICE] ?? [];
  });
});
const startedMs = performance.now();
let sent = 0;
const timer = setInterval(() => {
  const elapsedMs = performance.now() - startedMs;
  if (elapsedMs > Number(SECONDS) * 1000) {
    clearInterval(timer);
    setTimeout(() => process.exit(0), 200);
    return;
  }
  for (; sent < (elapsedMs / 1000) * Number(RATE); sent++) {
    const endpoint = endpoints[Math.floor(Math.random() * endpoints.length)];
    if (!endpoint) continue;
    const request = get({ host: endpoint.ip, port: endpoint.port, path: '/', agent: false }, (answer) =>
      answer.resume(),
    );
    request.on('error', () => {});
  }
}, 5);
process.on('SIGTERM', () => process.exit(0));
