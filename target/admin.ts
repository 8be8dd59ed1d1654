// The admin port: chaos on the app itself, asked for through the API server's pod proxy. POST /crash, /hang, /unready,
// /ready; each answers 202 first and acts when the answer is on its way.
import { createServer } from 'node:http';
import type { TargetConfig } from './config.ts';

type AdminAction = 'crash' | 'hang' | 'unready' | 'ready';

export function listenForAdmin(
  config: TargetConfig,
  actions: Readonly<Record<AdminAction, () => void>>,
): void {
  const server = createServer((request, response) => {
    request.resume();
    const name = (request.url ?? '').replace(/^\//, '');
    const known = Object.keys(actions).find((action) => action === name) as AdminAction | undefined;
    response.setHeader('connection', 'close');
    if (!known || request.method !== 'POST') {
      response.statusCode = known ? 405 : 404;
      response.end(`the admin port takes POST ${Object.keys(actions).join(', ')}\n`);
      return;
    }
    response.statusCode = 202;
    response.end(`${known}\n`);
    response.on('close', () => actions[known]());
  });
  // Chaos is an extra: a busy admin port must not keep the target from serving.
  server.on('error', (error) => process.stderr.write(`target: no admin port: ${error.message}\n`));
  server.listen({ port: config.adminPort, host: config.bindAddress });
}
