// The image exp/target of the recordings as a local command: an HTTP server on port 8080 whose start-up, work and way
// of stopping are chosen by environment variables. Plain JavaScript: it must start as fast as Node can.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { env } = process;
const number = (name, fallback) => (env[name] === undefined ? fallback : Number(env[name]));
const startMs = number('START_MS', 0);
const workMs = number('WORK_MS', 5);
const cpuMs = number('CPU_MS', 0);
const onTerm = env.ON_TERM ?? 'exit';

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok\n');
    return;
  }
  setTimeout(() => {
    const endMs = performance.now() + cpuMs;
    while (performance.now() < endMs);
    response.end(`${env.VERSION ?? ''}\n`);
  }, workMs);
});

setTimeout(() => {
  server.listen(number('PORT', 8080), env.ROLLPROOF_BIND_ADDRESS, () => say('listening'));
}, startMs);

process.on('SIGTERM', () => {
  say('SIGTERM');
  if (onTerm === 'ignore') return;
  if (onTerm === 'exit' || !server.listening) process.exit(0);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

function say(line) {
  process.stdout.write(`${line}\n`);
  if (env.CONFORM_LOG) {
    appendFileSync(env.CONFORM_LOG, `${JSON.stringify({ wallMs: Date.now(), pod: env.HOSTNAME, line })}\n`);
  }
}
